//! What is searched in what time, for those who count it.

use chrono::{DateTime, Utc};

use super::listing::search;
use super::reading::Reading;
use crate::access::{Read, Scope};
use crate::action::form::time;
use crate::format::Format;
use crate::search::when::When;
use crate::search::{Query, SearchQuery};
use crate::server::openapi::text::{search_text, when as openapi_when};
use crate::server::openapi::{Doc, Tag};
use crate::server::{Kind, Pairs, Problem};
use crate::stream::Reader;

/// `q`, `since` and `until`.
#[derive(Clone, Debug)]
pub(crate) struct Window {
    q: Option<Query>,
    since: Option<When>,
    until: Option<When>,
}

impl Window {
    /// What the document says of an operation that counts.
    pub(crate) fn doc(id: &'static str, summary: &'static str) -> Doc {
        Doc::new(Tag::Events, id, summary)
            .scope(Scope::EventsRead)
            .in_tenant()
            .query("q", "What is searched for, in the search language.", search_text())
            .query("since", "Not before: `2h`, `yesterday`, `2026-11`, RFC 3339.", openapi_when())
            .query("until", "Before.", openapi_when())
            .problems([Kind::NotAcceptable])
    }

    /// Takes them.
    pub(crate) fn read(pairs: &mut Pairs) -> Self {
        Self { q: search(pairs), since: pairs.parse("since"), until: pairs.parse("until") }
    }

    /// The search, and a reader for it. That it is read is recorded.
    ///
    /// # Errors
    /// For who may not read.
    pub(crate) async fn begin(
        self,
        reading: &Reading,
        mut pairs: Vec<(&'static str, String)>,
    ) -> Result<(SearchQuery, Reader), Problem> {
        let reader = reading.reader(Scope::EventsRead)?;
        reading.place.format(&[Format::Json])?;
        let now = reading.now();
        let at = |when: Option<When>| when.map(|when| when.at(now));
        let (since, until) = (at(self.since), at(self.until));
        pairs.extend(self.q.iter().map(|q| ("q", q.to_string())));
        let moment = |name, at: Option<DateTime<Utc>>| at.map(|at| (name, time(at)));
        pairs.extend(moment("since", since));
        pairs.extend(moment("until", until));
        let read = Read::search(reading.tenant()?, &reading.told(&pairs));
        reading.record(&read.map_err(|error| Problem::internal(&error))?).await?;
        let mut search = SearchQuery::new(self.q.unwrap_or_else(Query::everything));
        search = since.into_iter().fold(search, SearchQuery::since);
        search = until.into_iter().fold(search, SearchQuery::until);
        Ok((search, reader))
    }
}
