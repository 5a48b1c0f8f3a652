//! A run on a terminal: how far it is, and how it ended.

pub(super) mod ended;

use std::time::Duration;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use tokio::time::sleep;
use uuid::Uuid;

use super::engine::Engine;
use super::exit::Code;
use super::say;
use super::session::Session;
use crate::run::{RunInfo, Start};

/// How often the progress is drawn, a second.
const DRAWS: u8 = 10;
/// How often the run is looked at.
const LOOK: Duration = Duration::from_millis(200);

/// Runs it here, and shows how far it is. An interruption cancels it: what was done stays.
pub(super) async fn run(engine: &Engine, start: Start, session: &Session) -> anyhow::Result<Code> {
    let begun = engine.runs.begin(&engine.asker, start).await?;
    let id = begun.id();
    let mut bar = Bar::new();
    let ended = {
        let mut interrupted = std::pin::pin!(tokio::signal::ctrl_c());
        let mut working = std::pin::pin!(begun.finish(std::future::pending()));
        loop {
            tokio::select! {
                biased;
                ended = &mut working => break Some(ended),
                signal = &mut interrupted => {
                    signal?;
                    break None;
                }
                () = sleep(LOOK) => {
                    // Where it cannot be looked at, its end will say why.
                    if let Ok(run) = engine.runs.run(engine.tenant(), id).await {
                        bar.show(&run);
                    }
                }
            }
        }
        // What is under way is rolled back here: a cancellation would wait for ever for the row that it has locked.
    };
    bar.clear();
    let Some(ended) = ended else {
        engine.runs.cancel(&engine.asker, id).await?;
        say::note(&format!("cancelled; what was done stays: gesta run show {id}"));
        return Ok(Code::Interrupted);
    };
    let started = ended?;
    if !started.is_new {
        say::note("this request was sent before; here is its run");
    }
    if !started.run.state.is_ended() {
        say::note("somebody else is at work on it");
        return watch(engine, id, session).await;
    }
    ended::tell(engine, &started.run, session).await
}

/// Shows how far a run is, wherever it is worked on, until it ends. An interruption ends the watching only.
pub(super) async fn watch(engine: &Engine, id: Uuid, session: &Session) -> anyhow::Result<Code> {
    let mut bar = Bar::new();
    let mut interrupted = std::pin::pin!(tokio::signal::ctrl_c());
    loop {
        let run = engine.runs.run(engine.tenant(), id).await?;
        if run.state.is_ended() {
            bar.clear();
            return ended::tell(engine, &run, session).await;
        }
        bar.show(&run);
        tokio::select! {
            signal = &mut interrupted => {
                signal?;
                bar.clear();
                say::note(&format!("it goes on; gesta run watch {id}"));
                return Ok(Code::Interrupted);
            }
            () = sleep(LOOK) => {}
        }
    }
}

/// A bar on standard error; where that is no terminal, a line about what the run waits for.
struct Bar {
    bar: ProgressBar,
    /// What it was said to wait for.
    waiting: Option<String>,
}

impl Bar {
    fn new() -> Self {
        let bar = ProgressBar::new(0);
        bar.set_draw_target(ProgressDrawTarget::stderr_with_hz(DRAWS));
        if let Ok(style) = ProgressStyle::with_template("{bar:24} {pos}/{len}  {msg}  {eta} left") {
            bar.set_style(style);
        }
        Self { bar, waiting: None }
    }

    fn show(&mut self, run: &RunInfo) {
        let counts = &run.counts;
        self.bar.set_length(u64::from(counts.total));
        self.bar.set_position(u64::from(counts.settled()));
        if run.waiting != self.waiting {
            self.waiting.clone_from(&run.waiting);
            if let Some(what) = &run.waiting {
                let text = format!("it waits until somebody is there: {what}");
                self.bar.suspend(|| say::note(&text));
            }
        }
        let told =
            [("failed", counts.failed), ("denied", counts.denied), ("skipped", counts.skipped)];
        let told = told.into_iter().filter(|(_, count)| *count > 0);
        let told: Vec<_> = told.map(|(word, count)| format!("{count} {word}")).collect();
        let told = if told.is_empty() { ended::state(run).to_owned() } else { told.join(", ") };
        self.bar.set_message(told);
    }

    fn clear(&self) {
        self.bar.finish_and_clear();
    }
}
