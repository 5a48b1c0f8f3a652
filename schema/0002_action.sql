-- The log: one append-only table of actions, keyed by resource type and id, partitioned by time.
-- Locks: none on a big table; everything here is new.

-- What the rows of a stream have in common, as one number: an index of numbers is smaller than one of texts, and is
-- searched in half the time. It is a function so that the columns and the queries cannot disagree; one expression, so that
-- the planner puts it in place of the call; the seed of each part is the hash of the part before, so that no part runs into
-- the next. Rows hold its results: it never changes.
--
-- Two resources may have the same key, by chance or on purpose. So a key only finds rows, type and id decide on them.
CREATE FUNCTION gesta.resource_key(tenant text, type text, id text) RETURNS bigint
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
RETURN hashtextextended(id, hashtextextended(type, hashtextextended(tenant, 0)));
COMMENT ON FUNCTION gesta.resource_key(text, text, text) IS 'Hash of a tenant''s resource, the same for all rows of its stream. Others may have the same: compare type and id as well.';

CREATE TABLE gesta.action (
    tenant      text COLLATE "C" NOT NULL,
    id          uuid NOT NULL,
    actor_type  text COLLATE "C" NOT NULL,
    actor_id    text COLLATE "C" NOT NULL,
    verb        text COLLATE "C" NOT NULL,
    object_type text COLLATE "C",
    object_id   text COLLATE "C",
    target_type text COLLATE "C",
    target_id   text COLLATE "C",
    occurred_at timestamptz NOT NULL,
    recorded_at timestamptz NOT NULL DEFAULT statement_timestamp(),
    run_id      uuid,
    source      text COLLATE "C" NOT NULL,
    outcome     text COLLATE "C" NOT NULL DEFAULT 'ok',
    description text,
    changes     jsonb,
    data        jsonb,
    names       jsonb,
    context     jsonb,
    audience    text[] COLLATE "C" NOT NULL DEFAULT '{public}',
    xid         xid8 NOT NULL DEFAULT pg_current_xact_id(),
    seq         bigint NOT NULL,
    actor_key   bigint GENERATED ALWAYS AS (gesta.resource_key(tenant, actor_type, actor_id)) STORED,
    object_key  bigint GENERATED ALWAYS AS (gesta.resource_key(tenant, object_type, object_id)) STORED,
    target_key  bigint GENERATED ALWAYS AS (gesta.resource_key(tenant, target_type, target_id)) STORED,
    CONSTRAINT action_pkey PRIMARY KEY (tenant, id),
    CONSTRAINT action_tenant_length CHECK (octet_length(tenant) BETWEEN 1 AND 63),
    CONSTRAINT action_id_is_uuid_v7 CHECK (get_byte(uuid_send(id), 6) >> 4 = 7),
    CONSTRAINT action_actor_type_shape CHECK (octet_length(actor_type) BETWEEN 1 AND 63 AND strpos(actor_type, ':') = 0),
    CONSTRAINT action_actor_id_length CHECK (octet_length(actor_id) BETWEEN 1 AND 2048),
    CONSTRAINT action_verb_length CHECK (octet_length(verb) BETWEEN 1 AND 255),
    CONSTRAINT action_object_whole CHECK ((object_type IS NULL) = (object_id IS NULL)),
    CONSTRAINT action_object_type_shape CHECK (octet_length(object_type) BETWEEN 1 AND 63 AND strpos(object_type, ':') = 0),
    CONSTRAINT action_object_id_length CHECK (octet_length(object_id) BETWEEN 1 AND 2048),
    CONSTRAINT action_target_whole CHECK ((target_type IS NULL) = (target_id IS NULL)),
    CONSTRAINT action_target_type_shape CHECK (octet_length(target_type) BETWEEN 1 AND 63 AND strpos(target_type, ':') = 0),
    CONSTRAINT action_target_id_length CHECK (octet_length(target_id) BETWEEN 1 AND 2048),
    CONSTRAINT action_occurred_at_range CHECK (occurred_at >= '1970-01-01 00:00:00+00' AND occurred_at < '10000-01-01 00:00:00+00'),
    CONSTRAINT action_source_known CHECK (source IN ('save', 'bulk', 'emit', 'run', 'api', 'import', 'trigger')),
    CONSTRAINT action_outcome_known CHECK (outcome IN ('ok', 'failed', 'denied')),
    CONSTRAINT action_audience_length CHECK (cardinality(audience) <= 32)
) PARTITION BY RANGE (id);

