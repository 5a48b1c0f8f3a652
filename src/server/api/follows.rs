//! `GET /follows`: what somebody follows, or who follows something.

use axum::http::header::LINK;
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use uuid::Uuid;

use crate::access::{Read, Scope};
use crate::error::quote;
use crate::format::{Format, Links};
use crate::resource::{ResourceRef, ResourceType};
use crate::server::edge::EdgeForm;
use crate::server::read::{Reading, link, parameter};
use crate::server::{JsonReply, Pairs, Parameters, Problem, Query};
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
        let limit = pairs.read("limit", |text| match text.parse() {
            Ok(limit @ 1..=PAGE_LEN_MAX) => Ok(limit),
            _ => Err(format!("{} is none of 1 to {PAGE_LEN_MAX}", quote(text))),
        });
        Self {
            follower: pairs.parse("follower"),
            followed: pairs.parse("followed"),
            flag: pairs.take("flag").unwrap_or_default(),
            types: types.unwrap_or_default(),
            limit: limit.unwrap_or(PAGE_LEN),
            cursor: pairs.take("cursor"),
        }
    }
}

/// A page of edges.
#[derive(Debug, Serialize)]
struct EdgesForm {
    items: Vec<EdgeForm>,
    next: Option<String>,
}

pub(crate) async fn get(
    reading: Reading,
    Query(asked): Query<FollowsQuery>,
) -> Result<Response, Problem> {
    let reader = reading.reader(Scope::EventsRead)?;
    reading.place.format(&[Format::Json])?;
    let (name, resource, query) = asked.side()?;
    let told = asked.told(name, resource);
    let of = reading.told(&told);
    let after = match &asked.cursor {
        Some(cursor) => reading.opened(&of, cursor).await?.parse().unwrap_or_default(),
        None => Uuid::nil(),
    };
    let query = query.flag(asked.flag.clone()).types(asked.types.clone()).after(after);
    let mut edges = query.limit(asked.limit + 1).list(&reader).await?;
    let has_more = edges.len() > asked.limit;
    edges.truncate(asked.limit);
    let read = Read::of(resource, &of).count(edges.len() as u64);
    reading.record(&read).await?;
    let mut pairs = told;
    pairs.push(("limit", asked.limit.to_string()));
    let first = reading.place.url(&pairs);
    let mut links = Links { this: first.clone(), first: Some(first), ..Links::default() };
    if let Some(last) = edges.last().filter(|_| has_more) {
        pairs.push(("cursor", reading.sign(&of, &last.id.to_string()).await?));
        links.next = Some(reading.place.url(&pairs));
    }
    let items = edges.into_iter().map(EdgeForm::from).collect();
    let header = link(&links);
    let mut response = JsonReply(EdgesForm { items, next: links.next }).into_response();
    if let Some(header) = header {
        response.headers_mut().insert(LINK, header);
    }
    Ok(response)
}

impl FollowsQuery {
    /// The one end that is given.
    fn side(&self) -> Result<(&'static str, &ResourceRef, FollowQuery), Problem> {
        match (&self.follower, &self.followed) {
            (Some(follower), None) => Ok(("follower", follower, FollowQuery::following(follower))),
            (None, Some(followed)) => Ok(("followed", followed, FollowQuery::followers(followed))),
            _ => {
                let detail = "give one of `follower` (what somebody follows) and `followed` (who follows it), as TYPE:ID; whether \
                              one follows the other says `GET /follows/TYPE/ID/TYPE/ID`";
                Err(parameter("follower", "one-of", detail))
            }
        }
    }

    /// The parameters that say which edges.
    fn told(&self, name: &'static str, resource: &ResourceRef) -> Vec<(&'static str, String)> {
        let mut told = vec![(name, resource.to_string())];
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
