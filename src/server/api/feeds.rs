//! `GET /feeds/{type}/{id}`: what those did whom somebody follows, each action with the reasons why it is there.

use axum::response::Response;

use crate::server::openapi::text::{boolean, flag};
use crate::server::openapi::{Doc, Tag};
use crate::server::path::ResourcePath;
use crate::server::read::{FeedListing, Listing, Reading, Subject};
use crate::server::{Problem, Query};

pub(crate) fn doc(id: &'static str) -> Doc {
    Listing::common_doc(Tag::Feeds, id, "What those did whom somebody follows")
        .resource()
        .query("flag", "Only follows of this kind.", flag())
        .query("self", "With the follower's own actions.", boolean())
}

pub(crate) async fn get(
    reading: Reading,
    ResourcePath(follower): ResourcePath,
    Query(FeedListing(listing)): Query<FeedListing>,
) -> Result<Response, Problem> {
    reading.list(Subject::Feed(follower), listing).await
}
