-- Capture: rows that no statement trigger sees, secrets that are renamed, keys that change places.
-- Locks: none on a big table; a table is new, and functions are replaced. What a trigger function of an earlier version names
-- of a table has another shape now, so such a function makes its statements anew, with what stands here, until the table is
-- tracked again; `gesta tracked` tells which tables wait for that.

-- What row triggers tell the trigger of their statement. Settings could not hold it: anybody may set them, also inside of a
-- statement, by a function that it calls.
CREATE UNLOGGED TABLE gesta.note (
    xid      xid8 NOT NULL DEFAULT pg_current_xact_id(),
    relation oid NOT NULL,
    what     text COLLATE "C" NOT NULL,
    depth    integer NOT NULL DEFAULT pg_trigger_depth()
);
CREATE INDEX note_xid_idx ON gesta.note (xid);
COMMENT ON TABLE gesta.note IS 'Rows of which a row trigger tells the trigger of the statement, which takes them out. Empty but for open transactions.';
COMMENT ON COLUMN gesta.note.xid IS 'The transaction.';
COMMENT ON COLUMN gesta.note.relation IS 'The tracked table.';
COMMENT ON COLUMN gesta.note.what IS '`MOVE`: the partition key changes. `UPDATE` or `DELETE`: a cascade has done that, and it is recorded.';
COMMENT ON COLUMN gesta.note.depth IS 'How many triggers deep. Those of a cascade come deeper than the trigger of the statement.';

CREATE FUNCTION gesta.note(relation oid, what text) RETURNS void
LANGUAGE sql SET search_path = pg_catalog, pg_temp AS $$
    INSERT INTO gesta.note (relation, what) VALUES (coalesce(pg_partition_root(relation)::oid, relation), what)
$$;
COMMENT ON FUNCTION gesta.note(oid, text) IS 'Tells the trigger of the statement of a row.';

CREATE FUNCTION gesta.take_notes(relation oid, what text) RETURNS bigint
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp SET enable_seqscan = off AS $$
DECLARE
    taken bigint;
BEGIN
    DELETE FROM gesta.note AS n
    WHERE n.xid = pg_current_xact_id_if_assigned() AND n.relation = coalesce(pg_partition_root($1)::oid, $1) AND n.what = $2
        AND n.depth >= pg_trigger_depth();
    GET DIAGNOSTICS taken = ROW_COUNT;
    RETURN taken;
END
$$;
COMMENT ON FUNCTION gesta.take_notes(oid, text) IS 'How many rows a statement''s row triggers have told of; they are told once.';

CREATE FUNCTION gesta.partition_key(relation oid, alias text) RETURNS text
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
    SELECT format('ROW(%s)', string_agg(format('%s.%I', alias, c.name), ', ' ORDER BY c.name))
    FROM (
        SELECT DISTINCT a.attname AS name
        FROM pg_partition_tree(coalesce(pg_partition_root(relation), relation)) AS t
        JOIN pg_partitioned_table AS p ON p.partrelid = t.relid
        JOIN pg_attribute AS a ON a.attrelid = t.relid AND a.attnum = ANY (p.partattrs::smallint[])
    ) AS c
$$;
COMMENT ON FUNCTION gesta.partition_key(oid, text) IS 'The expression of what decides in which partition a row is, on all levels.';

CREATE FUNCTION gesta.moves_sql(relation oid) RETURNS text
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
    SELECT format($f$SELECT count(*)
    FROM (SELECT row_number() OVER () AS place, %s AS key FROM old_rows AS o) AS o
    JOIN (SELECT row_number() OVER () AS place, %s AS key FROM new_rows AS n) AS n ON n.place = o.place
    WHERE record_image_ne(o.key, n.key)$f$, gesta.partition_key(relation, 'o'), gesta.partition_key(relation, 'n'))
$$;
COMMENT ON FUNCTION gesta.moves_sql(oid) IS 'The statement that counts the rows whose partition key an UPDATE has changed.';

CREATE FUNCTION gesta.has_deferrable_key(relation oid) RETURNS boolean
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
    SELECT EXISTS (SELECT FROM pg_index AS i WHERE i.indrelid = relation AND i.indisunique AND NOT i.indimmediate)
$$;
COMMENT ON FUNCTION gesta.has_deferrable_key(oid) IS 'Whether two rows may have one key for as long as a statement runs.';

