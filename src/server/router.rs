//! Which path leads where, and what every request goes through.

use std::any::Any;
use std::net::SocketAddr;
use std::time::Duration;

use axum::extract::{ConnectInfo, Request};
use axum::middleware::{Next, from_fn, from_fn_with_state, map_request};
use axum::response::{IntoResponse, Response};
use axum::{Extension, Router};
use tower_http::catch_panic::CatchPanicLayer;
use tower_http::compression::CompressionLayer;
use tower_layer::Layer;

use super::finish::finish;
use super::packed::plain_is_taken;
use super::problem::Problem;
use super::reads::reads;
use super::routes::Routes;
use super::state::AppState;
use super::status::Kind;
use super::{api, meta};
use crate::layer::{ContextLayer, ProxyHeader};

/// How long a request may take up to the head of its response. The longest statement is given up before.
const REQUEST_TIME_MAX: Duration = Duration::from_mins(1);

/// The API on a state. Each request must have a `ConnectInfo<SocketAddr>` among its extensions.
pub fn router(state: AppState) -> Router {
    let (paths, verbs, document) = routes().finish(state.base_path());
    let paths = match state.base_path().as_str() {
        "" => paths,
        base => Router::new().nest(base, paths),
    };
    let context = ContextLayer::new(|_| None)
        .peer(|parts| Some(parts.extensions.get::<ConnectInfo<SocketAddr>>()?.0.ip()))
        .trusted_proxies(ProxyHeader::XForwardedFor, state.settings().proxies.iter().copied());
    // The first one is the outermost. One layer of six, since the router boxes and clones each layer for each request.
    let layers = (
        context,
        from_fn_with_state(state.clone(), finish),
        CatchPanicLayer::custom(panicked),
        from_fn(in_time),
        map_request(async |request| plain_is_taken(request)),
        CompressionLayer::new(),
    );
    let found = paths
        .fallback(unknown_path)
        .method_not_allowed_fallback(method_not_allowed)
        .layer(Extension(document))
        .layer(layers)
        .with_state(state);
    let led = map_request(move |request: Request| std::future::ready(verbs.lead(request)));
    Router::new().fallback_service(led.layer(found))
}

/// Somebody as a member of a role.
const MEMBER: &str = "/api/v1/roles/{name}/members/{type}/{id}";

/// All of them.
fn routes() -> Routes {
    use api::{append, batch, keys, roles, validate, whoami};
    use meta::{healthz, metrics, openapi, problems, readyz, version};
    actions(reads(Routes::default()))
        .post("/api/v1/events", append::post, append::doc())
        .post("/api/v1/events:batch", batch::post, batch::doc())
        .post("/api/v1/events:validate", validate::post, validate::doc())
        .get("/api/v1/keys", keys::list::get, keys::list::doc())
        .post("/api/v1/keys", keys::create::post, keys::create::doc())
        .delete("/api/v1/keys/{id}", keys::revoke::delete, keys::revoke::doc())
        .get("/api/v1/roles", roles::list::get, roles::list::doc())
        .get("/api/v1/roles/{name}", roles::show::get, roles::show::doc())
        .put("/api/v1/roles/{name}", roles::put::put, roles::put::doc())
        .delete("/api/v1/roles/{name}", roles::remove::delete, roles::remove::doc())
        .get("/api/v1/roles/{name}/members", roles::members::get, roles::members::doc())
        .put(MEMBER, roles::member::put, roles::member::put_doc())
        .delete(MEMBER, roles::member::delete, roles::member::delete_doc())
        .get("/api/v1/whoami", whoami::get, whoami::doc())
        .get("/healthz", healthz::get, healthz::doc())
        .get("/readyz", readyz::get, readyz::doc())
        .get("/metrics", metrics::get, metrics::doc())
        .get("/version", version::get, version::doc())
        .get("/openapi.json", openapi::get, openapi::doc())
        .get("/docs/problems", problems::list, problems::list_doc())
        .get("/docs/problems/{slug}", problems::get, problems::doc())
}

/// What can be run, and its runs.
fn actions(routes: Routes) -> Routes {
    use api::{actions, runs, selections};
    const ACTION: &str = "/api/v1/resources/{type}/actions/{name}";
    const RUN: &str = "/api/v1/runs/{id}";
    routes
        .get("/api/v1/resources", actions::resources::get, actions::resources::doc())
        .get("/api/v1/resources/{type}/actions", actions::list::get, actions::list::doc())
        .get(ACTION, actions::show::get, actions::show::doc())
        .post("/api/v1/selections", selections::create::post, selections::create::doc())
        .get("/api/v1/selections/{id}", selections::show::get, selections::show::doc())
        .verb((ACTION, "plan"), runs::plan::post, runs::plan::doc())
        .post("/api/v1/resources/{type}/actions/{name}/runs", runs::start::post, runs::start::doc())
        .get("/api/v1/runs", runs::list::get, runs::list::doc())
        .get(RUN, runs::show::get, runs::show::doc())
        .get("/api/v1/runs/{id}/items", runs::items::get, runs::items::doc())
        .get("/api/v1/runs/{id}/messages", runs::messages::get, runs::messages::doc())
        .get("/api/v1/runs/{id}/download", runs::download::get, runs::download::doc())
        .get("/api/v1/runs/{id}/progress", runs::progress::get, runs::progress::doc())
        .verb((RUN, "cancel"), runs::cancel::post, runs::cancel::doc())
        .verb((RUN, "retry"), runs::retry::post, runs::retry::doc())
}

async fn unknown_path() -> Problem {
    Problem::of(Kind::UnknownPath)
}

async fn method_not_allowed() -> Problem {
    Problem::of(Kind::Method)
}

async fn in_time(request: Request, next: Next) -> Response {
    match tokio::time::timeout(REQUEST_TIME_MAX, next.run(request)).await {
        Ok(response) => response,
        Err(_) => Problem::of(Kind::Unavailable)
            .cause_text(format!("no answer within {} s", REQUEST_TIME_MAX.as_secs()))
            .into_response(),
    }
}

#[expect(clippy::needless_pass_by_value, reason = "as it is called")]
fn panicked(panic: Box<dyn Any + Send>) -> Response {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    let text = text.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or("no message");
    Problem::of(Kind::Internal).cause_text(format!("a handler panicked: {text}")).into_response()
}

#[cfg(test)]
mod tests {
    use axum::body::Body;
    use axum::routing::get;
    use tower::ServiceExt;

    use super::*;

    #[tokio::test]
    async fn panic_is_a_problem_whose_text_stays_here() {
        let broken: Router = Router::new()
            .route("/", get(async || -> &'static str { panic!("a secret") }))
            .layer(CatchPanicLayer::custom(panicked));
        let response = broken.oneshot(Request::new(Body::empty())).await.expect("an answer");
        let problem = response.extensions().get::<Problem>().expect("a problem");
        assert_eq!(problem.kind(), Kind::Internal);
        assert_eq!(problem.cause_for_log(), Some("a handler panicked: a secret"));
        let body = problem.body("", Some("r-1"));
        assert!(!String::from_utf8_lossy(&body).contains("secret"));
    }
}
