//! Whether somebody whose answer takes long may still have it.

use std::time::Duration;

use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use tokio::time::Instant;

use crate::access::Scope;
use crate::server::{AppState, Caller, Kind};

/// How long a credential is believed during an answer. Each look counts as a request.
const BELIEVED: Duration = Duration::from_secs(10);

/// The credential of a request, to be looked at again.
#[derive(Clone, Debug)]
pub(crate) struct Renewal {
    parts: Parts,
    state: AppState,
    due: Instant,
}

impl Renewal {
    /// The credential of this request, which was looked at just now.
    pub(super) fn new(parts: &Parts, state: &AppState) -> Self {
        let (parts, state) = (parts.clone(), state.clone());
        Self { parts, state, due: Instant::now() + BELIEVED }
    }

    /// When it is to be looked at again.
    pub(crate) fn due(&self) -> Instant {
        self.due
    }

    /// Whether it is valid, and may do this; looks only when that is due. One that cannot be looked at is believed: what
    /// cannot be read from the database will be missed anyway.
    pub(crate) async fn holds(&mut self, scope: Scope) -> bool {
        if Instant::now() < self.due {
            return true;
        }
        self.due = Instant::now() + BELIEVED;
        match Caller::from_request_parts(&mut self.parts, &self.state).await {
            Ok(caller) => caller.identity().may(scope),
            Err(problem) => !matches!(problem.kind(), Kind::Unauthenticated | Kind::NotYours),
        }
    }
}
