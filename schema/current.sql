-- What the migrations make, without partitions. Written by a test: tests/it/schema.rs

CREATE SCHEMA gesta;

ALTER SCHEMA gesta OWNER TO gesta_owner;

COMMENT ON SCHEMA gesta IS 'Activity streams and audit events: who did what, to which object, when and why.';

CREATE FUNCTION gesta.guard_partition(partition regclass) RETURNS void
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog'
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

CREATE FUNCTION gesta.id_floor(moment timestamp with time zone) RETURNS uuid
    LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
    SET search_path TO 'pg_catalog'
    AS $$
    SELECT (lpad(to_hex((extract(epoch FROM moment) * 1000)::bigint), 12, '0') || '70008000000000000000')::uuid
$$;

ALTER FUNCTION gesta.id_floor(moment timestamp with time zone) OWNER TO gesta_owner;

COMMENT ON FUNCTION gesta.id_floor(moment timestamp with time zone) IS 'The least UUIDv7 of the millisecond of a moment.';

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

CREATE FUNCTION gesta.next_partition_year() RETURNS integer
    LANGUAGE sql
    SET search_path TO 'pg_catalog'
    AS $_$
    SELECT max(substr(c.relname, 9)::integer) + 1
    FROM pg_inherits AS i JOIN pg_class AS c ON c.oid = i.inhrelid
    WHERE i.inhparent = 'gesta.action'::regclass AND c.relname ~ '^action_y[0-9]{4}$'
$_$;

ALTER FUNCTION gesta.next_partition_year() OWNER TO gesta_owner;

COMMENT ON FUNCTION gesta.next_partition_year() IS 'The first year after all that have a partition; null where none has one.';

CREATE FUNCTION gesta.refuse_change() RETURNS trigger
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog'
    AS $$
BEGIN
    RAISE EXCEPTION '% of %.% is refused: actions are never changed or deleted', TG_OP, TG_TABLE_SCHEMA, TG_TABLE_NAME
        USING ERRCODE = 'integrity_constraint_violation',
              HINT = 'Append another action that says what is different now.';
END
$$;

ALTER FUNCTION gesta.refuse_change() OWNER TO gesta_owner;

COMMENT ON FUNCTION gesta.refuse_change() IS 'Keeps gesta.action append-only.';

CREATE FUNCTION gesta.resource_key(tenant text, type text, id text) RETURNS bigint
    LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
    RETURN hashtextextended(id, hashtextextended(type, hashtextextended(tenant, (0)::bigint)));

ALTER FUNCTION gesta.resource_key(tenant text, type text, id text) OWNER TO gesta_owner;

COMMENT ON FUNCTION gesta.resource_key(tenant text, type text, id text) IS 'Hash of a tenant''s resource, the same for all rows of its stream. Others may have the same: compare type and id as well.';

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

COMMENT ON COLUMN gesta.action.tenant IS 'Isolation unit; `default` where there is one. 1 to 63 bytes. Set by the writer.';

COMMENT ON COLUMN gesta.action.id IS 'UUIDv7 (RFC 9562) whose time is occurred_at, to the microsecond in rand_a. Made by the writer: the idempotency key and the order of every stream.';

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

COMMENT ON COLUMN gesta.action.names IS '{actor, object, target}: what they were called then. Set by the writer.';

COMMENT ON COLUMN gesta.action.context IS 'Request id, IP, user agent, trace, on behalf of, reason, source id. Set by the writer.';

COMMENT ON COLUMN gesta.action.audience IS 'Labels of who may see it; {public} for everybody, {} for auditors only. A later change stands in gesta.visibility.';

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

ALTER TABLE ONLY gesta.action
    ADD CONSTRAINT action_pkey PRIMARY KEY (tenant, id);

ALTER TABLE ONLY gesta.follow
    ADD CONSTRAINT follow_pkey PRIMARY KEY (tenant, id);

ALTER TABLE ONLY gesta.migration
    ADD CONSTRAINT migration_pkey PRIMARY KEY (version);

ALTER TABLE ONLY gesta.visibility
    ADD CONSTRAINT visibility_pkey PRIMARY KEY (tenant, action_id);

CREATE INDEX action_actor_idx ON ONLY gesta.action USING btree (actor_key, id DESC) INCLUDE (tenant);

