//! Which tables are tracked, and whether all that happens to them is recorded as it should be.

use deadpool_postgres::Transaction;
use serde::Serialize;
#[cfg(feature = "cli")]
use tokio_postgres::Client;

use super::TrackError;
use super::options::Options;
use super::script::COMMENT;
use crate::resource::ResourceType;
#[cfg(feature = "cli")]
use crate::store::failed;
use crate::store::{Failure, scope};

/// Each table, its options, and what is not as it should be. The triggers that a table needs: one a kind of statement on
/// the table and on each partition; one for rows where a foreign key of the table to itself cascades, and one for rows that
/// may move to another partition.
const STANDING: &str = "-- track::standing::read
WITH tracked AS (
    SELECT DISTINCT coalesce(pg_partition_root(t.tgrelid)::oid, t.tgrelid) AS relation, p.oid AS function
    FROM pg_trigger AS t
    JOIN pg_proc AS p ON p.oid = t.tgfoid
    WHERE p.pronamespace = 'gesta'::regnamespace AND t.tgname LIKE 'gesta\\_capture\\_%'
), member AS (
    SELECT k.relation, k.function, k.relation AS member
    FROM tracked AS k
    UNION
    SELECT k.relation, k.function, t.relid::oid
    FROM tracked AS k
    CROSS JOIN LATERAL pg_partition_tree(k.relation::regclass) AS t
), needed AS (
    SELECT m.relation, m.member, t.oid IS NULL AS is_missing, t.tgenabled <> 'A' AS is_disabled
    FROM member AS m
    CROSS JOIN unnest('{gesta_capture_insert,gesta_capture_update,gesta_capture_delete,gesta_capture_truncate}'::name[]) AS w (name)
    LEFT JOIN pg_trigger AS t ON t.tgrelid = m.member AND t.tgname = w.name AND t.tgfoid = m.function
), cascading AS (
    SELECT k.relation, count(t.oid) = 0 AS is_missing, coalesce(bool_or(t.tgenabled <> 'A'), false) AS is_disabled
    FROM tracked AS k
    LEFT JOIN pg_trigger AS t ON t.tgrelid = k.relation AND t.tgname = 'gesta_capture_cascade' AND t.tgfoid = k.function
    WHERE EXISTS (
        SELECT FROM pg_constraint AS f
        WHERE f.conrelid = k.relation AND f.confrelid = k.relation AND f.contype = 'f'
            AND (f.confdeltype IN ('c', 'n', 'd') OR f.confupdtype IN ('c', 'n', 'd'))
    )
    GROUP BY k.relation
), moving AS (
    SELECT k.relation, count(t.oid) = 0 AS is_missing, coalesce(bool_or(t.tgenabled <> 'A'), false) AS is_disabled
    FROM tracked AS k
    JOIN pg_partitioned_table AS p ON p.partrelid = k.relation
    LEFT JOIN pg_trigger AS t ON t.tgrelid = k.relation AND t.tgname = 'gesta_capture_move' AND t.tgfoid = k.function
    GROUP BY k.relation
)
SELECT n.nspname || '.' || c.relname AS table,
    split_part(obj_description(k.function, 'pg_proc'), $1, 2) AS options,
    EXISTS (SELECT FROM needed AS e WHERE e.relation = k.relation AND e.is_disabled)
        OR EXISTS (SELECT FROM cascading AS g WHERE g.relation = k.relation AND g.is_disabled)
        OR EXISTS (SELECT FROM moving AS v WHERE v.relation = k.relation AND v.is_disabled) AS is_disabled,
    EXISTS (SELECT FROM needed AS e WHERE e.relation = k.relation AND e.member = k.relation AND e.is_missing) AS is_missing,
    ARRAY(
        SELECT DISTINCT e.member::regclass::text
        FROM needed AS e
        WHERE e.relation = k.relation AND e.member <> k.relation AND e.is_missing
    ) AS missing_on,
    EXISTS (SELECT FROM cascading AS g WHERE g.relation = k.relation AND g.is_missing) AS is_cascade_missing,
    EXISTS (SELECT FROM moving AS v WHERE v.relation = k.relation AND v.is_missing) AS is_move_missing,
    EXISTS (SELECT FROM pg_inherits AS i WHERE i.inhparent = k.relation) AND c.relkind = 'r' AS has_child,
    EXISTS (
        SELECT FROM pg_subscription_rel AS s
        WHERE s.srrelid IN (SELECT m.member FROM member AS m WHERE m.relation = k.relation)
    ) AS is_subscribed,
    NOT (has_schema_privilege('gesta_capture', n.oid, 'USAGE') AND has_table_privilege('gesta_capture', c.oid, 'SELECT'))
        AS is_unreadable,
    gesta.shape(k.relation) AS shape,
    (
        SELECT o.rolname::text
        FROM pg_roles AS o
        WHERE o.oid = c.relowner AND NOT o.rolsuper AND EXISTS (
            SELECT FROM pg_roles AS r
            WHERE NOT r.rolsuper AND pg_has_role(r.oid, o.oid, 'MEMBER') AND pg_has_role(r.oid, 'gesta_app', 'MEMBER')
        )
    ) AS owner
