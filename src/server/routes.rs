//! Paths, each with its handler and what the document says of it: none can be without either.

use axum::Router;
use axum::body::Bytes;
use axum::handler::Handler;
use axum::routing::{MethodRouter, delete, get, post, put};
use utoipa::openapi::HttpMethod;

use super::meta::openapi::Document;
use super::openapi::{Doc, document};
use super::state::{AppState, BasePath};
use super::verbs::Verbs;
use crate::format::Format;

/// What the paths of the API begin with; its handlers do not see it.
const API: &str = "/api/v1";

/// Paths with their operations.
#[derive(Default)]
pub(super) struct Routes {
    api: Router<AppState>,
    outside: Router<AppState>,
    operations: Vec<(String, HttpMethod, Doc)>,
    verbs: Vec<(&'static str, &'static str)>,
}

impl Routes {
    pub(super) fn get<H: Handler<T, AppState>, T: 'static>(
        self,
        path: &'static str,
        handler: H,
        doc: Doc,
    ) -> Self {
        self.add(get(handler), (path, HttpMethod::Get, doc))
    }

    pub(super) fn post<H: Handler<T, AppState>, T: 'static>(
        self,
        path: &'static str,
        handler: H,
        doc: Doc,
    ) -> Self {
        self.add(post(handler), (path, HttpMethod::Post, doc))
    }

    pub(super) fn put<H: Handler<T, AppState>, T: 'static>(
        self,
        path: &'static str,
        handler: H,
        doc: Doc,
    ) -> Self {
        self.add(put(handler), (path, HttpMethod::Put, doc))
    }

    /// An operation on what a path names, as in `POST /runs/{id}:cancel`.
    pub(super) fn verb<H: Handler<T, AppState>, T: 'static>(
        mut self,
        (path, verb): (&'static str, &'static str),
        handler: H,
        doc: Doc,
    ) -> Self {
        self.operations.push((format!("{path}:{verb}"), HttpMethod::Post, doc));
        self.verbs.push((path, verb));
        self.route(&Verbs::route(path, verb), post(handler))
    }

    /// A list, which also has an end for each format. The document has them as one path, `….{format}`.
    pub(super) fn list<H: Handler<T, AppState>, T: 'static>(
        self,
        path: &'static str,
        handler: H,
        doc: impl Fn() -> Doc,
    ) -> Self {
        let handler = get(handler);
        let mut routes = self;
        for suffix in suffixes() {
            routes = routes.route(&format!("{path}.{suffix}"), handler.clone());
        }
        let mut routes = routes.add(handler, (path, HttpMethod::Get, doc()));
        let doc = doc().suffixed(suffixes());
        routes.operations.push((format!("{path}.{{format}}"), HttpMethod::Get, doc));
        routes
    }

    pub(super) fn delete<H: Handler<T, AppState>, T: 'static>(
        self,
        path: &'static str,
        handler: H,
        doc: Doc,
    ) -> Self {
        self.add(delete(handler), (path, HttpMethod::Delete, doc))
    }

    fn add(
        mut self,
        handler: MethodRouter<AppState>,
        (path, method, doc): (&'static str, HttpMethod, Doc),
    ) -> Self {
        self.operations.push((path.to_owned(), method, doc));
        self.route(path, handler)
    }

    fn route(mut self, path: &str, handler: MethodRouter<AppState>) -> Self {
        match path.strip_prefix(API) {
            Some(below) => self.api = self.api.route(below, handler),
            None => self.outside = self.outside.route(path, handler),
        }
        self
    }

    /// What leads to the handlers, the paths that end with a verb, and the document of all.
    pub(super) fn finish(self, base_path: &BasePath) -> (Router<AppState>, Verbs, Document) {
        let verbs = self.verbs.into_iter().map(|(path, verb)| (format!("{base_path}{path}"), verb));
        let verbs = Verbs::new(verbs.collect());
        let text = document(self.operations, base_path).to_pretty_json();
        // Nothing in it can fail to be written: it is texts and numbers.
        let paths = self.outside.nest(API, self.api);
        (paths, verbs, Document(Bytes::from(text.unwrap_or_default())))
    }
}

/// How the paths of lists may end, behind a dot.
fn suffixes() -> impl Iterator<Item = &'static str> {
    Format::ALL.map(Format::suffix).into_iter().chain(["jsonl"])
}
