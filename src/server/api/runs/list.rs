//! `GET /runs`: who ran what, the newest first.

use axum::response::Response;
use chrono::{DateTime, Utc};
use serde::Serialize;
use serde_json::json;
use utoipa::ToSchema;

use super::form::{RunForm, example};
use super::visible::Watching;
use crate::access::{Read, Scope};
use crate::action::form::time;
use crate::error::quote;
use crate::format::Format;
use crate::resource::{ResourceRef, ResourceType};
use crate::run::{RunQuery, RunState};
use crate::search::when::When;
use crate::server::openapi::text::{cursor, line, number, reference, resource_type, when, words};
use crate::server::openapi::{Doc, LINK as LINKED, Media, Tag};
use crate::server::read::{linked, parameter};
use crate::server::status::OK;
use crate::server::{JsonReply, Kind, Pairs, Parameters, Problem, Query};
use crate::stream::PAGE_LEN_MAX;

/// Runs of a page where nothing else is asked for.
const PAGE_LEN: usize = 50;

/// Which runs, and how many.
#[derive(Debug)]
pub(crate) struct RunsQuery {
    actor: Option<ResourceRef>,
    kind: Option<ResourceType>,
    action: Option<String>,
    object: Option<ResourceRef>,
    states: Vec<RunState>,
    since: Option<When>,
    until: Option<When>,
    limit: usize,
    cursor: Option<String>,
}

/// Bytes of an action's name, as those of a verb.
const ACTION_LEN_MAX: usize = crate::action::VERB_LEN_MAX;

impl Parameters for RunsQuery {
    const NAMES: &'static [&'static str] =
        &["actor", "type", "action", "object", "state", "since", "until", "limit", "cursor"];

    fn read(pairs: &mut Pairs) -> Self {
        let states = pairs.read("state", |text| {
            let known = || states().join(", ");
            let state = |word| {
                RunState::from_word(word)
                    .ok_or_else(|| format!("{} is none of {}", quote(word), known()))
            };
            text.split(',').map(state).collect::<Result<Vec<_>, _>>()
        });
        let limit = pairs.limit(PAGE_LEN_MAX);
        Self {
            actor: pairs.parse("actor"),
            kind: pairs.parse("type"),
            action: pairs.read("action", |text| {
                let is_name = (1..=ACTION_LEN_MAX).contains(&text.len())
                    && !text.chars().any(char::is_control);
                let wrong = || format!("{} is no name of an action", quote(text));
                is_name.then(|| text.to_owned()).ok_or_else(wrong)
            }),
            object: pairs.parse("object"),
            states: states.unwrap_or_default(),
            since: pairs.parse("since"),
            until: pairs.parse("until"),
            limit: limit.unwrap_or(PAGE_LEN),
            cursor: pairs.cursor(),
        }
    }
}

/// A page of runs.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = RunPage)]
pub(crate) struct RunsForm {
    /// The newest first.
    items: Vec<RunForm>,
    /// The URL of the next page.
    #[schema(required)]
    next: Option<String>,
}

pub(crate) fn doc() -> Doc {
    let page = json!({ "items": [example()], "next": null });
    Doc::new(Tag::Runs, "listRuns", "List runs, the newest first")
        .text("With `runs:read` those of everybody, with `actions:run` alone one's own.")
        .scope(Scope::RunsRead)
        .or(Scope::ActionsRun)
        .in_tenant()
        .query("actor", "Whose, `TYPE:ID`.", reference())
        .query("type", "Of objects of this type.", resource_type())
        .query("action", "Of the action of this name.", line(ACTION_LEN_MAX))
        .query("object", "Over this object, `TYPE:ID`.", reference())
        .query("state", "In one of these states, with commas between.", words(states()))
        .query("since", "Not before: `2h`, `yesterday`, `2026-11`, RFC 3339.", when())
        .query("until", "Before.", when())
        .query("limit", "How many.", number(1, PAGE_LEN_MAX).default(Some(PAGE_LEN.into())))
        .query("cursor", "Of `next`.", cursor())
        .answers_with(OK, "A page of runs.", &[LINKED], [Media::json::<RunsForm>(page)])
        .problems([Kind::NotAcceptable])
}

pub(crate) async fn get(
    watching: Watching,
    Query(asked): Query<RunsQuery>,
) -> Result<Response, Problem> {
    let reading = &watching.reading;
    reading.place.format(&[Format::Json])?;
    let now = reading.now();
    let mut pairs = asked.told(now);
    let of = reading.told(&pairs);
    let after = match &asked.cursor {
        Some(cursor) => reading.opened(&of, cursor).await?.parse().ok(),
        None => None,
    };
    let (limit, cursor) = (asked.limit, asked.cursor.clone());
    let mut query = asked.query(now);
    if let Some(who) = watching.only() {
        if query.actor.as_ref().is_some_and(|actor| actor != who) {
            let detail = "the credential sees its own runs only; that of others needs `runs:read`";
            return Err(parameter("actor", "not-yours", detail));
        }
        query.actor = Some(who.clone());
    }
    (query.after, query.limit) = (after, Some(limit));
    let page = reading.state.runs().list(reading.tenant()?, &query).await?;
    let read = Read::search(reading.tenant()?, &of).map_err(|error| Problem::internal(&error))?;
    reading.record(&read.count(page.items.len() as u64)).await?;
    if limit != PAGE_LEN {
        pairs.push(("limit", limit.to_string()));
    }
    let links = reading.links(&of, &pairs, cursor, page.next.map(|next| next.to_string())).await?;
    let items = page.items.iter().map(RunForm::from).collect();
    Ok(linked(JsonReply(RunsForm { items, next: links.next.clone() }), &links))
}

/// What a run may be.
fn states() -> Vec<&'static str> {
    RunState::ALL.iter().map(|state| state.as_str()).collect()
}

impl RunsQuery {
    /// The parameters that say which runs; relative times are fixed.
    fn told(&self, now: DateTime<Utc>) -> Vec<(&'static str, String)> {
        let text = |it: &Option<ResourceRef>| it.as_ref().map(ToString::to_string);
        let moment = |when: Option<When>| when.map(|when| time(when.at(now)));
        let states: Vec<_> = self.states.iter().map(|state| state.as_str()).collect();
        let pairs = [
            ("actor", text(&self.actor)),
            ("type", self.kind.as_ref().map(ToString::to_string)),
            ("action", self.action.clone()),
            ("object", text(&self.object)),
            ("state", (!states.is_empty()).then(|| states.join(","))),
            ("since", moment(self.since)),
            ("until", moment(self.until)),
        ];
        pairs.into_iter().filter_map(|(name, value)| Some((name, value?))).collect()
    }

    fn query(self, now: DateTime<Utc>) -> RunQuery {
        RunQuery {
            actor: self.actor,
            kind: self.kind,
            name: self.action,
            object: self.object,
            states: self.states,
            since: self.since.map(|when| when.at(now)),
            until: self.until.map(|when| when.at(now)),
            ..RunQuery::default()
        }
    }
}
