-- Capture: what the triggers of tracked tables share. `gesta track` writes a trigger function for each table (src/track).
-- Locks: none on a big table; everything here is new.
--
-- Nothing of the table's owner runs here, neither casts nor operators nor policies of theirs: these functions may append
-- to the log, and the owner of a table may not.

CREATE TYPE gesta.stamp AS (
    tenant      text,
    actor_type  text,
    actor_id    text,
    names       jsonb,
    run_id      uuid,
    own_run_id  uuid,
    context     jsonb,
    occurred_at timestamptz,
    id_prefix   text,
    id_base     bigint
);
COMMENT ON TYPE gesta.stamp IS 'What all actions of one statement have in common: who, in which run, when, and where their ids begin.';

-- The context comes from transaction-local settings, which are safe behind a transaction pooler:
--   gesta.context  {"actor": {"type": "user", "id": "42", "name": "Alice"}, "run_id": "…", "context": {"reason": "…"}}
--   gesta.tenant   the tenant; `default` without it
-- Without a context the actor is the role that logged in. What cannot be understood is refused: nothing is recorded as
-- somebody else.
CREATE FUNCTION gesta.read_context(raw text) RETURNS jsonb
LANGUAGE plpgsql IMMUTABLE SET search_path = pg_catalog, pg_temp AS $$
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
$$;
COMMENT ON FUNCTION gesta.read_context(text) IS 'Checks the setting gesta.context.';

CREATE FUNCTION gesta.cut_name(name text) RETURNS text
LANGUAGE sql IMMUTABLE STRICT SET search_path = pg_catalog, pg_temp AS $$
    SELECT left(name, max(n)) FROM generate_series(256, 1024) AS n WHERE octet_length(left(name, n)) <= 1024
$$;
COMMENT ON FUNCTION gesta.cut_name(text) IS 'Cuts a name at 1,024 bytes, between two characters.';

-- Ids are UUIDv7 as the library makes them (src/action/id.rs): milliseconds, then in rand_a the rest of the microsecond in
-- 4,096ths (RFC 9562, section 6.2, method 3). rand_b begins at random, 61 bits of it, and counts inside the statement
-- (method 2), so that the ids of one statement rise in the order of its rows.
CREATE FUNCTION gesta.stamp(moment timestamptz, is_batch boolean) RETURNS gesta.stamp
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    s      gesta.stamp;
    given  jsonb;
    micros bigint := (extract(epoch FROM moment) * 1000000)::bigint;
    random text := replace(gen_random_uuid()::text, '-', '');
    digest text;
BEGIN
    s.tenant := coalesce(nullif(current_setting('gesta.tenant', true), ''), 'default');
    s.occurred_at := moment;
    s.id_prefix := lpad(to_hex(micros / 1000), 12, '0') || to_hex(28672 + (micros % 1000 * 4096 + 999) / 1000);
    s.id_base := (('x' || substr(random, 17))::bit(64)::bigint & 2305843009213693951) | (-9223372036854775807 - 1);
    -- Whatever one statement of the client sets off is one run: cascades, partitions, both halves of ON CONFLICT. UUIDv8.
    digest := encode(sha256(convert_to(concat_ws(' ', pg_current_xact_id(), pg_backend_pid(), statement_timestamp()), 'UTF8')), 'hex');
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
COMMENT ON FUNCTION gesta.stamp(timestamptz, boolean) IS 'Who changes something in this transaction, and where the ids of the actions begin that tell of it.';

CREATE FUNCTION gesta.act_as(actor_type text, actor_id text, name text DEFAULT NULL, reason text DEFAULT NULL) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    given text := jsonb_build_object(
        'actor', jsonb_build_object('type', actor_type, 'id', actor_id, 'name', name),
        'context', CASE WHEN reason IS NULL THEN '{}' ELSE jsonb_build_object('reason', reason) END);
BEGIN
    PERFORM gesta.read_context(given);
    PERFORM set_config('gesta.context', given, true);
END
$$;
COMMENT ON FUNCTION gesta.act_as(text, text, text, text) IS 'Says who changes tracked tables until the end of this transaction, and why: BEGIN; SELECT gesta.act_as(''user'', ''42'', ''Alice'', ''ticket 7''); UPDATE …; COMMIT. The role that logged in is recorded besides.';

