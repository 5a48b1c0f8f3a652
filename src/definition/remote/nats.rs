//! Orders to workers over NATS, and what they report.
//!
//! ```text
//!  Gesta ── order {run, action, …, objects} ──► SUBJECT, a queue group: one worker gets it
//!        ◄── request to the order's reply subject: {objects: [{place, outcome, message}], messages} ── worker
//!        ── {ok} once that is stored; {ok, stop} where the run was cancelled ──►
//! ```
//!
//! The reply subject lives as long as somebody waits for it. A worker that is silent for too long is given up, the subject
//! with it, and what is pending goes out in another order; a worker that still reports then gets no answer, and stops.
//! Where no worker listens at all, the server says so at once, and the run waits.
//! A report that was answered is stored, and one that was not is not lost: its objects are asked for again.

use std::collections::BTreeSet;
use std::time::Duration;

use async_nats::connection::State;
use async_nats::{Client, Message as Received, StatusCode};
use bytes::Bytes;
use futures_util::future::BoxFuture;
use futures_util::{StreamExt as _, TryStreamExt as _};
use serde::Deserialize;
use serde_json::{Value, json};

use super::super::effect::{Order, Remote, Reporter, Sent};
use super::super::level::Level;
use super::super::piece::{Fate, Fault, Item, Message, OUTCOMES};
use super::body::body;
use crate::error::{chain, quote};
use crate::format::percent::is_token;
use crate::json::object::only_objects;

/// Orders of one run that are out: as many workers share it at a time.
const AT_ONCE: usize = 8;
/// Bytes that a server takes as a message, where it has not said so: the default of NATS.
const PAYLOAD_LEN: usize = 1024 * 1024;
/// Bytes of an order beside its objects and the input: headers and the subjects.
const ROOM: usize = 4 * 1024;

/// Work for workers that listen on a subject, in a queue group.
#[derive(Clone)]
pub struct Work {
    client: Option<Client>,
    subject: String,
    batch: usize,
    silence: Duration,
}

/// Whether orders can go to a subject: words with points between, and no wildcards.
#[must_use]
pub fn is_subject(text: &str) -> bool {
    let is_word = |word: &str| !word.is_empty() && word.bytes().all(is_token);
    !text.starts_with('$') && text.len() <= 255 && text.split('.').all(is_word)
}

impl Work {
    /// Work for the workers of a subject.
    #[must_use]
    pub fn new(client: Client, subject: &str) -> Self {
        let silence = Duration::from_secs(30);
        Self { client: Some(client), subject: subject.to_owned(), batch: 100, silence }
    }

    /// The same for a program that gives no orders: a run waits.
    #[must_use]
    pub fn nowhere(subject: &str) -> Self {
        let silence = Duration::from_secs(30);
        Self { client: None, subject: subject.to_owned(), batch: 100, silence }
    }

    /// Up to so many objects in an order; 100 by default. An order is as large as the server takes messages.
    #[must_use]
    pub fn batch(self, objects: u32) -> Self {
        Self { batch: usize::try_from(objects.max(1)).unwrap_or(1), ..self }
    }

    /// How long a worker may report nothing before its order is given to another one; 30 s by default.
    #[must_use]
    pub fn silence(self, silence: Duration) -> Self {
        Self { silence, ..self }
    }

    /// Gives an order, and takes its reports until all objects are settled, nothing comes any more, or the run was
    /// cancelled.
    async fn ask(
        &self,
        client: &Client,
        order: &Order,
        items: &[Item],
        reporter: &dyn Reporter,
    ) -> Result<Asked, Fault> {
        let inbox = client.new_inbox();
        let subscribed = client.subscribe(inbox.clone()).await;
        let mut reports =
            subscribed.map_err(|error| Fault::caused("failed to listen for reports", error))?;
        let body = Bytes::from(body(order, items));
        let given = client.publish_with_reply(self.subject.clone(), inbox, body).await;
        given.map_err(|error| Fault::caused("failed to give the order", error))?;
        let mine: BTreeSet<u32> = items.iter().map(|item| item.place).collect();
        let mut open = mine.clone();
        while !open.is_empty() {
            let Ok(Some(report)) = tokio::time::timeout(self.silence, reports.next()).await else {
                tracing::info!(run = %order.run, subject = %self.subject, open = open.len(), "a worker is silent");
                return Ok(Asked::Heard);
            };
            if report.status == Some(StatusCode::NO_RESPONDERS) {
                return Ok(Asked::Unheard);
            }
            match self.take(client, &report, &mine, reporter).await {
                Ok(Some(settled)) => open.retain(|place| !settled.contains(place)),
                Ok(None) => return Ok(Asked::Cancelled),
                // The worker gets no answer, and what is pending is asked for again.
                Err(fault) => {
                    tracing::warn!(run = %order.run, error = %chain(&fault), "a report was not stored");
                    return Ok(Asked::Heard);
                }
            }
        }
        Ok(Asked::Heard)
    }

