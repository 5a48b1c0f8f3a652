//! `gesta run show`: who ran what, why, and what became of it.

use super::One;
use crate::cli::engine::{By, Engine};
use crate::cli::exit::Code;
use crate::cli::output::Format;
use crate::cli::progress::ended;
use crate::cli::session::Session;
use crate::cli::when::short;
use crate::run::{MessageInfo, RunInfo};

pub(super) async fn run(one: &One, session: &Session) -> anyhow::Result<Code> {
    let engine = Engine::open(session, &By::default()).await?;
    let run = engine.runs.run(engine.tenant(), one.id).await?;
    let mut out = session.out();
    if out.format() == Format::Table {
        let messages = engine.runs.messages(engine.tenant(), one.id).await?;
        out.text(&text(&run, &messages))?;
    } else {
        ended::one(&mut out, &run)?;
    }
    out.flush()?;
    Ok(Code::Ok)
}

fn text(run: &RunInfo, messages: &[MessageInfo]) -> String {
    let at = |time: Option<_>| time.map_or("–".to_owned(), |time| format!("{} UTC", short(time)));
    let name = run.actor.name.as_deref().filter(|name| !name.is_empty());
    let who = match name {
        Some(name) => format!("{name} ({})", run.actor.resource),
        None => run.actor.resource.to_string(),
    };
    let none = || "–".to_owned();
    let rows = [
        ("Action", format!("{} of {}", run.name, run.kind)),
        ("By", who),
        ("Why", run.reason.clone().unwrap_or_else(none)),
        ("Input", run.input.to_string()),
        ("Permission", run.permission.clone().unwrap_or_else(none)),
        ("Asked for", at(Some(run.created_at))),
        ("Began", at(run.started_at)),
        ("Ended", at(run.ended_at)),
        ("Works", if run.is_background { "in the background" } else { "at once" }.to_owned()),
    ];
    let mut lines = vec![ended::text(run), String::new()];
    lines.extend(rows.into_iter().map(|(name, value)| format!("{name:<10} {value}")));
    let more = [
        ("Retry of", run.retry_of.map(|id| id.to_string())),
        ("Cancelled", run.cancelled_by.as_ref().map(|who| format!("by {who}"))),
        ("Error", run.error.clone()),
        ("Waits", run.waiting.as_ref().map(|what| format!("until somebody is there: {what}"))),
    ];
    lines.extend(
        more.into_iter().filter_map(|(name, value)| Some(format!("{name:<10} {}", value?))),
    );
    if !messages.is_empty() {
        lines.push(String::new());
        lines.extend(messages.iter().map(|said| format!("{}: {}", said.level.as_str(), said.text)));
    }
    lines.join("\n")
}
