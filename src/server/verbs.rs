//! Operations on what a path names, as in `POST /runs/{id}:cancel`.
//!
//! The router knows no parameter that ends before its segment does. So such a path is led to one with a segment more,
//! `/runs/{id}/+cancel`, before it is looked for; and one that was sent so is led nowhere, for two paths would mean one
//! thing.

use std::sync::Arc;

use axum::extract::Request;
use axum::http::Uri;
use axum::http::uri::PathAndQuery;

/// Which paths have such an end, and which.
#[derive(Clone, Debug, Default)]
pub(super) struct Verbs(Arc<Vec<(String, &'static str)>>);

impl Verbs {
    /// Patterns without the end, as in `/api/v1/runs/{id}`, and ends, as in `cancel`.
    pub(super) fn new(verbs: Vec<(String, &'static str)>) -> Self {
        Self(Arc::new(verbs))
    }

    /// Where the router has it.
    pub(super) fn route(pattern: &str, verb: &str) -> String {
        format!("{pattern}/+{verb}")
    }

    /// The same request, where the router finds it.
    pub(super) fn lead(&self, mut request: Request) -> Request {
        if let Some(uri) = self.led(request.uri()) {
            *request.uri_mut() = uri;
        }
        request
    }

    fn led(&self, uri: &Uri) -> Option<Uri> {
        let path = self.0.iter().find_map(|(pattern, verb)| led(uri.path(), pattern, verb))?;
        let query = uri.query().map_or(String::new(), |query| format!("?{query}"));
        let mut parts = uri.clone().into_parts();
        parts.path_and_query = Some(PathAndQuery::try_from(path + &query).ok()?);
        Uri::from_parts(parts).ok()
    }
}

fn led(path: &str, pattern: &str, verb: &str) -> Option<String> {
    let before = path.strip_suffix(verb)?;
    if let Some(before) = before.strip_suffix("/+") {
        // Decoded it is the same, and the router does not decode what it compares.
        return fits(before, pattern).then(|| format!("{before}/%2B{verb}"));
    }
    let before = before.strip_suffix(':')?;
    fits(before, pattern).then(|| Verbs::route(before, verb))
}

/// Whether a path is one of a pattern.
fn fits(path: &str, pattern: &str) -> bool {
    let mut parts = path.split('/');
    let fits = pattern.split('/').all(|wanted| {
        parts
            .next()
            .is_some_and(|part| part == wanted || (wanted.starts_with('{') && !part.is_empty()))
    });
    fits && parts.next().is_none()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_with_a_verb_are_led_to_it_and_no_other() {
        let run = ("/api/v1/runs/{id}".to_owned(), "cancel");
        let action = ("/api/v1/resources/{type}/actions/{name}".to_owned(), "plan");
        let verbs = Verbs::new(vec![run, action]);
        for (given, wanted) in [
            ("/api/v1/runs/7:cancel", Some("/api/v1/runs/7/+cancel")),
            ("/api/v1/runs/a:b:cancel?x=1", Some("/api/v1/runs/a:b/+cancel?x=1")),
            (
                "http://h/api/v1/resources/a/actions/b:plan",
                Some("http://h/api/v1/resources/a/actions/b/+plan"),
            ),
            ("/api/v1/runs/7/+cancel", Some("/api/v1/runs/7/%2Bcancel")),
            ("/api/v1/runs/7:plan", None),
            ("/api/v1/runs/7/:cancel", None),
            ("/api/v1/runs/:cancel", None),
            ("/api/v1/runs/7/events:cancel", None),
            ("/api/v1/feeds/user/7:cancel", None),
            ("/api/v1/events:batch", None),
            ("*", None),
        ] {
            let led = verbs.led(&given.parse().expect(given));
            assert_eq!(led.map(|uri| uri.to_string()).as_deref(), wanted, "{given}");
        }
    }
}