-- The number says which functions made the statements, so that a trigger function of an earlier version makes them anew. The
-- columns are those of the table that is tracked, not of its partition, by number: two of them may change names.
CREATE OR REPLACE FUNCTION gesta.shape(relation oid) RETURNS text
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
    SELECT '2:' || string_agg(a.attnum || ' ' || quote_ident(a.attname) || ' ' || format_type(a.atttypid, NULL)
                              || CASE a.attgenerated WHEN 'v' THEN ' virtual' ELSE '' END, ',' ORDER BY a.attnum)
        || CASE WHEN gesta.has_deferrable_key(relation) THEN ' deferrable' ELSE '' END
    FROM pg_attribute AS a
    WHERE a.attrelid = coalesce(pg_partition_root(relation), relation) AND a.attnum > 0 AND NOT a.attisdropped
$$;
COMMENT ON FUNCTION gesta.shape(oid) IS 'What the statements that record changes of a table depend on: columns with their numbers and types.';

-- A JSON null is printed as a null; to become one is a change all the same.
CREATE OR REPLACE FUNCTION gesta.differs_expression(type oid, "collation" oid, old text, new text) RETURNS text
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    base oid := type;
BEGIN
    WHILE (SELECT t.typtype = 'd' FROM pg_type AS t WHERE t.oid = base) LOOP
        base := (SELECT t.typbasetype FROM pg_type AS t WHERE t.oid = base);
    END LOOP;
    IF base IN ('bool'::regtype, 'int2'::regtype, 'int4'::regtype, 'int8'::regtype, 'oid'::regtype, 'uuid'::regtype, 'date'::regtype,
                'timestamp'::regtype, 'timestamptz'::regtype, 'bytea'::regtype, 'jsonb'::regtype)
        OR base IN ('text'::regtype, 'varchar'::regtype)
        AND (SELECT c.collisdeterministic FROM pg_collation AS c WHERE c.oid = "collation") THEN
        RETURN format('%s IS DISTINCT FROM %s', old, new);
    END IF;
    RETURN format('record_image_ne(ROW(%s), ROW(%s))', old, new);
END
$$;

-- In which way each recorded field of a table is recorded. A secret keeps it by its name, and by its number: where a column
-- that was masked, hashed or left out has another name now, it is masked. Where the name of one has gone, what is new since may
-- be a copy of it, and is masked, until somebody tracks the table again. Options of an earlier version have no numbers: then
-- all that is new is masked where there are secrets.
--
-- A dump that is restored has other numbers where columns had been dropped: it has the names in their order, and no such gap.
CREATE FUNCTION gesta.field_modes(relation oid, options jsonb) RETURNS TABLE (attnum smallint, attname name, mode text)
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
    WITH root AS MATERIALIZED (
        SELECT a.attnum, a.attname, a.attisdropped
        FROM pg_attribute AS a
        WHERE a.attrelid = coalesce(pg_partition_root(relation), relation) AND a.attnum > 0
    ), secret AS MATERIALIZED (
        SELECT s.name FROM jsonb_array_elements_text(options->'mask' || (options->'hash') || (options->'exclude')) AS s (name)
    ), renamed AS MATERIALIZED (
        SELECT r.attname
        FROM jsonb_array_elements_text(options->'columns') WITH ORDINALITY AS c (name, place)
        JOIN jsonb_array_elements_text(options->'numbers') WITH ORDINALITY AS m (number, place) ON m.place = c.place
        JOIN root AS r ON r.attnum = m.number::smallint AND r.attname <> c.name AND NOT r.attisdropped
        WHERE c.name IN (SELECT s.name FROM secret AS s)
            AND ((SELECT bool_or(d.attisdropped) FROM root AS d)
                 OR to_jsonb(ARRAY(SELECT d.attname::text FROM root AS d ORDER BY d.attnum)) <> options->'columns')
    ), doubtful AS MATERIALIZED (
        SELECT EXISTS (
            SELECT FROM secret AS s
            WHERE NOT options ? 'numbers' OR s.name NOT IN (SELECT r.attname::text FROM root AS r WHERE NOT r.attisdropped)
        ) AS is_so
    )
    SELECT a.attnum, a.attname,
        CASE
            WHEN options->'mask' ? a.attname THEN 'mask'
            WHEN a.attname IN (SELECT r.attname FROM renamed AS r) THEN 'mask'
            WHEN options->'hash' ? a.attname THEN 'hash'
            WHEN NOT options->'columns' ? a.attname AND (SELECT d.is_so FROM doubtful AS d) THEN 'mask'
            ELSE 'plain'
        END
    FROM pg_attribute AS a
    WHERE a.attrelid = relation AND a.attnum > 0 AND NOT a.attisdropped AND a.attgenerated <> 'v'
        AND NOT options->'exclude' ? a.attname
