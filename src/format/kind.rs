//! The formats: their media types and suffixes, and the choice between them.

use std::fmt;

use mediatype::{MediaType, MediaTypeList, Name, ReadParams, names};

use super::event;

/// What actions are written as.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Format {
    /// One object with the items, the URLs of the pages around it, and the search that it answers.
    #[default]
    Json,
    /// One JSON object a line.
    Ndjson,
    /// RFC 4180, with a header.
    Csv,
    /// W3C Activity Streams 2.0.
    ActivityStreams,
    /// RFC 4287.
    Atom,
    /// RSS 2.0.
    Rss,
    /// A JSON array of CloudEvents 1.0.
    CloudEventsBatch,
}

/// Nothing of what somebody accepts is offered.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("none of the media types accepted is offered; ask for one of {}", list(offered))]
pub struct NotAcceptable {
    /// What is offered.
    pub offered: Vec<Format>,
}

fn list(offered: &[Format]) -> String {
    offered.iter().map(|format| format.media_type()).collect::<Vec<_>>().join(", ")
}

/// Profile of JSON-LD that makes it Activity Streams (Activity Streams 2.0, section 9.1).
const AS2_PROFILE: &str = "https://www.w3.org/ns/activitystreams";
/// The largest quality, in thousandths.
const QUALITY_MAX: u16 = 1000;

impl Format {
    /// Every format, the usual one first.
    pub const ALL: [Self; 7] = [
        Self::Json,
        Self::Ndjson,
        Self::Csv,
        Self::ActivityStreams,
        Self::Atom,
        Self::Rss,
        Self::CloudEventsBatch,
    ];

    /// Its media type, without parameters.
    #[must_use]
    pub const fn media_type(self) -> &'static str {
        match self {
            Self::Json => "application/json",
            Self::Ndjson => "application/x-ndjson",
            Self::Csv => "text/csv",
            Self::ActivityStreams => "application/activity+json",
            Self::Atom => "application/atom+xml",
            Self::Rss => "application/rss+xml",
            Self::CloudEventsBatch => event::BATCH_MEDIA_TYPE,
        }
    }

    /// The value of the header `Content-Type`: with the character encoding where the media type does not fix it.
    #[must_use]
    pub const fn content_type(self) -> &'static str {
        match self {
            Self::Csv => "text/csv; charset=utf-8; header=present",
            Self::Atom => "application/atom+xml; charset=utf-8",
            Self::Rss => "application/rss+xml; charset=utf-8",
            Self::CloudEventsBatch => "application/cloudevents-batch+json; charset=utf-8",
            Self::Json | Self::Ndjson | Self::ActivityStreams => self.media_type(),
        }
    }

    /// How the names of its files end, without the dot.
    #[must_use]
    pub const fn suffix(self) -> &'static str {
        match self {
            Self::Json => "json",
            Self::Ndjson => "ndjson",
            Self::Csv => "csv",
            Self::ActivityStreams => "as2",
            Self::Atom => "atom",
            Self::Rss => "rss",
            Self::CloudEventsBatch => "cloudevents",
        }
    }

    /// The format of a suffix; `jsonl` is another name of `ndjson`.
    #[must_use]
    pub fn from_suffix(suffix: &str) -> Option<Self> {
        let suffix = if suffix == "jsonl" { "ndjson" } else { suffix };
        Self::ALL.into_iter().find(|format| format.suffix() == suffix)
    }

    /// The format that a header `Accept` asks for (RFC 9110, section 12.5.1), out of those offered, the preferred one first.
    ///
    /// The most specific range that matches a format says how much it is wanted; of parameters other than `q` only `header` of
    /// CSV is looked at, which has one here (RFC 4180, section 3), and ranges that cannot be read are passed over. Of formats
    /// wanted alike, one that is named goes before one that falls under a wildcard, then the one offered first. Without a
    /// header everything is wanted.
    ///
    /// # Errors
    /// Where none of them is acceptable.
    pub fn negotiate(accept: Option<&str>, offered: &[Self]) -> Result<Self, NotAcceptable> {
        let accept = accept.filter(|accept| !accept.trim().is_empty()).unwrap_or("*/*");
        let ranges: Vec<_> = MediaTypeList::new(accept).filter_map(Result::ok).collect();
        let wanted = |format: Self| {
            let matching = ranges.iter().filter_map(|range| {
                let fit = format.fits(range)?;
                Some((fit, quality(range)?))
            });
            let (fit, quality) = matching.max_by_key(|&(fit, _)| fit)?;
            (quality > 0).then_some((quality, fit))
        };
        let mut best = None;
        for &format in offered {
            let Some(rank) = wanted(format) else { continue };
            if best.is_none_or(|(_, best)| rank > best) {
                best = Some((format, rank));
            }
        }
        let best = best.map(|(format, _)| format);
        best.ok_or_else(|| NotAcceptable { offered: offered.to_vec() })
    }

    /// How closely a range matches.
    fn fits(self, range: &MediaType<'_>) -> Option<Fit> {
        let own = MediaType::parse(self.media_type()).ok()?;
        let star = Name::new("*")?;
        if self == Self::Csv && is_headless(range) {
            return None;
        }
        if range.essence() == own.essence() || self.is_also(range) {
            Some(Fit::Exact)
        } else if range.ty == own.ty && range.subty == star && range.suffix.is_none() {
            Some(Fit::Type)
        } else if range.ty == star && range.subty == star {
            Some(Fit::Any)
        } else {
            None
        }
    }

    /// Whether it is another name of the format.
    fn is_also(self, range: &MediaType<'_>) -> bool {
        let name = range.essence().to_string().to_ascii_lowercase();
        match (self, name.as_str()) {
            (Self::Ndjson, "application/ndjson" | "application/jsonl") => true,
            (Self::ActivityStreams, "application/ld+json") => {
                let profile = Name::new("profile").and_then(|name| range.get_param(name));
                profile.is_some_and(|profile| {
                    profile.unquoted_str().split(' ').any(|it| it == AS2_PROFILE)
                })
            }
            _ => false,
        }
    }
}

