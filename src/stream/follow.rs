//! Follows: who wants the actions of what in a feed.
//!
//! An edge is state, one row of `gesta.follow`; that somebody began or ended following is an action like any other
//! (`started following`, `stopped following`; with a flag, `started liking`). Edges are written in the caller's
//! transaction, as all that is written.

use chrono::{DateTime, Utc};
use deadpool_postgres::Transaction;
use tokio_postgres::Row;
use tokio_postgres::types::ToSql;

use super::edge::{self, edge_id, pair_range};
pub use super::edge::{Edge, Role};
pub use super::following::{EDGES_MAX, FollowQuery};
use crate::action::{NewAction, VERB_LEN_MAX, is_verb};
use crate::context::Context;
use crate::error::quote;
use crate::resource::{Named, Resource};
use crate::store::{AppendError, Failure, Store, failed, scope};

/// Bytes of a flag.
pub const FLAG_LEN_MAX: usize = 63;
/// Verbs that one edge asks for; each travels with every item of a feed.
pub const VERBS_MAX: usize = 100;

/// The edge as it is now, and whether it is new: `xmax` of a row that was just inserted is zero.
const FOLLOW: &str = "-- stream::follow::follow
INSERT INTO gesta.follow AS f (tenant, id, follower_type, follower_id, followed_type, followed_id, flag, roles, verbs,
    since, muted)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)
ON CONFLICT (tenant, id) DO UPDATE
SET roles = CASE WHEN 'roles' = ANY ($12) THEN f.roles ELSE excluded.roles END,
    verbs = CASE WHEN 'verbs' = ANY ($12) THEN f.verbs ELSE excluded.verbs END,
    since = CASE WHEN 'since' = ANY ($12) THEN f.since ELSE excluded.since END,
    muted = CASE WHEN 'muted' = ANY ($12) THEN f.muted ELSE excluded.muted END
RETURNING f.id, f.follower_type, f.follower_id, f.followed_type, f.followed_id, f.flag, f.roles, f.verbs, f.since,
    f.muted, f.created_at, (f.xmax = 0) AS is_new";

/// The ids of a pair's edges are a short range of the follower's index, however many others it follows.
const UNFOLLOW: &str = "-- stream::follow::unfollow
DELETE FROM gesta.follow AS f
WHERE f.tenant = $1 AND f.follower_type = $2 AND f.follower_id = $3 AND f.followed_type = $4 AND f.followed_id = $5
    AND f.id >= $6 AND f.id <= $7 AND ($8 = '' OR f.flag = $8)
RETURNING f.flag";

const FORGET: &str = "-- stream::follow::forget
DELETE FROM gesta.follow AS f
WHERE f.tenant = $1 AND (f.follower_type = $2 AND f.follower_id = $3 OR f.followed_type = $2 AND f.followed_id = $3)";

/// Why an edge is not written.
#[derive(Debug, thiserror::Error)]
pub enum FollowError {
    /// The flag cannot be one.
    #[error("flag {given} is refused; give up to {FLAG_LEN_MAX} bytes without control characters")]
    Flag {
        /// What was given, cut and quoted.
        given: String,
    },
    /// One of the verbs cannot be one.
    #[error("verb {given} is refused; give 1 to {VERB_LEN_MAX} bytes without control characters")]
    Verb {
        /// What was given, cut and quoted.
        given: String,
    },
    /// More verbs than an edge may ask for.
    #[error("{given} verbs are refused; give up to {VERBS_MAX}, or none for all")]
    Verbs {
        /// How many were given.
        given: usize,
    },
    /// No role was named, so nothing could ever be shown.
    #[error("no role is named; name one or more of actor, object and target")]
    NoRole,
    /// The action that tells of it was refused.
    #[error("failed to record the follow")]
    Record(#[source] AppendError),
    /// The database did not do it. The transaction has to be rolled back.
    #[error("failed to write the follow")]
    Database(#[source] Failure),
}

/// Whether a change of an edge is told by an action.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Telling {
    #[default]
    Told,
    Silent,
}

/// What was there before an edge was written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Before {
    /// No edge of this kind.
    Nothing,
    /// The same edge, perhaps with other options.
    Edge,
}

