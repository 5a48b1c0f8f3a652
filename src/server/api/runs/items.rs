//! `GET /runs/{id}/items`: what became of each object.

use axum::response::Response;
use serde::Serialize;
use serde_json::json;
use utoipa::ToSchema;

use super::form::ItemForm;
use super::visible::{Watching, of_run};
use crate::error::quote;
use crate::format::Format;
use crate::run::{ItemOutcome, ItemQuery};
use crate::server::openapi::text::{cursor, number, word};
use crate::server::openapi::{Doc, LINK as LINKED, Media};
use crate::server::path::UuidPath;
use crate::server::read::linked;
use crate::server::status::OK;
use crate::server::{JsonReply, Kind, Pairs, Parameters, Problem, Query};
use crate::stream::PAGE_LEN_MAX;

/// Objects of a page where nothing else is asked for.
const PAGE_LEN: usize = 100;

/// Which of them, and how many.
#[derive(Debug)]
pub(crate) struct ItemsQuery {
    outcome: Option<ItemOutcome>,
    limit: usize,
    cursor: Option<String>,
}

impl Parameters for ItemsQuery {
    const NAMES: &'static [&'static str] = &["outcome", "limit", "cursor"];

    fn read(pairs: &mut Pairs) -> Self {
        let outcome = pairs.read("outcome", |text| {
            let words = outcomes().join(", ");
            ItemOutcome::from_word(text)
                .ok_or_else(|| format!("{} is none of {words}", quote(text)))
        });
        let limit = pairs.limit(PAGE_LEN_MAX);
        Self { outcome, limit: limit.unwrap_or(PAGE_LEN), cursor: pairs.cursor() }
    }
}

/// What may become of an object.
fn outcomes() -> Vec<&'static str> {
    ItemOutcome::ALL.iter().map(|outcome| outcome.as_str()).collect()
}

/// Objects of a run.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = RunItems)]
pub(crate) struct ItemsForm {
    /// In their places.
    items: Vec<ItemForm>,
    /// The URL of the next page.
    #[schema(required)]
    next: Option<String>,
}

pub(crate) fn doc() -> Doc {
    let item = json!({
        "place": 1,
        "object": {"type": "article", "id": "80", "name": "Second thoughts"},
        "outcome": "failed",
        "note": "it is locked by somebody",
        "settled_at": "2026-11-20T14:03:20.400000Z",
    });
    let page = json!({ "items": [item], "next": null });
    of_run("listRunItems", "What became of each object of a run")
        .query("outcome", "Only these.", word(outcomes()))
        .query("limit", "How many.", number(1, PAGE_LEN_MAX).default(Some(PAGE_LEN.into())))
        .query("cursor", "Of `next`.", cursor())
        .answers_with(OK, "A page of objects.", &[LINKED], [Media::json::<ItemsForm>(page)])
        .problems([Kind::NotAcceptable])
}

pub(crate) async fn get(
    watching: Watching,
    UuidPath(id): UuidPath,
    Query(asked): Query<ItemsQuery>,
) -> Result<Response, Problem> {
    let reading = &watching.reading;
    reading.place.format(&[Format::Json])?;
    watching.run(id).await?;
    let mut pairs: Vec<(&str, String)> =
        asked.outcome.iter().map(|it| ("outcome", it.as_str().to_owned())).collect();
    let of = reading.told(&pairs);
    let after = match &asked.cursor {
        Some(cursor) => reading.opened(&of, cursor).await?.parse().ok(),
        None => None,
    };
    let query = ItemQuery { outcome: asked.outcome, after, limit: Some(asked.limit) };
    let page = reading.state.runs().items(reading.tenant()?, id, query).await?;
    watching.record(id, &pairs).await?;
    if asked.limit != PAGE_LEN {
        pairs.push(("limit", asked.limit.to_string()));
    }
    let links =
        reading.links(&of, &pairs, asked.cursor, page.next.map(|next| next.to_string())).await?;
    let items = page.items.iter().map(ItemForm::from).collect();
    Ok(linked(JsonReply(ItemsForm { items, next: links.next.clone() }), &links))
}
