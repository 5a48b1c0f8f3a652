//! Foreign keys: which tables refer to a table, and what becomes of their rows when what they refer to is deleted.

use deadpool_postgres::Transaction;
use tokio_postgres::Row;

use super::super::piece::Fault;
use super::relation::rows;

/// Foreign keys to some tables: to the whole of a table, or to a partition of it, and then of its rows only. Of what PostgreSQL
/// makes of a foreign key for partitions, the one counts by which it names a partition that was asked for. A table counts as
/// readable where this role sees all its rows. The operators are those of the constraint, since a search path may have others.
///
/// The id of a row without a type of its own is that of a tracked table: the text of its primary key, or the JSON of its columns.
/// What is emptied are all columns of the key, or those that PostgreSQL 15 lets the constraint name; hidden ones are not told.
const REFERENCES: &str = "-- definition::built_in::references
SELECT q.given, f.conrelid, n.nspname || '.' || c.relname, format('%I.%I', n.nspname, c.relname), f.confdeltype::text,
    (
        SELECT string_agg(format('p.%I OPERATOR(%I.%s) c.%I', b.attname, s.nspname, o.oprname, a.attname), ' AND ') || CASE
            WHEN q.named = q.given THEN ''
            ELSE format(' AND p.tableoid IN (SELECT relid FROM pg_catalog.pg_partition_tree(%s))', q.named)
        END
        FROM unnest(f.conkey, f.confkey, f.conpfeqop) AS k (own, other, operator)
        JOIN pg_catalog.pg_attribute AS a ON a.attrelid = f.conrelid AND a.attnum = k.own
        JOIN pg_catalog.pg_attribute AS b ON b.attrelid = f.confrelid AND b.attnum = k.other
        JOIN pg_catalog.pg_operator AS o ON o.oid = k.operator
        JOIN pg_catalog.pg_namespace AS s ON s.oid = o.oprnamespace
    ),
    (
        SELECT string_agg(format('c.%I::text', a.attname), ', ')
        FROM pg_catalog.pg_index AS i
        JOIN pg_catalog.pg_attribute AS a ON a.attrelid = i.indrelid AND a.attnum = ANY (i.indkey)
        WHERE i.indrelid = c.oid AND i.indisprimary
    ),
    has_schema_privilege(n.oid, 'USAGE') AND has_table_privilege(c.oid, 'SELECT') AND NOT row_security_active(c.oid),
    has_table_privilege(c.oid, 'UPDATE'),
    f.oid,
    (
        SELECT CASE count(*)
            WHEN 1 THEN min(format('c.%I::text', a.attname))
            ELSE format('jsonb_build_array(%s)::text', string_agg(format('c.%I', a.attname), ', ' ORDER BY k.n))
        END
        FROM pg_catalog.pg_constraint AS p
        CROSS JOIN unnest(p.conkey) WITH ORDINALITY AS k (number, n)
        JOIN pg_catalog.pg_attribute AS a ON a.attrelid = p.conrelid AND a.attnum = k.number
        WHERE p.conrelid = c.oid AND p.contype = 'p'
        HAVING count(*) > 0
    ),
    (
        SELECT format('json_build_object(%s)', string_agg(format(
            '%1$L, CASE WHEN %1$L = ANY ($2::text[]) THEN ''[\"***\", \"***\"]''::json ELSE json_build_array(c.%1$I, %2$s) END',
            a.attname, CASE f.confdeltype WHEN 'd' THEN coalesce(pg_get_expr(d.adbin, d.adrelid), 'NULL') ELSE 'NULL' END
        ), ', '))
        FROM unnest(coalesce((
            SELECT array_agg(e.number::smallint)
            FROM jsonb_array_elements_text(nullif(to_jsonb(f)->'confdelsetcols', 'null')) AS e (number)
        ), f.conkey)) AS k (number)
        JOIN pg_catalog.pg_attribute AS a ON a.attrelid = f.conrelid AND a.attnum = k.number
        LEFT JOIN pg_catalog.pg_attrdef AS d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
    ),
    EXISTS (
        SELECT FROM pg_catalog.pg_trigger AS g
        JOIN pg_catalog.pg_proc AS p ON p.oid = g.tgfoid
        WHERE g.tgrelid = c.oid AND g.tgname = 'gesta_capture_delete' AND g.tgenabled <> 'D'
            AND p.pronamespace = 'gesta'::regnamespace
    )
FROM (
    SELECT g.oid, g.oid FROM unnest($1::oid[]) AS g (oid)
    UNION
    SELECT g.oid, t.relid::oid FROM unnest($1::oid[]) AS g (oid) CROSS JOIN pg_catalog.pg_partition_tree(g.oid::regclass) AS t
) AS q (given, named)
JOIN pg_catalog.pg_constraint AS f ON f.confrelid = q.named
JOIN pg_catalog.pg_class AS c ON c.oid = f.conrelid
JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
WHERE f.contype = 'f' AND (
    f.conparentid = 0 OR q.named = q.given AND EXISTS (
        SELECT FROM pg_catalog.pg_constraint AS w WHERE w.oid = f.conparentid AND w.conrelid = f.conrelid
    )
)
ORDER BY n.nspname, c.relname, f.conname";

/// What becomes of a row that refers to a deleted one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Rule {
    /// It is deleted.
    Cascade,
    /// Its reference is emptied.
    Empty,
    /// It forbids it, unless it is deleted too.
    Check,
    /// It forbids it, even where it would be deleted too.
    Forbid,
}

/// A foreign key.
#[derive(Clone, Debug)]
pub(super) struct Reference {
    /// The table that is referred to.
    pub(super) parent: u32,
    /// The table that refers.
    pub(super) child: u32,
    /// The table that refers, as people write it.
    pub(super) shown: String,
    /// The same in quotes.
    pub(super) table: String,
    pub(super) rule: Rule,
    /// How rows `c` of the one belong to rows `p` of the other.
    pub(super) on: String,
    /// What tells a row `c`: its primary key.
    pub(super) key: String,
    pub(super) is_readable: bool,
    pub(super) is_lockable: bool,
    /// The constraint.
    pub(super) oid: u32,
    /// The id of a row `c`, where it has a primary key.
    pub(super) id: Option<String>,
    /// What is told of a row `c` that loses its reference, without the hidden columns `$2`.
    pub(super) emptied: String,
    /// Whether triggers record what becomes of its rows.
    pub(super) is_tracked: bool,
}

/// The foreign keys to some tables.
pub(super) async fn to(tx: &Transaction<'_>, tables: &[u32]) -> Result<Vec<Reference>, Fault> {
    let found = rows(tx, "read the foreign keys", REFERENCES, &[&tables]).await?;
    Ok(found.iter().map(reference).collect())
}

fn reference(row: &Row) -> Reference {
    let key = row.get::<_, Option<String>>(6);
    Reference {
        parent: row.get(0),
        child: row.get(1),
        shown: row.get(2),
        table: row.get(3),
        rule: match row.get(4) {
            "c" => Rule::Cascade,
            "n" | "d" => Rule::Empty,
            "r" => Rule::Forbid,
            _ => Rule::Check,
        },
        on: row.get(5),
        key: key.map_or_else(|| "NULL::text".to_owned(), |key| format!("concat_ws(',', {key})")),
        is_readable: row.get(7),
        is_lockable: row.get(8),
        oid: row.get(9),
        id: row.get(10),
        emptied: row.get(11),
        is_tracked: row.get(12),
    }
}
