//! `POST /events:batch`: many actions, each by itself, or with `?atomic=true` all of them or none.
//!
//! Each by itself: what cannot be stored is told in its place, and the others are stored. All or none: one transaction, and
//! where an action cannot be stored or its id is another's, nothing is.

use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::Response;
use futures_util::future::join_all;

use crate::access::Scope;
use crate::action::NewAction;
use crate::action::form::Given;
use crate::server::admit::Sender;
use crate::server::cloudevent::Event;
use crate::server::entries::{BATCH, Entry, JSON, MANY, NDJSON, Place, many};
use crate::server::openapi::text::boolean;
use crate::server::openapi::{Doc, Media, Tag, examples};
use crate::server::problem::Fault;
use crate::server::refusal::Refusal;
use crate::server::results::{Fate, Item, Results};
use crate::server::status::OK;
use crate::server::{AppState, Appends, Kind, Pairs, Parameters, Payload, Problem, Query};
use crate::server::{BODY_LEN_MAX, acceptable, content_type};
use crate::store::{
    ATTEMPTS_MAX, AppendError, BATCH_LEN_MAX, Failure, Receipt, Stamped, WriteError, Writer,
    insert_all, retry_pause,
};

/// What the URL may say.
#[derive(Debug)]
pub(crate) struct BatchQuery {
    /// `atomic`: all of them or none.
    atomicity: Atomicity,
}

/// What one bad action does to the others.
#[derive(Clone, Copy, Debug)]
enum Atomicity {
    Each,
    Whole,
}

impl Parameters for BatchQuery {
    const NAMES: &'static [&'static str] = &["atomic"];

    fn read(pairs: &mut Pairs) -> Self {
        Self { atomicity: if pairs.flag("atomic") { Atomicity::Whole } else { Atomicity::Each } }
    }
}

pub(crate) fn doc() -> Doc {
    Doc::new(Tag::Events, "appendEvents", "Append many actions")
        .text(format!(
            "Up to {BATCH_LEN_MAX} actions in {BODY_LEN_MAX} bytes, unpacked. Each is stored or refused by itself, and the answer \
             says of each what became of it, in the order given; it is 200 also where some, or all, were refused. With \
             `atomic=true` all are stored or none, and where one cannot be the answer is 422, or 409 where its id is another's."
        ))
        .scope(Scope::EventsWrite)
        .query("atomic", "All of them or none.", boolean().default(Some(false.into())))
        .reads(many_media())
        .answers(OK, "What became of each.", results_media("created"))
        .problems([Kind::Conflict, Kind::Refused, Kind::NotAcceptable])
}

/// Bodies that are many actions.
pub(super) fn many_media() -> [Media; 3] {
    let two = serde_json::json!([examples::least(), examples::whole()]);
    let events = serde_json::json!([examples::event()]);
    let lines = format!("{}\n{}\n", examples::least(), examples::whole());
    [
        Media::judged::<Given>(JSON, BATCH_LEN_MAX).example("two", two),
        Media::lines(NDJSON, "One `NewAction` a line. Empty lines are skipped.")
            .example("two", lines.into()),
        Media::judged::<Event>(BATCH, BATCH_LEN_MAX).example("one", events),
    ]
}

/// What became of them.
pub(super) fn results_media(word: &'static str) -> [Media; 2] {
    let (document, lines) = Results::examples(word);
    [
        Media::json::<Results>(document),
        Media::text(NDJSON, "One element of `items` a line.").example("two", lines.into()),
    ]
}

pub(crate) async fn post(
    Query(query): Query<BatchQuery>,
    State(state): State<AppState>,
    Appends(caller): Appends,
    payload: Payload,
) -> Result<Response, Problem> {
    let media = content_type(&payload.headers, &MANY)?;
    let answer = format(&payload.headers, media)?;
    let entries = parsed(media, payload, Sender::new(&caller), many).await?;
    caller.tell_first(&entries);
    let results = match query.atomicity {
        Atomicity::Each => each(&state, entries).await,
        Atomicity::Whole => whole(&state, entries).await,
    }?;
    for (word, count) in results.counts() {
        state.metrics().actions(word, count);
    }
    Ok(results.reply(answer))
}

/// Answers as it was asked, where nothing else is wished.
pub(super) fn format(headers: &HeaderMap, media: &str) -> Result<&'static str, Problem> {
    acceptable(headers, &if media == NDJSON { [NDJSON, JSON] } else { [JSON, NDJSON] })
}

/// Reads a large body on a thread where it keeps nobody else waiting. The body stays in its room until then.
pub(super) async fn parsed(
    media: &'static str,
    payload: Payload,
    sender: Sender,
    read: fn(&str, &Payload, &Sender) -> Result<Vec<Entry>, Problem>,
) -> Result<Vec<Entry>, Problem> {
    let reading = tokio::task::spawn_blocking(move || read(media, &payload, &sender));
    reading.await.map_err(|error| Problem::internal(&error))?
}