-- What a statement of the session has changed, until the session has recorded it. Whoever says that a statement is the
-- session's own (setting gesta.recorded) has to append the actions in the same transaction, or it does not commit.
CREATE UNLOGGED TABLE gesta.claim (
    xid         xid8 NOT NULL DEFAULT pg_current_xact_id(),
    relation    oid NOT NULL,
    object_type text COLLATE "C" NOT NULL,
    changed     bigint NOT NULL,
    after_seq   bigint NOT NULL
);
CREATE INDEX claim_xid_idx ON gesta.claim (xid);
COMMENT ON TABLE gesta.claim IS 'Rows that a transaction has changed and says to record itself. Empty but for open transactions.';
COMMENT ON COLUMN gesta.claim.xid IS 'The transaction.';
COMMENT ON COLUMN gesta.claim.relation IS 'The tracked table, for the error message.';
COMMENT ON COLUMN gesta.claim.object_type IS 'Type of the objects.';
COMMENT ON COLUMN gesta.claim.changed IS 'How many rows a statement changed; negative for those that a trigger has recorded after all.';
COMMENT ON COLUMN gesta.claim.after_seq IS 'The actions that tell of it come after this place of the log.';

-- Runs at COMMIT, or when somebody says SET CONSTRAINTS … IMMEDIATE. Actions count that came after the first statement that
-- is still open: those that a check has counted already cannot be shown twice.
CREATE FUNCTION gesta.settle_claims() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp SET enable_seqscan = off AS $$
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
                      HINT = 'The setting gesta.recorded is for the session of Gesta alone. If it was the session: does its model '
                          || 'leave out fields that `gesta track` records, or does the table have a new foreign key to itself?';
        END IF;
    END LOOP;
    RETURN NULL;
END
$$;
COMMENT ON FUNCTION gesta.settle_claims() IS 'Refuses to commit changes that the transaction claimed to record and did not.';

CREATE CONSTRAINT TRIGGER claim_settled AFTER INSERT ON gesta.claim
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION gesta.settle_claims();
ALTER TABLE gesta.claim ENABLE ALWAYS TRIGGER claim_settled;

-- Whether a statement that fired a trigger directly is the session's own. The triggers of a cascade of foreign keys fire at
-- the depth of the statement that set it off; where that comes back to a table, its trigger fires a second time in the same
-- statement of the client, and this time it is not the session's.
CREATE FUNCTION gesta.is_own_statement(relation oid, op text) RETURNS boolean
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
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
COMMENT ON FUNCTION gesta.is_own_statement(oid, text) IS 'Whether the session records what this statement changes in a table.';

CREATE FUNCTION gesta.claim(relation oid, object_type text, changed bigint) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    IF changed <> 0 THEN
        -- Somebody may have made all constraints immediate; the session's actions come only after its statement.
        SET CONSTRAINTS gesta.claim_settled DEFERRED;
        INSERT INTO gesta.claim (relation, object_type, changed, after_seq)
        SELECT $1, $2, $3, CASE WHEN s.is_called THEN s.last_value ELSE 0 END FROM gesta.action_seq AS s;
    END IF;
END
$$;
COMMENT ON FUNCTION gesta.claim(oid, text, bigint) IS 'Notes that the transaction has to record so many changed rows before it commits.';

CREATE FUNCTION gesta.refuse_key(relation oid, key text) RETURNS text
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    RAISE EXCEPTION 'a row of % cannot be recorded: its key makes an id of % bytes', relation::regclass, coalesce(octet_length(key), 0)
        USING ERRCODE = 'check_violation', HINT = 'Ids of 1 to 2048 bytes are allowed. Track the table by another key.';
END
$$;
COMMENT ON FUNCTION gesta.refuse_key(oid, text) IS 'Refuses a row whose key is empty or too long for an id.';

-- The shape of a table: what a generated function has been written for.
CREATE FUNCTION gesta.shape(relation oid) RETURNS text
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
    SELECT string_agg(quote_ident(a.attname) || ' ' || format_type(a.atttypid, NULL) || CASE a.attgenerated WHEN 'v' THEN ' virtual' ELSE '' END,
                      ',' ORDER BY a.attname)
    FROM pg_attribute AS a
    WHERE a.attrelid = relation AND a.attnum > 0 AND NOT a.attisdropped
$$;
COMMENT ON FUNCTION gesta.shape(oid) IS 'Names and types of a table''s columns, in the order of their names.';

-- How a value of a column becomes JSON, as an expression of `column`, which is qualified and quoted. As to_json() prints it;
-- but the type of somebody who is no superuser may come with a cast to json, which is a function of theirs and must not run
-- here: such a value is recorded as its text.
CREATE FUNCTION gesta.json_expression(type oid, "column" text) RETURNS text
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
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
$$;
COMMENT ON FUNCTION gesta.json_expression(oid, text) IS 'The expression that makes JSON of a column''s value.';

