//! Where a request was sent, and which format it asks for: by the end of its path (`events.csv`), else by `Accept`.

use axum::extract::{FromRequestParts, MatchedPath};
use axum::http::header::{ACCEPT, HOST};
use axum::http::request::Parts;
use axum::http::uri::Authority;
use chrono::NaiveDate;

use crate::format::{Format, Site, percent};
use crate::resource::Tenant;
use crate::server::{AppState, Kind, Origin, Problem};

/// The day in all tag URIs: readers of syndication feeds know by them what they have seen, so it never changes.
const TAG_DAY: NaiveDate = match NaiveDate::from_ymd_opt(2026, 1, 1) {
    Some(day) => day,
    None => NaiveDate::MIN,
};
/// For a request that calls the server by no name that an URL can have.
const NOWHERE: &str = "http://localhost";

/// The URL of a request, without its parameters, and the format that it asks for.
#[derive(Clone, Debug)]
pub(crate) struct Place {
    /// The URL of the API: `https://example.com/audit/api/v1`.
    api: String,
    /// The path below it, as it was sent: `/objects/issue/70/events.csv`.
    path: String,
    suffix: Option<Format>,
    accept: Option<String>,
}

impl Place {
    /// The format to answer in, out of those that there are.
    ///
    /// # Errors
    /// 406, with those that there are.
    pub(crate) fn format(&self, offered: &[Format]) -> Result<Format, Problem> {
        if let Some(format) = self.suffix.filter(|format| offered.contains(format)) {
            return Ok(format);
        }
        Format::negotiate(self.accept.as_deref(), offered)
            .map_err(|error| Problem::new(Kind::NotAcceptable, error.to_string()))
    }

    /// The path below the API, without the end that names a format: what was read, in whatever form.
    pub(crate) fn subject(&self) -> &str {
        match self.suffix {
            Some(_) => self.path.rsplit_once('.').map_or(self.path.as_str(), |(path, _)| path),
            None => &self.path,
        }
    }

    /// The URL with these parameters.
    pub(crate) fn url(&self, pairs: &[(&str, String)]) -> String {
        format!("{}{}{}", self.api, self.path, query(pairs))
    }

    /// The URL of a page: the first one, or the one of this cursor.
    pub(super) fn page(&self, pairs: &[(&str, String)], cursor: Option<String>) -> String {
        let cursor = cursor.map(|cursor| ("cursor", cursor));
        self.url(&pairs.iter().cloned().chain(cursor).collect::<Vec<_>>())
    }

    /// Where the actions and resources of a tenant are.
    ///
    /// # Errors
    /// Where the URL of the API cannot be the base of others; none is known.
    pub(crate) fn site(&self, tenant: &Tenant) -> Result<Site, Problem> {
        Site::new(&self.api, tenant.clone(), TAG_DAY).map_err(|error| Problem::internal(&error))
    }
}

/// `?name=value&…`; nothing where there is none.
pub(super) fn query(pairs: &[(&str, String)]) -> String {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~:,*".contains(&byte);
    let pair =
        |(name, value): &(&str, String)| format!("{name}={}", percent::encode(value, is_plain));
    let pairs: Vec<_> = pairs.iter().map(pair).collect();
    if pairs.is_empty() { String::new() } else { format!("?{}", pairs.join("&")) }
}

/// The format at the end of the route's pattern, which is ours; an id at the end of a path is never looked at.
fn suffix(parts: &Parts) -> Option<Format> {
    let route = parts.extensions.get::<MatchedPath>()?;
    let (_, suffix) = route.as_str().rsplit_once('/')?.1.split_once('.')?;
    Format::from_suffix(suffix)
}

/// What an operator has said, else what the request says: its answer is for whoever sent it.
fn origin(parts: &Parts, state: &AppState) -> String {
    if let Some(origin) = state.origin() {
        return origin.to_string();
    }
    let host = parts.headers.get(HOST).and_then(|host| host.to_str().ok());
    let host = host.or(parts.uri.authority().map(Authority::as_str));
    let origin = host.and_then(|host| format!("http://{host}").parse::<Origin>().ok());
    origin.map_or_else(|| NOWHERE.to_owned(), |origin| origin.to_string())
}

impl FromRequestParts<AppState> for Place {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &AppState) -> Result<Self, Problem> {
        let accepted = parts.headers.get_all(ACCEPT).iter();
        let accepted: Vec<_> = accepted.filter_map(|value| value.to_str().ok()).collect();
        Ok(Self {
            api: format!("{}{}/api/v1", origin(parts, state), state.base_path()),
            path: parts.uri.path().to_owned(),
            suffix: suffix(parts),
            accept: (!accepted.is_empty()).then(|| accepted.join(", ")),
        })
    }
}
