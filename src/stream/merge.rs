//! The query of a feed: what somebody follows, merged in time order.
//!
//! It goes in steps, each of which is taken only where those before it did not fill the page:
//! 1. *Recent*: the newest rows of the tenant are matched against the edges. Whoever follows what is busy has a full
//!    page here, and no stream is looked up at all. Skipped for few edges, where the other steps cost less.
//! 2. *Quiet*: ids of all followed streams, in one scan of the index a role. A part of the streams is read first, as a
//!    sample: where it would fill the page already, the last of its ids that is on the page is a threshold, and of all other
//!    streams only what reaches it is read. The scan is given up as soon as it has read more than short streams hold.
//! 3. *Heads*: of each followed stream only its newest id is looked up. The items of a page are at or after the head of the
//!    last stream that can reach it, so only these streams are read, and only that far.
//!
//! Steps 2 and 3 read nothing but indexes, by the keys of what is followed. Other resources may have the same key (see
//! `gesta.resource_key`), so they can find too much, but never too little: a false id takes a place among the candidates,
//! and a false id or head moves a threshold only to where there is a candidate for each place of the page.

use super::row::columns;

/// Edges for each row that step 1 looks at: the step costs about a seventh of step 3 then.
pub(super) const EDGES_A_ROW: i64 = 4;
/// Ids for each edge that step 2 reads before it is given up: it costs about a fifth of step 3 then. A stream that is found
/// anyhow gives its next ids for little.
pub(super) const IDS_AN_EDGE: i64 = 4;
/// One in so many streams is in the sample of step 2. Of 1,000 streams with two actions each, 600 ids are read then, and
/// not 2,000; with half as many parts it would be 650, with twice as many 890.
pub(super) const PARTS: i32 = 8;

/// Step 1 in one role.
macro_rules! recent_of {
    ($role:literal) => {
        concat!(
            "SELECT id, '",
            $role,
            "' AS role, ",
            $role,
            "_key AS key FROM recent
    WHERE ",
            $role,
            "_key IN (SELECT unnest(",
            $role,
            ") FROM followed)"
        )
    };
}

/// Step 2 in one role: the streams whose keys a row of arrays has.
macro_rules! quiet_of {
    ($role:literal, $keys:literal, $near:literal, $far:literal) => {
        concat!(
            "SELECT a.id, '",
            $role,
            "' AS role, a.",
            $role,
            "_key AS key FROM gesta.action AS a
        WHERE a.tenant = $1 AND a.",
            $role,
            "_key = ANY ((SELECT ",
            $role,
            " FROM ",
            $keys,
            ")::bigint[])
            AND a.id ",
            $near,
            " AND a.id ",
            $far
        )
    };
}

/// The nearest ids of a key in one role.
macro_rules! nearest_of {
    ($role:literal, $near:literal, $until:literal, $order:literal, $limit:literal) => {
        concat!(
            "SELECT a.id FROM gesta.action AS a
        WHERE a.tenant = $1 AND a.",
            $role,
            "_key = k.key AND a.id ",
            $near,
            " AND a.id ",
            $until,
            "
        ORDER BY a.id ",
            $order,
            " LIMIT ",
            $limit
        )
    };
}

