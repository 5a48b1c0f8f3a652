//! How clients call the server: the beginning of every URL in its answers.

use std::fmt;
use std::str::FromStr;

use axum::http::Uri;
use axum::http::uri::Scheme;

use crate::error::quote;

/// Characters of an origin: a name of DNS has up to 253.
const ORIGIN_LEN_MAX: usize = 280;

/// Scheme, host and port of an URL, such as `https://audit.example.com`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Origin(Box<str>);

/// A text that is no origin.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{given} is no origin; give one such as `https://audit.example.com`, without a path")]
pub struct OriginError {
    given: String,
}

impl Origin {
    /// As text, without `/` at its end.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for Origin {
    type Err = OriginError;

    fn from_str(text: &str) -> Result<Self, OriginError> {
        let error = || OriginError { given: quote(text) };
        let uri: Uri = text.parse().map_err(|_| error())?;
        let is_http = uri.scheme().is_some_and(|it| *it == Scheme::HTTP || *it == Scheme::HTTPS);
        let host = uri.authority().map_or("", |authority| authority.as_str());
        let is_plain = !host.is_empty()
            && host.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-._:[]".contains(&byte));
        let is_whole = uri.path_and_query().is_none_or(|path| path.as_str() == "/");
        if is_http && is_plain && is_whole && text.len() <= ORIGIN_LEN_MAX {
            Ok(Self(text.trim_end_matches('/').into()))
        } else {
            Err(error())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn origins_have_a_scheme_and_a_host_and_nothing_else() {
        for text in ["https://audit.example.com", "http://127.0.0.1:8080", "http://[::1]:1"] {
            assert_eq!(text.parse::<Origin>().expect(text).as_str(), text);
            assert_eq!(format!("{text}/").parse::<Origin>().expect(text).as_str(), text);
        }
        for text in [
            "",
            "audit.example.com",
            "ftp://a",
            "https://",
            "https://a@b",
            "https://a/b",
            "https://a?b",
            "https://a b",
            "https://a\">",
        ] {
            assert!(text.parse::<Origin>().is_err(), "{text}");
        }
    }
}