$$;
COMMENT ON FUNCTION gesta.field_modes(oid, jsonb) IS 'The recorded fields of a table, and whether each is recorded plainly, masked or hashed.';

CREATE OR REPLACE FUNCTION gesta.capture_fields(relation oid, options jsonb)
    RETURNS TABLE (differs text, updated text, created text, deleted text)
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
    WITH field AS (
        SELECT a.attnum, a.attname, a.atttypid, a.attcollation, quote_ident(a.attname) AS name,
            quote_literal(to_json(a.attname::text)::text || ':[') AS opening,
            m.mode
        FROM gesta.field_modes(relation, options) AS m
        JOIN pg_attribute AS a ON a.attrelid = relation AND a.attnum = m.attnum
    ), printed AS (
        SELECT f.attnum, f.opening, f.name,
            gesta.differs_expression(f.atttypid, f.attcollation, 'o.' || f.name, 'n.' || f.name) AS differs,
            gesta.print_expression(f.mode, f.atttypid, 'o.' || f.name) AS old,
            gesta.print_expression(f.mode, f.atttypid, 'n.' || f.name) AS new
        FROM field AS f
    )
    SELECT p.differs,
        format('CASE WHEN %s THEN %s || coalesce(%s, ''null'') || '','' || coalesce(%s, ''null'') || '']'' END',
               p.differs, p.opening, p.old, p.new),
        format('%s || ''null,'' || %s || '']''', p.opening, p.new),
        format('%s || %s || '',null]''', p.opening, p.old)
    FROM printed AS p
    ORDER BY p.attnum
$$;

CREATE OR REPLACE FUNCTION gesta.name_expression(relation oid, options jsonb, alias text, stamp text) RETURNS text
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
    SELECT coalesce((
        SELECT format('CASE WHEN %1$s IS DISTINCT FROM NULL THEN coalesce(%2$s.names, ''{}'') || jsonb_build_object(''object'', '
                      || 'CASE WHEN octet_length(%3$s) > 1024 THEN gesta.cut_name(%3$s) ELSE %3$s END) ELSE %2$s.names END',
                      format('%s.%I', alias, a.attname), stamp,
                      gesta.text_expression(a.atttypid, format('%s.%I', alias, a.attname)))
        FROM pg_attribute AS a
        WHERE a.attrelid = relation AND a.attname = options->>'name' AND a.attnum > 0 AND NOT a.attisdropped
            -- It may be another column that has the name now.
            AND NOT EXISTS (
                SELECT FROM gesta.field_modes(relation, options) AS m WHERE m.attname = a.attname AND m.mode <> 'plain'
            )
    ), stamp || '.names')
$$;

-- Keys change places in one statement only where their constraint is deferrable: a row may get the key of another before that
-- one has lost it. There all objects are deleted before any is created. Elsewhere the order is that of the rows, since a cascade
-- may change the key of one row twice, and what it is called in between is created first.
CREATE OR REPLACE FUNCTION gesta.capture_sql(relation oid, op text, options jsonb, stamp text) RETURNS text
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    fields   record;
    place    text := 'place';
    old_rows text := CASE
        WHEN op = 'TRUNCATE' THEN 'ONLY ' || relation::regclass
        WHEN op LIKE '% ROW' THEN '(SELECT ($2).*)'
        ELSE 'old_rows'
    END;
    new_rows text := CASE WHEN op LIKE '% ROW' THEN '(SELECT ($3).*)' ELSE 'new_rows' END;
    old_key  text := gesta.key_expression(relation, options, 'o');
    new_key  text := gesta.key_expression(relation, options, 'n');
    old_name text := gesta.name_expression(relation, options, 'o', stamp);
    new_name text := gesta.name_expression(relation, options, 'n', stamp);
    rows     text;
    defers   boolean := gesta.has_deferrable_key(relation);
    turn     text := CASE WHEN defers THEN $t$p.place + CASE p.verb WHEN 'delete' THEN 0 ELSE 4294967296 END$t$
                          ELSE $t$p.place * 2 + (p.verb = 'create')::integer$t$ END;