    /// Stores a report and answers it; gives the places that are settled by it, or nothing where the run was cancelled.
    /// A worker whose answer was lost says the same again: what was stored stays.
    async fn take(
        &self,
        client: &Client,
        report: &Received,
        mine: &BTreeSet<u32>,
        reporter: &dyn Reporter,
    ) -> Result<Option<BTreeSet<u32>>, Fault> {
        let (settled, answer) = match read(&report.payload, mine) {
            Err(problem) => (Some(BTreeSet::new()), json!({ "ok": false, "error": problem })),
            Ok((fates, messages)) => {
                let places = fates.iter().map(|(place, _)| *place).collect();
                let goes_on = reporter.report(fates, messages).await?;
                (goes_on.then_some(places), json!({ "ok": true, "stop": !goes_on }))
            }
        };
        if let Some(reply) = report.reply.clone() {
            let answer = Bytes::from(answer.to_string());
            let sent = client.publish(reply, answer).await;
            sent.map_err(|error| Fault::caused("failed to answer a report", error))?;
            // The last one too, before a command ends with its run.
            let flushed = client.flush().await;
            flushed.map_err(|error| Fault::caused("failed to answer a report", error))?;
        }
        Ok(settled)
    }

    /// Parts of an order that the server takes as messages, or nothing where one object is too much already.
    fn parts<'o>(&self, client: &Client, order: &'o Order) -> Option<Vec<&'o [Item]>> {
        let most = match client.server_info().max_payload {
            0 => PAYLOAD_LEN,
            most => most,
        };
        let most = most.saturating_sub(ROOM);
        let mut open: Vec<_> = order.items.chunks(self.batch).rev().collect();
        let mut parts = Vec::with_capacity(open.len());
        while let Some(items) = open.pop() {
            if body(order, items).len() <= most {
                parts.push(items);
            } else if let (1.., (first, second)) =
                (items.len() / 2, items.split_at(items.len() / 2))
            {
                open.extend([second, first]);
            } else {
                return None;
            }
        }
        Some(parts)
    }
}

impl Remote for Work {
    fn send<'a>(
        &'a self,
        order: &'a Order,
        reporter: &'a dyn Reporter,
    ) -> BoxFuture<'a, Result<Sent, Fault>> {
        Box::pin(async move {
            let connected = self.client.as_ref();
            let connected = connected.filter(|it| it.connection_state() == State::Connected);
            let Some(client) = connected else {
                return Ok(Sent::Unheard("there is no connection to NATS".to_owned()));
            };
            let parts = self.parts(client, order).ok_or_else(|| {
                Fault::new("the order of one object is larger than NATS takes messages")
            })?;
            let ask =
                |items| -> BoxFuture<'a, _> { Box::pin(self.ask(client, order, items, reporter)) };
            let asked: Vec<_> = parts.into_iter().map(ask).collect();
            let mut ended = futures_util::stream::iter(asked).buffer_unordered(AT_ONCE);
            let mut sent = Sent::Heard;
            while let Some(asked) = ended.try_next().await? {
                match asked {
                    Asked::Heard => {}
                    // Others may be at work on their part of it.
                    Asked::Unheard => {
                        sent = Sent::Unheard(format!("no worker listens on {}", self.subject));
                    }
                    // All its orders end: their reply subjects go with them.
                    Asked::Cancelled => break,
                }
            }
            Ok(sent)
        })
    }
}