-- One sequence for all partitions: an identity column of a partitioned table is not inherited before PostgreSQL 17.
-- The application cannot set the value, it has no privilege on the column. Cached values would be handed out of order.
-- A row's xid is given before its seq, since columns are filled in their order; the log relies on that.
CREATE SEQUENCE gesta.action_seq AS bigint CACHE 1 OWNED BY gesta.action.seq;
ALTER TABLE gesta.action ALTER COLUMN seq SET DEFAULT nextval('gesta.action_seq');

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

-- One index a role. The tenant is part of the key, so it need not come first, where it would have to be compared at every
-- step of a search; it is included because row security asks for it, and a feed reads nothing but these indexes.
CREATE INDEX action_actor_idx ON gesta.action (actor_key, id DESC) INCLUDE (tenant);
CREATE INDEX action_object_idx ON gesta.action (object_key, id DESC) INCLUDE (tenant) WHERE object_key IS NOT NULL;
CREATE INDEX action_target_idx ON gesta.action (target_key, id DESC) INCLUDE (tenant) WHERE target_key IS NOT NULL;
-- Types. There are few, so new rows go to few pages, which costs an insert far less than the indexes above.
CREATE INDEX action_actor_type_idx ON gesta.action (tenant, actor_type, id);
CREATE INDEX action_object_type_idx ON gesta.action (tenant, object_type, id) WHERE object_type IS NOT NULL;
CREATE INDEX action_target_type_idx ON gesta.action (tenant, target_type, id) WHERE target_type IS NOT NULL;
CREATE INDEX action_run_idx ON gesta.action (tenant, run_id, id) WHERE run_id IS NOT NULL;
-- What one transaction stored, and everything in the order of the log (src/log).
CREATE INDEX action_log_idx ON gesta.action (xid, seq);
CREATE INDEX action_seq_idx ON gesta.action (seq);

-- Append-only, second lock: the owner is stopped as well, also where triggers of replicas are off.
CREATE FUNCTION gesta.refuse_change() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog AS $$
BEGIN
    RAISE EXCEPTION '% of %.% is refused: actions are never changed or deleted', TG_OP, TG_TABLE_SCHEMA, TG_TABLE_NAME
        USING ERRCODE = 'integrity_constraint_violation',
              HINT = 'Append another action that says what is different now.';
END
$$;
COMMENT ON FUNCTION gesta.refuse_change() IS 'Keeps gesta.action append-only.';

CREATE TRIGGER action_append_only BEFORE UPDATE OR DELETE ON gesta.action
    FOR EACH ROW EXECUTE FUNCTION gesta.refuse_change();
CREATE TRIGGER action_no_truncate BEFORE TRUNCATE ON gesta.action
    FOR EACH STATEMENT EXECUTE FUNCTION gesta.refuse_change();
ALTER TABLE gesta.action ENABLE ALWAYS TRIGGER action_append_only;
ALTER TABLE gesta.action ENABLE ALWAYS TRIGGER action_no_truncate;

-- Columns that the writer gives; xid, seq and recorded_at are the database's own.
GRANT SELECT ON gesta.action TO gesta_app, gesta_import, gesta_auditor;
GRANT INSERT (tenant, id, actor_type, actor_id, verb, object_type, object_id, target_type, target_id, occurred_at,
              run_id, source, outcome, description, changes, data, names, context, audience)
    ON gesta.action TO gesta_app, gesta_import;
GRANT USAGE ON SEQUENCE gesta.action_seq TO gesta_app, gesta_import;
-- How far it has come tells the reader of the log that there is something new.
GRANT SELECT ON SEQUENCE gesta.action_seq TO gesta_app, gesta_import, gesta_auditor;
-- Whoever appends computes keys, whoever reads compares them; some databases take functions away from everybody.
GRANT EXECUTE ON FUNCTION gesta.resource_key(text, text, text)
    TO gesta_app, gesta_import, gesta_auditor, gesta_capture;

ALTER TABLE gesta.action ENABLE ROW LEVEL SECURITY;
CREATE POLICY action_of_tenant ON gesta.action TO gesta_app
    USING (tenant = current_setting('gesta.tenant', true))
    WITH CHECK (tenant = current_setting('gesta.tenant', true));
CREATE POLICY action_for_auditor ON gesta.action FOR SELECT TO gesta_auditor USING (true);
