//! A query that gives pages, whichever kind it is.

use chrono::{DateTime, Utc};

use super::listing::Listing;
use super::subject::Subject;
use crate::action::Action;
use crate::format::Item;
use crate::search::{Query, SearchQuery};
use crate::stream::{Cursor, FeedItem, FeedQuery, Filter, Page, QueryError, Reader, StreamQuery};

/// A query.
#[derive(Clone, Debug)]
pub(crate) enum Source {
    /// A stream: an index range, narrowed by little.
    Stream(StreamQuery),
    /// A search.
    Search(SearchQuery),
    /// A feed.
    Feed(FeedQuery),
}

/// An item of a page.
#[derive(Clone, Debug)]
pub(crate) enum Entry {
    Action(Action),
    Feed(FeedItem),
}

impl Entry {
    pub(crate) fn action(&self) -> &Action {
        match self {
            Self::Action(action) => action,
            Self::Feed(item) => &item.action,
        }
    }

    pub(crate) fn item(&self) -> Item<'_> {
        match self {
            Self::Action(action) => action.into(),
            Self::Feed(item) => item.into(),
        }
    }
}

/// Both narrowed by the times of a listing.
macro_rules! within {
    ($query:expr, $listing:expr, $now:expr) => {{
        let mut query = $query;
        if let Some(time) = $listing.since($now) {
            query = query.since(time);
        }
        if let Some(time) = $listing.until($now) {
            query = query.until(time);
        }
        query
    }};
}

impl Source {
    /// What a listing asks for of a subject.
    pub(crate) fn of(subject: &Subject, listing: &Listing, now: DateTime<Utc>) -> Self {
        let verbs = || listing.verbs.iter().cloned();
        if let Subject::Feed(follower) = subject {
            let feed = FeedQuery::new(follower).flag(listing.flag.clone()).verbs(verbs());
            let feed = if listing.with_own { feed.with_own_activity() } else { feed };
            return Self::Feed(within!(feed, listing, now));
        }
        match (&listing.q, listing.role, subject.stream()) {
            (None, None, Some(stream)) => {
                Self::Stream(within!(stream.verbs(verbs()), listing, now))
            }
            (q, role, _) => {
                let parts = [subject.search(role), q.clone()];
                let query = parts.into_iter().flatten().reduce(Query::and);
                let filter = Filter { verbs: listing.verbs.clone(), ..Filter::default() };
                let search = SearchQuery::new(query.unwrap_or_else(Query::everything));
                Self::Search(within!(search.filter(filter), listing, now))
            }
        }
    }

    /// A page of it.
    pub(crate) async fn page(
        &self,
        reader: &Reader,
        cursor: Option<Cursor>,
        limit: usize,
    ) -> Result<Page<Entry>, QueryError> {
        match self {
            Self::Stream(query) => {
                let page = query.clone().from(cursor).limit(limit).page(reader).await?;
                Ok(entries(page, Entry::Action))
            }
            Self::Search(query) => {
                let page = query.clone().from(cursor).limit(limit).page(reader).await?;
                Ok(entries(page, Entry::Action))
            }
            Self::Feed(query) => {
                let page = query.clone().from(cursor).limit(limit).page(reader).await?;
                Ok(entries(page, Entry::Feed))
            }
        }
    }
}

fn entries<T>(page: Page<T>, entry: fn(T) -> Entry) -> Page<Entry> {
    let items = page.items.into_iter().map(entry).collect();
    Page { items, older: page.older, newer: page.newer }
}
