//! Re-verifies everything that a database holds, from scratch: with SQL of its own, not the library's.

use std::collections::{BTreeMap, BTreeSet};

use gesta::{ActionId, Reader, StreamQuery, Tenant};
use tokio_postgres::Client;

use super::{TestDb, ids, walk};

/// What must not be found, and a query that counts how often it is.
const RULES: &[(&str, &str)] = &[
    (
        "ids that stand twice in a tenant",
        "SELECT count(*) FROM (SELECT FROM gesta.action GROUP BY tenant, id HAVING count(*) > 1) AS x",
    ),
    (
        "ids that are no UUIDv7 of RFC 9562",
        "SELECT count(*) FROM gesta.action
         WHERE get_byte(uuid_send(id), 6) >> 4 <> 7 OR get_byte(uuid_send(id), 8) >> 6 <> 2",
    ),
    (
        "ids whose time is not occurred_at, to the microsecond",
        "SELECT count(*) FROM gesta.action
         WHERE ('x' || encode(substr(uuid_send(id), 1, 6), 'hex'))::bit(48)::bigint * 1000
             + (('x' || encode(substr(uuid_send(id), 7, 2), 'hex'))::bit(16)::integer & 4095) * 1000 / 4096
             <> extract(epoch FROM occurred_at) * 1000000",
    ),
    (
        "rows recorded in the future",
        "SELECT count(*) FROM gesta.action WHERE recorded_at > clock_timestamp()",
    ),
    (
        "rows with the xid of another transaction than the one that stored them",
        "SELECT count(*) FROM gesta.action
         WHERE xmin::text::bigint <> xid::text::bigint % 4294967296
             OR NOT pg_visible_in_snapshot(xid, pg_current_snapshot())",
    ),
    ("seqs that are missing", "SELECT count(*) FROM gesta.action WHERE seq IS NULL"),
    (
        "seqs that stand twice",
        "SELECT count(*) FROM (SELECT FROM gesta.action GROUP BY seq HAVING count(*) > 1) AS x",
    ),
    (
        "seqs that the sequence has not handed out",
        "SELECT count(*) FROM gesta.action WHERE seq > (SELECT last_value FROM gesta.action_seq)",
    ),
    (
        "rows of one transaction whose seq falls while time goes on",
        "SELECT count(*) FROM (
             SELECT recorded_at < lag(recorded_at) OVER (PARTITION BY xid ORDER BY seq) AS falls FROM gesta.action
         ) AS x WHERE falls",
    ),
    (
        "names of somebody who does not take part",
        "SELECT count(*) FROM gesta.action AS a CROSS JOIN LATERAL jsonb_each(names) AS n
         WHERE jsonb_typeof(n.value) <> 'string'
             OR NOT CASE n.key WHEN 'actor' THEN true WHEN 'object' THEN a.object_id IS NOT NULL
                 WHEN 'target' THEN a.target_id IS NOT NULL ELSE false END",
    ),
    (
        "changes that are no pairs of old and new",
        "SELECT count(*) FROM gesta.action AS a
         CROSS JOIN LATERAL jsonb_path_query(changes, 'strict $.*') AS c (pair)
         WHERE jsonb_typeof(c.pair) <> 'array' OR jsonb_array_length(c.pair) <> 2",
    ),
    (
        "edges whose id is not made of follower, followed and flag",
        "SELECT count(*) FROM gesta.follow AS f CROSS JOIN LATERAL (
             SELECT string_agg(bytes, ''::bytea ORDER BY n) FILTER (WHERE n <= 4) AS pair,
                 string_agg(bytes, ''::bytea ORDER BY n) AS edge
             FROM unnest(ARRAY[follower_type, follower_id, followed_type, followed_id, flag])
                 WITH ORDINALITY AS p (part, n)
             CROSS JOIN LATERAL (SELECT int8send(octet_length(part)) || convert_to(part, 'UTF8') AS bytes) AS b
         ) AS p CROSS JOIN LATERAL (SELECT substr(sha256(pair), 1, 6) || substr(sha256(edge), 7, 10) AS digest) AS d
         WHERE uuid_send(id) <> set_byte(set_byte(digest, 6, get_byte(digest, 6) & 15 | 128),
             8, get_byte(digest, 8) & 63 | 128)",
    ),
    (
        "edges with a role twice",
        "SELECT count(*) FROM gesta.follow
         WHERE cardinality(roles) <> (SELECT count(DISTINCT r) FROM unnest(roles) AS r)",
    ),
    (
        "changed audiences that no action of the log tells of",
        "SELECT count(*) FROM gesta.visibility AS v
         LEFT JOIN gesta.action AS t ON t.tenant = v.tenant AND t.id = v.changed_by
         LEFT JOIN gesta.action AS a ON a.tenant = v.tenant AND a.id = v.action_id
         WHERE a.id IS NULL OR t.id IS NULL OR t.audience <> '{}'
             OR (t.verb, t.object_type, t.object_id) <> ('changed audience', 'action', v.action_id::text)
             OR t.changes #> '{audience,1}' <> to_jsonb(v.audience)",
    ),
];

