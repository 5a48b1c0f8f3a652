//! Paths, each with its handler and what the document says of it: none can be without either.

use axum::Router;
use axum::body::Bytes;
use axum::handler::Handler;
use axum::routing::{MethodRouter, delete, get, post};
use utoipa::openapi::HttpMethod;

use super::meta::openapi::Document;
use super::openapi::{Doc, document};
use super::state::{AppState, BasePath};

/// Paths with their operations.
#[derive(Default)]
pub(super) struct Routes {
    router: Router<AppState>,
    operations: Vec<(&'static str, HttpMethod, Doc)>,
}

impl Routes {
    pub(super) fn get<H: Handler<T, AppState>, T: 'static>(
        self,
        path: &'static str,
        handler: H,
        doc: Doc,
    ) -> Self {
        self.add(path, get(handler), (path, HttpMethod::Get, doc))
    }

    pub(super) fn post<H: Handler<T, AppState>, T: 'static>(
        self,
        path: &'static str,
        handler: H,
        doc: Doc,
    ) -> Self {
        self.add(path, post(handler), (path, HttpMethod::Post, doc))
    }

    pub(super) fn delete<H: Handler<T, AppState>, T: 'static>(
        self,
        path: &'static str,
        handler: H,
        doc: Doc,
    ) -> Self {
        self.add(path, delete(handler), (path, HttpMethod::Delete, doc))
    }

    fn add(
        mut self,
        path: &str,
        handler: MethodRouter<AppState>,
        operation: (&'static str, HttpMethod, Doc),
    ) -> Self {
        self.operations.push(operation);
        Self { router: self.router.route(path, handler), operations: self.operations }
    }

    /// What leads to the handlers, and the document of them.
    pub(super) fn finish(self, base_path: &BasePath) -> (Router<AppState>, Document) {
        let text = document(self.operations, base_path).to_pretty_json();
        // Nothing in it can fail to be written: it is texts and numbers.
        (self.router, Document(Bytes::from(text.unwrap_or_default())))
    }
}
