//! `GET /events/facets`: the most common values among what a search finds.

use std::collections::BTreeMap;

use serde::Serialize;
use utoipa::ToSchema;

use crate::error::quote;
use crate::search::{FACET_ROWS_MAX, FACET_TOP_MAX};
use crate::server::openapi::{Doc, Media, text};
use crate::server::read::{Reading, Window};
use crate::server::status::OK;
use crate::server::{JsonReply, Pairs, Parameters, Problem, Query};
use crate::stream::Facet;

/// Values of a facet where nothing else is asked for.
const TOP: usize = 10;
/// Results that are looked at where nothing else is asked for.
const CAP: usize = 10_000;

/// Of what, which facets, how many values, of how many results.
#[derive(Debug)]
pub(crate) struct FacetsQuery {
    window: Window,
    keys: Vec<Facet>,
    top: usize,
    cap: usize,
}

impl Parameters for FacetsQuery {
    const NAMES: &'static [&'static str] = &["q", "since", "until", "keys", "top", "cap"];

    fn read(pairs: &mut Pairs) -> Self {
        let keys = pairs.read("keys", |text| text.split(',').map(facet).collect());
        let keys: Option<Vec<_>> = keys;
        Self {
            window: Window::read(pairs),
            keys: keys.unwrap_or_else(|| Facet::ALL.to_vec()),
            top: number(pairs, "top", FACET_TOP_MAX).unwrap_or(TOP),
            cap: number(pairs, "cap", FACET_ROWS_MAX).unwrap_or(CAP),
        }
    }
}

fn facet(word: &str) -> Result<Facet, String> {
    let known = Facet::ALL.into_iter().find(|facet| facet.as_str() == word);
    known.ok_or_else(|| {
        let names: Vec<_> = Facet::ALL.iter().map(|facet| facet.as_str()).collect();
        format!("{} is none of {}", quote(word), names.join(", "))
    })
}

fn number(pairs: &mut Pairs, name: &str, max: usize) -> Option<usize> {
    pairs.read(name, |text| match text.parse() {
        Ok(number) if (1..=max).contains(&number) => Ok(number),
        _ => Err(format!("{} is none of 1 to {max}", quote(text))),
    })
}

/// The values of each facet, and of how many results.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Facets)]
pub(crate) struct FacetsForm {
    count: usize,
    /// Whether there are more results than were looked at, which are the newest.
    capped: bool,
    #[schema(value_type = BTreeMap<String, Vec<ValueForm>>)]
    facets: BTreeMap<&'static str, Vec<ValueForm>>,
}

#[derive(Debug, Serialize, ToSchema)]
#[schema(as = FacetValue)]
struct ValueForm {
    value: String,
    /// What a resource was called last.
    #[schema(required)]
    name: Option<String>,
    count: i64,
}

pub(crate) fn doc() -> Doc {
    let found = serde_json::json!({
        "count": 42,
        "capped": false,
        "facets": {"verb": [{"value": "close", "name": null, "count": 40}]},
    });
    let top = text::number(1, FACET_TOP_MAX).default(Some(TOP.into()));
    let cap = text::number(1, FACET_ROWS_MAX).default(Some(CAP.into()));
    Window::doc("countFacets", "The most common values among what a search finds")
        .query(
            "keys",
            "Which, with commas between; else all.",
            text::words(Facet::ALL.iter().map(|it| it.as_str())),
        )
        .query("top", "Values of each.", top)
        .query("cap", "Results that are looked at, the newest.", cap)
        .answers(OK, "The values.", [Media::json::<FacetsForm>(found)])
}

pub(crate) async fn get(
    reading: Reading,
    Query(asked): Query<FacetsQuery>,
) -> Result<JsonReply<FacetsForm>, Problem> {
    let keys: Vec<_> = asked.keys.iter().map(|facet| facet.as_str()).collect();
    let told = vec![("keys", keys.join(","))];
    let (search, reader) = asked.window.begin(&reading, told).await?;
    let found = search.facets(&reader, &asked.keys, asked.top, asked.cap).await?;
    let value = |it: crate::stream::stats::Count| ValueForm {
        value: it.value,
        name: it.name,
        count: it.actions,
    };
    let values = |(facet, counts): (Facet, Vec<_>)| {
        (facet.as_str(), counts.into_iter().map(value).collect())
    };
    let facets = found.facets.into_iter().map(values).collect();
    Ok(JsonReply(FacetsForm { count: found.of.actions, capped: found.of.is_capped, facets }))
}
