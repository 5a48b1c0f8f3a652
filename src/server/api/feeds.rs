//! `GET /feeds/{type}/{id}`: what those did whom somebody follows, each action with the reasons why it is there.

use axum::response::Response;

use crate::server::path::ResourcePath;
use crate::server::read::{FeedListing, Reading, Subject};
use crate::server::{Problem, Query};

pub(crate) async fn get(
    reading: Reading,
    ResourcePath(follower): ResourcePath,
    Query(FeedListing(listing)): Query<FeedListing>,
) -> Result<Response, Problem> {
    reading.list(Subject::Feed(follower), listing).await
}
