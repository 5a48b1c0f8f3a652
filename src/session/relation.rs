//! Members of a relation: many-to-many, in a table of two columns.

use serde_json::{Value, json};
use tokio_postgres::types::ToSql;

use super::begin::Session;
use super::document::{Document, RowText};
use super::error::SessionError;
use super::record::cell;
use super::shape::{Shape, refused};
use super::statement::fill;
use crate::action::Source;
use crate::hook::Model;
use crate::json::Json;
use crate::store::table::{NameError, quoted, quoted_table};

/// A many-to-many relation: which members an owner has. Changes of it are recorded as `{tags: [[removed], [added]]}`, with
/// `{relations: ["tags"]}` as the data of the action, which tells them from changes of a column that holds arrays.
///
/// A constant of the application:
///
/// ```
/// use gesta::session::Relation;
/// pub const TAGS: Relation = Relation::new("newsroom.article_tag", "article_id", "tag_id", "tags");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Relation {
    table: &'static str,
    owner: &'static str,
    member: &'static str,
    field: &'static str,
}

impl Relation {
    /// The table that joins both, with its schema; its column for the owner's key and for the member's, which have a
    /// unique index together; and the field that `changes` call it.
    #[must_use]
    pub const fn new(
        table: &'static str,
        owner: &'static str,
        member: &'static str,
        field: &'static str,
    ) -> Self {
        Self { table, owner, member, field }
    }
}

/// What became of the members of a relation.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Membership {
    /// Members that were not there before.
    pub added: u64,
    /// Members that are there no more.
    pub removed: u64,
}

/// Locks the owner, so that the order of its actions is the order of commits.
const LOCK: &str = "-- session::lock
SELECT true
FROM {table} AS t
WHERE t.{key} = $1::text::{kind}
FOR NO KEY UPDATE";

/// The owner, and pairs of it and each member given.
macro_rules! given {
    () => {
        "
WITH owner AS MATERIALIZED (
    SELECT j.{owner} AS id FROM json_populate_record(NULL::{table}, $1) AS j
), given AS MATERIALIZED (
    SELECT DISTINCT o.id AS owner, j.{member} AS member
    FROM owner AS o, json_populate_recordset(NULL::{table}, $2) AS j
)"
    };
}

macro_rules! added {
    () => {
        ", added AS (
    INSERT INTO {table} AS j ({owner}, {member})
    SELECT g.owner, g.member FROM given AS g
    ON CONFLICT ({owner}, {member}) DO NOTHING
    RETURNING j.{member} AS member
)"
    };
}

const ADD: &str = concat!(
    "-- session::add",
    given!(),
    added!(),
    "
SELECT '[]'::json, coalesce(json_agg(a.member ORDER BY a.member), '[]'), 0::bigint, count(*), clock_timestamp()
FROM added AS a"
);

const REMOVE: &str = concat!(
    "-- session::remove",
    given!(),
    ", removed AS (
    DELETE FROM {table} AS j
    USING given AS g
    WHERE j.{owner} = g.owner AND j.{member} = g.member
    RETURNING j.{member} AS member
)
SELECT coalesce(json_agg(r.member ORDER BY r.member), '[]'), '[]'::json, count(*), 0::bigint, clock_timestamp()
FROM removed AS r"
);

const SET: &str = concat!(
    "-- session::set",
    given!(),
    ", removed AS (
    DELETE FROM {table} AS j
    USING owner AS o
    WHERE j.{owner} = o.id AND NOT EXISTS (SELECT FROM given AS g WHERE g.member = j.{member})
    RETURNING j.{member} AS member
)",
    added!(),
    "
SELECT coalesce(r.members, '[]'), coalesce(a.members, '[]'), r.len, a.len, clock_timestamp()
FROM (SELECT json_agg(r.member ORDER BY r.member) AS members, count(*) AS len FROM removed AS r) AS r,
    (SELECT json_agg(a.member ORDER BY a.member) AS members, count(*) AS len FROM added AS a) AS a"
);

