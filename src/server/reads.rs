//! Which paths of the API lead to what can be read.

use axum::Router;
use axum::routing::{MethodRouter, get};

use super::api::{
    event, event_context, event_diff, events, feeds, follow, follows, object, runs, stream,
    streams, types,
};
use super::state::AppState;
use crate::format::Format;

/// All of them, below `/api/v1`.
pub(super) fn reads() -> Router<AppState> {
    lists()
        .route("/events/stream", get(stream::get))
        .route("/events/{id}", get(event::get))
        .route("/events/{id}/context", get(event_context::get))
        .route("/events/{id}/diff", get(event_diff::get))
        .route("/objects/{type}/{id}/state", get(object::state))
        .route("/objects/{type}/{id}/diff", get(object::diff))
        .route("/feeds/{type}/{id}", get(feeds::get))
        .route("/follows", get(follows::get))
        .route(
            "/follows/{follower_type}/{follower_id}/{type}/{id}",
            get(follow::get).put(follow::put).delete(follow::delete),
        )
}

/// Lists of actions, each also with an end that names a format, for those who cannot send `Accept`. A feed has its
/// actions at `/events` too: behind an id, `.atom` could be a part of it.
fn lists() -> Router<AppState> {
    let lists: [(&str, MethodRouter<AppState>); 8] = [
        ("/events", get(events::get)),
        ("/objects/{type}/{id}/events", get(streams::of_object)),
        ("/actors/{type}/{id}/events", get(streams::of_actor)),
        ("/targets/{type}/{id}/events", get(streams::of_target)),
        ("/any/{type}/{id}/events", get(streams::in_any_role)),
        ("/types/{type}/events", get(types::get)),
        ("/runs/{id}/events", get(runs::get)),
        ("/feeds/{type}/{id}/events", get(feeds::get)),
    ];
    let suffixes = Format::ALL.map(Format::suffix).into_iter().chain(["jsonl"]);
    let mut router = Router::new();
    for (path, list) in lists {
        for suffix in suffixes.clone() {
            router = router.route(&format!("{path}.{suffix}"), list.clone());
        }
        router = router.route(path, list);
    }
    router
}
