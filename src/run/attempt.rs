//! Doing it to a piece, in savepoints: a piece that fails is divided until it is known which of its objects do.
//!
//! All parts of a piece are one transaction, so what became of its objects commits once, however often it was divided.
//! Deferred constraints are checked at the end of each part: at COMMIT nobody could tell whose they are.

use std::error::Error as _;
use std::panic::AssertUnwindSafe;

use deadpool_postgres::Transaction;
use futures_util::FutureExt as _;
use serde_json::Value;

use super::error::{RunError, database};
use super::runs::cut;
use crate::definition::{Asker, Catalog, Consequences, Fate, Fault, Item, Local, Message, Piece};
use crate::error::chain;
use crate::resource::ResourceType;
use crate::session::{DatabaseError, Session, SessionError};
use crate::store::{Store, is_lost};

const CHECK: &str = "-- run::attempt::check
SET CONSTRAINTS ALL IMMEDIATE";

/// A part that went well before has left them immediate.
const DEFER: &str = "-- run::attempt::defer
SET CONSTRAINTS ALL DEFERRED";

/// What is done, and by whom.
pub(super) struct Attempt<'a> {
    pub(super) store: &'a Store,
    pub(super) catalog: &'a Catalog,
    /// Whose context has the run.
    pub(super) asker: &'a Asker,
    pub(super) kind: &'a ResourceType,
    pub(super) local: &'a dyn Local,
    pub(super) input: &'a Value,
}

/// What became of the objects of a piece, one fate each.
pub(super) struct Tried {
    pub(super) fates: Vec<Fate>,
    pub(super) messages: Vec<Message>,
}

impl Attempt<'_> {
    /// Does it to a piece, and finds out which objects fail. The transaction goes on.
    pub(super) async fn divided(
        &self,
        tx: &mut Transaction<'_>,
        items: &[Item],
    ) -> Result<Tried, RunError> {
        let mut all = Tried { fates: Vec::with_capacity(items.len()), messages: Vec::new() };
        // The last one is next, so parts are done in the order of their objects.
        let mut parts = vec![items];
        while let Some(part) = parts.pop() {
            match self.caught(tx, part).await? {
                Ok(tried) => {
                    all.fates.extend(tried.fates);
                    all.messages.extend(tried.messages);
                }
                Err(fault) if part.len() == 1 => {
                    all.fates.push(Fate::Failed(cut(&chain(&fault))));
                }
                Err(_) => {
                    let (first, rest) = part.split_at(part.len() / 2);
                    parts.extend([rest, first]);
                }
            }
        }
        Ok(all)
    }

    /// Does it to all objects, or to none. An operation that panics has failed, and so has the object that makes it panic.
    pub(super) async fn caught(
        &self,
        tx: &mut Transaction<'_>,
        items: &[Item],
    ) -> Result<Result<Tried, Fault>, RunError> {
        // What it leaves is dropped: the savepoint is rolled back, and nothing else was shared.
        let once = AssertUnwindSafe(self.once(tx, items)).catch_unwind();
        once.await.unwrap_or_else(|_| Ok(Err(Fault::new("the operation panicked"))))
    }

    /// The same: a fault is what they failed with.
    async fn once(
        &self,
        tx: &mut Transaction<'_>,
        items: &[Item],
    ) -> Result<Result<Tried, Fault>, RunError> {
        const WHAT: &str = "begin a piece";
        tx.batch_execute(DEFER).await.map_err(database(WHAT))?;
        let savepoint = tx.savepoint("gesta_piece").await.map_err(database(WHAT))?;
        let mut session = Session::within(self.store, savepoint, &self.asker.context)
            .map_err(|error| RunError::Interrupted(error.into()))?;
        let (catalog, rights) = (self.catalog, &self.asker.rights);
        let mut piece = Piece::new(&mut session, catalog, rights, self.kind, items);
        let mut ran = self.local.run(&mut piece, self.input).await;
        let (fates, messages) = piece.told();
        if ran.is_ok() {
            let checked = session.transaction().batch_execute(CHECK).await;
            ran = checked.map_err(|error| Fault::caused("it breaks a rule of the database", error));
        }
        let ended = match &ran {
            Ok(()) => session.commit().await,
            Err(_) => session.rollback().await,
        };
        match (ran, ended) {
            (Ok(()), Ok(())) => Ok(Ok(Tried { fates, messages })),
            (Err(fault), Ok(())) if !is_interrupted(&fault) => Ok(Err(fault)),
            (Err(fault), _) => Err(RunError::Interrupted(fault)),
            (Ok(()), Err(error)) => {
                let fault = Fault::from(error);
                if is_interrupted(&fault) {
                    Err(RunError::Interrupted(fault))
                } else {
                    Ok(Err(fault))
                }
            }
        }
    }
}

impl Attempt<'_> {
    /// What else would happen; nothing where it cannot be found out. It changes nothing.
    pub(super) async fn consequences(
        &self,
        tx: &mut Transaction<'_>,
        items: &[Item],
    ) -> Result<Result<Consequences, Fault>, RunError> {
        const WHAT: &str = "look for consequences";
        let savepoint = tx.savepoint("gesta_consequences").await.map_err(database(WHAT))?;
        let mut session = Session::within(self.store, savepoint, &self.asker.context)
            .map_err(|error| RunError::Interrupted(error.into()))?;
        let (catalog, rights) = (self.catalog, &self.asker.rights);
        let mut piece = Piece::new(&mut session, catalog, rights, self.kind, items);
        let found = self.local.consequences(&mut piece, self.input).await;
        let ended = session.rollback().await;
        ended.map_err(|error| RunError::Interrupted(error.into()))?;
        Ok(found)
    }
}

/// Whether a fault says nothing of the objects: the connection broke, transactions were in each other's way, the server
/// ends or has no room. Then all of it is done again later.
fn is_interrupted(fault: &Fault) -> bool {
    let mut cause = fault.source();
    while let Some(error) = cause {
        if let Some(error) = error.downcast_ref::<tokio_postgres::Error>() {
            return is_lost(error) || error.code().is_some_and(|code| passes(code.code()));
        }
        let code =
            match (error.downcast_ref::<SessionError>(), error.downcast_ref::<DatabaseError>()) {
                (Some(error), _) => error.code(),
                (_, Some(error)) => error.code(),
                _ => None,
            };
        if let Some(code) = code {
            return passes(code.code());
        }
        cause = error.source();
    }
    false
}

/// By SQLSTATE (PostgreSQL, appendix A). A statement that took too long (57014) may do with fewer objects.
fn passes(code: &str) -> bool {
    matches!(&code[..2], "08" | "40" | "53" | "57" | "58") && code != "57014"
}
