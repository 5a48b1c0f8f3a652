//! `GET /docs/problems/{slug}`: what the `type` of a problem leads to. Text for people, JSON where it is asked for.

use std::fmt::Write as _;

use axum::http::HeaderMap;
use axum::http::header::ACCEPT;
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use utoipa::ToSchema;

use crate::server::openapi::text::word;
use crate::server::openapi::{Doc, Media, Tag};
use crate::server::status::OK;
use crate::server::{JsonReply, Kind, Path, Problem, Query};

/// What a problem means.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Explanation {
    /// What `type` ends with.
    slug: &'static str,
    /// The status.
    status: u16,
    /// The problem's title.
    title: &'static str,
    /// What it means, and what to do.
    text: &'static str,
}

impl From<Kind> for Explanation {
    fn from(kind: Kind) -> Self {
        let status = kind.status().as_u16();
        Self { slug: kind.slug(), status, title: kind.title(), text: kind.text() }
    }
}

pub(crate) fn doc() -> Doc {
    let name = "What `type` ends with.";
    let it = serde_json::json!(Explanation::from(Kind::UnknownPath));
    Doc::new(Tag::Meta, "explainProblem", "What a problem means")
        .text("Text for people; JSON where `Accept` asks for it.")
        .path("slug", name, word(Kind::ALL.iter().map(|kind| kind.slug())))
        .answers(OK, "What it means.", [Media::json::<Explanation>(it), text()])
        .problems([Kind::UnknownPath])
}

pub(crate) fn list_doc() -> Doc {
    let all = serde_json::json!([Explanation::from(Kind::UnknownPath)]);
    let list = Media::list::<Explanation>("application/json").example("one", all);
    Doc::new(Tag::Meta, "listProblems", "All problems")
        .text("Text for people; JSON where `Accept` asks for it.")
        .answers(OK, "One a line, or an array.", [list, text()])
}

fn text() -> Media {
    Media::text("text/plain", "For people.")
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
