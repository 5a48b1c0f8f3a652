//! What keeps the log safe: roles, grants, functions, triggers, policies, row security, partitions.

use tokio_postgres::Client;

use super::{Check, guards};

/// The table and its partitions.
macro_rules! relations {
    () => {
        "SELECT 'gesta.action'::regclass::oid AS oid
    UNION ALL
    SELECT i.inhrelid FROM pg_inherits AS i WHERE i.inhparent = 'gesta.action'::regclass"
    };
}

const ROLES: &str = "-- cli::doctor::roles
SELECT w.name::text AS name, r.oid IS NOT NULL AS present, coalesce(r.rolsuper, false) AS super,
    coalesce(r.rolbypassrls, false) AS bypassrls,
    coalesce(pg_has_role(r.oid, (SELECT relowner FROM pg_class WHERE oid = 'gesta.action'::regclass), 'MEMBER'), false)
        AS owner
FROM unnest('{gesta_owner,gesta_app,gesta_import,gesta_auditor,gesta_capture,gesta_relay,gesta_user}'::name[])
    WITH ORDINALITY AS w (name, n)
LEFT JOIN pg_roles AS r ON r.rolname = w.name
ORDER BY w.n";

/// What somebody may do to the log that nobody should.
const GRANTS: &str = concat!(
    "-- cli::doctor::grants
SELECT role.rolname || ' may ' || lower(privilege.name) || ' ' || relation.oid::regclass AS grant_text
FROM (",
    relations!(),
    ") AS relation
CROSS JOIN pg_roles AS role
CROSS JOIN unnest('{UPDATE,DELETE,TRUNCATE,REFERENCES,TRIGGER}'::text[]) AS privilege (name)
WHERE role.rolname IN ('gesta_app', 'gesta_import', 'gesta_auditor', 'gesta_relay', 'gesta_user') AND NOT role.rolsuper
    AND has_table_privilege(role.oid, relation.oid, privilege.name)
UNION ALL
SELECT role.rolname || ' lacks insert on gesta.action'
FROM pg_roles AS role
WHERE role.rolname IN ('gesta_app', 'gesta_import')
    AND NOT has_any_column_privilege(role.oid, 'gesta.action'::regclass, 'INSERT')
UNION ALL
SELECT role.rolname || ' lacks select on gesta.action'
FROM pg_roles AS role
WHERE role.rolname IN ('gesta_app', 'gesta_import', 'gesta_auditor', 'gesta_relay', 'gesta_user')
    AND NOT has_table_privilege(role.oid, 'gesta.action'::regclass, 'SELECT')"
);

/// Relations whose changes are not refused. Bits of `tgtype`: 8 DELETE, 16 UPDATE, 32 TRUNCATE; `A` is always.
const TRIGGERS: &str = concat!(
    "-- cli::doctor::triggers
SELECT relation.oid::regclass::text AS relation
FROM (",
    relations!(),
    ") AS relation
WHERE NOT EXISTS (
        SELECT FROM pg_trigger AS t
        WHERE t.tgrelid = relation.oid AND t.tgfoid = 'gesta.refuse_change'::regproc AND t.tgtype & 24 = 24
            AND t.tgenabled = 'A'
    ) OR NOT EXISTS (
        SELECT FROM pg_trigger AS t
        WHERE t.tgrelid = relation.oid AND t.tgfoid = 'gesta.refuse_change'::regproc AND t.tgtype & 32 = 32
            AND t.tgenabled = 'A'
    )"
);

const ROW_SECURITY: &str = "-- cli::doctor::row_security
SELECT c.oid::regclass::text AS relation
FROM pg_class AS c
WHERE c.relnamespace = 'gesta'::regnamespace AND NOT c.relrowsecurity
    AND (c.relname IN ('action', 'follow', 'visibility') OR EXISTS (SELECT FROM pg_policy AS p WHERE p.polrelid = c.oid))";

const PARTITIONS: &str = "-- cli::doctor::partitions
SELECT count(*) AS partitions, max(substr(c.relname, 9)::integer) AS last_year,
    extract(year FROM now() AT TIME ZONE 'UTC')::integer AS this_year
FROM pg_inherits AS i JOIN pg_class AS c ON c.oid = i.inhrelid
WHERE i.inhparent = 'gesta.action'::regclass AND c.relname ~ '^action_y[0-9]{4}$'";

const FUTURE: &str = "-- cli::doctor::future
SELECT EXISTS (SELECT FROM gesta.action_future)";

pub(super) async fn checks(client: &Client) -> Vec<Check> {
    let grants = texts(client, GRANTS).await;
    let triggers = texts(client, TRIGGERS).await;
    let security = texts(client, ROW_SECURITY).await;
    let none = |name, found: Result<Vec<String>, _>, good: &str, bad: &str, fix: &str| match found {
        Ok(found) if found.is_empty() => Check::ok(name, good),
        Ok(found) => Check::fail(name, format!("{bad}{}", found.join(", ")), fix),
        Err(error) => Check::unknown(name, &error),
    };
    vec![
        roles(client).await,
        none(
            "grants",
            grants,
            "applications append and read, and do nothing else",
            "",
            "REVOKE what is too much, GRANT what is lacking, as the migrations do",
        ),
        none(
            "append-only",
            triggers,
            "changes of the table and of every partition are refused",
            "not guarded: ",
            "find out who changed it; then ALTER TABLE … ENABLE ALWAYS TRIGGER, or SELECT gesta.guard_partition(…)",
        ),
        none(
            "row security",
            security,
            "on for each table of tenants",
            "off for ",
            "ALTER TABLE … ENABLE ROW LEVEL SECURITY; until then every tenant sees all",
        ),
        guards::check(client).await,
        partitions(client).await,
        future(client).await,
    ]
}

async fn texts(client: &Client, sql: &str) -> Result<Vec<String>, tokio_postgres::Error> {
    Ok(client.query(sql, &[]).await?.iter().map(|row| row.get(0)).collect())
}

/// What stands in a role's way, or too wide open.
async fn roles(client: &Client) -> Check {
    const NAME: &str = "roles";
    let rows = match client.query(ROLES, &[]).await {
        Ok(rows) => rows,
        Err(error) => return Check::unknown(NAME, &error),
    };
    let (mut wrong, mut slow) = (Vec::new(), false);
    for row in &rows {
        let (name, present): (&str, bool) = (row.get("name"), row.get("present"));
        let (superuser, bypass, owner): (bool, bool, bool) =
            (row.get("super"), row.get("bypassrls"), row.get("owner"));
        match name {
            _ if !present => wrong.push(format!("{name} is missing")),
            _ if superuser => wrong.push(format!("{name} is a superuser")),
            "gesta_owner" => {}
            _ if owner => wrong.push(format!("{name} owns the log")),
            "gesta_import" => slow = !bypass,
            "gesta_capture" => {}
            _ if bypass => wrong.push(format!("{name} bypasses row security")),
            _ => {}
        }
    }
    if !wrong.is_empty() {
        let fix =
            "ALTER ROLE … NOSUPERUSER NOBYPASSRLS, REVOKE gesta_owner; missing ones: gesta migrate";
        return Check::fail(NAME, wrong.join(", "), fix);
    }
    if slow {
        let found =
            "as they should be, but gesta_import is bound by row security: imports are slower";
        return Check::warn(NAME, found, "ALTER ROLE gesta_import BYPASSRLS, as a superuser");
    }
    Check::ok(NAME, "none is a superuser, none but gesta_owner owns the log")
}

async fn partitions(client: &Client) -> Check {
    const NAME: &str = "partitions";
    let row = match client.query_one(PARTITIONS, &[]).await {
        Ok(row) => row,
        Err(error) => return Check::unknown(NAME, &error),
    };
    let (count, last, this): (i64, Option<i32>, i32) =
        (row.get("partitions"), row.get("last_year"), row.get("this_year"));
    let found = format!("{count} years, up to {}", last.unwrap_or_default());
    if last.is_none_or(|last| last <= this) {
        return Check::warn(NAME, found, "gesta migrate makes those of the next two years");
    }
    Check::ok(NAME, found)
}

async fn future(client: &Client) -> Check {
    const NAME: &str = "future";
    match client.query_one(FUTURE, &[]).await {
        Ok(row) if !row.get::<_, bool>(0) => {
            Check::ok(NAME, "no action is dated beyond the last partition")
        }
        Ok(_) => Check::warn(
            NAME,
            "actions are dated beyond the last partition",
            "look at their clocks: gesta log -n 5; they move when their year gets a partition",
        ),
        Err(error) => Check::unknown(NAME, &error),
    }
}