CREATE FUNCTION gesta.is_harmless(type oid) RETURNS boolean
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
    SELECT t.oid < 16384 AND t.typtype <> 'd' OR r.rolsuper AND t.typtype = 'b'
    FROM pg_type AS t JOIN pg_roles AS r ON r.oid = t.typowner
    WHERE t.oid = type
$$;
COMMENT ON FUNCTION gesta.is_harmless(oid) IS 'Whether values of a type become JSON without a function of somebody who is no superuser.';

-- Whether a value has changed. Where equal does not mean the same (1.0 and 1.00, `a` and `A` of citext, 30 days and a month),
-- or nothing is equal (point, xml), the stored bytes are compared.
CREATE FUNCTION gesta.differs_expression(type oid, "collation" oid, old text, new text) RETURNS text
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    base oid := type;
BEGIN
    WHILE (SELECT t.typtype = 'd' FROM pg_type AS t WHERE t.oid = base) LOOP
        base := (SELECT t.typbasetype FROM pg_type AS t WHERE t.oid = base);
    END LOOP;
    IF base = 'jsonb'::regtype THEN
        RETURN format('nullif(%s, ''null'') IS DISTINCT FROM nullif(%s, ''null'')', old, new);
    END IF;
    IF base IN ('bool'::regtype, 'int2'::regtype, 'int4'::regtype, 'int8'::regtype, 'oid'::regtype, 'uuid'::regtype, 'date'::regtype,
                'timestamp'::regtype, 'timestamptz'::regtype, 'bytea'::regtype)
        OR base IN ('text'::regtype, 'varchar'::regtype)
        AND (SELECT c.collisdeterministic FROM pg_collation AS c WHERE c.oid = "collation") THEN
        RETURN format('%s IS DISTINCT FROM %s', old, new);
    END IF;
    RETURN format('record_image_ne(ROW(%s), ROW(%s))', old, new);
END
$$;
COMMENT ON FUNCTION gesta.differs_expression(oid, oid, text, text) IS 'The expression that tells whether a column''s value has changed.';

CREATE FUNCTION gesta.print_expression(mode text, type oid, "column" text) RETURNS text
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
    SELECT CASE
        WHEN mode = 'plain' THEN gesta.json_expression(type, "column") || '::text'
        WHEN mode = 'hash' THEN format('''"sha256:'' || encode(sha256(convert_to(to_jsonb(%s)::text, ''UTF8'')), ''hex'') || ''"''',
                                       gesta.json_expression(type, "column"))
        -- Not made JSON of: what cannot be would be quoted by the error.
        WHEN type IN ('json'::regtype, 'jsonb'::regtype)
            THEN format('CASE WHEN btrim(%1$s::text, E'' \t\n\r'') <> ''null'' THEN ''"***"'' END', "column")
        ELSE format('CASE WHEN %s IS DISTINCT FROM NULL THEN ''"***"'' END', "column")
    END
$$;
COMMENT ON FUNCTION gesta.print_expression(text, oid, text) IS 'The expression that makes the recorded text of a column''s value; null for a null.';