/// A wish to follow. By default: without a flag, as actor only, all verbs, the past as well, not muted, told by an action.
#[derive(Clone, Debug, PartialEq)]
pub struct Follow {
    follower: Named,
    followed: Named,
    flag: String,
    roles: Vec<Role>,
    verbs: Vec<String>,
    since: Option<DateTime<Utc>>,
    muted: bool,
    telling: Telling,
    /// Columns that an edge which is there already keeps as they are.
    kept: Vec<&'static str>,
}

impl Follow {
    /// Somebody follows something.
    #[must_use]
    pub fn new(follower: &(impl Resource + ?Sized), followed: &(impl Resource + ?Sized)) -> Self {
        Self {
            follower: follower.to_named(),
            followed: followed.to_named(),
            flag: String::new(),
            roles: vec![Role::Actor],
            verbs: Vec::new(),
            since: None,
            muted: false,
            telling: Telling::Told,
            kept: Vec::new(),
        }
    }

    /// Of this kind, such as `liking`: several kinds stand side by side. Up to 63 bytes.
    #[must_use]
    pub fn flag(mut self, flag: impl Into<String>) -> Self {
        self.flag = flag.into();
        self
    }

    /// In these roles.
    #[must_use]
    pub fn roles(mut self, roles: impl IntoIterator<Item = Role>) -> Self {
        // Named twice it would be two reasons.
        self.roles.clear();
        for role in roles {
            if !self.roles.contains(&role) {
                self.roles.push(role);
            }
        }
        self
    }

    /// Only these verbs.
    #[must_use]
    pub fn verbs<S: Into<String>>(mut self, verbs: impl IntoIterator<Item = S>) -> Self {
        self.verbs = verbs.into_iter().map(Into::into).collect();
        self
    }

    /// Only what occurred at this moment or later.
    #[must_use]
    pub fn since(mut self, time: DateTime<Utc>) -> Self {
        self.since = Some(time);
        self
    }

    /// Keeps the edge, but adds nothing to the feed.
    #[must_use]
    pub fn muted(mut self) -> Self {
        self.muted = true;
        self
    }

    /// Is not told by an action.
    #[must_use]
    pub fn silent(mut self) -> Self {
        self.telling = Telling::Silent;
        self
    }

    /// Leaves these columns of an edge that is there already as they are; a new one is given them.
    #[cfg(feature = "server")]
    #[must_use]
    pub(crate) fn keeping(mut self, columns: impl IntoIterator<Item = &'static str>) -> Self {
        self.kept.extend(columns);
        self
    }

    fn check(&self) -> Result<(), FollowError> {
        check_flag(&self.flag)?;
        if self.verbs.len() > VERBS_MAX {
            return Err(FollowError::Verbs { given: self.verbs.len() });
        }
        if let Some(verb) = self.verbs.iter().find(|verb| !is_verb(verb)) {
            return Err(FollowError::Verb { given: quote(verb) });
        }
        if self.roles.is_empty() { Err(FollowError::NoRole) } else { Ok(()) }
    }
}

fn check_flag(flag: &str) -> Result<(), FollowError> {
    if flag.len() > FLAG_LEN_MAX || flag.chars().any(char::is_control) {
        return Err(FollowError::Flag { given: quote(flag) });
    }
    Ok(())
}

/// `following`, or the flag: what stands behind `started` and `stopped`.
fn gerund(flag: &str) -> &str {
    if flag.is_empty() { "following" } else { flag }
}

impl Store {
    /// Follows, in the caller's transaction. An edge that is there already is given its options anew and is not told a
    /// second time.
    ///
    /// # Errors
    /// When the flag, the verbs or the roles cannot be stored, or the database fails; then the transaction is lost.
    ///
    /// # Cancel safety
    /// Dropped, part of it may have run: roll `tx` back.
    pub async fn follow(
        &self,
        tx: &Transaction<'_>,
        ctx: &Context,
        follow: &Follow,
    ) -> Result<Edge, FollowError> {
        self.put_follow(tx, ctx, follow).await.map(|(edge, _)| edge)
    }

