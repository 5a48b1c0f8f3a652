-- What is stored can be read: the log takes no row that the library would not understand, whoever inserts it. Rows are never
-- changed or deleted, so a single one would stop every reader that comes to it, for ever.
-- Locks: ACCESS EXCLUSIVE on gesta.action, its partitions and gesta.visibility, for a moment: no row is read, because rows that
-- are there are not checked (NOT VALID). It waits for transactions that use them, and others wait behind it.
--
-- New partitions have the constraints as well. A row of the last partition that was stored before and breaks one cannot move to
-- a partition that is made for its year: gesta.make_partitions() fails then, and names the constraint.

-- What src/resource.rs and src/stream/row.rs demand, and no more: char::is_control of tenants, ASCII in types, texts as names. A
-- null is no violation, so parts that are missing need no words.
ALTER TABLE gesta.action
    ADD CONSTRAINT action_tenant_characters CHECK (tenant !~ '[\u0001-\u001f\u007f-\u009f]') NOT VALID,
    ADD CONSTRAINT action_actor_type_characters CHECK (actor_type ~ '^[A-Za-z0-9_.-]+$') NOT VALID,
    ADD CONSTRAINT action_object_type_characters CHECK (object_type ~ '^[A-Za-z0-9_.-]+$') NOT VALID,
    ADD CONSTRAINT action_target_type_characters CHECK (target_type ~ '^[A-Za-z0-9_.-]+$') NOT VALID,
    ADD CONSTRAINT action_names_shape CHECK (jsonb_typeof(names) = 'object'
        AND jsonb_typeof(names -> 'actor') IN ('string', 'null')
        AND jsonb_typeof(names -> 'object') IN ('string', 'null')
        AND jsonb_typeof(names -> 'target') IN ('string', 'null')) NOT VALID,
    ADD CONSTRAINT action_audience_shape CHECK (array_ndims(audience) = 1 AND array_position(audience, NULL) IS NULL) NOT VALID,
    -- Time is searched by id. To the millisecond, since a writer may give a UUIDv7 of its own, which need not hold more. No
    -- time zone has a say in this, although extract() is no immutable function.
    ADD CONSTRAINT action_time_is_of_id CHECK (substr(uuid_send(id), 1, 6)
        = substr(int8send(trunc(extract(epoch FROM occurred_at) * 1000)::bigint), 3, 6)) NOT VALID;

-- It stands in for the action's own.
ALTER TABLE gesta.visibility
    ADD CONSTRAINT visibility_audience_shape CHECK (array_ndims(audience) = 1 AND array_position(audience, NULL) IS NULL) NOT VALID;

COMMENT ON COLUMN gesta.action.tenant IS 'Isolation unit; `default` where there is one. 1 to 63 bytes without control characters. Set by the writer.';
COMMENT ON COLUMN gesta.action.id IS 'UUIDv7 (RFC 9562) whose time is occurred_at: to the millisecond, and to the microsecond in rand_a unless the writer gave another id. Made by the writer: the idempotency key and the order of every stream.';
COMMENT ON COLUMN gesta.action.names IS '{actor, object, target}: what they were called then, each a text. Set by the writer.';
COMMENT ON COLUMN gesta.action.audience IS 'Labels of who may see it, in one dimension, none of them null; {public} for everybody, {} for auditors only. A later change stands in gesta.visibility.';

-- The tenant comes from a setting that anybody can make, and goes into the log as it is.
CREATE OR REPLACE FUNCTION gesta.stamp(moment timestamptz, is_batch boolean) RETURNS gesta.stamp
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
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
