-- cli::doctor::guards
-- What keeps the tables as they are, with its definition: functions but those that `gesta track` has written, triggers,
-- policies and rules. Compared with guards.txt, where all partitions have one name.
WITH relation AS (
    SELECT c.oid, c.oid::regclass::text AS name,
        CASE WHEN i.inhrelid IS NULL THEN c.oid::regclass::text ELSE 'a partition of gesta.action' END AS label
    FROM pg_class AS c
    LEFT JOIN pg_inherits AS i ON i.inhrelid = c.oid AND i.inhparent = 'gesta.action'::regclass
    WHERE c.relkind IN ('r', 'p') AND (c.relnamespace = 'gesta'::regnamespace OR i.inhrelid IS NOT NULL)
), guard AS (
    SELECT 'function ' || p.oid::regprocedure::text AS what, NULL AS name, NULL AS label,
        concat_ws(' ', CASE WHEN p.prosecdef THEN 'as its owner,' END, l.lanname, array_to_string(p.proconfig, ', '),
            encode(sha256(convert_to(p.prosrc, 'UTF8')), 'hex')) AS definition
    FROM pg_proc AS p
    JOIN pg_language AS l ON l.oid = p.prolang
    WHERE p.pronamespace = 'gesta'::regnamespace AND p.proowner <> 'gesta_capture'::regrole
    UNION ALL
    SELECT 'trigger ' || quote_ident(t.tgname), r.name, r.label,
        concat_ws(' ', t.tgfoid::regprocedure::text, t.tgtype::text, t.tgenabled::text,
            CASE WHEN t.tgqual IS NOT NULL OR t.tgattr::text <> '' THEN 'not always' END)
    FROM pg_trigger AS t
    JOIN relation AS r ON r.oid = t.tgrelid
    WHERE NOT t.tgisinternal
    UNION ALL
    SELECT 'policy ' || quote_ident(p.polname), r.name, r.label,
        concat_ws(' ', CASE WHEN p.polpermissive THEN 'permissive' ELSE 'restrictive' END, p.polcmd::text,
            (SELECT string_agg(coalesce(o.rolname, 'PUBLIC'), ',' ORDER BY o.rolname)
                FROM unnest(p.polroles) AS m (oid) LEFT JOIN pg_roles AS o ON o.oid = m.oid),
            'USING ' || pg_get_expr(p.polqual, p.polrelid), 'WITH CHECK ' || pg_get_expr(p.polwithcheck, p.polrelid))
    FROM pg_policy AS p
    JOIN relation AS r ON r.oid = p.polrelid
    UNION ALL
    SELECT 'rule ' || quote_ident(w.rulename), r.name, r.label, pg_get_ruledef(w.oid)
    FROM pg_rewrite AS w
    JOIN relation AS r ON r.oid = w.ev_class
)
SELECT concat_ws(' of ', g.what, g.name) AS name, concat_ws(' of ', g.what, g.label) AS label, g.definition
FROM guard AS g
ORDER BY concat_ws(' of ', g.what, g.label) COLLATE "C", concat_ws(' of ', g.what, g.name) COLLATE "C"
