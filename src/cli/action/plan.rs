//! What would happen, for people and programs.

use crate::cli::engine::called;
use crate::cli::exit::Code;
use crate::cli::output::Format;
use crate::cli::session::Session;
use crate::definition::by_count;
use crate::run::{Counts, Plan};
use crate::server::PlanForm;

/// Prints a plan.
pub(super) fn print(plan: &PlanForm, session: &Session) -> anyhow::Result<Code> {
    let mut out = session.out();
    match out.format() {
        Format::Jsonl => out.json(plan)?,
        Format::Csv => out.list(&HEADER, &plan.sample, row)?,
        Format::Table => {
            out.text(&head(plan))?;
            out.list(&HEADER, &plan.sample, row)?;
        }
    }
    out.flush()?;
    Ok(Code::Ok)
}

const HEADER: [&str; 3] = ["Object", "Would be", "What"];

fn row(item: &crate::server::PlannedForm) -> Vec<String> {
    let told = |action: &crate::server::PlannedActionForm| match &action.changes {
        Some(changes) => format!("{} {}", action.verb, changes.get()),
        None => action.verb.clone(),
    };
    let actions = || item.actions.iter().map(told).collect::<Vec<_>>().join(", ");
    let what = item.note.clone().unwrap_or_else(actions);
    vec![called(&item.object), item.outcome.to_owned(), what]
}

fn head(plan: &PlanForm) -> String {
    let selection = &plan.selection;
    let mut lines = vec![format!("{}: {} selected", plan.label, selection.total)];
    let counts = &plan.tried;
    if counts.total > 0 {
        lines.push(format!(
            "tried with {}: {} would be done, {} skipped, {} denied, {} failed; nothing was changed",
            counts.total, counts.done, counts.skipped, counts.denied, counts.failed
        ));
    } else {
        lines.push("it is done elsewhere, so it was not tried; nothing was changed".to_owned());
    }
    lines.extend(plan.consequences.items.iter().map(|it| {
        let rows = it.rows.map_or_else(|| "?".to_owned(), |rows| rows.to_string());
        let untold = if it.is_recorded { "" } else { " (nothing is recorded of them)" };
        let line = format!("{}: {rows} of {} {}", it.impact, it.table, it.keys.join(", "));
        line.trim_end().to_owned() + untold
    }));
    lines.extend(plan.messages.iter().map(|said| format!("{}: {}", said.level, said.text)));
    lines.join("\n")
}

/// What is worth to know before somebody agrees.
pub(super) fn consequences(plan: &Plan) -> Vec<String> {
    let Counts { total, skipped, denied, failed, .. } = plan.tried;
    let few = if total < plan.selection.total {
        by_count(u64::from(total), " of the first one", " of the first {count}")
    } else {
        String::new()
    };
    let told = [
        (skipped, "1 would be skipped", "{count} would be skipped"),
        (denied, "1 is not permitted", "{count} are not permitted"),
        (failed, "1 would fail", "{count} would fail"),
    ];
    let told = told.into_iter().filter(|(count, ..)| *count > 0);
    let mut told: Vec<_> =
        told.map(|(count, one, many)| by_count(u64::from(count), one, many) + &few).collect();
    told.extend(plan.consequences.sentences());
    told.extend(plan.messages.iter().map(|message| message.text.clone()));
    told
}