    /// The same, and whether the edge was there before.
    pub(crate) async fn put_follow(
        &self,
        tx: &Transaction<'_>,
        ctx: &Context,
        follow: &Follow,
    ) -> Result<(Edge, Before), FollowError> {
        follow.check()?;
        let roles: Vec<_> = follow.roles.iter().map(|role| role.as_str()).collect();
        let (follower, followed) = (&follow.follower.resource, &follow.followed.resource);
        let id = edge_id(follower, followed, &follow.flag);
        let params: [&(dyn ToSql + Sync); 12] = [
            &ctx.tenant.as_str(),
            &id,
            &follower.kind.as_str(),
            &follower.id.as_str(),
            &followed.kind.as_str(),
            &followed.id.as_str(),
            &follow.flag,
            &roles,
            &follow.verbs,
            &follow.since,
            &follow.muted,
            &follow.kept,
        ];
        let rows = write(tx, ctx, FOLLOW, &params).await.map_err(FollowError::Database)?;
        let Some(row) = rows.first() else { unreachable!("the upsert returns its row") };
        let before = if row.get("is_new") { Before::Nothing } else { Before::Edge };
        if before == Before::Nothing && follow.telling == Telling::Told {
            let verb = format!("started {}", gerund(&follow.flag));
            self.tell(tx, ctx, verb, &follow.follower, &follow.followed).await?;
        }
        Ok((edge::edge(row).map_err(FollowError::Database)?, before))
    }

    /// Stops following, in the caller's transaction; with an empty flag all kinds of it. Says how many edges went;
    /// none is no error. Each is told by an action.
    ///
    /// # Errors
    /// When the flag cannot be one, or the database fails; then the transaction is lost.
    ///
    /// # Cancel safety
    /// Dropped, part of it may have run: roll `tx` back.
    pub async fn unfollow(
        &self,
        tx: &Transaction<'_>,
        ctx: &Context,
        follower: &(impl Resource + ?Sized),
        followed: &(impl Resource + ?Sized),
        flag: &str,
    ) -> Result<usize, FollowError> {
        check_flag(flag)?;
        let (follower, followed) = (follower.to_named(), followed.to_named());
        let (a, b) = (&follower.resource, &followed.resource);
        let (low, high) = pair_range(a, b);
        let params: [&(dyn ToSql + Sync); 8] = [
            &ctx.tenant.as_str(),
            &a.kind.as_str(),
            &a.id.as_str(),
            &b.kind.as_str(),
            &b.id.as_str(),
            &low,
            &high,
            &flag,
        ];
        let rows = write(tx, ctx, UNFOLLOW, &params).await.map_err(FollowError::Database)?;
        for row in &rows {
            let verb = format!("stopped {}", gerund(row.get(0)));
            self.tell(tx, ctx, verb, &follower, &followed).await?;
        }
        Ok(rows.len())
    }

    /// Removes all edges from and to a resource that is no more, in the caller's transaction; says how many. Its
    /// actions stay. Tell of its end by an action of your own.
    ///
    /// # Errors
    /// When the database fails; then the transaction is lost.
    pub async fn forget_edges(
        &self,
        tx: &Transaction<'_>,
        ctx: &Context,
        resource: &(impl Resource + ?Sized),
    ) -> Result<u64, Failure> {
        let resource = resource.resource();
        scope::enter(tx, ctx.tenant.as_str()).await?;
        let forget = tx.prepare_cached(FORGET).await.map_err(failed("prepare"))?;
        let params: [&(dyn ToSql + Sync); 3] =
            [&ctx.tenant.as_str(), &resource.kind.as_str(), &resource.id.as_str()];
        tx.execute(&forget, &params).await.map_err(failed("forget the edges"))
    }

    async fn tell(
        &self,
        tx: &Transaction<'_>,
        ctx: &Context,
        verb: String,
        follower: &Named,
        followed: &Named,
    ) -> Result<(), FollowError> {
        let mut action = NewAction::new(verb, ctx).target(followed);
        // The follower acts; where somebody else does it for them, the context says so.
        if action.actor.resource != follower.resource {
            action = action.object(follower);
        }
        self.append(tx, action).await.map(drop).map_err(FollowError::Record)
    }
}

async fn write(
    tx: &Transaction<'_>,
    ctx: &Context,
    sql: &'static str,
    params: &[&(dyn ToSql + Sync)],
) -> Result<Vec<Row>, Failure> {
    scope::enter(tx, ctx.tenant.as_str()).await?;
    scope::query(tx, "write the edge", sql, params).await
}
