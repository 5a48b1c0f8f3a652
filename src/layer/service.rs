//! The service around an application's own: a context goes in with the request, its id comes back with the response.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context as Task, Poll, ready};

use http::{HeaderValue, Request, Response};
use pin_project_lite::pin_project;
use tower_service::Service;

use super::ContextLayer;
use super::headers::{REQUEST_ID, request_id};

/// What [`ContextLayer`] makes of a service.
#[derive(Clone, Debug)]
pub struct ContextService<S> {
    layer: ContextLayer,
    inner: S,
}

impl<S> ContextService<S> {
    pub(super) fn new(layer: ContextLayer, inner: S) -> Self {
        Self { layer, inner }
    }
}

impl<S, ReqBody, ResBody> Service<Request<ReqBody>> for ContextService<S>
where
    S: Service<Request<ReqBody>, Response = Response<ResBody>>,
{
    type Response = S::Response;
    type Error = S::Error;
    type Future = ResponseFuture<S::Future>;

    fn poll_ready(&mut self, task: &mut Task<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(task)
    }

    fn call(&mut self, request: Request<ReqBody>) -> Self::Future {
        let (mut parts, body) = request.into_parts();
        let id = request_id(&parts.headers);
        let context = self.layer.context(&parts, id.as_ref().and_then(|id| id.to_str().ok()));
        parts.extensions.insert(context);
        // What is logged further in finds the same id.
        if let Some(id) = &id {
            parts.headers.insert(REQUEST_ID, id.clone());
        }
        ResponseFuture { inner: self.inner.call(Request::from_parts(parts, body)), id }
    }
}

pin_project! {
    /// The response of the service, with the request's id.
    #[derive(Debug)]
    pub struct ResponseFuture<F> {
        #[pin]
        inner: F,
        id: Option<HeaderValue>,
    }
}

impl<F, ResBody, E> Future for ResponseFuture<F>
where
    F: Future<Output = Result<Response<ResBody>, E>>,
{
    type Output = F::Output;

    fn poll(self: Pin<&mut Self>, task: &mut Task<'_>) -> Poll<Self::Output> {
        let this = self.project();
        let mut answered = ready!(this.inner.poll(task));
        if let (Ok(response), Some(id)) = (&mut answered, this.id.take()) {
            response.headers_mut().insert(REQUEST_ID, id);
        }
        Poll::Ready(answered)
    }
}
