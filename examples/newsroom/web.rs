//! The newsroom's pages: each request has a context, and each handler a session.

use axum::body::Body;
use axum::extract::{Path, State};
use axum::http::{Request, StatusCode};
use axum::routing::post;
use axum::{Extension, Router};
use gesta::layer::ContextLayer;
use gesta::session::SessionError;
use gesta::{Context, Resource, Session, Store, Tenant};
use tower::ServiceExt;

use super::model::{Article, Person};

/// The pages. Whoever has signed in was put into the request by the application's authentication.
pub(crate) fn pages(store: Store, tenant: Tenant) -> Router {
    let context = ContextLayer::new(|request| Some(request.extensions.get::<Person>()?.to_named()))
        .refine(move |ctx, _| ctx.tenant(tenant.clone()));
    let articles =
        Router::new().route("/articles", post(draft)).route("/articles/{id}", post(edit));
    articles.layer(context).with_state(store)
}

type Answer = Result<String, StatusCode>;

/// A new article with this title; answers its id.
async fn draft(
    State(store): State<Store>,
    Extension(ctx): Extension<Context>,
    title: String,
) -> Answer {
    let article = Article { id: None, title, state: "draft".to_owned() };
    save(&store, &ctx, article).await
}

/// Another title.
async fn edit(
    State(store): State<Store>,
    Extension(ctx): Extension<Context>,
    Path(id): Path<i64>,
    title: String,
) -> Answer {
    save(&store, &ctx, Article { id: Some(id), title, state: "draft".to_owned() }).await
}

async fn save(store: &Store, ctx: &Context, article: Article) -> Answer {
    let failed = |_: SessionError| StatusCode::INTERNAL_SERVER_ERROR;
    let mut client = store.client().await.map_err(|_| StatusCode::SERVICE_UNAVAILABLE)?;
    let mut session = Session::begin(store, &mut client, ctx).await.map_err(failed)?;
    let saved = session.save(&article).await.map_err(failed)?;
    session.commit().await.map_err(failed)?;
    Ok(saved.row.resource().id.to_string())
}

/// Sends a request as somebody's browser does, past the authentication; gives the answer.
pub(crate) async fn send(
    pages: &Router,
    who: &Person,
    path: &str,
    body: &str,
) -> Result<String, Box<dyn std::error::Error>> {
    let mut request = Request::post(path).body(Body::from(body.to_owned()))?;
    request.extensions_mut().insert(who.clone());
    let answer = pages.clone().oneshot(request).await?;
    if answer.status() != StatusCode::OK {
        return Err(format!("{path}: {}", answer.status()).into());
    }
    let body = axum::body::to_bytes(answer.into_body(), 1024).await?;
    Ok(String::from_utf8(body.to_vec())?)
}
