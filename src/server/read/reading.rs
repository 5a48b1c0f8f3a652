//! A request of somebody who would like to read.

use std::time::Instant;

use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use axum::response::Response;
use chrono::{DateTime, Utc};

use super::listing::{Limit, Listing};
use super::place::{Place, query};
use super::renewal::Renewal;
use super::source::Source;
use super::subject::Subject;
use super::{export, page, wrong};
use crate::access::{Read, Scope};
use crate::action::{Action, ActionId};
use crate::format::{Format, Links};
use crate::resource::{ResourceRef, Tenant};
use crate::server::{AppState, Caller, Kind, Problem};
use crate::stream::{Cursor, Reader};

/// What cursors of lists of actions are of. The rest is in their text.
pub(super) const ACTIONS: &str = "events";

/// Who reads, and where. What it gives is refused to whoever may not.
#[derive(Clone, Debug)]
pub(crate) struct Reading {
    pub(crate) caller: Caller,
    pub(crate) state: AppState,
    pub(crate) place: Place,
    pub(crate) renewal: Renewal,
}

impl FromRequestParts<AppState> for Reading {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &AppState) -> Result<Self, Problem> {
        let caller = Caller::from_request_parts(parts, state).await?;
        let place = Place::from_request_parts(parts, state).await?;
        let renewal = Renewal::new(parts, state);
        Ok(Self { caller, state: state.clone(), place, renewal })
    }
}

impl Reading {
    /// The reader of somebody who may do this.
    ///
    /// # Errors
    /// 403 without the scope, 400 without a tenant.
    pub(crate) fn reader(&self, scope: Scope) -> Result<Reader, Problem> {
        self.caller.reader(scope)
    }

    /// The tenant that is read.
    ///
    /// # Errors
    /// 400 without one.
    pub(crate) fn tenant(&self) -> Result<&Tenant, Problem> {
        self.caller.need_tenant()
    }

    /// The time, by the store's clock.
    pub(crate) fn now(&self) -> DateTime<Utc> {
        self.state.store().now()
    }

    /// Answers with a page of a subject, or with all of it.
    ///
    /// # Errors
    /// Where the caller may not read it so, or it cannot be read.
    pub(crate) async fn list(
        self,
        subject: Subject,
        listing: Listing,
    ) -> Result<Response, Problem> {
        let scope = match listing.limit {
            Limit::Page(_) => Scope::EventsRead,
            Limit::All => Scope::EventsExport,
        };
        let reader = self.reader(scope)?;
        let format = self.place.format(&Format::ALL)?;
        listing.check(format)?;
        let now = self.now();
        let source = Source::of(&subject, &listing, now);
        let asked = Asked { subject, listing, format, now, source };
        match asked.listing.limit {
            Limit::Page(len) => page::answer(&self, &reader, &asked, len).await,
            Limit::All => export::answer(self, reader, &asked).await,
        }
    }

    /// An action that the caller may see; that they read something of it is recorded.
    ///
    /// # Errors
    /// 404 where there is none, or not for them.
    pub(crate) async fn action(
        &self,
        reader: &Reader,
        id: ActionId,
        pairs: &[(&str, String)],
    ) -> Result<Action, Problem> {
        let action = reader.action(id).await?.ok_or_else(|| Problem::of(Kind::NotFound))?;
        let named = ResourceRef::new("action", id.to_string());
        let named = named.map_err(|error| Problem::internal(&error))?;
        self.record(&Read::of(&named, &self.told(pairs)).count(1)).await?;
        Ok(action)
    }

    /// A cursor that was given out.
    ///
    /// # Errors
    /// 400 where it was not, or not for this tenant.
    pub(crate) async fn cursor(&self, given: Option<&str>) -> Result<Option<Cursor>, Problem> {
        let Some(given) = given else { return Ok(None) };
        let cursor = self.opened(ACTIONS, given).await?.parse();
        let cursor = cursor.map_err(|error: crate::stream::CursorError| {
            wrong::parameter("cursor", "invalid-cursor", error.to_string())
        });
        cursor.map(Some)
    }

    /// What a signed text says.
    ///
    /// # Errors
    /// 400 where it was not signed for this tenant and this.
    pub(crate) async fn opened<'a>(&self, of: &str, given: &'a str) -> Result<&'a str, Problem> {
        let seal = self.state.seal().await?;
        seal.open(self.tenant()?, of, given).ok_or_else(|| {
            let detail = "the cursor was not given out for this, or was changed; start again at the first page";
            wrong::parameter("cursor", "invalid-cursor", detail)
        })
    }

    /// A text that only a server of this database can have given out.
    ///
    /// # Errors
    /// Where the database does not tell the secret.
    pub(crate) async fn sign(&self, of: &str, text: &str) -> Result<String, Problem> {
        Ok(self.state.seal().await?.sign(self.tenant()?, of, text))
    }

    /// Links to this page of what the parameters ask for, to the first one, and to the one behind a place, where there is one.
    ///
    /// # Errors
    /// Where the database does not tell the secret.
    pub(crate) async fn links(
        &self,
        of: &str,
        pairs: &[(&str, String)],
        cursor: Option<String>,
        behind: Option<String>,
    ) -> Result<Links, Problem> {
        let next = match behind {
            Some(place) => Some(self.sign(of, &place).await?),
            None => None,
        };
        Ok(Links {
            this: self.place.page(pairs, cursor),
            first: Some(self.place.page(pairs, None)),
            next: next.map(|cursor| self.place.page(pairs, Some(cursor))),
            prev: None,
        })
    }

    /// Records that something is read; waits until that is handed over.
    ///
    /// # Errors
    /// 400 without a tenant.
    pub(crate) async fn record(&self, read: &Read) -> Result<(), Problem> {
        let (who, seen, tenant) = (self.caller.identity(), self.caller.seen(), self.tenant()?);
        self.state.recorder().read(who, seen, tenant, read, Instant::now()).await;
        Ok(())
    }

    /// Records that something is exported; waits until that is committed.
    ///
    /// # Errors
    /// Where it cannot be: then nothing may be sent.
    pub(super) async fn record_export(&self, read: &Read) -> Result<(), Problem> {
        let (who, seen, tenant) = (self.caller.identity(), self.caller.seen(), self.tenant()?);
        let recorded = self.state.recorder().export(who, seen, tenant, read).await;
        recorded.map(drop).map_err(|error| Problem::of(Kind::Unavailable).cause(&error))
    }

    /// How the log calls what is read: the path and the parameters that give it again.
    pub(crate) fn told(&self, pairs: &[(&str, String)]) -> String {
        format!("{}{}", self.place.subject(), query(pairs))
    }
}

/// What is listed, and how.
#[derive(Debug)]
pub(super) struct Asked {
    pub(super) subject: Subject,
    pub(super) listing: Listing,
    pub(super) format: Format,
    pub(super) now: DateTime<Utc>,
    pub(super) source: Source,
}

impl Asked {
    /// What it is the list of, in whatever format and page, today and later. A feed has two paths.
    pub(super) fn subject_of(&self, reading: &Reading) -> String {
        let path = reading.place.subject();
        let path = match self.subject {
            Subject::Feed(_) => path.strip_suffix("/events").unwrap_or(path),
            _ => path,
        };
        format!("{path}{}", query(&self.listing.lasting()))
    }

    /// What the log says of it.
    pub(super) fn read(&self, reading: &Reading) -> Result<Read, Problem> {
        let told = reading.told(&self.listing.told(self.now));
        let read = self.subject.read(reading.tenant()?, &told)?;
        Ok(read.format(self.format.suffix()))
    }
}
