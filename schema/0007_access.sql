-- Keys of the HTTP API: what each may do, and whom its requests are recorded as. State, kept beside the log; that a key was
-- made or revoked is an action in it.
-- Locks: none on a big table; everything here is new.
--
-- The id is unique in the whole database, since a request names no tenant before its key is known: where tenants are
-- distributed, this small table stands on every node.

CREATE TABLE gesta.key (
    id              text COLLATE "C" NOT NULL,
    tenant          text COLLATE "C",
    name            text NOT NULL,
    hash            bytea NOT NULL,
    scopes          text[] COLLATE "C" NOT NULL,
    labels          text[] COLLATE "C",
    actor_type      text COLLATE "C" NOT NULL,
    actor_id        text COLLATE "C" NOT NULL,
    actor_name      text,
    is_actor        boolean NOT NULL,
    rate_per_minute integer,
    created_at      timestamptz NOT NULL DEFAULT statement_timestamp(),
    created_by      text COLLATE "C" NOT NULL,
    expires_at      timestamptz,
    revoked_at      timestamptz,
    last_used_at    timestamptz,
    CONSTRAINT key_pkey PRIMARY KEY (id),
    CONSTRAINT key_id_shape CHECK (id ~ '^[a-z0-9]{12}$'),
    CONSTRAINT key_tenant_length CHECK (octet_length(tenant) BETWEEN 1 AND 63),
    CONSTRAINT key_name_length CHECK (octet_length(name) BETWEEN 1 AND 255),
    CONSTRAINT key_hash_length CHECK (octet_length(hash) = 32),
    CONSTRAINT key_scopes_length CHECK (cardinality(scopes) BETWEEN 1 AND 32),
    CONSTRAINT key_labels_length CHECK (cardinality(labels) <= 32),
    CONSTRAINT key_actor_type_shape CHECK (octet_length(actor_type) BETWEEN 1 AND 63 AND strpos(actor_type, ':') = 0),
    CONSTRAINT key_actor_id_length CHECK (octet_length(actor_id) BETWEEN 1 AND 2048),
    CONSTRAINT key_actor_name_length CHECK (octet_length(actor_name) <= 1024),
    CONSTRAINT key_rate_positive CHECK (rate_per_minute > 0)
) WITH (fillfactor = 80);
CREATE INDEX key_tenant_idx ON gesta.key (tenant, created_at);

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

-- What the application asks before it knows the tenant. The secret's hash is the proof: who does not have it learns nothing,
-- also not whether there is such a key. Both sides are hashed once more with a salt that nobody knows before: how long
-- comparing them takes says nothing of the stored one. It takes the same steps for a key that does not exist.
CREATE FUNCTION gesta.open_key(key_id text, key_hash bytea) RETURNS TABLE (
    tenant text, scopes text[], labels text[], actor_type text, actor_id text, actor_name text, is_actor boolean,
    rate_per_minute integer, expires_at timestamptz, is_revoked boolean, is_used boolean
)
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
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
COMMENT ON FUNCTION gesta.open_key(text, bytea) IS 'The key with this id, for whoever knows the hash of its secret; no row for anybody else.';

-- Where another process notes it at this moment, that is enough.
CREATE FUNCTION gesta.touch_key(key_id text, key_hash bytea) RETURNS void
LANGUAGE sql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
    UPDATE gesta.key AS k SET last_used_at = statement_timestamp()
    WHERE k.id = (
        SELECT l.id FROM gesta.key AS l
        WHERE l.id = key_id AND l.hash = key_hash
            AND coalesce(l.last_used_at < statement_timestamp() - interval '1 minute', true)
        FOR NO KEY UPDATE SKIP LOCKED
    )
$$;
COMMENT ON FUNCTION gesta.touch_key(text, bytea) IS 'Notes that a key was used, at most once a minute; waits for nobody.';

CREATE FUNCTION gesta.has_keys() RETURNS boolean
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
    SELECT EXISTS (SELECT FROM gesta.key)
$$;
COMMENT ON FUNCTION gesta.has_keys() IS 'Whether any tenant has a key, revoked ones included.';

REVOKE ALL ON FUNCTION gesta.open_key(text, bytea), gesta.touch_key(text, bytea), gesta.has_keys() FROM PUBLIC;
GRANT EXECUTE ON FUNCTION gesta.open_key(text, bytea), gesta.touch_key(text, bytea), gesta.has_keys() TO gesta_app;

-- Nobody but the owner reads a hash, deletes a key, or makes one for all tenants.
GRANT SELECT (id, tenant, name, scopes, labels, actor_type, actor_id, actor_name, is_actor, rate_per_minute, created_at,
              created_by, expires_at, revoked_at, last_used_at)
    ON gesta.key TO gesta_app, gesta_auditor;
GRANT INSERT (id, tenant, name, hash, scopes, labels, actor_type, actor_id, actor_name, is_actor, rate_per_minute,
              created_by, expires_at)
    ON gesta.key TO gesta_app;
GRANT UPDATE (revoked_at) ON gesta.key TO gesta_app;

ALTER TABLE gesta.key ENABLE ROW LEVEL SECURITY;
CREATE POLICY key_of_tenant ON gesta.key FOR SELECT TO gesta_app
    USING (tenant = current_setting('gesta.tenant', true));
CREATE POLICY key_made ON gesta.key FOR INSERT TO gesta_app
    WITH CHECK (tenant = current_setting('gesta.tenant', true));
-- Revoked now, and once: no session brings a key back, or puts it off.
CREATE POLICY key_revoked ON gesta.key FOR UPDATE TO gesta_app
    USING (tenant = current_setting('gesta.tenant', true) AND revoked_at IS NULL)
    WITH CHECK (tenant = current_setting('gesta.tenant', true) AND revoked_at = statement_timestamp());
CREATE POLICY key_for_auditor ON gesta.key FOR SELECT TO gesta_auditor USING (true);