CREATE INDEX action_actor_type_idx ON ONLY gesta.action USING btree (tenant, actor_type, id);

CREATE INDEX action_log_idx ON ONLY gesta.action USING btree (xid, seq);

CREATE INDEX action_object_idx ON ONLY gesta.action USING btree (object_key, id DESC) INCLUDE (tenant) WHERE (object_key IS NOT NULL);

CREATE INDEX action_object_type_idx ON ONLY gesta.action USING btree (tenant, object_type, id) WHERE (object_type IS NOT NULL);

CREATE INDEX action_run_idx ON ONLY gesta.action USING btree (tenant, run_id, id) WHERE (run_id IS NOT NULL);

CREATE INDEX action_target_idx ON ONLY gesta.action USING btree (target_key, id DESC) INCLUDE (tenant) WHERE (target_key IS NOT NULL);

CREATE INDEX action_target_type_idx ON ONLY gesta.action USING btree (tenant, target_type, id) WHERE (target_type IS NOT NULL);

CREATE INDEX follow_followed_idx ON gesta.follow USING btree (tenant, followed_type, followed_id, id);

CREATE INDEX follow_follower_idx ON gesta.follow USING btree (tenant, follower_type, follower_id, id);

CREATE TRIGGER action_append_only BEFORE DELETE OR UPDATE ON gesta.action FOR EACH ROW EXECUTE FUNCTION gesta.refuse_change();

ALTER TABLE gesta.action ENABLE ALWAYS TRIGGER action_append_only;

CREATE TRIGGER action_no_truncate BEFORE TRUNCATE ON gesta.action FOR EACH STATEMENT EXECUTE FUNCTION gesta.refuse_change();

ALTER TABLE gesta.action ENABLE ALWAYS TRIGGER action_no_truncate;

ALTER TABLE gesta.action ENABLE ROW LEVEL SECURITY;

CREATE POLICY action_for_auditor ON gesta.action FOR SELECT TO gesta_auditor USING (true);

CREATE POLICY action_of_tenant ON gesta.action TO gesta_app USING ((tenant = current_setting('gesta.tenant'::text, true))) WITH CHECK ((tenant = current_setting('gesta.tenant'::text, true)));

ALTER TABLE gesta.follow ENABLE ROW LEVEL SECURITY;

CREATE POLICY follow_for_auditor ON gesta.follow FOR SELECT TO gesta_auditor USING (true);

CREATE POLICY follow_of_tenant ON gesta.follow TO gesta_app USING ((tenant = current_setting('gesta.tenant'::text, true))) WITH CHECK ((tenant = current_setting('gesta.tenant'::text, true)));

ALTER TABLE gesta.visibility ENABLE ROW LEVEL SECURITY;

CREATE POLICY visibility_for_auditor ON gesta.visibility FOR SELECT TO gesta_auditor USING (true);

CREATE POLICY visibility_of_tenant ON gesta.visibility TO gesta_app USING ((tenant = current_setting('gesta.tenant'::text, true))) WITH CHECK ((tenant = current_setting('gesta.tenant'::text, true)));

GRANT USAGE ON SCHEMA gesta TO gesta_app;
GRANT USAGE ON SCHEMA gesta TO gesta_import;
GRANT USAGE ON SCHEMA gesta TO gesta_auditor;
GRANT USAGE ON SCHEMA gesta TO gesta_user;

REVOKE ALL ON FUNCTION gesta.guard_partition(partition regclass) FROM PUBLIC;

REVOKE ALL ON FUNCTION gesta.make_partitions(last_year integer) FROM PUBLIC;
GRANT ALL ON FUNCTION gesta.make_partitions(last_year integer) TO gesta_app;
GRANT ALL ON FUNCTION gesta.make_partitions(last_year integer) TO gesta_import;

REVOKE ALL ON FUNCTION gesta.next_partition_year() FROM PUBLIC;

GRANT ALL ON FUNCTION gesta.resource_key(tenant text, type text, id text) TO gesta_app;
GRANT ALL ON FUNCTION gesta.resource_key(tenant text, type text, id text) TO gesta_import;
GRANT ALL ON FUNCTION gesta.resource_key(tenant text, type text, id text) TO gesta_auditor;

