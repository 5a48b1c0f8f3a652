//! How a run ended: one line of JSON for programs, some words for people, a code for scripts.

use std::io;

use crate::cli::engine::Engine;
use crate::cli::exit::Code;
use crate::cli::output::{Format, Out};
use crate::cli::say;
use crate::cli::session::Session;
use crate::definition::{Level, by_count};
use crate::run::{ItemOutcome, ItemQuery, RunInfo, RunState};
use crate::server::RunForm;

/// Objects that were not done which are named.
const SHOWN: usize = 5;

/// Prints the run, what it said, and what was not done; gives the code.
pub(in crate::cli) async fn tell(
    engine: &Engine,
    run: &RunInfo,
    session: &Session,
) -> anyhow::Result<Code> {
    print(run, session)?;
    for message in engine.runs.messages(engine.tenant(), run.id).await? {
        match message.level {
            Level::Warning | Level::Error => say::warning(&message.text),
            Level::Info | Level::Success => say::note(&message.text),
            Level::Debug => {}
        }
    }
    let undone =
        [(ItemOutcome::Failed, run.counts.failed), (ItemOutcome::Denied, run.counts.denied)];
    for (outcome, count) in undone.into_iter().filter(|(_, count)| *count > 0) {
        let query = ItemQuery { outcome: Some(outcome), after: None, limit: Some(SHOWN) };
        for item in engine.runs.items(engine.tenant(), run.id, query).await?.items {
            let why = item.note.unwrap_or_default();
            say::warning(&format!("{} {}: {why}", item.object, outcome.as_str()));
        }
        if count as usize > SHOWN {
            let (id, word) = (run.id, outcome.as_str());
            say::note(&format!("all of them: gesta run items {id} --outcome {word}"));
        }
    }
    if let Some(error) = &run.error {
        say::wrong(error);
    }
    Ok(code(run))
}

/// What a script learns of it.
pub(in crate::cli) fn code(run: &RunInfo) -> Code {
    match run.state {
        RunState::Succeeded | RunState::Queued | RunState::Running => Code::Ok,
        RunState::Partial | RunState::Cancelled => Code::Partial,
        RunState::Failed if run.counts.failed + run.counts.denied > 0 => Code::Partial,
        RunState::Failed => Code::Error,
        RunState::Refused => Code::Permission,
    }
}

/// Prints a run.
pub(in crate::cli) fn print(run: &RunInfo, session: &Session) -> io::Result<()> {
    let mut out = session.out();
    one(&mut out, run)?;
    out.flush()
}

/// The same, on an output that is open.
pub(in crate::cli) fn one(out: &mut Out, run: &RunInfo) -> io::Result<()> {
    match out.format() {
        Format::Jsonl => out.json(&RunForm::from(run)),
        Format::Csv => {
            out.csv(["id", "state", "total", "done", "skipped", "denied", "failed"])?;
            let counts = &run.counts;
            let counts = [counts.total, counts.done, counts.skipped, counts.denied, counts.failed];
            let counts = counts.map(|count| count.to_string());
            let words = [run.id.to_string(), run.state.as_str().to_owned()];
            out.csv(words.iter().chain(&counts).map(String::as_str))
        }
        Format::Table => out.text(&text(run)),
    }
}

/// `Publish articles: 40 done, 1 skipped, 2 failed`, and which run it is.
pub(in crate::cli) fn text(run: &RunInfo) -> String {
    let counts = &run.counts;
    let told = [
        (counts.done, "done"),
        (counts.skipped, "skipped"),
        (counts.denied, "denied"),
        (counts.failed, "failed"),
        (counts.pending(), if run.state.is_ended() { "not begun" } else { "pending" }),
    ];
    let told = told.into_iter().filter(|(count, _)| *count > 0);
    let told: Vec<_> =
        told.map(|(count, word)| by_count(u64::from(count), "1 ", "{count} ") + word).collect();
    let told = if told.is_empty() { "nothing".to_owned() } else { told.join(", ") };
    format!("{}: {told}\nrun {} {}", run.label, run.id, state(run))
}

/// How far it is, for people.
pub(in crate::cli) fn state(run: &RunInfo) -> &'static str {
    if run.waiting.is_some() { "waiting" } else { run.state.as_str() }
}
