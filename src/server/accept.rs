//! What a body is, and what is accepted as an answer.

use axum::http::header::{ACCEPT, CONTENT_TYPE};
use axum::http::{HeaderMap, HeaderName};

use super::problem::Problem;
use super::status::Kind;
use crate::error::quote;

/// Media types of one `Accept`; browsers send some ten.
const ACCEPTED_MAX: usize = 64;

/// The media type of the body, in small letters and without parameters, among those that an operation reads.
///
/// # Errors
/// 415, with those that it reads.
pub fn content_type(
    headers: &HeaderMap,
    readable: &[&'static str],
) -> Result<&'static str, Problem> {
    let refuse = |what: String| {
        let detail = format!("{what}; send {}", or(readable));
        let problem = Problem::new(Kind::MediaType, detail);
        match readable.join(", ").parse() {
            Ok(list) => problem.header(ACCEPT_POST, list),
            Err(_) => problem,
        }
    };
    let mut given = headers.get_all(CONTENT_TYPE).iter();
    let Some(value) = given.next() else {
        return Err(refuse("the request has no `Content-Type`".to_owned()));
    };
    if given.next().is_some() {
        return Err(refuse("the request has two headers `Content-Type`".to_owned()));
    }
    let text = String::from_utf8_lossy(value.as_bytes());
    let mut parts = text.split(';').map(str::trim);
    let media = parts.next().unwrap_or_default();
    let found = readable.iter().find(|it| it.eq_ignore_ascii_case(media));
    let found = *found.ok_or_else(|| refuse(format!("`Content-Type` is {}", quote(media))))?;
    for parameter in parts {
        let Some((name, value)) = parameter.split_once('=') else { continue };
        let value = value.trim().trim_matches('"');
        if name.trim().eq_ignore_ascii_case("charset") && !value.eq_ignore_ascii_case("utf-8") {
            return Err(refuse(format!("the body is in {}, and only UTF-8 is read", quote(value))));
        }
    }
    Ok(found)
}

/// What can be posted here.
const ACCEPT_POST: HeaderName = HeaderName::from_static("accept-post");

/// The media type to answer in, of those that an operation can give; the first one of equals (RFC 9110, section 12.5.1).
///
/// # Errors
/// 406, with those that it can give.
pub fn acceptable(headers: &HeaderMap, given: &[&'static str]) -> Result<&'static str, Problem> {
    let ranges = ranges(headers);
    if ranges.is_empty() {
        return given.first().copied().ok_or_else(|| Problem::of(Kind::NotAcceptable));
    }
    let quality = |media: &str| {
        let matching =
            ranges.iter().filter_map(|range| Some((range.precision(media)?, range.quality)));
        matching.max_by_key(|(precision, _)| *precision).map_or(0, |(_, quality)| quality)
    };
    let mut best: Option<(&'static str, u16)> = None;
    for media in given {
        let quality = quality(media);
        if quality > best.map_or(0, |(_, best)| best) {
            best = Some((media, quality));
        }
    }
    best.map(|(media, _)| media).ok_or_else(|| {
        Problem::new(
            Kind::NotAcceptable,
            format!("`Accept` excludes all that can be given: {}", or(given)),
        )
    })
}

/// An element of `Accept`: `text/*;q=0.5`, its quality in thousandths.
struct Range {
    kind: String,
    subkind: String,
    quality: u16,
}

impl Range {
    /// How precisely it names a media type; nothing where it does not.
    fn precision(&self, media: &str) -> Option<u8> {
        let (kind, subkind) = media.split_once('/')?;
        match (self.kind.as_str(), self.subkind.as_str()) {
            ("*", "*") => Some(0),
            (own, "*") if own == kind => Some(1),
            (own, other) if own == kind && other == subkind => Some(2),
            _ => None,
        }
    }
}

/// What cannot be read is left out; where nothing else is there, anything is accepted.
fn ranges(headers: &HeaderMap) -> Vec<Range> {
    let values = headers.get_all(ACCEPT).iter().filter_map(|value| value.to_str().ok());
    values.flat_map(|value| value.split(',')).take(ACCEPTED_MAX).filter_map(range).collect()
}

fn range(text: &str) -> Option<Range> {
    let mut parts = text.split(';').map(str::trim);
    let media = parts.next()?.to_ascii_lowercase();
    let (kind, subkind) = media.split_once('/')?;
    let weight = parts.find_map(|part| part.strip_prefix("q=").or(part.strip_prefix("Q=")));
    let weight = weight.map_or(Some(1.0), |weight| weight.parse::<f32>().ok())?;
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "from 0 to 1000")]
    let quality = (weight.clamp(0.0, 1.0) * 1000.0) as u16;
    Some(Range { kind: kind.to_owned(), subkind: subkind.to_owned(), quality })
}

fn or(media: &[&str]) -> String {
    media.join(" or ")
}

#[cfg(test)]
mod tests {
    use super::*;

    const BOTH: [&str; 2] = ["application/json", "application/x-ndjson"];

    fn chosen(accept: &str) -> Option<&'static str> {
        let headers = [(ACCEPT, accept.parse().expect(accept))].into_iter().collect();
        acceptable(&headers, &BOTH).ok()
    }

    #[test]
    fn best_of_what_is_accepted_is_given() {
        for (accept, wanted) in [
            ("*/*", Some(BOTH[0])),
            ("application/*", Some(BOTH[0])),
            ("application/x-ndjson", Some(BOTH[1])),
            ("APPLICATION/X-NDJSON;q=0.9, */*;q=0.1", Some(BOTH[1])),
            ("application/json;q=0, */*", Some(BOTH[1])),
            ("text/html, application/xhtml+xml, */*;q=0.8", Some(BOTH[0])),
            ("text/csv", None),
            ("*/*;q=0", None),
        ] {
            assert_eq!(chosen(accept), wanted, "{accept}");
        }
        assert_eq!(acceptable(&HeaderMap::new(), &BOTH).ok(), Some(BOTH[0]));
    }

    #[test]
    fn bodies_are_of_the_type_that_they_say_and_in_utf_8() {
        let read = |text: &str| {
            let headers = [(CONTENT_TYPE, text.parse().expect(text))].into_iter().collect();
            content_type(&headers, &BOTH).ok()
        };
        assert_eq!(read("Application/JSON; charset=\"UTF-8\""), Some(BOTH[0]));
        for wrong in ["application/json; charset=latin1", "text/json", "application/jsonp", ""] {
            assert_eq!(read(wrong), None, "{wrong}");
        }
        let problem = content_type(&HeaderMap::new(), &BOTH).expect_err("none");
        assert!(format!("{problem:?}").contains("send application/json or application/x-ndjson"));
    }
}
