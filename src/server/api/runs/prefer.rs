//! `Prefer` (RFC 7240): how long somebody waits for the end of a run before the answer is that it goes on.

use std::convert::Infallible;
use std::time::Duration;

use axum::extract::FromRequestParts;
use axum::http::header::HeaderMap;
use axum::http::request::Parts;
use utoipa::openapi::schema::ObjectBuilder;

use crate::server::openapi::text::line;

const NAME: &str = "Prefer";
/// How long anybody waits: well below the minute after which a request is given up, and the half of one after which many
/// proxies do that.
const WAIT_MAX: Duration = Duration::from_secs(20);
/// Bytes of the header that the document allows; others are ignored as what they ask for is.
const LEN_MAX: usize = 255;

/// How long to wait for the end of a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Patience(pub(super) Duration);

impl<S: Send + Sync> FromRequestParts<S> for Patience {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Infallible> {
        Ok(Self(patience(&parts.headers)))
    }
}

/// `wait=5` is so many seconds, `respond-async` alone is none. Of a preference that is there twice the first one counts, and
/// what is not understood is none (RFC 7240, section 2).
fn patience(headers: &HeaderMap) -> Duration {
    let lines = headers.get_all(NAME).iter().filter_map(|line| line.to_str().ok());
    let mut wanted = lines.flat_map(|line| line.split(',')).map(|preference| {
        let (preference, _) = preference.split_once(';').unwrap_or((preference, ""));
        let (name, value) = preference.split_once('=').unwrap_or((preference, ""));
        (name.trim().to_ascii_lowercase(), value.trim().trim_matches('"'))
    });
    let mut is_async = false;
    let wait = wanted.find_map(|(name, value)| {
        is_async |= name == "respond-async";
        (name == "wait").then(|| value.parse().ok())
    });
    match wait.flatten() {
        Some(seconds) => Duration::from_secs(seconds).min(WAIT_MAX),
        None if is_async => Duration::ZERO,
        None => WAIT_MAX,
    }
}

/// What the document says of it.
pub(super) fn header() -> (&'static str, String, ObjectBuilder) {
    let text = format!(
        "`wait=SECONDS`: how long to wait for the end, up to {} s, which is also what is waited without it. `respond-async`: \
         not at all. A run that goes on by then is answered with 202.",
        WAIT_MAX.as_secs()
    );
    (NAME, text, line(LEN_MAX).examples(["wait=5", "respond-async"]))
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;

    use super::*;

    #[test]
    fn preferences_say_how_long_somebody_waits() {
        for (given, seconds) in [
            (&[][..], 20),
            (&["wait=5"], 5),
            (&["respond-async"], 0),
            (&["respond-async, wait=10"], 10),
            (&["handling=lenient; x=1", "Respond-Async;foo, WAIT=\"3\""], 3),
            (&["wait=1", "wait=7"], 1),
            (&["wait=3600"], 20),
            (&["wait=0"], 0),
            (&["wait=soon"], 20),
            (&["wait=-1, respond-async"], 20),
            (&["=,;,wait"], 20),
        ] {
            let mut headers = HeaderMap::new();
            for line in given {
                headers.append(NAME, HeaderValue::from_static(line));
            }
            assert_eq!(patience(&headers), Duration::from_secs(seconds), "{given:?}");
        }
    }
}
