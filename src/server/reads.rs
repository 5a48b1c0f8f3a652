//! Which paths of the API lead to what can be read.

use super::api::{
    count, event, event_context, event_diff, events, facets, feeds, follow, follows, histogram,
    object, parse, runs, stream, streams, types,
};
use super::routes::Routes;

/// The one edge between two resources.
const EDGE: &str = "/api/v1/follows/{follower_type}/{follower_id}/{type}/{id}";

/// Adds all of them.
pub(super) fn reads(routes: Routes) -> Routes {
    lists(routes)
        .get("/api/v1/events/stream", stream::get, stream::doc())
        .get("/api/v1/events/count", count::get, count::doc())
        .get("/api/v1/events/facets", facets::get, facets::doc())
        .get("/api/v1/events/histogram", histogram::get, histogram::doc())
        .post("/api/v1/queries:parse", parse::post, parse::doc())
        .get("/api/v1/events/{id}", event::get, event::doc())
        .get("/api/v1/events/{id}/context", event_context::get, event_context::doc())
        .get("/api/v1/events/{id}/diff", event_diff::get, event_diff::doc())
        .get("/api/v1/objects/{type}/{id}/state", object::state, object::state_doc())
        .get("/api/v1/objects/{type}/{id}/diff", object::diff, object::diff_doc())
        .get("/api/v1/feeds/{type}/{id}", feeds::get, feeds::doc("readFeed"))
        .get("/api/v1/follows", follows::get, follows::doc())
        .get(EDGE, follow::get, follow::get_doc())
        .put(EDGE, follow::put, follow::put_doc())
        .delete(EDGE, follow::delete, follow::delete_doc())
}

/// Lists of actions, each also with an end that names a format, for those who cannot send `Accept`. A feed has its
/// actions at `/events` too: behind an id, `.atom` could be a part of it.
fn lists(routes: Routes) -> Routes {
    routes
        .list("/api/v1/events", events::get, events::doc)
        .list("/api/v1/objects/{type}/{id}/events", streams::of_object, streams::object_doc)
        .list("/api/v1/actors/{type}/{id}/events", streams::of_actor, streams::actor_doc)
        .list("/api/v1/targets/{type}/{id}/events", streams::of_target, streams::target_doc)
        .list("/api/v1/any/{type}/{id}/events", streams::in_any_role, streams::any_doc)
        .list("/api/v1/types/{type}/events", types::get, types::doc)
        .list("/api/v1/runs/{id}/events", runs::events::get, runs::events::doc)
        .list("/api/v1/feeds/{type}/{id}/events", feeds::get, || feeds::doc("readFeedEvents"))
}
