//! `GET /follows`: what somebody follows, or who follows something.

use axum::response::Response;
use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;

use crate::access::{Read, Scope};
use crate::format::Format;
use crate::resource::{ResourceRef, ResourceType};
use crate::server::edge::{self, EdgeForm};
use crate::server::openapi::text::{cursor, flag, number, reference, word_like};
use crate::server::openapi::{Doc, LINK as LINKED, Media, Tag};
use crate::server::read::{Reading, linked};
use crate::server::status::OK;
use crate::server::{JsonReply, Kind, Pairs, Parameters, Problem, Query};
use crate::stream::{FollowQuery, PAGE_LEN_MAX};

/// Edges of a page where nothing else is asked for.
const PAGE_LEN: usize = 50;

/// Whose edges, which of them, and how many.
#[derive(Debug)]
pub(crate) struct FollowsQuery {
    follower: Option<ResourceRef>,
    followed: Option<ResourceRef>,
    flag: String,
    types: Vec<ResourceType>,
    limit: usize,
    cursor: Option<String>,
}

impl Parameters for FollowsQuery {
    const NAMES: &'static [&'static str] =
        &["follower", "followed", "flag", "type", "limit", "cursor"];

    fn read(pairs: &mut Pairs) -> Self {
        let types = pairs.read("type", |text| {
            let types: Result<_, _> = text.split(',').map(ResourceType::new).collect();
            types.map_err(|error| error.to_string())
        });
        let limit = pairs.limit(PAGE_LEN_MAX);
        Self {
            follower: pairs.parse("follower"),
            followed: pairs.parse("followed"),
            flag: edge::flag(pairs),
            types: types.unwrap_or_default(),
            limit: limit.unwrap_or(PAGE_LEN),
            cursor: pairs.cursor(),
        }
    }
}

/// A page of edges.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Edges)]
struct EdgesForm {
    items: Vec<EdgeForm>,
    /// The URL of the next page.
    #[schema(required)]
    next: Option<String>,
}

pub(crate) fn doc() -> Doc {
    let edges = serde_json::json!({"items": [EdgeForm::example()], "next": null});
    let types = word_like(r"^[A-Za-z0-9_.\-]{1,63}(,[A-Za-z0-9_.\-]{1,63})*$");
    let limit = number(1, PAGE_LEN_MAX).default(Some(PAGE_LEN.into()));
    Doc::new(Tag::Feeds, "listFollows", "What somebody follows, or who follows something")
        .text("With both ends, the follows between them; with neither, your own.")
        .scope(Scope::EventsRead)
        .in_tenant()
        .query("follower", "Whose follows, `TYPE:ID`.", reference())
        .query("followed", "Whose followers, `TYPE:ID`.", reference())
        .query("flag", "Only those of this kind.", flag())
        .query("type", "Only resources of these types, with commas between.", types)
        .query("limit", "How many.", limit)
        .query("cursor", "Of `next`.", cursor())
        .answers_with(OK, "A page of edges.", &[LINKED], [Media::json::<EdgesForm>(edges)])
        .problems([Kind::NotAcceptable])
}

pub(crate) async fn get(
    reading: Reading,
    Query(mut asked): Query<FollowsQuery>,
) -> Result<Response, Problem> {
    let reader = reading.reader(Scope::EventsRead)?;
    reading.place.format(&[Format::Json])?;
    let own = &reading.caller.identity().who.resource;
    let query = asked.edges(own);
    let told = asked.told();
    let of = reading.told(&told);
    let after = match &asked.cursor {
        Some(cursor) => reading.opened(&of, cursor).await?.parse().unwrap_or_default(),
        None => Uuid::nil(),
    };
    let query = query.flag(asked.flag.clone()).types(asked.types.clone()).after(after);
    let mut edges = query.limit(asked.limit + 1).list(&reader).await?;
    let has_more = edges.len() > asked.limit;
    edges.truncate(asked.limit);
    let read = Read::of(asked.follower.as_ref().or(asked.followed.as_ref()).unwrap_or(own), &of)
        .count(edges.len() as u64);
    reading.record(&read).await?;
    let mut pairs = told;
    pairs.push(("limit", asked.limit.to_string()));
    let last = edges.last().filter(|_| has_more).map(|edge| edge.id.to_string());
    let links = reading.links(&of, &pairs, asked.cursor, last).await?;
    let items = edges.into_iter().map(EdgeForm::from).collect();
    Ok(linked(JsonReply(EdgesForm { items, next: links.next.clone() }), &links))
}

impl FollowsQuery {
    /// Which edges: of one end, of both, or those of whoever asks.
    fn edges(&mut self, own: &ResourceRef) -> FollowQuery {
        match (&self.follower, &self.followed) {
            (Some(follower), Some(followed)) => FollowQuery::between(follower, followed),
            (None, Some(followed)) => FollowQuery::followers(followed),
            (follower, None) => {
                let follower =
                    self.follower.insert(follower.clone().unwrap_or_else(|| own.clone()));
                FollowQuery::following(follower)
            }
        }
    }

    /// The parameters that say which edges.
    fn told(&self) -> Vec<(&'static str, String)> {
        let ends = [("follower", &self.follower), ("followed", &self.followed)];
        let given =
            ends.into_iter().filter_map(|(name, end)| Some((name, end.as_ref()?.to_string())));
        let mut told: Vec<_> = given.collect();
        if !self.flag.is_empty() {
            told.push(("flag", self.flag.clone()));
        }
        if !self.types.is_empty() {
            let types: Vec<_> = self.types.iter().map(ResourceType::as_str).collect();
            told.push(("type", types.join(",")));
        }
        told
    }
}