impl fmt::Display for Format {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.media_type())
    }
}

/// How closely a range names a media type.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Fit {
    /// `*/*`.
    Any,
    /// `text/*`.
    Type,
    /// `text/csv`.
    Exact,
}

/// Whether it is CSV without the names of its columns.
fn is_headless(range: &MediaType<'_>) -> bool {
    let header = Name::new("header").and_then(|name| range.get_param(name));
    header.is_some_and(|header| header.unquoted_str().eq_ignore_ascii_case("absent"))
}

/// How much a range is wanted, in thousandths; nothing where that cannot be read (RFC 9110, section 12.4.2).
fn quality(range: &MediaType<'_>) -> Option<u16> {
    let Some(given) = range.get_param(names::Q) else { return Some(QUALITY_MAX) };
    let (whole, rest) = given.as_str().split_once('.').unwrap_or((given.as_str(), ""));
    let digits = rest.len() <= 3 && rest.bytes().all(|byte| byte.is_ascii_digit());
    let thousandths: u16 = format!("{rest:0<3}").parse().ok().filter(|_| digits)?;
    match whole {
        "0" => Some(thousandths),
        "1" if thousandths == 0 => Some(QUALITY_MAX),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn chosen(accept: &str) -> Option<Format> {
        Format::negotiate(Some(accept), &Format::ALL).ok()
    }

    #[test]
    fn the_most_specific_range_decides_how_much_a_format_is_wanted() {
        for (accept, format) in [
            ("", Format::Json),
            ("*/*", Format::Json),
            ("text/csv", Format::Csv),
            ("TEXT/CSV; header=present", Format::Csv),
            ("text/*", Format::Csv),
            ("application/*;q=0.5, text/*;q=0.4", Format::Json),
            ("application/json;q=0, */*", Format::Ndjson),
            ("*/*;q=0.9, application/json;q=0.1, text/csv;q=0.8", Format::Ndjson),
            ("application/atom+xml, application/rss+xml", Format::Atom),
            ("application/rss+xml, application/atom+xml;q=0.999", Format::Rss),
            ("*/*, application/atom+xml", Format::Atom),
            ("application/jsonl", Format::Ndjson),
            ("application/cloudevents-batch+json", Format::CloudEventsBatch),
            (
                "application/ld+json; profile=\"https://www.w3.org/ns/activitystreams\"",
                Format::ActivityStreams,
            ),
            ("text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8", Format::Json),
            ("text/csv ;q=0.5 , application/json; q=0.4", Format::Csv),
            // What cannot be read is passed over, so that the wider range counts.
            ("nonsense, text/csv;q=2, application/json;q=x, */*;q=0.001", Format::Json),
        ] {
            assert_eq!(chosen(accept), Some(format), "{accept}");
        }
        assert_eq!(Format::negotiate(None, &[Format::Rss]), Ok(Format::Rss));
    }

    #[test]
    fn what_is_not_offered_is_refused_with_the_choices() {
        for accept in [
            "text/html",
            "application/ld+json",
            "*/*;q=0",
            "image/*, text/csv;q=0.0",
            "text/csv; header=absent",
        ] {
            assert_eq!(chosen(accept), None, "{accept}");
        }
        let refused = Format::negotiate(Some("text/html"), &[Format::Json, Format::Csv]);
        assert_eq!(
            refused.expect_err("nothing fits").to_string(),
            "none of the media types accepted is offered; ask for one of application/json, text/csv"
        );
    }

    #[test]
    fn suffixes_name_formats() {
        for format in Format::ALL {
            assert_eq!(Format::from_suffix(format.suffix()), Some(format));
            assert!(format.content_type().starts_with(format.media_type()));
        }
        assert_eq!(Format::from_suffix("jsonl"), Some(Format::Ndjson));
        assert_eq!(Format::from_suffix("html"), None);
    }

    proptest! {
        #[test]
        fn any_header_is_read_without_a_panic(accept in "[ -~]{0,60}", other: String) {
            let _ = (chosen(&accept), chosen(&other));
        }
    }
}