FROM tracked AS k
JOIN pg_class AS c ON c.oid = k.relation
JOIN pg_namespace AS n ON n.oid = c.relnamespace
ORDER BY n.nspname, c.relname";

/// What is to be said of a tracked table.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case", tag = "state", content = "detail")]
pub enum State {
    /// A trigger has been switched off or removed: something is not recorded.
    Disabled,
    /// These partitions, `schema.name`, were made since: what is done to them directly, not through the table, is not recorded.
    MissingOn(Vec<String>),
    /// Triggers that an earlier version of Gesta made: rows that a MERGE moves to another partition, and those that a TRUNCATE
    /// under REPEATABLE READ removes, may not be recorded.
    Outdated,
    /// A subscription writes to it: rows that logical replication applies fire no triggers of statements, and are not
    /// recorded.
    Subscribed,
    /// Other tables inherit from it since: what is done to them directly is not recorded.
    HasChildren,
    /// It has a foreign key to itself since: rows that it changes make the session's transaction fail.
    CascadeMissing,
    /// The triggers may not read it, perhaps because it was moved to another schema: TRUNCATE is refused.
    Unreadable,
    /// Its columns are others than when it was tracked: all is recorded, but slower, and masked where a column may be one
    /// of those that were masked, hashed or left out.
    ShapeChanged,
    /// Its owner is a role that an application may act as, and can switch the triggers off.
    OwnerCanDisable(String),
}

/// A tracked table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tracked {
    /// `schema.name`.
    pub table: String,
    /// Type of its objects.
    pub kind: ResourceType,
    /// The columns of the key.
    pub key: Vec<String>,
    /// The column of the name.
    pub name: Option<String>,
    /// Columns that are not recorded.
    pub exclude: Vec<String>,
    /// Columns that are masked.
    pub mask: Vec<String>,
    /// Columns that are hashed.
    pub hash: Vec<String>,
    /// What is to be said of it, the worst first; nothing where all is well.
    pub states: Vec<State>,
}

/// All tracked tables, by name.
pub(super) async fn read(tx: &Transaction<'_>) -> Result<Vec<Tracked>, TrackError> {
    let rows = scope::query(tx, "read how tables are tracked", STANDING, &[&COMMENT]).await;
    let rows = rows.map_err(TrackError::Database)?;
    rows.iter().map(tracked).collect::<Result<_, _>>().map_err(TrackError::Database)
}

/// The same on a plain connection.
#[cfg(feature = "cli")]
pub(crate) async fn read_plainly(client: &Client) -> Result<Vec<Tracked>, Failure> {
    let rows = client.query(STANDING, &[&COMMENT]).await;
    rows.map_err(failed("read how tables are tracked"))?.iter().map(tracked).collect()
}

fn tracked(row: &tokio_postgres::Row) -> Result<Tracked, Failure> {
    let options: Option<&str> = row.get("options");
    let options: Options = serde_json::from_str(options.unwrap_or_default())
        .map_err(|error| Failure::Row(Box::new(error)))?;
    let states = states(row, &options);
    let Options { kind, key, name, exclude, mask, hash, .. } = options;
    Ok(Tracked { table: row.get("table"), kind, key, name, exclude, mask, hash, states })
}

fn states(row: &tokio_postgres::Row, options: &Options) -> Vec<State> {
    let is = |name: &str| row.get::<_, bool>(name);
    let missing_on: Vec<String> = row.get("missing_on");
    let owner: Option<String> = row.get("owner");
    let mut states = Vec::new();
    let is_outdated = options.numbers.is_empty();
    let is_missing = is("is_missing") || is("is_move_missing") && !is_outdated;
    states.extend((is("is_disabled") || is_missing).then_some(State::Disabled));
    states.extend((!missing_on.is_empty()).then_some(State::MissingOn(missing_on)));
    states.extend(is_outdated.then_some(State::Outdated));
    states.extend(is("is_subscribed").then_some(State::Subscribed));
    states.extend(is("has_child").then_some(State::HasChildren));
    states.extend(is("is_cascade_missing").then_some(State::CascadeMissing));
    states.extend(is("is_unreadable").then_some(State::Unreadable));
    let shape: Option<String> = row.get("shape");
    states.extend((shape != options.shape && !is_outdated).then_some(State::ShapeChanged));
    states.extend(owner.map(State::OwnerCanDisable));
    states
}