/// What came of an order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Asked {
    /// Somebody has it, or had it.
    Heard,
    /// No worker listens.
    Unheard,
    /// The run was cancelled.
    Cancelled,
}

impl std::fmt::Debug for Work {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Work").field("subject", &self.subject).finish_non_exhaustive()
    }
}

/// What a worker says.
#[derive(Deserialize)]
#[serde(remote = "Self", expecting = "an object", deny_unknown_fields)]
struct Report {
    #[serde(default)]
    objects: Vec<Told>,
    #[serde(default)]
    messages: Vec<Said>,
}

#[derive(Deserialize)]
#[serde(remote = "Self", expecting = "an object", deny_unknown_fields)]
struct Told {
    place: u32,
    outcome: String,
    #[serde(default)]
    message: String,
}

#[derive(Deserialize)]
#[serde(remote = "Self", expecting = "an object", deny_unknown_fields)]
struct Said {
    level: Option<Level>,
    text: String,
}

only_objects!(Report, Told, Said);

type Read = (Vec<(u32, Fate)>, Vec<Message>);

/// Reads a report about objects of an order.
fn read(payload: &[u8], mine: &BTreeSet<u32>) -> Result<Read, String> {
    let report: Value = serde_json::from_slice(payload)
        .map_err(|error| format!("the report is no JSON: {error}"))?;
    let report: Report =
        serde_json::from_value(report).map_err(|error| format!("the report: {error}"))?;
    let mut fates = Vec::with_capacity(report.objects.len());
    for Told { place, outcome, message } in report.objects {
        if !mine.contains(&place) {
            return Err(format!("there is no object {place} in this order"));
        }
        let fate = Fate::of(&outcome, message)
            .ok_or_else(|| format!("{} is no outcome; there are {OUTCOMES}", quote(&outcome)))?;
        fates.push((place, fate));
    }
    let said = |Said { level, text }| Message { level: level.unwrap_or(Level::Info), text };
    Ok((fates, report.messages.into_iter().map(said).collect()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn subjects_have_words_and_no_wildcards() {
        for text in ["work", "work.extraction", "a-b.c_9"] {
            assert!(is_subject(text), "{text}");
        }
        for text in ["", ".", "a..b", "a.*", "a.>", "a b", "$SYS.x", "a.b\r\nPUB", "é"] {
            assert!(!is_subject(text), "{text}");
        }
    }

    #[test]
    fn reports_are_read_and_what_is_wrong_with_them_is_said() {
        let open = BTreeSet::from([1, 2]);
        let text = r#"{"objects":[{"place":1,"outcome":"done"},{"place":2,"outcome":"failed","message":"no"}],
            "messages":[{"text":"half"},{"level":"warning","text":"slow"},{"level":40,"text":"stuck"}]}"#;
        let (fates, messages) = read(text.as_bytes(), &open).expect("a report");
        assert_eq!(fates, [(1, Fate::Done), (2, Fate::Failed("no".into()))]);
        assert_eq!(
            messages.iter().map(|it| it.level).collect::<Vec<_>>(),
            [Level::Info, Level::Warning, Level::Error]
        );
        assert_eq!(read(b"{}", &open).expect("progress only"), (Vec::new(), Vec::new()));
        for (text, problem) in [
            ("x", "the report is no JSON"),
            (r#"{"done":[1]}"#, "unknown field `done`, expected `objects` or `messages`"),
            ("[[],[]]", "invalid type: sequence, expected an object"),
            (r#"{"objects":[[1,"done",""]]}"#, "invalid type: sequence, expected an object"),
            (r#"{"objects":[{"place":3,"outcome":"done"}]}"#, "there is no object 3 in this order"),
            (r#"{"objects":[{"place":1,"outcome":"ok"}]}"#, "`ok` is no outcome; there are `done`"),
            (r#"{"messages":[{"level":"loud","text":""}]}"#, "`loud` is no level; there are debug"),
        ] {
            let told = read(text.as_bytes(), &open).expect_err(text);
            assert!(told.contains(problem), "{told}");
        }
    }
}