GRANT SELECT ON TABLE gesta.action TO gesta_app;
GRANT SELECT ON TABLE gesta.action TO gesta_import;
GRANT SELECT ON TABLE gesta.action TO gesta_auditor;

GRANT INSERT(tenant) ON TABLE gesta.action TO gesta_app;
GRANT INSERT(tenant) ON TABLE gesta.action TO gesta_import;

GRANT INSERT(id) ON TABLE gesta.action TO gesta_app;
GRANT INSERT(id) ON TABLE gesta.action TO gesta_import;

GRANT INSERT(actor_type) ON TABLE gesta.action TO gesta_app;
GRANT INSERT(actor_type) ON TABLE gesta.action TO gesta_import;

GRANT INSERT(actor_id) ON TABLE gesta.action TO gesta_app;
GRANT INSERT(actor_id) ON TABLE gesta.action TO gesta_import;

GRANT INSERT(verb) ON TABLE gesta.action TO gesta_app;
GRANT INSERT(verb) ON TABLE gesta.action TO gesta_import;

GRANT INSERT(object_type) ON TABLE gesta.action TO gesta_app;
GRANT INSERT(object_type) ON TABLE gesta.action TO gesta_import;

GRANT INSERT(object_id) ON TABLE gesta.action TO gesta_app;
GRANT INSERT(object_id) ON TABLE gesta.action TO gesta_import;

GRANT INSERT(target_type) ON TABLE gesta.action TO gesta_app;
GRANT INSERT(target_type) ON TABLE gesta.action TO gesta_import;

GRANT INSERT(target_id) ON TABLE gesta.action TO gesta_app;
GRANT INSERT(target_id) ON TABLE gesta.action TO gesta_import;

GRANT INSERT(occurred_at) ON TABLE gesta.action TO gesta_app;
GRANT INSERT(occurred_at) ON TABLE gesta.action TO gesta_import;

GRANT INSERT(run_id) ON TABLE gesta.action TO gesta_app;
GRANT INSERT(run_id) ON TABLE gesta.action TO gesta_import;

GRANT INSERT(source) ON TABLE gesta.action TO gesta_app;
GRANT INSERT(source) ON TABLE gesta.action TO gesta_import;

GRANT INSERT(outcome) ON TABLE gesta.action TO gesta_app;
GRANT INSERT(outcome) ON TABLE gesta.action TO gesta_import;

GRANT INSERT(description) ON TABLE gesta.action TO gesta_app;
GRANT INSERT(description) ON TABLE gesta.action TO gesta_import;

GRANT INSERT(changes) ON TABLE gesta.action TO gesta_app;
GRANT INSERT(changes) ON TABLE gesta.action TO gesta_import;

GRANT INSERT(data) ON TABLE gesta.action TO gesta_app;
GRANT INSERT(data) ON TABLE gesta.action TO gesta_import;

GRANT INSERT(names) ON TABLE gesta.action TO gesta_app;
GRANT INSERT(names) ON TABLE gesta.action TO gesta_import;

GRANT INSERT(context) ON TABLE gesta.action TO gesta_app;
GRANT INSERT(context) ON TABLE gesta.action TO gesta_import;

GRANT INSERT(audience) ON TABLE gesta.action TO gesta_app;
GRANT INSERT(audience) ON TABLE gesta.action TO gesta_import;

GRANT USAGE ON SEQUENCE gesta.action_seq TO gesta_app;
GRANT USAGE ON SEQUENCE gesta.action_seq TO gesta_import;

GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE gesta.follow TO gesta_app;
GRANT SELECT ON TABLE gesta.follow TO gesta_import;
GRANT SELECT ON TABLE gesta.follow TO gesta_auditor;

GRANT SELECT ON TABLE gesta.migration TO gesta_app;
GRANT SELECT ON TABLE gesta.migration TO gesta_import;
GRANT SELECT ON TABLE gesta.migration TO gesta_auditor;

GRANT SELECT,INSERT,UPDATE ON TABLE gesta.visibility TO gesta_app;
GRANT SELECT ON TABLE gesta.visibility TO gesta_import;
GRANT SELECT ON TABLE gesta.visibility TO gesta_auditor;