-- One row a recorded field of a table, with the expressions that compare it and print it; `o` is the old row, `n` the new.
-- A field that is masked or hashed keeps that by its name. Where the name of such a field, or of one that is left out, has
-- gone, it may have been renamed: then every column that is new since is masked, until somebody tracks the table again.
CREATE FUNCTION gesta.capture_fields(relation oid, options jsonb)
    RETURNS TABLE (differs text, updated text, created text, deleted text)
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
    WITH field AS (
        SELECT a.attnum, a.attname, a.atttypid, a.attcollation, quote_ident(a.attname) AS name,
            quote_literal(to_json(a.attname::text)::text || ':[') AS opening,
            CASE
                WHEN options->'mask' ? a.attname THEN 'mask'
                WHEN options->'hash' ? a.attname THEN 'hash'
                WHEN NOT options->'columns' ? a.attname AND EXISTS (
                    SELECT FROM jsonb_array_elements_text(options->'mask' || (options->'hash') || (options->'exclude')) AS gone (name)
                    WHERE NOT EXISTS (
                        SELECT FROM pg_attribute AS b
                        WHERE b.attrelid = relation AND b.attname = gone.name AND b.attnum > 0 AND NOT b.attisdropped
                    )
                ) THEN 'mask'
                ELSE 'plain'
            END AS mode
        FROM pg_attribute AS a
        WHERE a.attrelid = relation AND a.attnum > 0 AND NOT a.attisdropped AND a.attgenerated <> 'v'
            AND NOT options->'exclude' ? a.attname
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
COMMENT ON FUNCTION gesta.capture_fields(oid, jsonb) IS 'The recorded fields of a table, as expressions.';

CREATE FUNCTION gesta.text_expression(type oid, "column" text) RETURNS text
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
    SELECT CASE
        WHEN type IN ('int2'::regtype, 'int4'::regtype, 'int8'::regtype, 'uuid'::regtype, 'text'::regtype, 'varchar'::regtype)
            THEN "column" || '::text'
        ELSE format('(to_jsonb(%s) #>> ''{}'')', gesta.json_expression(type, "column"))
    END
$$;
COMMENT ON FUNCTION gesta.text_expression(oid, text) IS 'The expression that makes text of a column''s value: as JSON prints it, without quotation marks.';

-- The id of a row: a key of one column as its text, of several as a JSON array. Where the key was the primary key and its
-- columns have other names now, it is the primary key still.
CREATE FUNCTION gesta.key_expression(relation oid, options jsonb, alias text) RETURNS text
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
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
COMMENT ON FUNCTION gesta.key_expression(oid, jsonb, text) IS 'The expression that makes an object''s id of a row.';

CREATE FUNCTION gesta.name_expression(relation oid, options jsonb, alias text, stamp text) RETURNS text
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
    SELECT coalesce((
        SELECT format('CASE WHEN %1$s IS DISTINCT FROM NULL THEN coalesce(%2$s.names, ''{}'') || jsonb_build_object(''object'', '
                      || 'CASE WHEN octet_length(%3$s) > 1024 THEN gesta.cut_name(%3$s) ELSE %3$s END) ELSE %2$s.names END',
                      format('%s.%I', alias, a.attname), stamp,
                      gesta.text_expression(a.atttypid, format('%s.%I', alias, a.attname)))
        FROM pg_attribute AS a
        WHERE a.attrelid = relation AND a.attname = options->>'name' AND a.attnum > 0 AND NOT a.attisdropped
    ), stamp || '.names')
$$;
COMMENT ON FUNCTION gesta.name_expression(oid, jsonb, text, text) IS 'The expression that makes the names of an action of a row.';

CREATE FUNCTION gesta.join_expression(parts text[]) RETURNS text
LANGUAGE sql IMMUTABLE SET search_path = pg_catalog, pg_temp AS $$
    -- A function takes 100 arguments, a table has up to 1,600 columns.
    SELECT CASE
        WHEN count(*) > 1 THEN format('concat_ws('','', %s)', string_agg(format('nullif(%s, '''')', chunk.joined), ', ' ORDER BY chunk.number))
        ELSE coalesce(min(chunk.joined), '''''')
    END
    FROM (
        SELECT (p.n - 1) / 90 AS number, format(E'concat_ws('','',\n            %s)', string_agg(p.part, E',\n            ' ORDER BY p.n)) AS joined
        FROM unnest(parts) WITH ORDINALITY AS p (part, n)
        GROUP BY (p.n - 1) / 90
    ) AS chunk
$$;
COMMENT ON FUNCTION gesta.join_expression(text[]) IS 'The expression that joins the recorded fields of a row.';

-- The statement that records what a statement changed. `stamp` is how it refers to the stamp: a variable, or a parameter of a
-- statement that is made at run time, as where the shape of the table is another than the one tracked. `op` with ` ROW` is for
-- one row, the parameters after the stamp.
--
-- The rows of an UPDATE are paired by their order, which is the same in both transition tables; by key they could not be,
-- since the key may change, and a row may be changed twice in one statement, by a cascade to its own table.
CREATE FUNCTION gesta.capture_sql(relation oid, op text, options jsonb, stamp text) RETURNS text
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    fields   record;
    place    text := 'place';
    old_rows text := CASE WHEN op = 'TRUNCATE' THEN 'ONLY ' || relation::regclass WHEN op LIKE '% ROW' THEN '(SELECT ($2).*)' ELSE 'old_rows' END;
    new_rows text := CASE WHEN op LIKE '% ROW' THEN '(SELECT ($3).*)' ELSE 'new_rows' END;
    old_key  text := gesta.key_expression(relation, options, 'o');
    new_key  text := gesta.key_expression(relation, options, 'n');
    old_name text := gesta.name_expression(relation, options, 'o', stamp);
    new_name text := gesta.name_expression(relation, options, 'n', stamp);
    rows     text;
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
        SELECT p.verb, p.place * 2 + (p.verb = 'create')::integer AS place,
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
            fields.updated, fields.deleted, fields.created, old_rows, new_rows);
    END IF;
    RETURN format($f$INSERT INTO gesta.action (tenant, id, actor_type, actor_id, verb, object_type, object_id, occurred_at, run_id,
        source, changes, data, names, context)
    SELECT %1$s.tenant, (%1$s.id_prefix || to_hex(%1$s.id_base + r.place))::uuid, %1$s.actor_type, %1$s.actor_id, r.verb, %2$L,
        CASE WHEN octet_length(r.object_id) BETWEEN 1 AND 2048 THEN r.object_id ELSE gesta.refuse_key(%3$s, r.object_id) END,
        %1$s.occurred_at, CASE WHEN r.is_moved THEN coalesce(%1$s.run_id, %1$s.own_run_id) ELSE %1$s.run_id END, 'trigger',
        ('{' || r.changes || '}')::jsonb, r.data, r.names, %1$s.context
    FROM (%4$s
    ) AS r$f$, stamp, options->>'type', CASE WHEN stamp = '($1)' THEN relation::text ELSE 'TG_RELID' END, rows);
END
$$;
COMMENT ON FUNCTION gesta.capture_sql(oid, text, jsonb, text) IS 'The statement that records what an INSERT, UPDATE, DELETE or TRUNCATE of a table changed.';

-- How many rows an UPDATE has really changed, for the claim.
CREATE FUNCTION gesta.count_sql(relation oid, options jsonb) RETURNS text
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    place text := 'place';
BEGIN
    WHILE EXISTS (SELECT FROM pg_attribute AS a WHERE a.attrelid = relation AND a.attname = place) LOOP
        place := place || '_';
    END LOOP;
    RETURN format($f$SELECT count(*)
    FROM (SELECT row_number() OVER () AS %1$I, t.* FROM old_rows AS t) AS o
    JOIN (SELECT row_number() OVER () AS %1$I, t.* FROM new_rows AS t) AS n ON n.%1$I = o.%1$I
    WHERE %2$s$f$, place, coalesce((SELECT string_agg(f.differs, E'\n        OR ') FROM gesta.capture_fields(relation, options) AS f), 'false'));
END
$$;
COMMENT ON FUNCTION gesta.count_sql(oid, jsonb) IS 'The statement that counts the rows which an UPDATE has changed in a recorded field.';

GRANT INSERT (tenant, id, actor_type, actor_id, verb, object_type, object_id, occurred_at, run_id, source, changes, data, names, context)
    ON gesta.action TO gesta_capture;
GRANT USAGE, SELECT ON SEQUENCE gesta.action_seq TO gesta_capture;
GRANT INSERT ON gesta.claim TO gesta_capture;
CREATE POLICY action_by_capture ON gesta.action FOR INSERT TO gesta_capture WITH CHECK (true);

REVOKE ALL ON FUNCTION gesta.read_context(text), gesta.cut_name(text), gesta.stamp(timestamptz, boolean),
    gesta.act_as(text, text, text, text), gesta.settle_claims(), gesta.is_own_statement(oid, text), gesta.claim(oid, text, bigint),
    gesta.refuse_key(oid, text), gesta.shape(oid), gesta.json_expression(oid, text), gesta.is_harmless(oid),
    gesta.differs_expression(oid, oid, text, text), gesta.capture_fields(oid, jsonb), gesta.print_expression(text, oid, text),
    gesta.text_expression(oid, text), gesta.join_expression(text[]), gesta.key_expression(oid, jsonb, text), gesta.name_expression(oid, jsonb, text, text), gesta.capture_sql(oid, text, jsonb, text),
    gesta.count_sql(oid, jsonb) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION gesta.read_context(text), gesta.cut_name(text), gesta.stamp(timestamptz, boolean),
    gesta.is_own_statement(oid, text), gesta.claim(oid, text, bigint), gesta.refuse_key(oid, text), gesta.shape(oid),
    gesta.json_expression(oid, text), gesta.is_harmless(oid), gesta.differs_expression(oid, oid, text, text),
    gesta.capture_fields(oid, jsonb), gesta.print_expression(text, oid, text), gesta.text_expression(oid, text), gesta.join_expression(text[]), gesta.key_expression(oid, jsonb, text),
    gesta.name_expression(oid, jsonb, text, text), gesta.capture_sql(oid, text, jsonb, text), gesta.count_sql(oid, jsonb)
    TO gesta_capture;
GRANT EXECUTE ON FUNCTION gesta.read_context(text), gesta.act_as(text, text, text, text) TO gesta_app;
