//! Who follows what: lists of edges, and whether there is one.

use tokio_postgres::types::ToSql;
use uuid::Uuid;

use super::edge::{Edge, edge, pair_range};
use super::page::check_within;
use super::reader::{Plan, QueryError, Reader};
use crate::resource::{Resource, ResourceRef, ResourceType};

/// Edges of one list.
pub const EDGES_MAX: usize = 10_000;

macro_rules! edges {
    ($name:literal, $side:literal, $other:literal) => {
        concat!(
            "-- stream::following::", $name, "
SELECT f.id, f.follower_type, f.follower_id, f.followed_type, f.followed_id, f.flag, f.roles, f.verbs, f.since, f.muted,
    f.created_at
FROM gesta.follow AS f
WHERE f.tenant = $1 AND f.", $side, "_type = $2 AND f.", $side, "_id = $3 AND f.id > $4 AND f.id <= $8
    AND ($5 = '' OR f.flag = $5)
    AND (cardinality($6::text[]) = 0 OR f.", $other, "_type = ANY ($6))
ORDER BY f.id
LIMIT $7"
        )
    };
}

const FOLLOWING: &str = edges!("following", "follower", "followed");
const FOLLOWERS: &str = edges!("followers", "followed", "follower");

const IS_FOLLOWING: &str = "-- stream::following::is_following
SELECT EXISTS (
    SELECT FROM gesta.follow AS f
    WHERE f.tenant = $1 AND f.follower_type = $2 AND f.follower_id = $3 AND f.followed_type = $4 AND f.followed_id = $5
        AND f.id >= $6 AND f.id <= $7 AND ($8 = '' OR f.flag = $8)
)";

/// Edges of a resource: whom it follows, or who follows it.
#[derive(Clone, Debug, PartialEq)]
pub struct FollowQuery {
    resource: ResourceRef,
    sql: &'static str,
    flag: String,
    types: Vec<String>,
    after: Uuid,
    /// The other end, where it is given, and the last id that an edge of both can have.
    other: Option<ResourceRef>,
    last: Uuid,
    limit: usize,
}

impl FollowQuery {
    fn new(resource: ResourceRef, sql: &'static str) -> Self {
        let (flag, types) = (String::new(), Vec::new());
        let (after, last) = (Uuid::nil(), Uuid::max());
        Self { resource, sql, flag, types, after, other: None, last, limit: EDGES_MAX }
    }

    /// What somebody follows.
    #[must_use]
    pub fn following(follower: &(impl Resource + ?Sized)) -> Self {
        Self::new(follower.resource(), FOLLOWING)
    }

    /// Who follows something.
    #[must_use]
    pub fn followers(followed: &(impl Resource + ?Sized)) -> Self {
        Self::new(followed.resource(), FOLLOWERS)
    }

    /// The edges by which somebody follows something, one a flag.
    #[must_use]
    pub fn between(
        follower: &(impl Resource + ?Sized),
        followed: &(impl Resource + ?Sized),
    ) -> Self {
        let (follower, followed) = (follower.resource(), followed.resource());
        let (first, last) = pair_range(&follower, &followed);
        let after = Uuid::from_u128(first.as_u128().saturating_sub(1));
        Self { after, last, other: Some(followed), ..Self::new(follower, FOLLOWING) }
    }

    /// Only edges with this flag; empty for any.
    #[must_use]
    pub fn flag(mut self, flag: impl Into<String>) -> Self {
        self.flag = flag.into();
        self
    }

    /// Only where the other end is of one of these types.
    #[must_use]
    pub fn types(mut self, types: impl IntoIterator<Item = ResourceType>) -> Self {
        self.types = types.into_iter().map(|kind| kind.to_string()).collect();
        self
    }

    /// Goes on after this edge.
    #[must_use]
    pub fn after(mut self, edge: Uuid) -> Self {
        self.after = self.after.max(edge);
        self
    }

    /// How many, 1 to 10,000, which is also the default.
    #[must_use]
    pub fn limit(mut self, limit: usize) -> Self {
        self.limit = limit;
        self
    }

    /// Reads the edges, in the order of their ids, which is stable but means nothing.
    ///
    /// # Errors
    /// When the limit is out of range or the database does not answer.
    pub async fn list(&self, reader: &Reader) -> Result<Vec<Edge>, QueryError> {
        let what = "follows";
        let limit = check_within(self.limit, EDGES_MAX)?;
        let params: [&(dyn ToSql + Sync); 8] = [
            &reader.tenant().as_str(),
            &self.resource.kind.as_str(),
            &self.resource.id.as_str(),
            &self.after,
            &self.flag,
            &self.types,
            &limit,
            &self.last,
        ];
        let rows = reader.query(what, Plan::Generic, self.sql, &params).await?;
        let edges = rows.iter().map(edge).collect::<Result<Vec<_>, _>>();
        let mut edges = edges.map_err(|source| QueryError::Database { what, source })?;
        // Other pairs may have ids of the same range.
        edges.retain(|edge| self.other.as_ref().is_none_or(|other| edge.followed == *other));
        Ok(edges)
    }
}

impl Reader {
    /// Whether somebody follows something, with this flag or, where it is empty, with any.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn is_following(
        &self,
        follower: &(impl Resource + ?Sized),
        followed: &(impl Resource + ?Sized),
        flag: &str,
    ) -> Result<bool, QueryError> {
        let (a, b) = (follower.resource(), followed.resource());
        let (low, high) = pair_range(&a, &b);
        let params: [&(dyn ToSql + Sync); 8] = [
            &self.tenant().as_str(),
            &a.kind.as_str(),
            &a.id.as_str(),
            &b.kind.as_str(),
            &b.id.as_str(),
            &low,
            &high,
            &flag,
        ];
        let rows = self.query("a follow", Plan::Generic, IS_FOLLOWING, &params).await?;
        Ok(rows.first().is_some_and(|row| row.get(0)))
    }
}