/// Every CHECK of the schema, evaluated anew on each row that it is for.
const CHECKS: &str = "
SELECT format('rows of %s that violate %s', c.conrelid::regclass, c.conname),
    format('SELECT count(*) FROM ONLY %s WHERE NOT (%s)', c.conrelid::regclass, pg_get_expr(c.conbin, c.conrelid))
FROM pg_constraint AS c JOIN pg_class AS t ON t.oid = c.conrelid
WHERE c.contype = 'c' AND t.relkind = 'r' AND c.connamespace = 'gesta'::regnamespace";

/// Every partition, and which rows do not belong there.
const PARTITIONS: &str = "
SELECT format('rows that are in %s by mistake', i.inhrelid::regclass),
    format('SELECT count(*) FROM ONLY %s WHERE NOT (%s)', i.inhrelid::regclass,
        pg_get_partition_constraintdef(i.inhrelid))
FROM pg_inherits AS i WHERE i.inhparent = 'gesta.action'::regclass";

/// Ends each test that writes.
pub(crate) async fn check_log(db: &TestDb) {
    let problems = problems(db).await;
    assert!(problems.is_empty(), "{problems:#?}");
}

/// The same where rows were stored in savepoints, each of which has a transaction id of its own, or moved to a partition
/// that was made later: `xmin` is not the `xid` then.
pub(crate) async fn check_log_but_xids(db: &TestDb) {
    let mut problems = problems(db).await;
    problems.retain(|problem| !problem.contains("the xid of another transaction"));
    assert!(problems.is_empty(), "{problems:#?}");
}

/// What is wrong with a database.
pub(crate) async fn problems(db: &TestDb) -> Vec<String> {
    let client = db.admin().await;
    // The rows themselves are looked at, not what an index says of them.
    let heap =
        "SET enable_indexscan = off; SET enable_indexonlyscan = off; SET enable_bitmapscan = off";
    client.batch_execute(heap).await.expect("set");
    let mut problems = Vec::new();
    for (what, sql) in RULES {
        problems.extend(violation(&client, what, sql).await);
    }
    for query in [CHECKS, PARTITIONS] {
        let rules = client.query(query, &[]).await.expect(query);
        assert!(rules.len() >= 4, "the schema has lost its rules");
        for rule in rules {
            problems.extend(violation(&client, rule.get(0), rule.get(1)).await);
        }
    }
    problems.extend(unread(db, &client).await);
    problems
}

async fn violation(client: &Client, what: &str, sql: &str) -> Option<String> {
    match client.query_one(sql, &[]).await {
        Ok(row) => Some(row.get::<_, i64>(0)).filter(|&n| n > 0).map(|n| format!("{n} {what}")),
        Err(error) => panic!("{what}: {error:?}\n{sql}"),
    }
}

/// Whether an auditor reads each tenant's rows, all of them, in the order of their ids.
async fn unread(db: &TestDb, client: &Client) -> Vec<String> {
    let rows = client.query("SELECT tenant, id FROM gesta.action", &[]).await.expect("the rows");
    let mut tenants: BTreeMap<String, BTreeSet<ActionId>> = BTreeMap::new();
    for row in rows {
        let id = ActionId::try_from(row.get::<_, uuid::Uuid>(1)).expect("a UUIDv7");
        tenants.entry(row.get(0)).or_default().insert(id);
    }
    let store = db.store_as("gesta_auditor").await;
    let mut problems = Vec::new();
    for (tenant, stored) in tenants {
        let tenant = Tenant::new(tenant).expect("a tenant");
        let reader = Reader::new(&store, tenant.clone()).auditor();
        let (read, _) = walk(&reader, &StreamQuery::tenant().limit(1000)).await;
        if ids(&read) != stored.into_iter().rev().collect::<Vec<_>>() {
            problems.push(format!("the stream of tenant `{tenant}` is not what is stored"));
        }
    }
    problems
}