/// Each by itself, in shared commits.
async fn each(state: &AppState, entries: Vec<Entry>) -> Result<Results, Problem> {
    let appends = entries.into_iter().map(|entry| append(state.writer(), entry));
    let (items, failures): (Vec<_>, Vec<_>) = join_all(appends).await.into_iter().unzip();
    // Where nothing is known to be stored, it is the request that failed.
    let is_failed = |item: &Item| matches!(item.fate, Fate::Failed(_) | Fate::Invalid(_));
    match failures.into_iter().flatten().next() {
        Some(problem) if items.iter().all(is_failed) => Err(problem),
        _ => Ok(Results(items)),
    }
}

async fn append(writer: &Writer, entry: Entry) -> (Item, Option<Problem>) {
    let place = entry.place;
    let (fate, failure) = match entry.action {
        Err(refusal) => (Fate::Invalid(refusal.fault), None),
        Ok(action) => match writer.append(action).await {
            Ok(Receipt::Duplicate(id)) => (Fate::Duplicate(id), None),
            Ok(receipt) => (Fate::Created(receipt.id()), None),
            Err(error) => failed(error),
        },
    };
    (Item { place, fate }, failure)
}

fn failed(error: WriteError) -> (Fate, Option<Problem>) {
    match error {
        WriteError::Invalid(invalid) => (Fate::Invalid(Refusal::from(invalid).fault), None),
        WriteError::Conflict(id) => (Fate::Conflict(id), None),
        WriteError::Database { source, .. } if source.is_of_row() => {
            (Fate::Invalid(by_rule()), None)
        }
        WriteError::Database { id, ref source } => (Fate::Failed(id), Some(source.as_ref().into())),
        WriteError::Stopped { id } => {
            (Fate::Failed(id), Some(Problem::of(Kind::Unavailable).cause(&error)))
        }
    }
}

fn by_rule() -> Fault {
    Fault::pointer("", "refused", "a rule of this database refuses the action")
}

/// All or none, in one transaction.
async fn whole(state: &AppState, entries: Vec<Entry>) -> Result<Results, Problem> {
    let mut actions = Vec::with_capacity(entries.len());
    let mut items = Vec::with_capacity(entries.len());
    for Entry { place, action } in entries {
        let fate = match action {
            Ok(action) => {
                actions.push(action);
                Fate::Valid
            }
            Err(refusal) => Fate::Invalid(refusal.fault),
        };
        items.push(Item { place, fate });
    }
    if actions.len() < items.len() {
        return Err(nothing(Kind::Refused, Results(items)));
    }
    let receipts = settled(state, actions).await.map_err(|error| match error {
        AppendError::Invalid { index, problem, .. } => {
            if let Some(item) = items.get_mut(index) {
                item.fate = Fate::Invalid(Refusal::from(problem).fault);
            }
            nothing(Kind::Refused, Results(std::mem::take(&mut items)))
        }
        AppendError::Database { source, .. } => Problem::from(&source),
        AppendError::Conflict(_) => Problem::internal(&error),
    })?;
    let places = items.into_iter().map(|item| item.place);
    let results = Results(places.zip(receipts).map(item).collect());
    if results.0.iter().any(|item| matches!(item.fate, Fate::Conflict(_))) {
        return Err(nothing(Kind::Conflict, results));
    }
    Ok(results)
}

fn item((place, receipt): (Place, Receipt)) -> Item {
    let fate = match receipt {
        Receipt::Appended(id) => Fate::Created(id),
        Receipt::Duplicate(id) => Fate::Duplicate(id),
        Receipt::Conflict(id) => Fate::Conflict(id),
    };
    Item { place, fate }
}

/// The same again where the database has undone it, as it does with one of two batches that wait for each other's ids.
async fn settled(state: &AppState, actions: Vec<NewAction>) -> Result<Vec<Receipt>, AppendError> {
    let actions = state.store().stamp_all(actions)?;
    for attempt in 1..ATTEMPTS_MAX {
        match transact(state, &actions).await {
            Err(AppendError::Database { source, .. }) if source.is_undone() => {
                retry_pause(attempt).await;
            }
            ended => return ended,
        }
    }
    transact(state, &actions).await
}

/// Commits where there is no conflict. An error leaves nothing behind, but for a commit whose answer is lost.
async fn transact(state: &AppState, actions: &[Stamped]) -> Result<Vec<Receipt>, AppendError> {
    let len = actions.len();
    let failed = |source| AppendError::Database { len, source };
    let statement = |what| move |source| failed(Failure::Statement { what, source });
    let mut client = state.store().client().await.map_err(failed)?;
    let tx = client.transaction().await.map_err(statement("begin"))?;
    let receipts = insert_all(&tx, actions).await?;
    if !receipts.iter().any(|receipt| matches!(receipt, Receipt::Conflict(_))) {
        tx.commit().await.map_err(statement("commit"))?;
        state.store().bell().ring();
    }
    Ok(receipts)
}

/// That nothing was stored, and why: only what is wrong with an action is told of it.
fn nothing(kind: Kind, results: Results) -> Problem {
    let is_wrong = |item: &Item| matches!(item.fate, Fate::Invalid(_) | Fate::Conflict(_));
    let of = results.0.len();
    let wrong = Results(results.0.into_iter().filter(is_wrong).collect());
    let detail = format!("{} of {of} actions cannot be stored, so nothing was", wrong.0.len());
    let problem = Problem::new(kind, detail);
    match serde_json::to_value(&wrong.0) {
        Ok(items) => problem.items(items),
        Err(error) => Problem::internal(&error),
    }
}
