-- What the migrations make, without partitions. Written by a test: tests/it/schema.rs

CREATE SCHEMA gesta;

ALTER SCHEMA gesta OWNER TO gesta_owner;

COMMENT ON SCHEMA gesta IS 'Activity streams and audit events: who did what, to which object, when and why.';

CREATE TYPE gesta.stamp AS (
	tenant text,
	actor_type text,
	actor_id text,
	names jsonb,
	run_id uuid,
	own_run_id uuid,
	context jsonb,
	occurred_at timestamp with time zone,
	id_prefix text,
	id_base bigint
);

ALTER TYPE gesta.stamp OWNER TO gesta_owner;

COMMENT ON TYPE gesta.stamp IS 'What all actions of one statement have in common: who, in which run, when, and where their ids begin.';

CREATE FUNCTION gesta.act_as(actor_type text, actor_id text, name text DEFAULT NULL::text, reason text DEFAULT NULL::text) RETURNS void
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
DECLARE
    given text := jsonb_build_object(
        'actor', jsonb_build_object('type', actor_type, 'id', actor_id, 'name', name),
        'context', CASE WHEN reason IS NULL THEN '{}' ELSE jsonb_build_object('reason', reason) END);
BEGIN
    PERFORM gesta.read_context(given);
    PERFORM set_config('gesta.context', given, true);
END
$$;

ALTER FUNCTION gesta.act_as(actor_type text, actor_id text, name text, reason text) OWNER TO gesta_owner;

COMMENT ON FUNCTION gesta.act_as(actor_type text, actor_id text, name text, reason text) IS 'Says who changes tracked tables until the end of this transaction, and why: BEGIN; SELECT gesta.act_as(''user'', ''42'', ''Alice'', ''ticket 7''); UPDATE …; COMMIT. The role that logged in is recorded besides.';

CREATE FUNCTION gesta.archive_runs(age interval, most integer) RETURNS integer
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
DECLARE
    old   record;
    moved integer := 0;
BEGIN
    FOR old IN
        SELECT r.tenant, r.id
        FROM gesta.run AS r
        WHERE r.ended_at < clock_timestamp() - age
            AND EXISTS (
                SELECT FROM gesta.run AS n
                WHERE n.tenant = r.tenant AND n.object_type = r.object_type AND n.name = r.name AND n.id > r.id
            )
        ORDER BY r.ended_at
        LIMIT most
        FOR UPDATE SKIP LOCKED
    LOOP
        INSERT INTO gesta.run_archive (tenant, run, part, content)
        SELECT r.tenant, r.id, 0, jsonb_build_object(
            'run', to_jsonb(r) - '{secret_input,holder,held_until,attempts,waiting,request_hash,token_id}'::text[],
            'messages', coalesce((
                SELECT jsonb_agg(jsonb_build_object('number', m.number, 'level', m.level, 'content', m.content, 'told_at', m.told_at)
                    ORDER BY m.number)
                FROM gesta.run_message AS m
                WHERE m.tenant = r.tenant AND m.run = r.id), '[]'))
        FROM gesta.run AS r
        WHERE r.tenant = old.tenant AND r.id = old.id;
        INSERT INTO gesta.run_archive (tenant, run, part, content)
        SELECT old.tenant, old.id, 1 + i.place / 10000,
            jsonb_agg(jsonb_build_array(i.place, i.object_id, i.name, i.outcome, i.note, i.settled_at) ORDER BY i.place)
        FROM gesta.run_item AS i
        WHERE i.tenant = old.tenant AND i.run = old.id
        GROUP BY i.place / 10000;
        DELETE FROM gesta.run_item AS i WHERE i.tenant = old.tenant AND i.run = old.id;
        DELETE FROM gesta.run_message AS m WHERE m.tenant = old.tenant AND m.run = old.id;
        DELETE FROM gesta.run AS r WHERE r.tenant = old.tenant AND r.id = old.id;
        moved := moved + 1;
    END LOOP;
    RETURN moved;
END
$$;

ALTER FUNCTION gesta.archive_runs(age interval, most integer) OWNER TO gesta_owner;

COMMENT ON FUNCTION gesta.archive_runs(age interval, most integer) IS 'Moves runs that ended longer ago than that to gesta.run_archive, oldest first, and never the newest of a definition; gives how many.';

CREATE FUNCTION gesta.capture_fields(relation oid, options jsonb) RETURNS TABLE(differs text, updated text, created text, deleted text)
    LANGUAGE sql STABLE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
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

ALTER FUNCTION gesta.capture_fields(relation oid, options jsonb) OWNER TO gesta_owner;

COMMENT ON FUNCTION gesta.capture_fields(relation oid, options jsonb) IS 'The recorded fields of a table, as expressions.';

CREATE FUNCTION gesta.capture_sql(relation oid, op text, options jsonb, stamp text) RETURNS text
    LANGUAGE plpgsql STABLE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $_$
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
$_$;

ALTER FUNCTION gesta.capture_sql(relation oid, op text, options jsonb, stamp text) OWNER TO gesta_owner;

COMMENT ON FUNCTION gesta.capture_sql(relation oid, op text, options jsonb, stamp text) IS 'The statement that records what an INSERT, UPDATE, DELETE or TRUNCATE of a table changed.';

CREATE FUNCTION gesta.claim(relation oid, object_type text, changed bigint) RETURNS void
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $_$
BEGIN
    IF changed <> 0 THEN
        -- Somebody may have made all constraints immediate; the session's actions come only after its statement.
        SET CONSTRAINTS gesta.claim_settled DEFERRED;
        INSERT INTO gesta.claim (relation, object_type, changed, after_seq)
        SELECT $1, $2, $3, coalesce(pg_sequence_last_value('gesta.action_seq'), 0);
    END IF;
END
$_$;

ALTER FUNCTION gesta.claim(relation oid, object_type text, changed bigint) OWNER TO gesta_owner;

COMMENT ON FUNCTION gesta.claim(relation oid, object_type text, changed bigint) IS 'Notes that the transaction has to record so many changed rows before it commits.';

CREATE FUNCTION gesta.claim_run(claimer uuid, lease interval) RETURNS TABLE(tenant text, run uuid)
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
DECLARE
    candidate record;
    taken     uuid;
BEGIN
    FOR candidate IN
        SELECT r.tenant,
            count(*) FILTER (WHERE r.state = 'running' AND r.held_until >= clock_timestamp()) AS busy,
            min(r.id::text) FILTER (WHERE r.held_until IS NULL OR r.held_until < clock_timestamp()) AS next
        FROM gesta.run AS r
        WHERE r.state IN ('queued', 'running')
        GROUP BY r.tenant
        HAVING count(*) FILTER (WHERE r.held_until IS NULL OR r.held_until < clock_timestamp()) > 0
        ORDER BY busy, next
    LOOP
        SELECT r.id INTO taken
        FROM gesta.run AS r
        WHERE r.tenant = candidate.tenant AND r.state IN ('queued', 'running')
            AND (r.held_until IS NULL OR r.held_until < clock_timestamp())
        ORDER BY r.id
        LIMIT 1
        FOR UPDATE SKIP LOCKED;
        CONTINUE WHEN NOT FOUND;
        UPDATE gesta.run AS r
        SET state = 'running', holder = claimer, held_until = clock_timestamp() + lease,
            attempts = r.attempts + 1, started_at = coalesce(r.started_at, clock_timestamp())
        WHERE r.tenant = candidate.tenant AND r.id = taken;
        RETURN QUERY SELECT candidate.tenant, taken;
        RETURN;
    END LOOP;
END
$$;

ALTER FUNCTION gesta.claim_run(claimer uuid, lease interval) OWNER TO gesta_owner;

COMMENT ON FUNCTION gesta.claim_run(claimer uuid, lease interval) IS 'Takes a run of any tenant that nobody is at work on, for as long as the lease; no row where there is none.';

CREATE FUNCTION gesta.count_sql(relation oid, options jsonb) RETURNS text
    LANGUAGE plpgsql STABLE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $_$
DECLARE
    place text := 'place';
BEGIN
    WHILE EXISTS (SELECT FROM pg_attribute AS a WHERE a.attrelid = relation AND a.attname = place) LOOP
        place := place || '_';
    END LOOP;
    RETURN format($f$SELECT count(*)
    FROM (SELECT row_number() OVER () AS %1$I, t.* FROM old_rows AS t) AS o
    JOIN (SELECT row_number() OVER () AS %1$I, t.* FROM new_rows AS t) AS n ON n.%1$I = o.%1$I
    WHERE %2$s$f$, place,
        coalesce((SELECT string_agg(f.differs, E'\n        OR ') FROM gesta.capture_fields(relation, options) AS f), 'false'));
END
$_$;

ALTER FUNCTION gesta.count_sql(relation oid, options jsonb) OWNER TO gesta_owner;

COMMENT ON FUNCTION gesta.count_sql(relation oid, options jsonb) IS 'The statement that counts the rows which an UPDATE has changed in a recorded field.';

CREATE FUNCTION gesta.cut_name(name text) RETURNS text
    LANGUAGE sql IMMUTABLE STRICT
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
    SELECT left(name, max(n)) FROM generate_series(256, 1024) AS n WHERE octet_length(left(name, n)) <= 1024
$$;

ALTER FUNCTION gesta.cut_name(name text) OWNER TO gesta_owner;

COMMENT ON FUNCTION gesta.cut_name(name text) IS 'Cuts a name at 1,024 bytes, between two characters.';

CREATE FUNCTION gesta.differs_expression(type oid, "collation" oid, old text, new text) RETURNS text
    LANGUAGE plpgsql STABLE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
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

ALTER FUNCTION gesta.differs_expression(type oid, "collation" oid, old text, new text) OWNER TO gesta_owner;

COMMENT ON FUNCTION gesta.differs_expression(type oid, "collation" oid, old text, new text) IS 'The expression that tells whether a column''s value has changed.';

CREATE FUNCTION gesta.drop_selections(most integer) RETURNS integer
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
DECLARE
    old     record;
    dropped integer := 0;
BEGIN
    FOR old IN
        SELECT s.tenant, s.id
        FROM gesta.selection AS s
        WHERE s.expires_at < clock_timestamp()
            AND NOT EXISTS (
                SELECT FROM gesta.run AS r
                WHERE r.tenant = s.tenant AND r.selection = s.id
                    AND (r.ended_at IS NULL OR r.done + r.skipped + r.denied + r.failed < r.total)
            )
        ORDER BY s.expires_at
        LIMIT most
        FOR UPDATE SKIP LOCKED
    LOOP
        DELETE FROM gesta.selected AS d WHERE d.tenant = old.tenant AND d.selection = old.id;
        DELETE FROM gesta.selection AS s WHERE s.tenant = old.tenant AND s.id = old.id;
        dropped := dropped + 1;
    END LOOP;
    RETURN dropped;
END
$$;

ALTER FUNCTION gesta.drop_selections(most integer) OWNER TO gesta_owner;

COMMENT ON FUNCTION gesta.drop_selections(most integer) IS 'Removes selections that have expired and that no run needs any more, oldest first; gives how many.';

CREATE FUNCTION gesta.field_modes(relation oid, options jsonb) RETURNS TABLE(attnum smallint, attname name, mode text)
    LANGUAGE sql STABLE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
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

ALTER FUNCTION gesta.field_modes(relation oid, options jsonb) OWNER TO gesta_owner;

COMMENT ON FUNCTION gesta.field_modes(relation oid, options jsonb) IS 'The recorded fields of a table, and whether each is recorded plainly, masked or hashed.';

CREATE FUNCTION gesta.guard_partition(partition regclass) RETURNS void
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
BEGIN
    -- Statement triggers of a partitioned table are not inherited: TRUNCATE of a single partition has to be refused here.
    EXECUTE format('CREATE TRIGGER action_no_truncate BEFORE TRUNCATE ON %s '
                   'FOR EACH STATEMENT EXECUTE FUNCTION gesta.refuse_change()', partition);
    EXECUTE format('ALTER TABLE %s ENABLE ALWAYS TRIGGER action_no_truncate', partition);
    EXECUTE format('ALTER TABLE %s ENABLE ALWAYS TRIGGER action_append_only', partition);
END
$$;

ALTER FUNCTION gesta.guard_partition(partition regclass) OWNER TO gesta_owner;

COMMENT ON FUNCTION gesta.guard_partition(partition regclass) IS 'Makes a new partition of gesta.action append-only.';

CREATE FUNCTION gesta.has_deferrable_key(relation oid) RETURNS boolean
    LANGUAGE sql STABLE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
    SELECT EXISTS (SELECT FROM pg_index AS i WHERE i.indrelid = relation AND i.indisunique AND NOT i.indimmediate)
$$;

ALTER FUNCTION gesta.has_deferrable_key(relation oid) OWNER TO gesta_owner;

COMMENT ON FUNCTION gesta.has_deferrable_key(relation oid) IS 'Whether two rows may have one key for as long as a statement runs.';

CREATE FUNCTION gesta.has_keys() RETURNS boolean
    LANGUAGE sql STABLE SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
    SELECT EXISTS (SELECT FROM gesta.key)
$$;

ALTER FUNCTION gesta.has_keys() OWNER TO gesta_owner;

COMMENT ON FUNCTION gesta.has_keys() IS 'Whether any tenant has a key, revoked ones included.';

CREATE FUNCTION gesta.id_floor(moment timestamp with time zone) RETURNS uuid
    LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
    SELECT (lpad(to_hex((extract(epoch FROM moment) * 1000)::bigint), 12, '0') || '70008000000000000000')::uuid
$$;

ALTER FUNCTION gesta.id_floor(moment timestamp with time zone) OWNER TO gesta_owner;

COMMENT ON FUNCTION gesta.id_floor(moment timestamp with time zone) IS 'The least UUIDv7 of the millisecond of a moment.';

CREATE FUNCTION gesta.is_harmless(type oid) RETURNS boolean
    LANGUAGE sql STABLE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
    SELECT t.oid < 16384 AND t.typtype <> 'd' OR r.rolsuper AND t.typtype = 'b'
    FROM pg_type AS t JOIN pg_roles AS r ON r.oid = t.typowner
    WHERE t.oid = type
$$;

ALTER FUNCTION gesta.is_harmless(type oid) OWNER TO gesta_owner;

COMMENT ON FUNCTION gesta.is_harmless(type oid) IS 'Whether values of a type become JSON without a function of somebody who is no superuser.';

CREATE FUNCTION gesta.is_own_statement(relation oid, op text) RETURNS boolean
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
DECLARE
    mark     text := current_setting('gesta.recorded', true);
    silenced text := coalesce(current_setting('gesta.silenced', true), '');
    prefix   text := to_char(statement_timestamp(), 'J SSSSS US ');
    root     oid := coalesce(pg_partition_root(relation), relation);
BEGIN
    IF mark NOT IN (relation::text, root::text) THEN
        RETURN false;
    END IF;
    IF NOT starts_with(silenced, prefix) THEN
        silenced := prefix;
    END IF;
    IF op LIKE '% ROW' THEN
        RETURN strpos(silenced, format('%s %s,', root, split_part(op, ' ', 1))) = 0;
    END IF;
    IF strpos(silenced, format('%s %s,', root, op)) > 0 THEN
        RETURN false;
    END IF;
    PERFORM set_config('gesta.silenced', silenced || format('%s %s,', root, op), true);
    RETURN true;
END
$$;

ALTER FUNCTION gesta.is_own_statement(relation oid, op text) OWNER TO gesta_owner;