BEGIN
    SELECT gesta.join_expression(array_agg(f.updated)) AS updated, gesta.join_expression(array_agg(f.created)) AS created,
        gesta.join_expression(array_agg(f.deleted)) AS deleted
    INTO fields
    FROM gesta.capture_fields(relation, options) AS f;
    -- A column of the table may have any name.
    WHILE EXISTS (SELECT FROM pg_attribute AS a WHERE a.attrelid = relation AND a.attname = place) LOOP
        place := place || '_';
    END LOOP;
    IF op = 'INSERT' THEN
        rows := format($f$
        SELECT 'create' AS verb, row_number() OVER () AS place, %s AS object_id, %s AS names, false AS is_moved, NULL::jsonb AS data,
            %s AS changes
        FROM %s AS n$f$, new_key, new_name, fields.created, new_rows);
    ELSIF op IN ('DELETE', 'TRUNCATE', 'DELETE ROW') THEN
        rows := format($f$
        SELECT 'delete' AS verb, row_number() OVER () AS place, %s AS object_id, %s AS names, false AS is_moved, %s::jsonb AS data,
            %s AS changes
        FROM %s AS o$f$, old_key, old_name, CASE WHEN op = 'TRUNCATE' THEN $d$'{"statement": "TRUNCATE"}'$d$ ELSE 'NULL' END,
            fields.deleted, old_rows);
    ELSE
        rows := format($f$
        SELECT p.verb, %12$s AS place,
            CASE p.verb WHEN 'delete' THEN p.old_id ELSE p.new_id END AS object_id,
            CASE p.verb WHEN 'delete' THEN p.old_names ELSE p.new_names END AS names,
            p.verb <> 'update' AS is_moved,
            CASE WHEN p.verb <> 'update' THEN jsonb_build_object('key', jsonb_build_array(p.old_id, p.new_id)) END AS data,
            CASE p.verb WHEN 'update' THEN p.updated WHEN 'delete' THEN p.deleted ELSE p.created END AS changes
        FROM (
            SELECT o.%1$I AS place, %2$s AS old_id, %3$s AS new_id,
                CASE WHEN %4$s THEN %5$s END AS old_names, %6$s AS new_names,
                unnest(CASE WHEN %4$s THEN '{delete,create}'::text[] ELSE '{update}' END) AS verb,
                %7$s AS updated,
                CASE WHEN %4$s THEN %8$s END AS deleted,
                CASE WHEN %4$s THEN %9$s END AS created
            FROM (SELECT row_number() OVER () AS %1$I, t.* FROM %10$s AS t) AS o
            JOIN (SELECT row_number() OVER () AS %1$I, t.* FROM %11$s AS t) AS n ON n.%1$I = o.%1$I
        ) AS p
        WHERE p.verb <> 'update' OR p.updated <> ''$f$, place, old_key, new_key, format('%s <> %s', old_key, new_key), old_name, new_name,
            fields.updated, fields.deleted, fields.created, old_rows, new_rows, turn);
    END IF;
    RETURN format($f$INSERT INTO gesta.action (tenant, id, actor_type, actor_id, verb, object_type, object_id, occurred_at, run_id,
        source, changes, data, names, context)
    SELECT %1$s.tenant, (%1$s.id_prefix || to_hex(%1$s.id_base + r.place))::uuid, %1$s.actor_type, %1$s.actor_id, r.verb, %2$L,
        CASE WHEN octet_length(r.object_id) BETWEEN 1 AND 2048 THEN r.object_id ELSE gesta.refuse_key(%3$s, r.object_id) END,
        %1$s.occurred_at, CASE WHEN r.is_moved THEN coalesce(%1$s.run_id, %1$s.own_run_id) ELSE %1$s.run_id END, 'trigger',
        ('{' || r.changes || '}')::jsonb, r.data, r.names, %1$s.context
    FROM (%4$s
    ) AS r%5$s$f$, stamp, options->>'type', CASE stamp WHEN '($1)' THEN relation::text ELSE 'TG_RELID' END, rows,
        CASE WHEN defers AND op = 'UPDATE' THEN E'\n    ORDER BY r.place' ELSE '' END);
END
$$;

GRANT INSERT ON gesta.note TO gesta_capture;
REVOKE ALL ON FUNCTION gesta.note(oid, text), gesta.take_notes(oid, text), gesta.partition_key(oid, text),
    gesta.moves_sql(oid), gesta.has_deferrable_key(oid), gesta.field_modes(oid, jsonb)
    FROM PUBLIC;
GRANT EXECUTE ON FUNCTION gesta.note(oid, text), gesta.take_notes(oid, text), gesta.partition_key(oid, text),
    gesta.moves_sql(oid), gesta.has_deferrable_key(oid), gesta.field_modes(oid, jsonb)
    TO gesta_capture;