/// The heads of step 3 in one role.
macro_rules! head_of {
    ($role:literal, $near:literal, $far:literal, $order:literal) => {
        concat!(
            "SELECT i.id, '",
            $role,
            "' AS role, k.key
    FROM unnest((SELECT ",
            $role,
            " FROM followed WHERE (SELECT wanted FROM long))) AS k (key) CROSS JOIN LATERAL (
        ",
            nearest_of!($role, $near, $far, $order, "1"),
            "
    ) AS i"
        )
    };
}

/// The items of step 3 in one role.
macro_rules! item_of {
    ($role:literal, $near:literal, $until:literal, $order:literal) => {
        concat!(
            "SELECT i.id, k.role, k.key
    FROM reaching AS k CROSS JOIN LATERAL (
        ",
            nearest_of!($role, $near, $until, $order, "$4"),
            "
    ) AS i
    WHERE k.role = '",
            $role,
            "'"
        )
    };
}

/// The last of these ids that can be on the page, or where to end instead: many rows may have one id.
macro_rules! threshold_of {
    ($ids:literal, $order:literal, $back:literal, $end:literal) => {
        concat!(
            "SELECT CASE WHEN count(*) = $4 THEN (array_agg(id ORDER BY id ",
            $back,
            "))[1] ELSE ",
            $end,
            " END AS id
    FROM (SELECT DISTINCT id FROM ",
            $ids,
            " ORDER BY id ",
            $order,
            " LIMIT $4) AS nearest"
        )
    };
}

macro_rules! each_role {
    ($of:ident $(, $rest:literal)*) => {
        concat!(
            $of!("actor" $(, $rest)*), "\n    UNION ALL\n    ", $of!("object" $(, $rest)*), "\n    UNION ALL\n    ",
            $of!("target" $(, $rest)*)
        )
    };
}

/// Both directions. `$7` and `$8` are the follower, `$9` is the flag, `$10` says whether the follower's own actions count,
/// `$11` to `$13` are the three constants above. `followed` holds each key once a role, in the order of these hashes, so
/// that its first part is a sample; `rest` says where step 1 ended, and how many ids step 2 may read: none where the page
/// is full, or where step 1 came to the end of the log; `reach` is the last id of the sample that can reach the page, and
/// says whether all of the sample was read; `long` says whether step 2 was given up; `threshold` is the last head that can
/// reach the page.
///
/// An action is a candidate at most once a role, so three times as many candidates as the page has places are enough. None
/// is cut off before that: any number of edges may be the reasons of one action.
macro_rules! feed {
    ($name:literal, $order:literal, $back:literal, $start:literal, $end:literal, $near:literal, $far:literal, $low:literal,
        $reach:literal, $until:literal, $reaches:literal) => {
        concat!(
            "-- stream::merge::", $name, "
WITH edge AS MATERIALIZED (
    SELECT gesta.resource_key($1, f.followed_type, f.followed_id) AS key, f.followed_type AS type, f.followed_id AS id,
        f.roles, f.flag, f.verbs, f.since
    FROM gesta.follow AS f
    WHERE f.tenant = $1 AND f.follower_type = $7 AND f.follower_id = $8 AND NOT f.muted AND ($9 = '' OR f.flag = $9)
    UNION ALL
    SELECT gesta.resource_key($1, $7, $8), $7, $8, '{actor}', NULL, '{}', NULL WHERE $10
), followed AS MATERIALIZED (
    SELECT count(*) AS edges, array_agg(DISTINCT key) FILTER (WHERE 'actor' = ANY (roles)) AS actor,
        array_agg(DISTINCT key) FILTER (WHERE 'object' = ANY (roles)) AS object,
        array_agg(DISTINCT key) FILTER (WHERE 'target' = ANY (roles)) AS target
    FROM edge
), look AS MATERIALIZED (
    SELECT CASE WHEN edges / $11 >= $4 THEN edges / $11 ELSE 0 END AS rows FROM followed
), recent AS MATERIALIZED (
    SELECT a.id, a.actor_key, a.object_key, a.target_key
    FROM gesta.action AS a
    WHERE a.tenant = $1 AND a.id ", $low, " $2 AND a.id < $3
    ORDER BY a.id ", $order, "
    LIMIT (SELECT rows FROM look)
), found AS MATERIALIZED (
    ", each_role!(recent_of), "
), rest AS MATERIALIZED (
    SELECT coalesce((SELECT id FROM recent ORDER BY id ", $back, " LIMIT 1), ", $start, ") AS bound,
        CASE WHEN (SELECT count(*) FROM recent) = (SELECT rows FROM look) AND (SELECT count(DISTINCT id) FROM found) < $4
            THEN edges * $12 + $4 ELSE 0 END AS ids
    FROM followed
), part AS MATERIALIZED (
    SELECT actor[:cardinality(actor) / $13] AS actor, object[:cardinality(object) / $13] AS object,
        target[:cardinality(target) / $13] AS target
    FROM followed
), sample AS MATERIALIZED (
    SELECT id, role, key
    FROM (
        ", each_role!(quiet_of, "part", $near, $far), "
    ) AS q
    LIMIT (SELECT ids / $13 FROM rest)
), reach AS MATERIALIZED (
    SELECT (", threshold_of!("sample", $order, $back, $end), ") AS id, count(*) < (SELECT ids / $13 FROM rest) AS is_whole
    FROM sample
), others AS MATERIALIZED (
    SELECT actor[CASE WHEN r.is_whole THEN cardinality(actor) / $13 ELSE 0 END + 1:] AS actor,
        object[CASE WHEN r.is_whole THEN cardinality(object) / $13 ELSE 0 END + 1:] AS object,
        target[CASE WHEN r.is_whole THEN cardinality(target) / $13 ELSE 0 END + 1:] AS target
    FROM followed CROSS JOIN reach AS r
), quiet AS MATERIALIZED (
    SELECT id, role, key
    FROM (
        ", each_role!(quiet_of, "others", $near, $reach), "
    ) AS q
    LIMIT (SELECT ids FROM rest)
), long AS MATERIALIZED (
    SELECT count(*) > 0 AND count(*) = (SELECT ids FROM rest) AS wanted FROM quiet
), head AS MATERIALIZED (
    ", each_role!(head_of, $near, $reach, $order), "
), threshold AS MATERIALIZED (
    ", threshold_of!("head", $order, $back, "(SELECT id FROM reach)"), "
), reaching AS MATERIALIZED (
    SELECT role, key FROM head WHERE id ", $reaches, " (SELECT id FROM threshold)
), item AS (
    SELECT id, role, key FROM found
    UNION ALL
    SELECT id, role, key FROM sample WHERE (SELECT is_whole FROM reach) AND NOT (SELECT wanted FROM long)
    UNION ALL
    SELECT id, role, key FROM quiet WHERE NOT (SELECT wanted FROM long)
    UNION ALL
    ", each_role!(item_of, $near, $until, $order), "
), candidate AS MATERIALIZED (
    SELECT id, role, key FROM item ORDER BY id ", $order, " LIMIT 3 * $4
), top AS MATERIALIZED (
    SELECT c.id, jsonb_agg(jsonb_build_object('role', c.role, 'type', e.type, 'id', e.id, 'flag', e.flag,
        'verbs', e.verbs, 'since', e.since) ORDER BY c.role, e.type, e.id, e.flag) AS reasons
    FROM candidate AS c JOIN edge AS e ON e.key = c.key AND c.role = ANY (e.roles)
    GROUP BY c.id
    ORDER BY c.id ", $order, "
    LIMIT $4
)
SELECT ", columns!(), ", top.id AS at, top.reasons
FROM top LEFT JOIN LATERAL (
    SELECT ", columns!(), "
    FROM gesta.action AS a
    WHERE a.tenant = $1 AND a.id = top.id
        AND ($5 OR coalesce((SELECT v.audience FROM gesta.visibility AS v WHERE v.tenant = $1 AND v.action_id = a.id),
            a.audience) && $6::text[])
) AS a ON true
ORDER BY top.id ", $order
        )
    };
}

pub(super) const OLDER: &str = feed!(
    "older",
    "DESC",
    "ASC",
    "$3",
    "$2",
    "< (SELECT bound FROM rest)",
    ">= $2",
    ">=",
    ">= (SELECT id FROM reach)",
    ">= (SELECT id FROM threshold)",
    ">="
);
pub(super) const NEWER: &str = feed!(
    "newer",
    "ASC",
    "DESC",
    "$2",
    "$3",
    "> (SELECT bound FROM rest)",
    "< $3",
    ">",
    "< $3 AND a.id <= (SELECT id FROM reach)",
    "< $3 AND a.id <= (SELECT id FROM threshold)",
    "<="
);