COMMENT ON FUNCTION gesta.is_own_statement(relation oid, op text) IS 'Whether the session records what this statement changes in a table.';

CREATE FUNCTION gesta.join_expression(parts text[]) RETURNS text
    LANGUAGE sql IMMUTABLE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
    -- A function takes 100 arguments, a table has up to 1,600 columns.
    SELECT CASE
        WHEN count(*) > 1 THEN format('concat_ws('','', %s)', string_agg(format('nullif(%s, '''')', chunk.joined), ', '
                                                                          ORDER BY chunk.number))
        ELSE coalesce(min(chunk.joined), '''''')
    END
    FROM (
        SELECT (p.n - 1) / 90 AS number,
            format(E'concat_ws('','',\n            %s)', string_agg(p.part, E',\n            ' ORDER BY p.n)) AS joined
        FROM unnest(parts) WITH ORDINALITY AS p (part, n)
        GROUP BY (p.n - 1) / 90
    ) AS chunk
$$;

ALTER FUNCTION gesta.join_expression(parts text[]) OWNER TO gesta_owner;

COMMENT ON FUNCTION gesta.join_expression(parts text[]) IS 'The expression that joins the recorded fields of a row.';

CREATE FUNCTION gesta.json_expression(type oid, "column" text) RETURNS text
    LANGUAGE plpgsql STABLE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $_$
DECLARE
    t pg_type;
    element pg_type;
BEGIN
    SELECT y.* INTO t FROM pg_type AS y WHERE y.oid = type;
    IF t.typtype = 'd' THEN
        RETURN gesta.json_expression(t.typbasetype, "column");
    END IF;
    IF type IN ('json'::regtype, 'jsonb'::regtype) THEN
        RETURN format('nullif(to_jsonb(%s), ''null'')', "column");
    END IF;
    SELECT y.* INTO element FROM pg_type AS y WHERE y.oid = t.typelem AND t.typcategory = 'A';
    IF gesta.is_harmless(coalesce(element.oid, type)) THEN
        RETURN format('to_json(%s)', "column");
    END IF;
    RETURN format('CASE WHEN %1$s IS DISTINCT FROM NULL THEN to_json(format(''%%s'', %1$s)%2$s) END', "column",
                  CASE WHEN element.typtype = 'e' THEN '::text[]' ELSE '' END);
END
$_$;

ALTER FUNCTION gesta.json_expression(type oid, "column" text) OWNER TO gesta_owner;

COMMENT ON FUNCTION gesta.json_expression(type oid, "column" text) IS 'The expression that makes JSON of a column''s value.';

CREATE FUNCTION gesta.key_expression(relation oid, options jsonb, alias text) RETURNS text
    LANGUAGE plpgsql STABLE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
DECLARE
    found  text[];
    single text;
BEGIN
    WITH key AS (
        SELECT k.n, a.attname, a.atttypid
        FROM jsonb_array_elements_text(options->'key') WITH ORDINALITY AS k (name, n)
        JOIN pg_attribute AS a ON a.attrelid = relation AND a.attname = k.name AND a.attnum > 0 AND NOT a.attisdropped
    ), primary_key AS (
        SELECT k.n, a.attname, a.atttypid
        FROM pg_constraint AS c
        CROSS JOIN unnest(c.conkey) WITH ORDINALITY AS k (attnum, n)
        JOIN pg_attribute AS a ON a.attrelid = relation AND a.attnum = k.attnum
        WHERE c.conrelid = relation AND c.contype = 'p' AND (options->>'primary')::boolean
    ), chosen AS (
        SELECT k.n, k.attname, k.atttypid FROM key AS k
        WHERE (SELECT count(*) FROM key) = jsonb_array_length(options->'key')
        UNION ALL
        SELECT p.n, p.attname, p.atttypid FROM primary_key AS p
        WHERE (SELECT count(*) FROM key) < jsonb_array_length(options->'key')
            AND (SELECT count(*) FROM primary_key) = jsonb_array_length(options->'key')
    )
    SELECT array_agg(gesta.json_expression(c.atttypid, format('%s.%I', alias, c.attname)) ORDER BY c.n),
        min(gesta.text_expression(c.atttypid, format('%s.%I', alias, c.attname)))
    INTO found, single
    FROM chosen AS c;
    IF found IS NULL THEN
        RAISE EXCEPTION 'a change of % cannot be recorded: it has lost its key (%), by which it is tracked', relation::regclass,
                (SELECT string_agg(k.name, ', ') FROM jsonb_array_elements_text(options->'key') AS k (name))
            USING ERRCODE = 'undefined_column', HINT = 'Run `gesta track` again with a key that it has, or `gesta untrack`.';
    END IF;
    IF cardinality(found) > 1 THEN
        RETURN format('jsonb_build_array(%s)::text', array_to_string(found, ', '));
    END IF;
    RETURN single;
END
$$;

ALTER FUNCTION gesta.key_expression(relation oid, options jsonb, alias text) OWNER TO gesta_owner;

COMMENT ON FUNCTION gesta.key_expression(relation oid, options jsonb, alias text) IS 'The expression that makes an object''s id of a row.';

CREATE FUNCTION gesta.make_partitions(last_year integer DEFAULT NULL::integer) RETURNS integer
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    SET "TimeZone" TO 'UTC'
    SET lock_timeout TO '3s'
    AS $$
DECLARE
    this_year integer := extract(year FROM now())::integer;
    wanted integer := least(coalesce(last_year, this_year + 2), this_year + 10);
    next_year integer := gesta.next_partition_year();
    made integer := 0;
    floor_id uuid;
    ceiling_id uuid;
    -- All but those that the database computes.
    columns constant text := 'tenant, id, actor_type, actor_id, verb, object_type, object_id, target_type, target_id, '
        'occurred_at, recorded_at, run_id, source, outcome, description, changes, data, names, context, audience, xid, seq';
BEGIN
    IF next_year > wanted THEN
        RETURN 0;
    END IF;
    -- What others committed while this call waited for the lock has to be seen.
    IF current_setting('transaction_isolation') NOT IN ('read committed', 'read uncommitted') THEN
        RAISE EXCEPTION 'partitions of gesta.action are made in a transaction of isolation level READ COMMITTED only';
    END IF;
    BEGIN
        LOCK TABLE ONLY gesta.action IN ACCESS EXCLUSIVE MODE;
        IF to_regclass('gesta.action_future') IS NOT NULL THEN
            LOCK TABLE ONLY gesta.action_future IN ACCESS EXCLUSIVE MODE;
        END IF;
    EXCEPTION
        WHEN lock_not_available THEN
            RAISE WARNING 'gesta.action is in use, perhaps by a backup: the partitions of % to % are left to the next call', next_year, wanted;
            RETURN 0;
    END;
    next_year := gesta.next_partition_year();
    IF next_year > wanted THEN
        RETURN 0;
    END IF;
    IF next_year IS NULL THEN
        next_year := this_year;
        EXECUTE format('CREATE TABLE gesta.action_past PARTITION OF gesta.action FOR VALUES FROM (MINVALUE) TO (%L)',
                       gesta.id_floor(make_timestamptz(next_year, 1, 1, 0, 0, 0)));
        PERFORM gesta.guard_partition('gesta.action_past');
        CREATE TABLE gesta.action_future (LIKE gesta.action INCLUDING ALL);
    ELSE
        ALTER TABLE gesta.action DETACH PARTITION gesta.action_future;
        DROP TRIGGER action_no_truncate ON gesta.action_future;
    END IF;
    WHILE next_year <= wanted LOOP
        floor_id := gesta.id_floor(make_timestamptz(next_year, 1, 1, 0, 0, 0));
        ceiling_id := gesta.id_floor(make_timestamptz(next_year + 1, 1, 1, 0, 0, 0));
        EXECUTE format('CREATE TABLE gesta.%I PARTITION OF gesta.action FOR VALUES FROM (%L) TO (%L)',
                       'action_y' || next_year, floor_id, ceiling_id);
        EXECUTE format('INSERT INTO gesta.%I (%s) SELECT %s FROM gesta.action_future WHERE id >= %L AND id < %L',
                       'action_y' || next_year, columns, columns, floor_id, ceiling_id);
        EXECUTE format('DELETE FROM gesta.action_future WHERE id >= %L AND id < %L', floor_id, ceiling_id);
        PERFORM gesta.guard_partition(format('gesta.%I', 'action_y' || next_year)::regclass);
        next_year := next_year + 1;
        made := made + 1;
    END LOOP;
    EXECUTE format('ALTER TABLE gesta.action ATTACH PARTITION gesta.action_future FOR VALUES FROM (%L) TO (MAXVALUE)', ceiling_id);
    PERFORM gesta.guard_partition('gesta.action_future');
    RETURN made;
END
$$;

ALTER FUNCTION gesta.make_partitions(last_year integer) OWNER TO gesta_owner;

COMMENT ON FUNCTION gesta.make_partitions(last_year integer) IS 'Makes the yearly partitions that are missing, by default two years ahead, at most ten; returns how many.';

CREATE FUNCTION gesta.moves_sql(relation oid) RETURNS text
    LANGUAGE sql STABLE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $_$
    SELECT format($f$SELECT count(*)
    FROM (SELECT row_number() OVER () AS place, %s AS key FROM old_rows AS o) AS o
    JOIN (SELECT row_number() OVER () AS place, %s AS key FROM new_rows AS n) AS n ON n.place = o.place
    WHERE record_image_ne(o.key, n.key)$f$, gesta.partition_key(relation, 'o'), gesta.partition_key(relation, 'n'))
$_$;

ALTER FUNCTION gesta.moves_sql(relation oid) OWNER TO gesta_owner;

COMMENT ON FUNCTION gesta.moves_sql(relation oid) IS 'The statement that counts the rows whose partition key an UPDATE has changed.';

CREATE FUNCTION gesta.name_expression(relation oid, options jsonb, alias text, stamp text) RETURNS text
    LANGUAGE sql STABLE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $_$
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
$_$;

ALTER FUNCTION gesta.name_expression(relation oid, options jsonb, alias text, stamp text) OWNER TO gesta_owner;

COMMENT ON FUNCTION gesta.name_expression(relation oid, options jsonb, alias text, stamp text) IS 'The expression that makes the names of an action of a row.';

CREATE FUNCTION gesta.next_partition_year() RETURNS integer
    LANGUAGE sql
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $_$
    SELECT max(substr(c.relname, 9)::integer) + 1
    FROM pg_inherits AS i JOIN pg_class AS c ON c.oid = i.inhrelid
    WHERE i.inhparent = 'gesta.action'::regclass AND c.relname ~ '^action_y[0-9]{4}$'
$_$;

ALTER FUNCTION gesta.next_partition_year() OWNER TO gesta_owner;

COMMENT ON FUNCTION gesta.next_partition_year() IS 'The first year after all that have a partition; null where none has one.';

CREATE FUNCTION gesta.note(relation oid, what text) RETURNS void
    LANGUAGE sql
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
    INSERT INTO gesta.note (relation, what) VALUES (coalesce(pg_partition_root(relation)::oid, relation), what)
$$;

ALTER FUNCTION gesta.note(relation oid, what text) OWNER TO gesta_owner;

COMMENT ON FUNCTION gesta.note(relation oid, what text) IS 'Tells the trigger of the statement of a row.';

CREATE FUNCTION gesta.open_key(key_id text, key_hash bytea) RETURNS TABLE(tenant text, scopes text[], labels text[], actor_type text, actor_id text, actor_name text, is_actor boolean, rate_per_minute integer, expires_at timestamp with time zone, is_revoked boolean, is_used boolean)
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
DECLARE
    salt  bytea := uuid_send(gen_random_uuid());
    found gesta.key;
BEGIN
    SELECT k.* INTO found FROM gesta.key AS k WHERE k.id = key_id;
    IF sha256(coalesce(found.hash, sha256(salt)) || salt) = sha256(key_hash || salt) THEN
        RETURN QUERY SELECT found.tenant, found.scopes, found.labels, found.actor_type, found.actor_id, found.actor_name,
            found.is_actor, found.rate_per_minute, found.expires_at, found.revoked_at IS NOT NULL,
            coalesce(found.last_used_at > statement_timestamp() - interval '1 minute', false);
    END IF;
END
$$;

ALTER FUNCTION gesta.open_key(key_id text, key_hash bytea) OWNER TO gesta_owner;

COMMENT ON FUNCTION gesta.open_key(key_id text, key_hash bytea) IS 'The key with this id, for whoever knows the hash of its secret; no row for anybody else.';

CREATE FUNCTION gesta.partition_key(relation oid, alias text) RETURNS text
    LANGUAGE sql STABLE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
    SELECT format('ROW(%s)', string_agg(format('%s.%I', alias, c.name), ', ' ORDER BY c.name))
    FROM (
        SELECT DISTINCT a.attname AS name
        FROM pg_partition_tree(coalesce(pg_partition_root(relation), relation)) AS t
        JOIN pg_partitioned_table AS p ON p.partrelid = t.relid
        JOIN pg_attribute AS a ON a.attrelid = t.relid AND a.attnum = ANY (p.partattrs::smallint[])
    ) AS c
$$;

ALTER FUNCTION gesta.partition_key(relation oid, alias text) OWNER TO gesta_owner;

COMMENT ON FUNCTION gesta.partition_key(relation oid, alias text) IS 'The expression of what decides in which partition a row is, on all levels.';

CREATE FUNCTION gesta.print_expression(mode text, type oid, "column" text) RETURNS text
    LANGUAGE sql STABLE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $_$
    SELECT CASE
        WHEN mode = 'plain' THEN gesta.json_expression(type, "column") || '::text'
        WHEN mode = 'hash'
            THEN format('''"sha256:'' || encode(sha256(convert_to(to_jsonb(%s)::text, ''UTF8'')), ''hex'') || ''"''',
                        gesta.json_expression(type, "column"))
        -- Not made JSON of: what cannot be would be quoted by the error.
        WHEN type IN ('json'::regtype, 'jsonb'::regtype)
            THEN format('CASE WHEN btrim(%1$s::text, E'' \t\n\r'') <> ''null'' THEN ''"***"'' END', "column")
        ELSE format('CASE WHEN %s IS DISTINCT FROM NULL THEN ''"***"'' END', "column")
    END
$_$;

ALTER FUNCTION gesta.print_expression(mode text, type oid, "column" text) OWNER TO gesta_owner;

COMMENT ON FUNCTION gesta.print_expression(mode text, type oid, "column" text) IS 'The expression that makes the recorded text of a column''s value; null for a null.';

CREATE FUNCTION gesta.read_context(raw text) RETURNS jsonb
    LANGUAGE plpgsql IMMUTABLE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $_$
DECLARE
    given   jsonb;
    actor   jsonb;
    problem text;
BEGIN
    BEGIN
        given := raw::jsonb;
    EXCEPTION WHEN data_exception THEN
        given := NULL;
    END;
    actor := CASE WHEN jsonb_typeof(given) = 'object' THEN given->'actor' END;
    problem := CASE
        WHEN given IS NULL OR jsonb_typeof(given) <> 'object' THEN 'it is no JSON object'
        WHEN actor IS NULL OR jsonb_typeof(actor) <> 'object' THEN '`actor` is missing'
        WHEN jsonb_typeof(actor->'type') IS DISTINCT FROM 'string' OR actor->>'type' !~ '^[A-Za-z0-9_.-]{1,63}$'
            THEN '`actor.type` is not 1 to 63 letters, digits, `_`, `.` or `-`'
        WHEN jsonb_typeof(actor->'id') IS DISTINCT FROM 'string' OR octet_length(actor->>'id') NOT BETWEEN 1 AND 2048
            THEN '`actor.id` is no text of 1 to 2048 bytes'
        WHEN jsonb_typeof(actor->'name') NOT IN ('string', 'null') THEN '`actor.name` is no text'
        WHEN jsonb_typeof(given->'context') NOT IN ('object', 'null') THEN '`context` is no JSON object'
        WHEN jsonb_typeof(given->'run_id') NOT IN ('string', 'null')
            OR given->>'run_id' !~* '^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$' THEN '`run_id` is no UUID'
    END;
    IF problem IS NOT NULL THEN
        RAISE EXCEPTION 'the setting gesta.context is not understood: %', problem
            USING ERRCODE = 'invalid_parameter_value',
                  HINT = 'Give {"actor": {"type": "user", "id": "42", "name": "Alice"}, "context": {…}}, or call gesta.act_as().';
    END IF;
    RETURN given;
END
$_$;

ALTER FUNCTION gesta.read_context(raw text) OWNER TO gesta_owner;

COMMENT ON FUNCTION gesta.read_context(raw text) IS 'Checks the setting gesta.context.';

CREATE FUNCTION gesta.refuse_change() RETURNS trigger
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
BEGIN
    RAISE EXCEPTION '% of %.% is refused: actions are never changed or deleted', TG_OP, TG_TABLE_SCHEMA, TG_TABLE_NAME
        USING ERRCODE = 'integrity_constraint_violation',
              HINT = 'Append another action that says what is different now.';
END
$$;

ALTER FUNCTION gesta.refuse_change() OWNER TO gesta_owner;

COMMENT ON FUNCTION gesta.refuse_change() IS 'Keeps gesta.action append-only.';

CREATE FUNCTION gesta.refuse_key(relation oid, key text) RETURNS text
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
BEGIN
    RAISE EXCEPTION 'a row of % cannot be recorded: its key makes an id of % bytes', relation::regclass, coalesce(octet_length(key), 0)
        USING ERRCODE = 'check_violation', HINT = 'Ids of 1 to 2048 bytes are allowed. Track the table by another key.';
END
$$;

ALTER FUNCTION gesta.refuse_key(relation oid, key text) OWNER TO gesta_owner;

COMMENT ON FUNCTION gesta.refuse_key(relation oid, key text) IS 'Refuses a row whose key is empty or too long for an id.';

CREATE FUNCTION gesta.resource_key(tenant text, type text, id text) RETURNS bigint
    LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
    RETURN hashtextextended(id, hashtextextended(type, hashtextextended(tenant, (0)::bigint)));

ALTER FUNCTION gesta.resource_key(tenant text, type text, id text) OWNER TO gesta_owner;

COMMENT ON FUNCTION gesta.resource_key(tenant text, type text, id text) IS 'Hash of a tenant''s resource, the same for all rows of its stream. Others may have the same: compare type and id as well.';

CREATE FUNCTION gesta.settle_claims() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    SET enable_seqscan TO 'off'
    AS $$
DECLARE
    claimed  record;
    recorded bigint;
BEGIN
    FOR claimed IN
        WITH claim AS (
            DELETE FROM gesta.claim AS c
            WHERE c.xid = pg_current_xact_id()
            RETURNING c.relation, c.object_type, c.changed, c.after_seq
        )
        SELECT min(c.relation) AS relation, c.object_type, sum(c.changed) AS changed, min(c.after_seq) AS after_seq
        FROM claim AS c
        GROUP BY c.object_type
    LOOP
        SELECT count(*) INTO recorded
        FROM gesta.action AS a
        WHERE a.xid = pg_current_xact_id() AND a.seq > claimed.after_seq AND a.object_type = claimed.object_type
            AND a.source IN ('save', 'bulk');
        IF recorded < claimed.changed THEN
            RAISE EXCEPTION 'this transaction changed % rows of % and recorded %; nothing of it is committed',
                    claimed.changed, claimed.relation::regclass, recorded
                USING ERRCODE = 'integrity_constraint_violation',
                      HINT = 'The setting gesta.recorded is for the session of Gesta alone. If it was the session: does its '
                          || 'model leave out fields that `gesta track` records, or has the table a new foreign key to itself?';
        END IF;
    END LOOP;
    RETURN NULL;
END
$$;

ALTER FUNCTION gesta.settle_claims() OWNER TO gesta_owner;

COMMENT ON FUNCTION gesta.settle_claims() IS 'Refuses to commit changes that the transaction claimed to record and did not.';

CREATE FUNCTION gesta.shape(relation oid) RETURNS text
    LANGUAGE sql STABLE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
    SELECT '2:' || string_agg(a.attnum || ' ' || quote_ident(a.attname) || ' ' || format_type(a.atttypid, NULL)
                              || CASE a.attgenerated WHEN 'v' THEN ' virtual' ELSE '' END, ',' ORDER BY a.attnum)
        || CASE WHEN gesta.has_deferrable_key(relation) THEN ' deferrable' ELSE '' END
    FROM pg_attribute AS a
    WHERE a.attrelid = coalesce(pg_partition_root(relation), relation) AND a.attnum > 0 AND NOT a.attisdropped
$$;

ALTER FUNCTION gesta.shape(relation oid) OWNER TO gesta_owner;

COMMENT ON FUNCTION gesta.shape(relation oid) IS 'What the statements that record changes of a table depend on: columns with their numbers and types.';

CREATE FUNCTION gesta.stamp(moment timestamp with time zone, is_batch boolean) RETURNS gesta.stamp
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
DECLARE
    s       gesta.stamp;
    given   jsonb;
    problem text;
    micros  bigint := (extract(epoch FROM moment) * 1000000)::bigint;
    random  text := replace(gen_random_uuid()::text, '-', '');
    digest  text;
BEGIN
    s.tenant := coalesce(nullif(current_setting('gesta.tenant', true), ''), 'default');
    problem := CASE
        WHEN s.tenant ~ '[\u0001-\u001f\u007f-\u009f]' THEN 'a control character (each is shown as `?`)'
        WHEN octet_length(s.tenant) > 63 THEN octet_length(s.tenant) || ' bytes'
    END;
    IF problem IS NOT NULL THEN
        RAISE EXCEPTION 'the setting gesta.tenant is no tenant: `%` has %',
                regexp_replace(left(s.tenant, 60), '[\u0001-\u001f\u007f-\u009f]', '?', 'g'), problem
            USING ERRCODE = 'invalid_parameter_value',
                  HINT = 'Give 1 to 63 bytes without control characters: SET LOCAL gesta.tenant = ''acme''. Without it, it is `default`.';
    END IF;
    s.occurred_at := moment;
    s.id_prefix := lpad(to_hex(micros / 1000), 12, '0') || to_hex(28672 + (micros % 1000 * 4096 + 999) / 1000);
    s.id_base := (('x' || substr(random, 17))::bit(64)::bigint & 2305843009213693951) | (-9223372036854775807 - 1);
    -- Whatever one statement of the client sets off is one run: cascades, partitions, both halves of ON CONFLICT. UUIDv8.
    digest := concat_ws(' ', pg_current_xact_id(), pg_backend_pid(), statement_timestamp());
    digest := encode(sha256(convert_to(digest, 'UTF8')), 'hex');
    s.own_run_id := substr(digest, 1, 12) || '8' || substr(digest, 14, 3) || '8' || substr(digest, 18, 15);
    IF current_setting('gesta.context', true) <> '' THEN
        given := gesta.read_context(current_setting('gesta.context', true));
        s.actor_type := given #>> '{actor,type}';
        s.actor_id := given #>> '{actor,id}';
        IF given #>> '{actor,name}' IS NOT NULL THEN
            s.names := jsonb_build_object('actor', gesta.cut_name(given #>> '{actor,name}'));
        END IF;
        s.run_id := given->>'run_id';
        s.context := jsonb_build_object('database_role', session_user);
        IF jsonb_typeof(given->'context') = 'object' THEN
            s.context := given->'context' || s.context;
        END IF;
    ELSE
        s.actor_type := 'system';
        s.actor_id := session_user;
        s.names := jsonb_build_object('actor', session_user);
        s.context := jsonb_build_object('database_role', session_user);
    END IF;
    IF is_batch AND s.run_id IS NULL THEN
        s.run_id := s.own_run_id;
    END IF;
    RETURN s;
END
$$;

ALTER FUNCTION gesta.stamp(moment timestamp with time zone, is_batch boolean) OWNER TO gesta_owner;

COMMENT ON FUNCTION gesta.stamp(moment timestamp with time zone, is_batch boolean) IS 'Who changes something in this transaction, and where the ids of the actions begin that tell of it.';

CREATE FUNCTION gesta.take_notes(relation oid, what text) RETURNS bigint
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    SET enable_seqscan TO 'off'
    AS $_$
DECLARE
    taken bigint;
BEGIN
    DELETE FROM gesta.note AS n
    WHERE n.xid = pg_current_xact_id_if_assigned() AND n.relation = coalesce(pg_partition_root($1)::oid, $1) AND n.what = $2
        AND n.depth >= pg_trigger_depth();
    GET DIAGNOSTICS taken = ROW_COUNT;
    RETURN taken;
END
$_$;

ALTER FUNCTION gesta.take_notes(relation oid, what text) OWNER TO gesta_owner;

COMMENT ON FUNCTION gesta.take_notes(relation oid, what text) IS 'How many rows a statement''s row triggers have told of; they are told once.';

CREATE FUNCTION gesta.text_expression(type oid, "column" text) RETURNS text
    LANGUAGE sql STABLE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
    SELECT CASE
        WHEN type IN ('int2'::regtype, 'int4'::regtype, 'int8'::regtype, 'uuid'::regtype, 'text'::regtype, 'varchar'::regtype)
            THEN "column" || '::text'
        ELSE format('(to_jsonb(%s) #>> ''{}'')', gesta.json_expression(type, "column"))
    END
$$;

ALTER FUNCTION gesta.text_expression(type oid, "column" text) OWNER TO gesta_owner;

COMMENT ON FUNCTION gesta.text_expression(type oid, "column" text) IS 'The expression that makes text of a column''s value: as JSON prints it, without quotation marks.';

CREATE FUNCTION gesta.touch_key(key_id text, key_hash bytea) RETURNS void
    LANGUAGE sql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
    UPDATE gesta.key AS k SET last_used_at = statement_timestamp()
    WHERE k.id = (
        SELECT l.id FROM gesta.key AS l
        WHERE l.id = key_id AND l.hash = key_hash
            AND coalesce(l.last_used_at < statement_timestamp() - interval '1 minute', true)
        FOR NO KEY UPDATE SKIP LOCKED
    )
$$;

ALTER FUNCTION gesta.touch_key(key_id text, key_hash bytea) OWNER TO gesta_owner;

COMMENT ON FUNCTION gesta.touch_key(key_id text, key_hash bytea) IS 'Notes that a key was used, at most once a minute; waits for nobody.';

CREATE TABLE gesta.action (
    tenant text NOT NULL COLLATE pg_catalog."C",
    id uuid NOT NULL,
    actor_type text NOT NULL COLLATE pg_catalog."C",
    actor_id text NOT NULL COLLATE pg_catalog."C",
    verb text NOT NULL COLLATE pg_catalog."C",
    object_type text COLLATE pg_catalog."C",
    object_id text COLLATE pg_catalog."C",
    target_type text COLLATE pg_catalog."C",
    target_id text COLLATE pg_catalog."C",
    occurred_at timestamp with time zone NOT NULL,
    recorded_at timestamp with time zone DEFAULT statement_timestamp() NOT NULL,
    run_id uuid,
    source text NOT NULL COLLATE pg_catalog."C",
    outcome text DEFAULT 'ok'::text NOT NULL COLLATE pg_catalog."C",
    description text,
    changes jsonb,
    data jsonb,
    names jsonb,
    context jsonb,
    audience text[] DEFAULT '{public}'::text[] NOT NULL COLLATE pg_catalog."C",
    xid xid8 DEFAULT pg_current_xact_id() NOT NULL,
    seq bigint NOT NULL,
    actor_key bigint GENERATED ALWAYS AS (gesta.resource_key(tenant, actor_type, actor_id)) STORED,
    object_key bigint GENERATED ALWAYS AS (gesta.resource_key(tenant, object_type, object_id)) STORED,
    target_key bigint GENERATED ALWAYS AS (gesta.resource_key(tenant, target_type, target_id)) STORED,
    CONSTRAINT action_actor_id_length CHECK (((octet_length(actor_id) >= 1) AND (octet_length(actor_id) <= 2048))),
    CONSTRAINT action_actor_type_shape CHECK ((((octet_length(actor_type) >= 1) AND (octet_length(actor_type) <= 63)) AND (strpos(actor_type, ':'::text) = 0))),
    CONSTRAINT action_audience_length CHECK ((cardinality(audience) <= 32)),
    CONSTRAINT action_id_is_uuid_v7 CHECK (((get_byte(uuid_send(id), 6) >> 4) = 7)),
    CONSTRAINT action_object_id_length CHECK (((octet_length(object_id) >= 1) AND (octet_length(object_id) <= 2048))),
    CONSTRAINT action_object_type_shape CHECK ((((octet_length(object_type) >= 1) AND (octet_length(object_type) <= 63)) AND (strpos(object_type, ':'::text) = 0))),
    CONSTRAINT action_object_whole CHECK (((object_type IS NULL) = (object_id IS NULL))),
    CONSTRAINT action_occurred_at_range CHECK (((occurred_at >= '1970-01-01 00:00:00+00'::timestamp with time zone) AND (occurred_at < '10000-01-01 00:00:00+00'::timestamp with time zone))),
    CONSTRAINT action_outcome_known CHECK ((outcome = ANY (ARRAY['ok'::text, 'failed'::text, 'denied'::text]))),
    CONSTRAINT action_source_known CHECK ((source = ANY (ARRAY['save'::text, 'bulk'::text, 'emit'::text, 'run'::text, 'api'::text, 'import'::text, 'trigger'::text]))),
    CONSTRAINT action_target_id_length CHECK (((octet_length(target_id) >= 1) AND (octet_length(target_id) <= 2048))),
    CONSTRAINT action_target_type_shape CHECK ((((octet_length(target_type) >= 1) AND (octet_length(target_type) <= 63)) AND (strpos(target_type, ':'::text) = 0))),
    CONSTRAINT action_target_whole CHECK (((target_type IS NULL) = (target_id IS NULL))),
    CONSTRAINT action_tenant_length CHECK (((octet_length(tenant) >= 1) AND (octet_length(tenant) <= 63))),
    CONSTRAINT action_verb_length CHECK (((octet_length(verb) >= 1) AND (octet_length(verb) <= 255)))
)
PARTITION BY RANGE (id);

ALTER TABLE gesta.action OWNER TO gesta_owner;

COMMENT ON TABLE gesta.action IS 'One row is one fact: actor verb object (to, in or for) target. Rows are never changed or deleted.';

COMMENT ON COLUMN gesta.action.tenant IS 'Isolation unit; `default` where there is one. 1 to 63 bytes without control characters. Set by the writer.';

COMMENT ON COLUMN gesta.action.id IS 'UUIDv7 (RFC 9562) whose time is occurred_at: to the millisecond, and to the microsecond in rand_a unless the writer gave another id. Made by the writer: the idempotency key and the order of every stream.';

COMMENT ON COLUMN gesta.action.actor_type IS 'Type of who acted: letters, digits, `_ . -`, 1 to 63 bytes. Set by the writer.';

COMMENT ON COLUMN gesta.action.actor_id IS 'Id of who acted, 1 to 2,048 bytes. `system` and `anonymous` are actors too. Set by the writer.';

COMMENT ON COLUMN gesta.action.verb IS 'What was done, untranslated, 1 to 255 bytes. Set by the writer.';

COMMENT ON COLUMN gesta.action.object_type IS 'Type of what it was done to; null only together with object_id. Set by the writer.';

COMMENT ON COLUMN gesta.action.object_id IS 'Id of what it was done to, 1 to 2,048 bytes. Set by the writer.';

COMMENT ON COLUMN gesta.action.target_type IS 'Type of what it was done in, to or for; null only together with target_id. Set by the writer.';

COMMENT ON COLUMN gesta.action.target_id IS 'Id of what it was done in, to or for, 1 to 2,048 bytes. Set by the writer.';

COMMENT ON COLUMN gesta.action.occurred_at IS 'When it happened, by the writer''s clock, in microseconds. 1970 to 9999.';

COMMENT ON COLUMN gesta.action.recorded_at IS 'When the statement that stored it began, by the database''s clock. Nobody can set it.';

COMMENT ON COLUMN gesta.action.run_id IS 'The run or bulk operation that it belongs to; null for a single action. Set by the writer.';

COMMENT ON COLUMN gesta.action.source IS 'The way in: save, bulk, emit, run, api, import or trigger. Set by the library.';

COMMENT ON COLUMN gesta.action.outcome IS 'ok, failed or denied: a refused or failed attempt is a fact too. Set by the writer.';

COMMENT ON COLUMN gesta.action.description IS 'Free text for people. Set by the writer.';

COMMENT ON COLUMN gesta.action.changes IS '{field: [old, new]}; null when nothing is compared. Set by the writer.';

COMMENT ON COLUMN gesta.action.data IS 'Free payload. Set by the writer.';

COMMENT ON COLUMN gesta.action.names IS '{actor, object, target}: what they were called then, each a text. Set by the writer.';

COMMENT ON COLUMN gesta.action.context IS 'Request id, IP, user agent, trace, on behalf of, reason, source id. Set by the writer.';

COMMENT ON COLUMN gesta.action.audience IS 'Labels of who may see it, in one dimension, none of them null; {public} for everybody, {} for auditors only. A later change stands in gesta.visibility.';

COMMENT ON COLUMN gesta.action.xid IS 'The transaction that stored it. Given by the database; with seq it makes the safe order of the log. Nobody can set it.';

COMMENT ON COLUMN gesta.action.seq IS 'Order of insertion inside a transaction. Given by the database. Nobody can set it.';

COMMENT ON COLUMN gesta.action.actor_key IS 'gesta.resource_key of the actor. Computed by the database; nobody can set it.';

COMMENT ON COLUMN gesta.action.object_key IS 'gesta.resource_key of the object; null where there is none. Computed by the database; nobody can set it.';

COMMENT ON COLUMN gesta.action.target_key IS 'gesta.resource_key of the target; null where there is none. Computed by the database; nobody can set it.';

CREATE SEQUENCE gesta.action_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;

ALTER SEQUENCE gesta.action_seq OWNER TO gesta_owner;

ALTER SEQUENCE gesta.action_seq OWNED BY gesta.action.seq;

CREATE UNLOGGED TABLE gesta.claim (
    xid xid8 DEFAULT pg_current_xact_id() NOT NULL,
    relation oid NOT NULL,
    object_type text NOT NULL COLLATE pg_catalog."C",
    changed bigint NOT NULL,
    after_seq bigint NOT NULL
);

ALTER TABLE gesta.claim OWNER TO gesta_owner;

COMMENT ON TABLE gesta.claim IS 'Rows that a transaction has changed and says to record itself. Empty but for open transactions.';

COMMENT ON COLUMN gesta.claim.xid IS 'The transaction.';

COMMENT ON COLUMN gesta.claim.relation IS 'The tracked table, for the error message.';

COMMENT ON COLUMN gesta.claim.object_type IS 'Type of the objects.';

COMMENT ON COLUMN gesta.claim.changed IS 'How many rows a statement changed; negative for those that a trigger has recorded after all.';

COMMENT ON COLUMN gesta.claim.after_seq IS 'The actions that tell of it come after this place of the log.';

CREATE TABLE gesta.follow (
    tenant text NOT NULL COLLATE pg_catalog."C",
    id uuid NOT NULL,
    follower_type text NOT NULL COLLATE pg_catalog."C",
    follower_id text NOT NULL COLLATE pg_catalog."C",
    followed_type text NOT NULL COLLATE pg_catalog."C",
    followed_id text NOT NULL COLLATE pg_catalog."C",
    flag text DEFAULT ''::text NOT NULL COLLATE pg_catalog."C",
    roles text[] DEFAULT '{actor}'::text[] NOT NULL COLLATE pg_catalog."C",
    verbs text[] DEFAULT '{}'::text[] NOT NULL COLLATE pg_catalog."C",
    since timestamp with time zone,
    muted boolean DEFAULT false NOT NULL,
    created_at timestamp with time zone DEFAULT statement_timestamp() NOT NULL,
    CONSTRAINT follow_flag_length CHECK ((octet_length(flag) <= 63)),
    CONSTRAINT follow_followed_id_length CHECK (((octet_length(followed_id) >= 1) AND (octet_length(followed_id) <= 2048))),
    CONSTRAINT follow_followed_type_shape CHECK ((((octet_length(followed_type) >= 1) AND (octet_length(followed_type) <= 63)) AND (strpos(followed_type, ':'::text) = 0))),
    CONSTRAINT follow_follower_id_length CHECK (((octet_length(follower_id) >= 1) AND (octet_length(follower_id) <= 2048))),
    CONSTRAINT follow_follower_type_shape CHECK ((((octet_length(follower_type) >= 1) AND (octet_length(follower_type) <= 63)) AND (strpos(follower_type, ':'::text) = 0))),
    CONSTRAINT follow_roles_known CHECK (((roles <@ '{actor,object,target}'::text[]) AND ((cardinality(roles) >= 1) AND (cardinality(roles) <= 3)))),
    CONSTRAINT follow_tenant_length CHECK (((octet_length(tenant) >= 1) AND (octet_length(tenant) <= 63)))
);

ALTER TABLE gesta.follow OWNER TO gesta_owner;

COMMENT ON TABLE gesta.follow IS 'One row is one edge: a follower wants the actions of a resource in its feed. Rows go when it is unfollowed.';

COMMENT ON COLUMN gesta.follow.tenant IS 'Isolation unit, as in gesta.action.';

COMMENT ON COLUMN gesta.follow.id IS 'UUIDv8: 48 bits of the SHA-256 of follower and followed, then of these and the flag. The same edge has the same id, those of one pair stand together. Two ids of 2,048 bytes do not fit into one B-tree entry.';

COMMENT ON COLUMN gesta.follow.follower_type IS 'Type of who follows.';

COMMENT ON COLUMN gesta.follow.follower_id IS 'Id of who follows.';

COMMENT ON COLUMN gesta.follow.followed_type IS 'Type of what is followed.';

COMMENT ON COLUMN gesta.follow.followed_id IS 'Id of what is followed.';

COMMENT ON COLUMN gesta.follow.flag IS 'Kind of following, such as `liking`; empty for the plain one. 0 to 63 bytes.';

COMMENT ON COLUMN gesta.follow.roles IS 'In which roles the followed resource counts: actor, object, target. May be changed.';

COMMENT ON COLUMN gesta.follow.verbs IS 'Only these verbs; empty for all. May be changed.';

COMMENT ON COLUMN gesta.follow.since IS 'Only actions that occurred at or after this moment; null for all. May be changed.';

COMMENT ON COLUMN gesta.follow.muted IS 'Whether the edge is kept but adds nothing to the feed. May be changed.';

COMMENT ON COLUMN gesta.follow.created_at IS 'When it was first followed, by the database''s clock.';

CREATE TABLE gesta.key (
    id text NOT NULL COLLATE pg_catalog."C",
    tenant text COLLATE pg_catalog."C",
    name text NOT NULL,
    hash bytea NOT NULL,
    scopes text[] NOT NULL COLLATE pg_catalog."C",
    labels text[] COLLATE pg_catalog."C",
    actor_type text NOT NULL COLLATE pg_catalog."C",
    actor_id text NOT NULL COLLATE pg_catalog."C",
    actor_name text,
    is_actor boolean NOT NULL,
    rate_per_minute integer,
    created_at timestamp with time zone DEFAULT statement_timestamp() NOT NULL,
    created_by text NOT NULL COLLATE pg_catalog."C",
    expires_at timestamp with time zone,
    revoked_at timestamp with time zone,
    last_used_at timestamp with time zone,
    CONSTRAINT key_actor_id_length CHECK (((octet_length(actor_id) >= 1) AND (octet_length(actor_id) <= 2048))),
    CONSTRAINT key_actor_name_length CHECK ((octet_length(actor_name) <= 1024)),
    CONSTRAINT key_actor_type_shape CHECK ((((octet_length(actor_type) >= 1) AND (octet_length(actor_type) <= 63)) AND (strpos(actor_type, ':'::text) = 0))),
    CONSTRAINT key_hash_length CHECK ((octet_length(hash) = 32)),
    CONSTRAINT key_id_shape CHECK ((id ~ '^[a-z0-9]{12}$'::text)),
    CONSTRAINT key_labels_length CHECK ((cardinality(labels) <= 32)),
    CONSTRAINT key_name_length CHECK (((octet_length(name) >= 1) AND (octet_length(name) <= 255))),
    CONSTRAINT key_rate_positive CHECK ((rate_per_minute > 0)),
    CONSTRAINT key_scopes_length CHECK (((cardinality(scopes) >= 1) AND (cardinality(scopes) <= 32))),
    CONSTRAINT key_tenant_length CHECK (((octet_length(tenant) >= 1) AND (octet_length(tenant) <= 63)))
)
WITH (fillfactor='80');

ALTER TABLE gesta.key OWNER TO gesta_owner;

COMMENT ON TABLE gesta.key IS 'One row is one key of the HTTP API, written gesta_ID_SECRET. Rows stay when a key is revoked.';

COMMENT ON COLUMN gesta.key.id IS 'The part of the key that is no secret: 12 random letters and digits. Set when it is made.';

COMMENT ON COLUMN gesta.key.tenant IS 'The tenant that the key is for; null for all of them, then each request names one. Set when it is made.';

COMMENT ON COLUMN gesta.key.name IS 'What people call it, 1 to 255 bytes. Set when it is made.';

COMMENT ON COLUMN gesta.key.hash IS 'SHA-256 of the secret, 32 bytes. The secret is 256 random bits, so a slow hash would add nothing. Set when it is made.';

COMMENT ON COLUMN gesta.key.scopes IS 'What it may do, such as events:read. Set when it is made.';

COMMENT ON COLUMN gesta.key.labels IS 'It sees actions whose audience has one of these labels; null for all actions, as an auditor. Set when it is made.';

COMMENT ON COLUMN gesta.key.actor_type IS 'Type of whom its requests are recorded as. Set when it is made.';

COMMENT ON COLUMN gesta.key.actor_id IS 'Id of whom its requests are recorded as. Set when it is made.';

COMMENT ON COLUMN gesta.key.actor_name IS 'What they are called; may be null. Set when it is made.';

COMMENT ON COLUMN gesta.key.is_actor IS 'Whether they are the actor of everything that it appends; otherwise each action names its own. Set when it is made.';

COMMENT ON COLUMN gesta.key.rate_per_minute IS 'Requests a minute; null for what the server allows by default. Set when it is made.';

COMMENT ON COLUMN gesta.key.created_at IS 'When it was made, by the database''s clock.';

COMMENT ON COLUMN gesta.key.created_by IS 'Who made it, as TYPE:ID. Set when it is made.';

COMMENT ON COLUMN gesta.key.expires_at IS 'From when on it is refused; null for never. Set when it is made.';

COMMENT ON COLUMN gesta.key.revoked_at IS 'When it was revoked, by the database''s clock; null while it is not. Set once.';

COMMENT ON COLUMN gesta.key.last_used_at IS 'When it was last used, by the database''s clock, to the minute or so; null before the first use. Changed by gesta.touch_key.';

CREATE TABLE gesta.migration (
    version integer NOT NULL,
    name text NOT NULL COLLATE pg_catalog."C",
    checksum text NOT NULL COLLATE pg_catalog."C",
    applied_at timestamp with time zone DEFAULT now() NOT NULL,
    applied_by text DEFAULT SESSION_USER NOT NULL COLLATE pg_catalog."C"
);

ALTER TABLE gesta.migration OWNER TO gesta_owner;

COMMENT ON TABLE gesta.migration IS 'Which steps of the schema have been applied.';

COMMENT ON COLUMN gesta.migration.version IS 'Number of the step; they are applied in this order.';

COMMENT ON COLUMN gesta.migration.name IS 'Name of its file.';

COMMENT ON COLUMN gesta.migration.checksum IS 'SHA-256 of its text, in hexadecimal digits.';

COMMENT ON COLUMN gesta.migration.applied_at IS 'When it was applied, by the database''s clock.';

COMMENT ON COLUMN gesta.migration.applied_by IS 'The role that applied it.';

CREATE UNLOGGED TABLE gesta.note (
    xid xid8 DEFAULT pg_current_xact_id() NOT NULL,
    relation oid NOT NULL,
    what text NOT NULL COLLATE pg_catalog."C",
    depth integer DEFAULT pg_trigger_depth() NOT NULL
);

ALTER TABLE gesta.note OWNER TO gesta_owner;

COMMENT ON TABLE gesta.note IS 'Rows of which a row trigger tells the trigger of the statement, which takes them out. Empty but for open transactions.';

COMMENT ON COLUMN gesta.note.xid IS 'The transaction.';

COMMENT ON COLUMN gesta.note.relation IS 'The tracked table.';

COMMENT ON COLUMN gesta.note.what IS '`MOVE`: the partition key changes. `UPDATE` or `DELETE`: a cascade has done that, and it is recorded.';

COMMENT ON COLUMN gesta.note.depth IS 'How many triggers deep. Those of a cascade come deeper than the trigger of the statement.';

CREATE TABLE gesta.parked (
    tenant text NOT NULL COLLATE pg_catalog."C",
    id uuid NOT NULL,
    stream text NOT NULL COLLATE pg_catalog."C",
    "position" text NOT NULL COLLATE pg_catalog."C",
    reason text NOT NULL COLLATE pg_catalog."C",
    since timestamp with time zone DEFAULT statement_timestamp() NOT NULL
);

ALTER TABLE gesta.parked OWNER TO gesta_owner;

COMMENT ON TABLE gesta.parked IS 'One row is one action that the broker does not take as a message. The stream has a stub in its place.';

COMMENT ON COLUMN gesta.parked.tenant IS 'Isolation unit, as in gesta.action.';

COMMENT ON COLUMN gesta.parked.id IS 'The action.';

COMMENT ON COLUMN gesta.parked.stream IS 'The stream that it is missing in.';

COMMENT ON COLUMN gesta.parked."position" IS 'Its position in the log.';

COMMENT ON COLUMN gesta.parked.reason IS 'Why, for people; no payload.';

COMMENT ON COLUMN gesta.parked.since IS 'When it was found, by the database''s clock.';

CREATE TABLE gesta.relay (
    stream text NOT NULL COLLATE pg_catalog."C",
    holder text NOT NULL COLLATE pg_catalog."C",
    held_until timestamp with time zone NOT NULL,
    "position" text COLLATE pg_catalog."C",
    sequence bigint,
    saved_at timestamp with time zone,
    CONSTRAINT relay_position_complete CHECK (((("position" IS NULL) = (sequence IS NULL)) AND (("position" IS NULL) = (saved_at IS NULL)))),
    CONSTRAINT relay_sequence_range CHECK ((sequence >= 0)),
    CONSTRAINT relay_stream_length CHECK (((octet_length(stream) >= 1) AND (octet_length(stream) <= 64)))
)
WITH (fillfactor='50');

ALTER TABLE gesta.relay OWNER TO gesta_owner;

COMMENT ON TABLE gesta.relay IS 'One row is one JetStream stream that the log is published to, for all tenants. It spares work, and says where to go on when the stream has dropped every message.';

COMMENT ON COLUMN gesta.relay.stream IS 'The stream''s name.';

COMMENT ON COLUMN gesta.relay.holder IS 'Which relay publishes; the others wait. Changed by each relay that takes over.';

COMMENT ON COLUMN gesta.relay.held_until IS 'Until when the others wait, by the database''s clock. Changed about once a second.';

COMMENT ON COLUMN gesta.relay."position" IS 'A position of the log up to which all is published, perhaps some seconds old. Null before the first one.';

COMMENT ON COLUMN gesta.relay.sequence IS 'The number of the stream''s last message then; 0 for none.';

COMMENT ON COLUMN gesta.relay.saved_at IS 'When the position was noted, by the database''s clock.';

CREATE TABLE gesta.role (
    tenant text NOT NULL COLLATE pg_catalog."C",
    name text NOT NULL COLLATE pg_catalog."C",
    permissions text[] NOT NULL COLLATE pg_catalog."C",
    about text,
    changed_at timestamp with time zone DEFAULT statement_timestamp() NOT NULL,
    changed_by text NOT NULL COLLATE pg_catalog."C",
    CONSTRAINT role_about_length CHECK (((octet_length(about) >= 1) AND (octet_length(about) <= 1024))),
    CONSTRAINT role_name_free CHECK ((name <> 'administrator'::text)),
    CONSTRAINT role_name_length CHECK (((octet_length(name) >= 1) AND (octet_length(name) <= 255))),
    CONSTRAINT role_permissions_length CHECK ((cardinality(permissions) <= 100)),
    CONSTRAINT role_tenant_length CHECK (((octet_length(tenant) >= 1) AND (octet_length(tenant) <= 63)))
);

ALTER TABLE gesta.role OWNER TO gesta_owner;

COMMENT ON TABLE gesta.role IS 'One row is one role. Rows go when it is removed, and its members before them.';

COMMENT ON COLUMN gesta.role.tenant IS 'Isolation unit, as in gesta.action.';

COMMENT ON COLUMN gesta.role.name IS 'What it is called, 1 to 255 bytes without commas; a proxy''s group of this name has it. Set when it is made.';

COMMENT ON COLUMN gesta.role.permissions IS 'What its members may, each TYPE.WORD, TYPE.* or *, up to 100. May be changed.';

COMMENT ON COLUMN gesta.role.about IS 'What it is for, 1 to 1,024 bytes; may be null. May be changed.';

COMMENT ON COLUMN gesta.role.changed_at IS 'When it was made or last changed, by the database''s clock.';

COMMENT ON COLUMN gesta.role.changed_by IS 'Who did that, as TYPE:ID.';

CREATE TABLE gesta.role_member (
    tenant text NOT NULL COLLATE pg_catalog."C",
    role text NOT NULL COLLATE pg_catalog."C",
    member_type text NOT NULL COLLATE pg_catalog."C",
    member_id text NOT NULL COLLATE pg_catalog."C",
    added_at timestamp with time zone DEFAULT statement_timestamp() NOT NULL,
    added_by text NOT NULL COLLATE pg_catalog."C",
    CONSTRAINT role_member_member_id_length CHECK (((octet_length(member_id) >= 1) AND (octet_length(member_id) <= 2048))),
    CONSTRAINT role_member_member_type_shape CHECK ((((octet_length(member_type) >= 1) AND (octet_length(member_type) <= 63)) AND (strpos(member_type, ':'::text) = 0))),
    CONSTRAINT role_member_role_length CHECK (((octet_length(role) >= 1) AND (octet_length(role) <= 255))),
    CONSTRAINT role_member_tenant_length CHECK (((octet_length(tenant) >= 1) AND (octet_length(tenant) <= 63)))
);

ALTER TABLE gesta.role_member OWNER TO gesta_owner;

COMMENT ON TABLE gesta.role_member IS 'One row is one membership: somebody has a role. Rows go when it ends.';

COMMENT ON COLUMN gesta.role_member.tenant IS 'Isolation unit, as in gesta.action.';

COMMENT ON COLUMN gesta.role_member.role IS 'The name of the role: one of gesta.role, or `administrator`.';

COMMENT ON COLUMN gesta.role_member.member_type IS 'Type of who has it.';

COMMENT ON COLUMN gesta.role_member.member_id IS 'Id of who has it.';

COMMENT ON COLUMN gesta.role_member.added_at IS 'Since when, by the database''s clock.';

COMMENT ON COLUMN gesta.role_member.added_by IS 'Who made them a member, as TYPE:ID.';

CREATE TABLE gesta.run (
    tenant text NOT NULL COLLATE pg_catalog."C",
    id uuid NOT NULL,
    object_type text NOT NULL COLLATE pg_catalog."C",
    name text NOT NULL COLLATE pg_catalog."C",
    label text NOT NULL,
    state text NOT NULL COLLATE pg_catalog."C",
    actor_type text NOT NULL COLLATE pg_catalog."C",
    actor_id text NOT NULL COLLATE pg_catalog."C",
    actor_name text,
    reason text,
    context jsonb,
    permission text COLLATE pg_catalog."C",
    rights text[] DEFAULT '{}'::text[] NOT NULL COLLATE pg_catalog."C",
    input jsonb NOT NULL,
    secret_input jsonb,
    is_background boolean NOT NULL,
    is_atomic boolean NOT NULL,
    selection uuid,
    retry_of uuid,
    total integer NOT NULL,
    done integer DEFAULT 0 NOT NULL,
    skipped integer DEFAULT 0 NOT NULL,
    denied integer DEFAULT 0 NOT NULL,
    failed integer DEFAULT 0 NOT NULL,
    messages integer DEFAULT 0 NOT NULL,
    idempotency_key text COLLATE pg_catalog."C",
    request_hash bytea,
    token_id uuid,
    holder uuid,
    held_until timestamp with time zone,
    attempts integer DEFAULT 0 NOT NULL,
    created_at timestamp with time zone DEFAULT clock_timestamp() NOT NULL,
    started_at timestamp with time zone,
    ended_at timestamp with time zone,
    cancelled_by text COLLATE pg_catalog."C",
    error text,
    waiting text,
    CONSTRAINT run_actor_id_length CHECK (((octet_length(actor_id) >= 1) AND (octet_length(actor_id) <= 2048))),
    CONSTRAINT run_actor_type_shape CHECK ((((octet_length(actor_type) >= 1) AND (octet_length(actor_type) <= 63)) AND (strpos(actor_type, ':'::text) = 0))),
    CONSTRAINT run_counts_fit CHECK (((LEAST(done, skipped, denied, failed) >= 0) AND ((((done + skipped) + denied) + failed) <= total))),
    CONSTRAINT run_ended_whole CHECK (((ended_at IS NULL) = (state = ANY (ARRAY['queued'::text, 'running'::text])))),
    CONSTRAINT run_held_whole CHECK (((holder IS NULL) = (held_until IS NULL))),
    CONSTRAINT run_idempotency_key_length CHECK (((octet_length(idempotency_key) >= 1) AND (octet_length(idempotency_key) <= 255))),
    CONSTRAINT run_name_length CHECK (((octet_length(name) >= 1) AND (octet_length(name) <= 255))),
    CONSTRAINT run_object_type_shape CHECK ((((octet_length(object_type) >= 1) AND (octet_length(object_type) <= 63)) AND (strpos(object_type, ':'::text) = 0))),
    CONSTRAINT run_secret_gone CHECK (((secret_input IS NULL) OR (ended_at IS NULL))),
    CONSTRAINT run_state_known CHECK ((state = ANY (ARRAY['queued'::text, 'running'::text, 'succeeded'::text, 'partial'::text, 'failed'::text, 'cancelled'::text, 'refused'::text]))),
    CONSTRAINT run_tenant_length CHECK (((octet_length(tenant) >= 1) AND (octet_length(tenant) <= 63))),
    CONSTRAINT run_waiting_open CHECK (((waiting IS NULL) OR (ended_at IS NULL)))
)
WITH (fillfactor='50');

ALTER TABLE gesta.run OWNER TO gesta_owner;

COMMENT ON TABLE gesta.run IS 'One row is one execution of an action definition over a selection. Rows go to gesta.run_archive some time after they have ended.';

COMMENT ON COLUMN gesta.run.tenant IS 'Isolation unit, as in gesta.action.';

COMMENT ON COLUMN gesta.run.id IS 'UUIDv7 whose time is when it was recorded. It is the run_id of all actions of the run, and their object in run:ID.';

COMMENT ON COLUMN gesta.run.object_type IS 'Type of the objects.';

COMMENT ON COLUMN gesta.run.name IS 'Name of the definition.';

COMMENT ON COLUMN gesta.run.label IS 'What the definition was called for so many objects.';

COMMENT ON COLUMN gesta.run.state IS 'queued, running; then succeeded, partial (some failed or were denied), failed, cancelled or refused. Changed by whoever holds it, and by who cancels it.';

COMMENT ON COLUMN gesta.run.actor_type IS 'Type of who asked for it.';

COMMENT ON COLUMN gesta.run.actor_id IS 'Id of who asked for it.';

COMMENT ON COLUMN gesta.run.actor_name IS 'What they are called; may be null.';

COMMENT ON COLUMN gesta.run.reason IS 'Why, in their words; may be null.';

COMMENT ON COLUMN gesta.run.context IS 'Circumstances of the request, as in gesta.action.';

COMMENT ON COLUMN gesta.run.permission IS 'The permission that allowed it, or that was missing; null where it takes none.';

COMMENT ON COLUMN gesta.run.rights IS 'What they might do when they asked: a run in the background may do no more.';

COMMENT ON COLUMN gesta.run.input IS 'The input, with `***` in place of secrets.';

COMMENT ON COLUMN gesta.run.secret_input IS 'The input with its secrets, where it has some; null as soon as the run has ended. Auditors cannot read it.';

COMMENT ON COLUMN gesta.run.is_background IS 'Whether a worker runs it.';

COMMENT ON COLUMN gesta.run.is_atomic IS 'Whether it is one transaction, which one failing object undoes.';

COMMENT ON COLUMN gesta.run.selection IS 'The objects; null for a refused run.';

COMMENT ON COLUMN gesta.run.retry_of IS 'The run whose failed and pending objects it takes up; null for none.';

COMMENT ON COLUMN gesta.run.total IS 'How many objects there are.';

COMMENT ON COLUMN gesta.run.done IS 'How many were done. Changed with each piece.';

COMMENT ON COLUMN gesta.run.skipped IS 'With how many there was nothing to do. Changed with each piece.';

COMMENT ON COLUMN gesta.run.denied IS 'How many the asker may not do it to. Changed with each piece.';

COMMENT ON COLUMN gesta.run.failed IS 'How many failed. Changed with each piece.';

COMMENT ON COLUMN gesta.run.messages IS 'How many messages there were; the first 1,000 are kept. Changed with each piece.';

COMMENT ON COLUMN gesta.run.idempotency_key IS 'What the request called itself, 1 to 255 bytes: one run for each of an actor. May be null.';

COMMENT ON COLUMN gesta.run.request_hash IS 'SHA-256 of the request: the same key with another request is refused.';

COMMENT ON COLUMN gesta.run.token_id IS 'The confirmation that started it, which starts nothing else; null for none.';

COMMENT ON COLUMN gesta.run.holder IS 'Who runs it, a random id of each attempt; null while nobody does. Changed by gesta.claim_run.';

COMMENT ON COLUMN gesta.run.held_until IS 'Until when nobody else takes it, by the database''s clock. Changed several times a minute.';

COMMENT ON COLUMN gesta.run.attempts IS 'How often it was taken since it last got on.';

COMMENT ON COLUMN gesta.run.created_at IS 'When it was recorded, by the database''s clock.';

COMMENT ON COLUMN gesta.run.started_at IS 'When somebody first took it, by the database''s clock; null before.';

COMMENT ON COLUMN gesta.run.ended_at IS 'When it ended, by the database''s clock; null before.';

COMMENT ON COLUMN gesta.run.cancelled_by IS 'Who cancelled it, as TYPE:ID; null where nobody did.';

COMMENT ON COLUMN gesta.run.error IS 'Why it failed or was refused as a whole, for people; no value of a row.';

COMMENT ON COLUMN gesta.run.waiting IS 'What it waits for, for people: a worker elsewhere that is not there; null where it goes on. Changed by whoever holds it.';

CREATE TABLE gesta.run_archive (
    tenant text NOT NULL COLLATE pg_catalog."C",
    run uuid NOT NULL,
    part integer NOT NULL,
    content jsonb NOT NULL,
    archived_at timestamp with time zone DEFAULT statement_timestamp() NOT NULL,
    CONSTRAINT run_archive_part_range CHECK ((part >= 0))
);

ALTER TABLE gesta.run_archive OWNER TO gesta_owner;

COMMENT ON TABLE gesta.run_archive IS 'What gesta.archive_runs has taken out of the other tables of runs. Rows are written once; whoever needs the room deletes them, oldest first.';

COMMENT ON COLUMN gesta.run_archive.tenant IS 'Isolation unit, as in gesta.action.';

COMMENT ON COLUMN gesta.run_archive.run IS 'The run.';

COMMENT ON COLUMN gesta.run_archive.part IS '0 for the run with its messages, then 10,000 objects each.';

COMMENT ON COLUMN gesta.run_archive.content IS 'Part 0: {"run": {…}, "messages": [{…}]}. Others: [[place, id, name, outcome, note, settled_at], …].';

COMMENT ON COLUMN gesta.run_archive.archived_at IS 'When, by the database''s clock.';

CREATE TABLE gesta.run_item (
    tenant text NOT NULL COLLATE pg_catalog."C",
    run uuid NOT NULL,
    place integer NOT NULL,
    object_key bigint NOT NULL,
    object_id text NOT NULL COLLATE pg_catalog."C",
    name text,
    outcome text NOT NULL COLLATE pg_catalog."C",
    note text,
    settled_at timestamp with time zone DEFAULT statement_timestamp() NOT NULL,
    CONSTRAINT run_item_note_length CHECK ((octet_length(note) <= 4096)),
    CONSTRAINT run_item_outcome_known CHECK ((outcome = ANY (ARRAY['done'::text, 'skipped'::text, 'denied'::text, 'failed'::text])))
);

ALTER TABLE gesta.run_item OWNER TO gesta_owner;

COMMENT ON TABLE gesta.run_item IS 'One row is one object of a run that something became of. Rows are written once.';

COMMENT ON COLUMN gesta.run_item.tenant IS 'Isolation unit, as in gesta.action.';

COMMENT ON COLUMN gesta.run_item.run IS 'The run.';

COMMENT ON COLUMN gesta.run_item.place IS 'Its place in the selection.';

COMMENT ON COLUMN gesta.run_item.object_key IS 'gesta.resource_key() of the object, to find the runs of an object.';

COMMENT ON COLUMN gesta.run_item.object_id IS 'Id of the object.';

COMMENT ON COLUMN gesta.run_item.name IS 'What it was called when it was selected; may be null.';

COMMENT ON COLUMN gesta.run_item.outcome IS 'What became of it: done, skipped, denied, failed.';

COMMENT ON COLUMN gesta.run_item.note IS 'Why, for people, up to 4,096 bytes; null where it was done.';

COMMENT ON COLUMN gesta.run_item.settled_at IS 'When, by the database''s clock.';

CREATE TABLE gesta.run_message (
    tenant text NOT NULL COLLATE pg_catalog."C",
    run uuid NOT NULL,
    number integer NOT NULL,
    level text NOT NULL COLLATE pg_catalog."C",
    content text NOT NULL,
    told_at timestamp with time zone DEFAULT clock_timestamp() NOT NULL,
    CONSTRAINT run_message_content_length CHECK ((octet_length(content) <= 4096)),
    CONSTRAINT run_message_level_known CHECK ((level = ANY (ARRAY['debug'::text, 'info'::text, 'success'::text, 'warning'::text, 'error'::text]))),
    CONSTRAINT run_message_number_range CHECK (((number >= 1) AND (number <= 1000)))
);

ALTER TABLE gesta.run_message OWNER TO gesta_owner;

COMMENT ON TABLE gesta.run_message IS 'One row is one message of a run to whoever asked for it; the first 1,000 of each run. Rows are written once.';

COMMENT ON COLUMN gesta.run_message.tenant IS 'Isolation unit, as in gesta.action.';

COMMENT ON COLUMN gesta.run_message.run IS 'The run.';

COMMENT ON COLUMN gesta.run_message.number IS 'Its number, from 1 on.';

COMMENT ON COLUMN gesta.run_message.level IS 'How much it matters: debug, info, success, warning, error.';

COMMENT ON COLUMN gesta.run_message.content IS 'The text, for people, up to 4,096 bytes.';

COMMENT ON COLUMN gesta.run_message.told_at IS 'When, by the database''s clock.';

CREATE TABLE gesta.secret (
    name text NOT NULL COLLATE pg_catalog."C",
    secret bytea NOT NULL,
    created_at timestamp with time zone DEFAULT statement_timestamp() NOT NULL,
    CONSTRAINT secret_length CHECK ((octet_length(secret) = 32)),
    CONSTRAINT secret_name_length CHECK (((octet_length(name) >= 1) AND (octet_length(name) <= 63)))
);

ALTER TABLE gesta.secret OWNER TO gesta_owner;

COMMENT ON TABLE gesta.secret IS 'One row is one secret that all servers of the database share. A new value makes what was signed with the old one void.';

COMMENT ON COLUMN gesta.secret.name IS 'What it is for: cursor.';

COMMENT ON COLUMN gesta.secret.secret IS '32 random bytes. The owner may replace them.';

COMMENT ON COLUMN gesta.secret.created_at IS 'When it was made, by the database''s clock.';

CREATE TABLE gesta.selected (
    tenant text NOT NULL COLLATE pg_catalog."C",
    selection uuid NOT NULL,
    place integer NOT NULL,
    object_id text NOT NULL COLLATE pg_catalog."C",
    name text,
    version bigint,
    revision integer DEFAULT 0 NOT NULL,
    CONSTRAINT selected_object_id_length CHECK (((octet_length(object_id) >= 1) AND (octet_length(object_id) <= 2048)))
);

ALTER TABLE gesta.selected OWNER TO gesta_owner;

COMMENT ON TABLE gesta.selected IS 'One row is one object of a selection.';

COMMENT ON COLUMN gesta.selected.tenant IS 'Isolation unit, as in gesta.action.';

COMMENT ON COLUMN gesta.selected.selection IS 'The selection.';

COMMENT ON COLUMN gesta.selected.place IS 'Its place in the selection, from 0 on, in the order of the table''s keys: all runs take rows in the same order.';

COMMENT ON COLUMN gesta.selected.object_id IS 'Its id: the text of the row''s key.';

COMMENT ON COLUMN gesta.selected.name IS 'What it was called then, up to 256 characters; may be null.';

COMMENT ON COLUMN gesta.selected.version IS 'hashtextextended() of the row''s text when it was selected or last planned; null where the type has no table, or the row had gone by then. Changed by plans.';

COMMENT ON COLUMN gesta.selected.revision IS 'The selection''s revision that its version is of. Changed by plans.';

CREATE TABLE gesta.selection (
    tenant text NOT NULL COLLATE pg_catalog."C",
    id uuid NOT NULL,
    object_type text NOT NULL COLLATE pg_catalog."C",
    maker_type text NOT NULL COLLATE pg_catalog."C",
    maker_id text NOT NULL COLLATE pg_catalog."C",
    rule jsonb NOT NULL,
    total integer NOT NULL,
    dropped integer NOT NULL,
    revision integer DEFAULT 0 NOT NULL,
    created_at timestamp with time zone DEFAULT statement_timestamp() NOT NULL,
    expires_at timestamp with time zone NOT NULL,
    CONSTRAINT selection_dropped_range CHECK ((dropped >= 0)),
    CONSTRAINT selection_maker_id_length CHECK (((octet_length(maker_id) >= 1) AND (octet_length(maker_id) <= 2048))),
    CONSTRAINT selection_maker_type_shape CHECK ((((octet_length(maker_type) >= 1) AND (octet_length(maker_type) <= 63)) AND (strpos(maker_type, ':'::text) = 0))),
    CONSTRAINT selection_object_type_shape CHECK ((((octet_length(object_type) >= 1) AND (octet_length(object_type) <= 63)) AND (strpos(object_type, ':'::text) = 0))),
    CONSTRAINT selection_tenant_length CHECK (((octet_length(tenant) >= 1) AND (octet_length(tenant) <= 63))),
    CONSTRAINT selection_total_range CHECK (((total >= 1) AND (total <= 1000000)))
);

ALTER TABLE gesta.selection OWNER TO gesta_owner;

COMMENT ON TABLE gesta.selection IS 'One row is one selection of objects, frozen when it was made. Rows go when they have expired and no run is at work on them.';

COMMENT ON COLUMN gesta.selection.tenant IS 'Isolation unit, as in gesta.action.';

COMMENT ON COLUMN gesta.selection.id IS '122 random bits, so that nobody guesses it.';

COMMENT ON COLUMN gesta.selection.object_type IS 'Type of all its objects.';

COMMENT ON COLUMN gesta.selection.maker_type IS 'Type of who made it; nobody else can use it.';

COMMENT ON COLUMN gesta.selection.maker_id IS 'Id of who made it.';

COMMENT ON COLUMN gesta.selection.rule IS 'How it was asked for: {"ids": 12}, {"filter": {…}}, {"query": "…"}, {"retry_of": "…"}.';

COMMENT ON COLUMN gesta.selection.total IS 'How many objects it has, 1 to 1,000,000.';

COMMENT ON COLUMN gesta.selection.dropped IS 'How many ids were given that are none of its objects.';

COMMENT ON COLUMN gesta.selection.revision IS 'How often a plan found that rows are not what they were when it was selected or planned before. Changed by plans.';

COMMENT ON COLUMN gesta.selection.created_at IS 'When it was made, by the database''s clock.';

COMMENT ON COLUMN gesta.selection.expires_at IS 'From when on nothing can be planned or started with it, by the database''s clock.';

CREATE TABLE gesta.visibility (
    tenant text NOT NULL COLLATE pg_catalog."C",
    action_id uuid NOT NULL,
    audience text[] NOT NULL COLLATE pg_catalog."C",
    changed_by uuid NOT NULL,
    CONSTRAINT visibility_audience_length CHECK ((cardinality(audience) <= 32))
);

ALTER TABLE gesta.visibility OWNER TO gesta_owner;

COMMENT ON TABLE gesta.visibility IS 'Audiences that were changed after the fact. It holds only the exceptions, so it stays small.';

COMMENT ON COLUMN gesta.visibility.tenant IS 'Isolation unit, as in gesta.action.';

COMMENT ON COLUMN gesta.visibility.action_id IS 'The action whose audience is different now.';

COMMENT ON COLUMN gesta.visibility.audience IS 'Labels of who may see it now; {} for auditors only. May be changed.';

COMMENT ON COLUMN gesta.visibility.changed_by IS 'Id of the action that records the latest change.';

ALTER TABLE ONLY gesta.action ALTER COLUMN seq SET DEFAULT nextval('gesta.action_seq'::regclass);

ALTER TABLE gesta.action
    ADD CONSTRAINT action_actor_type_characters CHECK ((actor_type ~ '^[A-Za-z0-9_.-]+$'::text)) NOT VALID;

ALTER TABLE gesta.action
    ADD CONSTRAINT action_audience_shape CHECK (((array_ndims(audience) = 1) AND (array_position(audience, NULL::text) IS NULL))) NOT VALID;

ALTER TABLE gesta.action
    ADD CONSTRAINT action_names_shape CHECK (((jsonb_typeof(names) = 'object'::text) AND (jsonb_typeof((names -> 'actor'::text)) = ANY (ARRAY['string'::text, 'null'::text])) AND (jsonb_typeof((names -> 'object'::text)) = ANY (ARRAY['string'::text, 'null'::text])) AND (jsonb_typeof((names -> 'target'::text)) = ANY (ARRAY['string'::text, 'null'::text])))) NOT VALID;

ALTER TABLE gesta.action
    ADD CONSTRAINT action_object_type_characters CHECK ((object_type ~ '^[A-Za-z0-9_.-]+$'::text)) NOT VALID;

ALTER TABLE ONLY gesta.action
    ADD CONSTRAINT action_pkey PRIMARY KEY (tenant, id);

ALTER TABLE gesta.action
    ADD CONSTRAINT action_target_type_characters CHECK ((target_type ~ '^[A-Za-z0-9_.-]+$'::text)) NOT VALID;

ALTER TABLE gesta.action
    ADD CONSTRAINT action_tenant_characters CHECK ((tenant !~ '[\u0001-\u001f\u007f-\u009f]'::text)) NOT VALID;

ALTER TABLE gesta.action
    ADD CONSTRAINT action_time_is_of_id CHECK ((substr(uuid_send(id), 1, 6) = substr(int8send((trunc((EXTRACT(epoch FROM occurred_at) * (1000)::numeric)))::bigint), 3, 6))) NOT VALID;

ALTER TABLE ONLY gesta.follow
    ADD CONSTRAINT follow_pkey PRIMARY KEY (tenant, id);

ALTER TABLE ONLY gesta.key
    ADD CONSTRAINT key_pkey PRIMARY KEY (id);

ALTER TABLE ONLY gesta.migration
    ADD CONSTRAINT migration_pkey PRIMARY KEY (version);

ALTER TABLE ONLY gesta.parked
    ADD CONSTRAINT parked_pkey PRIMARY KEY (tenant, id, stream);

ALTER TABLE ONLY gesta.relay
    ADD CONSTRAINT relay_pkey PRIMARY KEY (stream);

ALTER TABLE ONLY gesta.role_member
    ADD CONSTRAINT role_member_pkey PRIMARY KEY (tenant, role, member_type, member_id);

ALTER TABLE ONLY gesta.role
    ADD CONSTRAINT role_pkey PRIMARY KEY (tenant, name);

ALTER TABLE ONLY gesta.run_archive
    ADD CONSTRAINT run_archive_pkey PRIMARY KEY (tenant, run, part);

ALTER TABLE ONLY gesta.run_item
    ADD CONSTRAINT run_item_pkey PRIMARY KEY (tenant, run, place);

ALTER TABLE ONLY gesta.run_message
    ADD CONSTRAINT run_message_pkey PRIMARY KEY (tenant, run, number);

ALTER TABLE ONLY gesta.run
    ADD CONSTRAINT run_pkey PRIMARY KEY (tenant, id);

ALTER TABLE ONLY gesta.secret
    ADD CONSTRAINT secret_pkey PRIMARY KEY (name);

ALTER TABLE ONLY gesta.selected
    ADD CONSTRAINT selected_pkey PRIMARY KEY (tenant, selection, place);

ALTER TABLE ONLY gesta.selection
    ADD CONSTRAINT selection_pkey PRIMARY KEY (tenant, id);

ALTER TABLE gesta.visibility
    ADD CONSTRAINT visibility_audience_shape CHECK (((array_ndims(audience) = 1) AND (array_position(audience, NULL::text) IS NULL))) NOT VALID;

ALTER TABLE ONLY gesta.visibility
    ADD CONSTRAINT visibility_pkey PRIMARY KEY (tenant, action_id);

CREATE INDEX action_actor_idx ON ONLY gesta.action USING btree (actor_key, id DESC) INCLUDE (tenant);

CREATE INDEX action_actor_type_idx ON ONLY gesta.action USING btree (tenant, actor_type, id);

CREATE INDEX action_log_idx ON ONLY gesta.action USING btree (xid, seq);

CREATE INDEX action_object_idx ON ONLY gesta.action USING btree (object_key, id DESC) INCLUDE (tenant) WHERE (object_key IS NOT NULL);

CREATE INDEX action_object_type_idx ON ONLY gesta.action USING btree (tenant, object_type, id) WHERE (object_type IS NOT NULL);

CREATE INDEX action_run_idx ON ONLY gesta.action USING btree (tenant, run_id, id) WHERE (run_id IS NOT NULL);

CREATE INDEX action_seq_idx ON ONLY gesta.action USING btree (seq);

CREATE INDEX action_target_idx ON ONLY gesta.action USING btree (target_key, id DESC) INCLUDE (tenant) WHERE (target_key IS NOT NULL);

CREATE INDEX action_target_type_idx ON ONLY gesta.action USING btree (tenant, target_type, id) WHERE (target_type IS NOT NULL);

CREATE INDEX claim_xid_idx ON gesta.claim USING btree (xid);

CREATE INDEX follow_followed_idx ON gesta.follow USING btree (tenant, followed_type, followed_id, id);

CREATE INDEX follow_follower_idx ON gesta.follow USING btree (tenant, follower_type, follower_id, id);

CREATE INDEX key_tenant_idx ON gesta.key USING btree (tenant, created_at);

CREATE INDEX note_xid_idx ON gesta.note USING btree (xid);

CREATE INDEX parked_stream_idx ON gesta.parked USING btree (stream, since);

CREATE INDEX role_member_of_idx ON gesta.role_member USING btree (tenant, member_type, member_id, role);

CREATE INDEX run_ended_idx ON gesta.run USING btree (ended_at) WHERE (ended_at IS NOT NULL);

CREATE UNIQUE INDEX run_idempotency_idx ON gesta.run USING btree (tenant, actor_type, actor_id, idempotency_key) WHERE (idempotency_key IS NOT NULL);

CREATE INDEX run_item_object_idx ON gesta.run_item USING btree (object_key, run) INCLUDE (tenant);

CREATE INDEX run_open_idx ON gesta.run USING btree (tenant, id) WHERE (state = ANY (ARRAY['queued'::text, 'running'::text]));

CREATE UNIQUE INDEX run_retry_idx ON gesta.run USING btree (tenant, retry_of) WHERE (retry_of IS NOT NULL);

CREATE INDEX run_selection_idx ON gesta.run USING btree (tenant, selection) WHERE (selection IS NOT NULL);

CREATE UNIQUE INDEX run_token_idx ON gesta.run USING btree (tenant, token_id) WHERE (token_id IS NOT NULL);

CREATE INDEX selection_expiry_idx ON gesta.selection USING btree (expires_at);

CREATE INDEX selection_maker_idx ON gesta.selection USING btree (tenant, maker_type, maker_id, expires_at);

CREATE TRIGGER action_append_only BEFORE DELETE OR UPDATE ON gesta.action FOR EACH ROW EXECUTE FUNCTION gesta.refuse_change();

ALTER TABLE gesta.action ENABLE ALWAYS TRIGGER action_append_only;

CREATE TRIGGER action_no_truncate BEFORE TRUNCATE ON gesta.action FOR EACH STATEMENT EXECUTE FUNCTION gesta.refuse_change();

ALTER TABLE gesta.action ENABLE ALWAYS TRIGGER action_no_truncate;

CREATE CONSTRAINT TRIGGER claim_settled AFTER INSERT ON gesta.claim DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION gesta.settle_claims();

ALTER TABLE gesta.claim ENABLE ALWAYS TRIGGER claim_settled;

ALTER TABLE gesta.action ENABLE ROW LEVEL SECURITY;

CREATE POLICY action_by_capture ON gesta.action FOR INSERT TO gesta_capture WITH CHECK (true);

CREATE POLICY action_for_auditor ON gesta.action FOR SELECT TO gesta_auditor USING (true);

CREATE POLICY action_of_tenant ON gesta.action TO gesta_app USING ((tenant = current_setting('gesta.tenant'::text, true))) WITH CHECK ((tenant = current_setting('gesta.tenant'::text, true)));

ALTER TABLE gesta.follow ENABLE ROW LEVEL SECURITY;

CREATE POLICY follow_for_auditor ON gesta.follow FOR SELECT TO gesta_auditor USING (true);

CREATE POLICY follow_of_tenant ON gesta.follow TO gesta_app USING ((tenant = current_setting('gesta.tenant'::text, true))) WITH CHECK ((tenant = current_setting('gesta.tenant'::text, true)));

ALTER TABLE gesta.key ENABLE ROW LEVEL SECURITY;

CREATE POLICY key_for_auditor ON gesta.key FOR SELECT TO gesta_auditor USING (true);

CREATE POLICY key_made ON gesta.key FOR INSERT TO gesta_app WITH CHECK ((tenant = current_setting('gesta.tenant'::text, true)));

CREATE POLICY key_of_tenant ON gesta.key FOR SELECT TO gesta_app USING ((tenant = current_setting('gesta.tenant'::text, true)));

CREATE POLICY key_revoked ON gesta.key FOR UPDATE TO gesta_app USING (((tenant = current_setting('gesta.tenant'::text, true)) AND (revoked_at IS NULL))) WITH CHECK (((tenant = current_setting('gesta.tenant'::text, true)) AND (revoked_at = statement_timestamp())));

ALTER TABLE gesta.parked ENABLE ROW LEVEL SECURITY;

CREATE POLICY parked_for_auditor ON gesta.parked TO gesta_auditor USING (true) WITH CHECK (true);

ALTER TABLE gesta.role ENABLE ROW LEVEL SECURITY;

CREATE POLICY role_for_auditor ON gesta.role FOR SELECT TO gesta_auditor USING (true);

ALTER TABLE gesta.role_member ENABLE ROW LEVEL SECURITY;

CREATE POLICY role_member_for_auditor ON gesta.role_member FOR SELECT TO gesta_auditor USING (true);

CREATE POLICY role_member_of_tenant ON gesta.role_member TO gesta_app USING ((tenant = current_setting('gesta.tenant'::text, true))) WITH CHECK ((tenant = current_setting('gesta.tenant'::text, true)));

CREATE POLICY role_of_tenant ON gesta.role TO gesta_app USING ((tenant = current_setting('gesta.tenant'::text, true))) WITH CHECK ((tenant = current_setting('gesta.tenant'::text, true)));

ALTER TABLE gesta.run ENABLE ROW LEVEL SECURITY;

ALTER TABLE gesta.run_archive ENABLE ROW LEVEL SECURITY;

CREATE POLICY run_archive_for_auditor ON gesta.run_archive FOR SELECT TO gesta_auditor USING (true);

CREATE POLICY run_archive_of_tenant ON gesta.run_archive FOR SELECT TO gesta_app USING ((tenant = current_setting('gesta.tenant'::text, true)));

CREATE POLICY run_for_auditor ON gesta.run FOR SELECT TO gesta_auditor USING (true);

ALTER TABLE gesta.run_item ENABLE ROW LEVEL SECURITY;

CREATE POLICY run_item_for_auditor ON gesta.run_item FOR SELECT TO gesta_auditor USING (true);

CREATE POLICY run_item_of_tenant ON gesta.run_item TO gesta_app USING ((tenant = current_setting('gesta.tenant'::text, true))) WITH CHECK ((tenant = current_setting('gesta.tenant'::text, true)));

ALTER TABLE gesta.run_message ENABLE ROW LEVEL SECURITY;

CREATE POLICY run_message_for_auditor ON gesta.run_message FOR SELECT TO gesta_auditor USING (true);

CREATE POLICY run_message_of_tenant ON gesta.run_message TO gesta_app USING ((tenant = current_setting('gesta.tenant'::text, true))) WITH CHECK ((tenant = current_setting('gesta.tenant'::text, true)));

CREATE POLICY run_of_tenant ON gesta.run TO gesta_app USING ((tenant = current_setting('gesta.tenant'::text, true))) WITH CHECK ((tenant = current_setting('gesta.tenant'::text, true)));

ALTER TABLE gesta.selected ENABLE ROW LEVEL SECURITY;

CREATE POLICY selected_for_auditor ON gesta.selected FOR SELECT TO gesta_auditor USING (true);

CREATE POLICY selected_of_tenant ON gesta.selected TO gesta_app USING ((tenant = current_setting('gesta.tenant'::text, true))) WITH CHECK ((tenant = current_setting('gesta.tenant'::text, true)));

ALTER TABLE gesta.selection ENABLE ROW LEVEL SECURITY;

CREATE POLICY selection_for_auditor ON gesta.selection FOR SELECT TO gesta_auditor USING (true);

CREATE POLICY selection_of_tenant ON gesta.selection TO gesta_app USING ((tenant = current_setting('gesta.tenant'::text, true))) WITH CHECK ((tenant = current_setting('gesta.tenant'::text, true)));

ALTER TABLE gesta.visibility ENABLE ROW LEVEL SECURITY;

CREATE POLICY visibility_for_auditor ON gesta.visibility FOR SELECT TO gesta_auditor USING (true);

CREATE POLICY visibility_of_tenant ON gesta.visibility TO gesta_app USING ((tenant = current_setting('gesta.tenant'::text, true))) WITH CHECK ((tenant = current_setting('gesta.tenant'::text, true)));

GRANT ALL ON SCHEMA gesta TO gesta_capture;
GRANT USAGE ON SCHEMA gesta TO gesta_app;
GRANT USAGE ON SCHEMA gesta TO gesta_import;
GRANT USAGE ON SCHEMA gesta TO gesta_auditor;
GRANT USAGE ON SCHEMA gesta TO gesta_relay;
GRANT USAGE ON SCHEMA gesta TO gesta_user;

REVOKE ALL ON FUNCTION gesta.act_as(actor_type text, actor_id text, name text, reason text) FROM PUBLIC;
GRANT ALL ON FUNCTION gesta.act_as(actor_type text, actor_id text, name text, reason text) TO gesta_app;

REVOKE ALL ON FUNCTION gesta.archive_runs(age interval, most integer) FROM PUBLIC;
GRANT ALL ON FUNCTION gesta.archive_runs(age interval, most integer) TO gesta_app;

REVOKE ALL ON FUNCTION gesta.capture_fields(relation oid, options jsonb) FROM PUBLIC;
GRANT ALL ON FUNCTION gesta.capture_fields(relation oid, options jsonb) TO gesta_capture;

REVOKE ALL ON FUNCTION gesta.capture_sql(relation oid, op text, options jsonb, stamp text) FROM PUBLIC;
GRANT ALL ON FUNCTION gesta.capture_sql(relation oid, op text, options jsonb, stamp text) TO gesta_capture;

REVOKE ALL ON FUNCTION gesta.claim(relation oid, object_type text, changed bigint) FROM PUBLIC;
GRANT ALL ON FUNCTION gesta.claim(relation oid, object_type text, changed bigint) TO gesta_capture;

REVOKE ALL ON FUNCTION gesta.claim_run(claimer uuid, lease interval) FROM PUBLIC;
GRANT ALL ON FUNCTION gesta.claim_run(claimer uuid, lease interval) TO gesta_app;

REVOKE ALL ON FUNCTION gesta.count_sql(relation oid, options jsonb) FROM PUBLIC;
GRANT ALL ON FUNCTION gesta.count_sql(relation oid, options jsonb) TO gesta_capture;

REVOKE ALL ON FUNCTION gesta.cut_name(name text) FROM PUBLIC;
GRANT ALL ON FUNCTION gesta.cut_name(name text) TO gesta_capture;

REVOKE ALL ON FUNCTION gesta.differs_expression(type oid, "collation" oid, old text, new text) FROM PUBLIC;
GRANT ALL ON FUNCTION gesta.differs_expression(type oid, "collation" oid, old text, new text) TO gesta_capture;

REVOKE ALL ON FUNCTION gesta.drop_selections(most integer) FROM PUBLIC;
GRANT ALL ON FUNCTION gesta.drop_selections(most integer) TO gesta_app;

REVOKE ALL ON FUNCTION gesta.field_modes(relation oid, options jsonb) FROM PUBLIC;
GRANT ALL ON FUNCTION gesta.field_modes(relation oid, options jsonb) TO gesta_capture;

REVOKE ALL ON FUNCTION gesta.guard_partition(partition regclass) FROM PUBLIC;

REVOKE ALL ON FUNCTION gesta.has_deferrable_key(relation oid) FROM PUBLIC;
GRANT ALL ON FUNCTION gesta.has_deferrable_key(relation oid) TO gesta_capture;

REVOKE ALL ON FUNCTION gesta.has_keys() FROM PUBLIC;
GRANT ALL ON FUNCTION gesta.has_keys() TO gesta_app;

REVOKE ALL ON FUNCTION gesta.is_harmless(type oid) FROM PUBLIC;
GRANT ALL ON FUNCTION gesta.is_harmless(type oid) TO gesta_capture;

REVOKE ALL ON FUNCTION gesta.is_own_statement(relation oid, op text) FROM PUBLIC;
GRANT ALL ON FUNCTION gesta.is_own_statement(relation oid, op text) TO gesta_capture;

REVOKE ALL ON FUNCTION gesta.join_expression(parts text[]) FROM PUBLIC;
GRANT ALL ON FUNCTION gesta.join_expression(parts text[]) TO gesta_capture;

REVOKE ALL ON FUNCTION gesta.json_expression(type oid, "column" text) FROM PUBLIC;
GRANT ALL ON FUNCTION gesta.json_expression(type oid, "column" text) TO gesta_capture;

REVOKE ALL ON FUNCTION gesta.key_expression(relation oid, options jsonb, alias text) FROM PUBLIC;
GRANT ALL ON FUNCTION gesta.key_expression(relation oid, options jsonb, alias text) TO gesta_capture;

REVOKE ALL ON FUNCTION gesta.make_partitions(last_year integer) FROM PUBLIC;
GRANT ALL ON FUNCTION gesta.make_partitions(last_year integer) TO gesta_app;
GRANT ALL ON FUNCTION gesta.make_partitions(last_year integer) TO gesta_import;

REVOKE ALL ON FUNCTION gesta.moves_sql(relation oid) FROM PUBLIC;
GRANT ALL ON FUNCTION gesta.moves_sql(relation oid) TO gesta_capture;

REVOKE ALL ON FUNCTION gesta.name_expression(relation oid, options jsonb, alias text, stamp text) FROM PUBLIC;
GRANT ALL ON FUNCTION gesta.name_expression(relation oid, options jsonb, alias text, stamp text) TO gesta_capture;

REVOKE ALL ON FUNCTION gesta.next_partition_year() FROM PUBLIC;

REVOKE ALL ON FUNCTION gesta.note(relation oid, what text) FROM PUBLIC;
GRANT ALL ON FUNCTION gesta.note(relation oid, what text) TO gesta_capture;

REVOKE ALL ON FUNCTION gesta.open_key(key_id text, key_hash bytea) FROM PUBLIC;
GRANT ALL ON FUNCTION gesta.open_key(key_id text, key_hash bytea) TO gesta_app;

REVOKE ALL ON FUNCTION gesta.partition_key(relation oid, alias text) FROM PUBLIC;
GRANT ALL ON FUNCTION gesta.partition_key(relation oid, alias text) TO gesta_capture;

REVOKE ALL ON FUNCTION gesta.print_expression(mode text, type oid, "column" text) FROM PUBLIC;
GRANT ALL ON FUNCTION gesta.print_expression(mode text, type oid, "column" text) TO gesta_capture;

REVOKE ALL ON FUNCTION gesta.read_context(raw text) FROM PUBLIC;
GRANT ALL ON FUNCTION gesta.read_context(raw text) TO gesta_capture;
GRANT ALL ON FUNCTION gesta.read_context(raw text) TO gesta_app;

REVOKE ALL ON FUNCTION gesta.refuse_key(relation oid, key text) FROM PUBLIC;
GRANT ALL ON FUNCTION gesta.refuse_key(relation oid, key text) TO gesta_capture;

GRANT ALL ON FUNCTION gesta.resource_key(tenant text, type text, id text) TO gesta_app;
GRANT ALL ON FUNCTION gesta.resource_key(tenant text, type text, id text) TO gesta_import;
GRANT ALL ON FUNCTION gesta.resource_key(tenant text, type text, id text) TO gesta_auditor;
GRANT ALL ON FUNCTION gesta.resource_key(tenant text, type text, id text) TO gesta_capture;

REVOKE ALL ON FUNCTION gesta.settle_claims() FROM PUBLIC;

REVOKE ALL ON FUNCTION gesta.shape(relation oid) FROM PUBLIC;
GRANT ALL ON FUNCTION gesta.shape(relation oid) TO gesta_capture;

REVOKE ALL ON FUNCTION gesta.stamp(moment timestamp with time zone, is_batch boolean) FROM PUBLIC;
GRANT ALL ON FUNCTION gesta.stamp(moment timestamp with time zone, is_batch boolean) TO gesta_capture;

REVOKE ALL ON FUNCTION gesta.take_notes(relation oid, what text) FROM PUBLIC;
GRANT ALL ON FUNCTION gesta.take_notes(relation oid, what text) TO gesta_capture;

REVOKE ALL ON FUNCTION gesta.text_expression(type oid, "column" text) FROM PUBLIC;
GRANT ALL ON FUNCTION gesta.text_expression(type oid, "column" text) TO gesta_capture;

REVOKE ALL ON FUNCTION gesta.touch_key(key_id text, key_hash bytea) FROM PUBLIC;
GRANT ALL ON FUNCTION gesta.touch_key(key_id text, key_hash bytea) TO gesta_app;

GRANT SELECT ON TABLE gesta.action TO gesta_app;
GRANT SELECT ON TABLE gesta.action TO gesta_import;
GRANT SELECT ON TABLE gesta.action TO gesta_auditor;

GRANT INSERT(tenant) ON TABLE gesta.action TO gesta_app;
GRANT INSERT(tenant) ON TABLE gesta.action TO gesta_import;
GRANT INSERT(tenant) ON TABLE gesta.action TO gesta_capture;

GRANT INSERT(id) ON TABLE gesta.action TO gesta_app;
GRANT INSERT(id) ON TABLE gesta.action TO gesta_import;
GRANT INSERT(id) ON TABLE gesta.action TO gesta_capture;

GRANT INSERT(actor_type) ON TABLE gesta.action TO gesta_app;
GRANT INSERT(actor_type) ON TABLE gesta.action TO gesta_import;
GRANT INSERT(actor_type) ON TABLE gesta.action TO gesta_capture;

GRANT INSERT(actor_id) ON TABLE gesta.action TO gesta_app;
GRANT INSERT(actor_id) ON TABLE gesta.action TO gesta_import;
GRANT INSERT(actor_id) ON TABLE gesta.action TO gesta_capture;

GRANT INSERT(verb) ON TABLE gesta.action TO gesta_app;
GRANT INSERT(verb) ON TABLE gesta.action TO gesta_import;
GRANT INSERT(verb) ON TABLE gesta.action TO gesta_capture;

GRANT INSERT(object_type) ON TABLE gesta.action TO gesta_app;
GRANT INSERT(object_type) ON TABLE gesta.action TO gesta_import;
GRANT INSERT(object_type) ON TABLE gesta.action TO gesta_capture;

GRANT INSERT(object_id) ON TABLE gesta.action TO gesta_app;
GRANT INSERT(object_id) ON TABLE gesta.action TO gesta_import;
GRANT INSERT(object_id) ON TABLE gesta.action TO gesta_capture;

GRANT INSERT(target_type) ON TABLE gesta.action TO gesta_app;
GRANT INSERT(target_type) ON TABLE gesta.action TO gesta_import;

GRANT INSERT(target_id) ON TABLE gesta.action TO gesta_app;
GRANT INSERT(target_id) ON TABLE gesta.action TO gesta_import;

GRANT INSERT(occurred_at) ON TABLE gesta.action TO gesta_app;
GRANT INSERT(occurred_at) ON TABLE gesta.action TO gesta_import;
GRANT INSERT(occurred_at) ON TABLE gesta.action TO gesta_capture;

GRANT INSERT(run_id) ON TABLE gesta.action TO gesta_app;
GRANT INSERT(run_id) ON TABLE gesta.action TO gesta_import;
GRANT INSERT(run_id) ON TABLE gesta.action TO gesta_capture;

GRANT INSERT(source) ON TABLE gesta.action TO gesta_app;
GRANT INSERT(source) ON TABLE gesta.action TO gesta_import;
GRANT INSERT(source) ON TABLE gesta.action TO gesta_capture;

GRANT INSERT(outcome) ON TABLE gesta.action TO gesta_app;
GRANT INSERT(outcome) ON TABLE gesta.action TO gesta_import;

GRANT INSERT(description) ON TABLE gesta.action TO gesta_app;
GRANT INSERT(description) ON TABLE gesta.action TO gesta_import;

GRANT INSERT(changes) ON TABLE gesta.action TO gesta_app;
GRANT INSERT(changes) ON TABLE gesta.action TO gesta_import;
GRANT INSERT(changes) ON TABLE gesta.action TO gesta_capture;

GRANT INSERT(data) ON TABLE gesta.action TO gesta_app;
GRANT INSERT(data) ON TABLE gesta.action TO gesta_import;
GRANT INSERT(data) ON TABLE gesta.action TO gesta_capture;

GRANT INSERT(names) ON TABLE gesta.action TO gesta_app;
GRANT INSERT(names) ON TABLE gesta.action TO gesta_import;
GRANT INSERT(names) ON TABLE gesta.action TO gesta_capture;

GRANT INSERT(context) ON TABLE gesta.action TO gesta_app;
GRANT INSERT(context) ON TABLE gesta.action TO gesta_import;
GRANT INSERT(context) ON TABLE gesta.action TO gesta_capture;

GRANT INSERT(audience) ON TABLE gesta.action TO gesta_app;
GRANT INSERT(audience) ON TABLE gesta.action TO gesta_import;

GRANT SELECT,USAGE ON SEQUENCE gesta.action_seq TO gesta_app;
GRANT SELECT,USAGE ON SEQUENCE gesta.action_seq TO gesta_import;
GRANT SELECT ON SEQUENCE gesta.action_seq TO gesta_auditor;
GRANT SELECT,USAGE ON SEQUENCE gesta.action_seq TO gesta_capture;

GRANT INSERT ON TABLE gesta.claim TO gesta_capture;

GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE gesta.follow TO gesta_app;
GRANT SELECT ON TABLE gesta.follow TO gesta_import;
GRANT SELECT ON TABLE gesta.follow TO gesta_auditor;

GRANT SELECT(id),INSERT(id) ON TABLE gesta.key TO gesta_app;
GRANT SELECT(id) ON TABLE gesta.key TO gesta_auditor;

GRANT SELECT(tenant),INSERT(tenant) ON TABLE gesta.key TO gesta_app;
GRANT SELECT(tenant) ON TABLE gesta.key TO gesta_auditor;

GRANT SELECT(name),INSERT(name) ON TABLE gesta.key TO gesta_app;
GRANT SELECT(name) ON TABLE gesta.key TO gesta_auditor;

GRANT INSERT(hash) ON TABLE gesta.key TO gesta_app;

GRANT SELECT(scopes),INSERT(scopes) ON TABLE gesta.key TO gesta_app;
GRANT SELECT(scopes) ON TABLE gesta.key TO gesta_auditor;

GRANT SELECT(labels),INSERT(labels) ON TABLE gesta.key TO gesta_app;
GRANT SELECT(labels) ON TABLE gesta.key TO gesta_auditor;

GRANT SELECT(actor_type),INSERT(actor_type) ON TABLE gesta.key TO gesta_app;
GRANT SELECT(actor_type) ON TABLE gesta.key TO gesta_auditor;

GRANT SELECT(actor_id),INSERT(actor_id) ON TABLE gesta.key TO gesta_app;
GRANT SELECT(actor_id) ON TABLE gesta.key TO gesta_auditor;

GRANT SELECT(actor_name),INSERT(actor_name) ON TABLE gesta.key TO gesta_app;
GRANT SELECT(actor_name) ON TABLE gesta.key TO gesta_auditor;

GRANT SELECT(is_actor),INSERT(is_actor) ON TABLE gesta.key TO gesta_app;
GRANT SELECT(is_actor) ON TABLE gesta.key TO gesta_auditor;

GRANT SELECT(rate_per_minute),INSERT(rate_per_minute) ON TABLE gesta.key TO gesta_app;
GRANT SELECT(rate_per_minute) ON TABLE gesta.key TO gesta_auditor;

GRANT SELECT(created_at) ON TABLE gesta.key TO gesta_app;
GRANT SELECT(created_at) ON TABLE gesta.key TO gesta_auditor;

GRANT SELECT(created_by),INSERT(created_by) ON TABLE gesta.key TO gesta_app;
GRANT SELECT(created_by) ON TABLE gesta.key TO gesta_auditor;

GRANT SELECT(expires_at),INSERT(expires_at) ON TABLE gesta.key TO gesta_app;
GRANT SELECT(expires_at) ON TABLE gesta.key TO gesta_auditor;

GRANT SELECT(revoked_at),UPDATE(revoked_at) ON TABLE gesta.key TO gesta_app;
GRANT SELECT(revoked_at) ON TABLE gesta.key TO gesta_auditor;

GRANT SELECT(last_used_at) ON TABLE gesta.key TO gesta_app;
GRANT SELECT(last_used_at) ON TABLE gesta.key TO gesta_auditor;

GRANT SELECT ON TABLE gesta.migration TO gesta_app;
GRANT SELECT ON TABLE gesta.migration TO gesta_import;
GRANT SELECT ON TABLE gesta.migration TO gesta_auditor;

GRANT INSERT ON TABLE gesta.note TO gesta_capture;

GRANT SELECT,INSERT,DELETE ON TABLE gesta.parked TO gesta_relay;
GRANT SELECT ON TABLE gesta.parked TO gesta_auditor;

GRANT SELECT,INSERT,UPDATE ON TABLE gesta.relay TO gesta_relay;
GRANT SELECT ON TABLE gesta.relay TO gesta_auditor;

GRANT SELECT,DELETE ON TABLE gesta.role TO gesta_app;
GRANT SELECT ON TABLE gesta.role TO gesta_auditor;

GRANT INSERT(tenant) ON TABLE gesta.role TO gesta_app;

GRANT INSERT(name) ON TABLE gesta.role TO gesta_app;

GRANT INSERT(permissions),UPDATE(permissions) ON TABLE gesta.role TO gesta_app;

GRANT INSERT(about),UPDATE(about) ON TABLE gesta.role TO gesta_app;

GRANT UPDATE(changed_at) ON TABLE gesta.role TO gesta_app;

GRANT INSERT(changed_by),UPDATE(changed_by) ON TABLE gesta.role TO gesta_app;

GRANT SELECT,DELETE ON TABLE gesta.role_member TO gesta_app;
GRANT SELECT ON TABLE gesta.role_member TO gesta_auditor;

GRANT INSERT(tenant) ON TABLE gesta.role_member TO gesta_app;

GRANT INSERT(role) ON TABLE gesta.role_member TO gesta_app;

GRANT INSERT(member_type) ON TABLE gesta.role_member TO gesta_app;

GRANT INSERT(member_id) ON TABLE gesta.role_member TO gesta_app;

GRANT INSERT(added_by) ON TABLE gesta.role_member TO gesta_app;

GRANT SELECT,INSERT ON TABLE gesta.run TO gesta_app;

GRANT SELECT(tenant) ON TABLE gesta.run TO gesta_auditor;

GRANT SELECT(id) ON TABLE gesta.run TO gesta_auditor;

GRANT SELECT(object_type) ON TABLE gesta.run TO gesta_auditor;

GRANT SELECT(name) ON TABLE gesta.run TO gesta_auditor;

GRANT SELECT(label) ON TABLE gesta.run TO gesta_auditor;

GRANT UPDATE(state) ON TABLE gesta.run TO gesta_app;
GRANT SELECT(state) ON TABLE gesta.run TO gesta_auditor;

GRANT SELECT(actor_type) ON TABLE gesta.run TO gesta_auditor;

GRANT SELECT(actor_id) ON TABLE gesta.run TO gesta_auditor;

GRANT SELECT(actor_name) ON TABLE gesta.run TO gesta_auditor;

GRANT SELECT(reason) ON TABLE gesta.run TO gesta_auditor;

GRANT SELECT(context) ON TABLE gesta.run TO gesta_auditor;

GRANT SELECT(permission) ON TABLE gesta.run TO gesta_auditor;

GRANT SELECT(rights) ON TABLE gesta.run TO gesta_auditor;

GRANT SELECT(input) ON TABLE gesta.run TO gesta_auditor;

GRANT UPDATE(secret_input) ON TABLE gesta.run TO gesta_app;

GRANT SELECT(is_background) ON TABLE gesta.run TO gesta_auditor;

GRANT SELECT(is_atomic) ON TABLE gesta.run TO gesta_auditor;

GRANT SELECT(selection) ON TABLE gesta.run TO gesta_auditor;

GRANT SELECT(retry_of) ON TABLE gesta.run TO gesta_auditor;

GRANT SELECT(total) ON TABLE gesta.run TO gesta_auditor;

GRANT UPDATE(done) ON TABLE gesta.run TO gesta_app;
GRANT SELECT(done) ON TABLE gesta.run TO gesta_auditor;

GRANT UPDATE(skipped) ON TABLE gesta.run TO gesta_app;
GRANT SELECT(skipped) ON TABLE gesta.run TO gesta_auditor;

GRANT UPDATE(denied) ON TABLE gesta.run TO gesta_app;
GRANT SELECT(denied) ON TABLE gesta.run TO gesta_auditor;

GRANT UPDATE(failed) ON TABLE gesta.run TO gesta_app;
GRANT SELECT(failed) ON TABLE gesta.run TO gesta_auditor;

GRANT UPDATE(messages) ON TABLE gesta.run TO gesta_app;
GRANT SELECT(messages) ON TABLE gesta.run TO gesta_auditor;

GRANT SELECT(idempotency_key) ON TABLE gesta.run TO gesta_auditor;

GRANT SELECT(request_hash) ON TABLE gesta.run TO gesta_auditor;

GRANT SELECT(token_id) ON TABLE gesta.run TO gesta_auditor;

GRANT UPDATE(holder) ON TABLE gesta.run TO gesta_app;
GRANT SELECT(holder) ON TABLE gesta.run TO gesta_auditor;

GRANT UPDATE(held_until) ON TABLE gesta.run TO gesta_app;
GRANT SELECT(held_until) ON TABLE gesta.run TO gesta_auditor;

GRANT UPDATE(attempts) ON TABLE gesta.run TO gesta_app;
GRANT SELECT(attempts) ON TABLE gesta.run TO gesta_auditor;

GRANT SELECT(created_at) ON TABLE gesta.run TO gesta_auditor;

GRANT UPDATE(started_at) ON TABLE gesta.run TO gesta_app;
GRANT SELECT(started_at) ON TABLE gesta.run TO gesta_auditor;

GRANT UPDATE(ended_at) ON TABLE gesta.run TO gesta_app;
GRANT SELECT(ended_at) ON TABLE gesta.run TO gesta_auditor;

GRANT UPDATE(cancelled_by) ON TABLE gesta.run TO gesta_app;
GRANT SELECT(cancelled_by) ON TABLE gesta.run TO gesta_auditor;

GRANT UPDATE(error) ON TABLE gesta.run TO gesta_app;
GRANT SELECT(error) ON TABLE gesta.run TO gesta_auditor;

GRANT UPDATE(waiting) ON TABLE gesta.run TO gesta_app;
GRANT SELECT(waiting) ON TABLE gesta.run TO gesta_auditor;

GRANT SELECT ON TABLE gesta.run_archive TO gesta_app;
GRANT SELECT ON TABLE gesta.run_archive TO gesta_auditor;

GRANT SELECT,INSERT ON TABLE gesta.run_item TO gesta_app;
GRANT SELECT ON TABLE gesta.run_item TO gesta_auditor;

GRANT SELECT,INSERT ON TABLE gesta.run_message TO gesta_app;
GRANT SELECT ON TABLE gesta.run_message TO gesta_auditor;

GRANT SELECT ON TABLE gesta.secret TO gesta_app;

GRANT SELECT,INSERT ON TABLE gesta.selected TO gesta_app;
GRANT SELECT ON TABLE gesta.selected TO gesta_auditor;

GRANT UPDATE(version) ON TABLE gesta.selected TO gesta_app;

GRANT UPDATE(revision) ON TABLE gesta.selected TO gesta_app;

GRANT SELECT,INSERT ON TABLE gesta.selection TO gesta_app;
GRANT SELECT ON TABLE gesta.selection TO gesta_auditor;

GRANT UPDATE(revision) ON TABLE gesta.selection TO gesta_app;

GRANT SELECT,INSERT,UPDATE ON TABLE gesta.visibility TO gesta_app;
GRANT SELECT ON TABLE gesta.visibility TO gesta_import;
GRANT SELECT ON TABLE gesta.visibility TO gesta_auditor;