impl Session<'_> {
    /// Adds members, by the texts of their keys, to an owner; one `update` of the owner records those that are new.
    ///
    /// # Errors
    /// An owner that is not in its table, names that do not fit the tables, more members than an action has room for, and
    /// the database's: a member that does not exist violates its foreign key.
    pub async fn add<M: Model, I: ToString>(
        &mut self,
        owner: &M,
        relation: &Relation,
        members: impl IntoIterator<Item = I>,
    ) -> Result<Membership, SessionError> {
        self.relate(owner, relation, ADD, members.into_iter().map(|id| id.to_string()).collect())
            .await
    }

    /// Removes members from an owner; one `update` of the owner records those that were there.
    ///
    /// # Errors
    /// As [`Session::add`].
    pub async fn remove<M: Model, I: ToString>(
        &mut self,
        owner: &M,
        relation: &Relation,
        members: impl IntoIterator<Item = I>,
    ) -> Result<Membership, SessionError> {
        let members = members.into_iter().map(|id| id.to_string()).collect();
        self.relate(owner, relation, REMOVE, members).await
    }

    /// Gives an owner exactly these members; one `update` of the owner records what is different.
    ///
    /// # Errors
    /// As [`Session::add`].
    pub async fn set<M: Model, I: ToString>(
        &mut self,
        owner: &M,
        relation: &Relation,
        members: impl IntoIterator<Item = I>,
    ) -> Result<Membership, SessionError> {
        self.relate(owner, relation, SET, members.into_iter().map(|id| id.to_string()).collect())
            .await
    }

    async fn relate<M: Model>(
        &mut self,
        owner: &M,
        relation: &Relation,
        template: &str,
        members: Vec<String>,
    ) -> Result<Membership, SessionError> {
        self.enter()?;
        let shape = self.shape::<M>().await?;
        let id = self.lock(&shape, owner).await?;
        let owners = json!({ relation.owner: id }).to_string();
        let members: Vec<_> = members.iter().map(|id| json!({ relation.member: id })).collect();
        let members = Value::from(members).to_string();
        let params: [&(dyn ToSql + Sync); 2] = [&Document(&owners), &Document(&members)];
        let rows = self.query("change the members", &relation.fill(template)?, &params).await?;
        let row = rows.first().ok_or(SessionError::Unusable)?;
        let (removed, added): (i64, i64) = (cell(row, 2)?, cell(row, 3)?);
        let membership =
            Membership { added: added.unsigned_abs(), removed: removed.unsigned_abs() };
        if membership != Membership::default() {
            let [old, new] = [cell::<RowText<'_>>(row, 0)?.0, cell::<RowText<'_>>(row, 1)?.0];
            let field = Value::from(relation.field);
            let mut action = self.template(Source::Save).object(owner);
            "update".clone_into(&mut action.verb);
            action.changes = Some(Json::from_text(format!("{{{field}:[{old},{new}]}}")));
            // Two arrays could be the values of a column as well; histories look for this mark.
            action.data = Some(Json::from(json!({ "relations": [relation.field] })));
            self.append(vec![action], cell(row, 4)?).await?;
        }
        self.leave();
        Ok(membership)
    }

    /// Locks the owner's row, and gives its id.
    async fn lock<M: Model>(&self, shape: &Shape, owner: &M) -> Result<String, SessionError> {
        let slots = [("table", &*shape.table.sql), ("key", &shape.key), ("kind", &shape.key_kind)];
        let object = owner.resource();
        let id = object.id.as_str();
        let found = self.query("lock the owner", &fill(LOCK, &slots), &[&id]).await?;
        if found.is_empty() { Err(SessionError::Missing { object }) } else { Ok(id.to_owned()) }
    }
}

impl Relation {
    fn fill(&self, template: &str) -> Result<String, SessionError> {
        let wrong = |problem: NameError| refused(self.table, problem.to_string());
        let (table, owner) =
            (quoted_table(self.table).map_err(wrong)?, quoted(self.owner).map_err(wrong)?);
        let member = quoted(self.member).map_err(wrong)?;
        Ok(fill(template, &[("table", &table), ("owner", &owner), ("member", &member)]))
    }
}
