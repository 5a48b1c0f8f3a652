//! `GET /docs/problems/{slug}`: what the `type` of a problem leads to. Text for people, JSON where it is asked for.

use std::fmt::Write as _;

use axum::http::HeaderMap;
use axum::http::header::ACCEPT;
use axum::response::{IntoResponse, Response};
use serde::Serialize;

use crate::server::{JsonReply, Kind, Path, Problem, Query};

/// What a problem means.
#[derive(Debug, Serialize)]
pub(crate) struct Explanation {
    slug: &'static str,
    status: u16,
    title: &'static str,
    text: &'static str,
}

impl From<Kind> for Explanation {
    fn from(kind: Kind) -> Self {
        let status = kind.status().as_u16();
        Self { slug: kind.slug(), status, title: kind.title(), text: kind.text() }
    }
}

pub(crate) async fn get(
    Query(()): Query<()>,
    Path(slug): Path<String>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let kind = Kind::of_slug(&slug).ok_or_else(|| Problem::of(Kind::UnknownPath))?;
    let it = Explanation::from(kind);
    if wants_json(&headers) {
        return Ok(JsonReply(it).into_response());
    }
    Ok(format!("{} ({})\n\n{}\n", it.title, it.status, it.text).into_response())
}

pub(crate) async fn list(Query(()): Query<()>, headers: HeaderMap) -> Response {
    let all = Kind::ALL.iter().copied().map(Explanation::from);
    if wants_json(&headers) {
        return JsonReply(all.collect::<Vec<_>>()).into_response();
    }
    let mut text = String::new();
    for Explanation { slug, status, title, .. } in all {
        let _ = writeln!(text, "{status} {slug}: {title}");
    }
    text.into_response()
}

fn wants_json(headers: &HeaderMap) -> bool {
    headers
        .get(ACCEPT)
        .and_then(|accept| accept.to_str().ok())
        .is_some_and(|it| it.contains("json"))
}
