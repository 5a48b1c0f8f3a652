-- Secrets that all servers of a database share, and that outlive each of them: now the one by which a server knows the
-- cursors that it, or another one, has given out.
-- Locks: none; everything here is new.
--
-- It stands here and not in a configuration, so that servers agree on it without anybody's doing, and a restore brings it
-- back. Nobody gets to see an action by it: every page is read with the reader's own rights.

CREATE TABLE gesta.secret (
    name       text COLLATE "C" NOT NULL,
    secret     bytea NOT NULL,
    created_at timestamptz NOT NULL DEFAULT statement_timestamp(),
    CONSTRAINT secret_pkey PRIMARY KEY (name),
    CONSTRAINT secret_name_length CHECK (octet_length(name) BETWEEN 1 AND 63),
    CONSTRAINT secret_length CHECK (octet_length(secret) = 32)
);
COMMENT ON TABLE gesta.secret IS 'One row is one secret that all servers of the database share. A new value makes what was signed with the old one void.';
COMMENT ON COLUMN gesta.secret.name IS 'What it is for: cursor.';
COMMENT ON COLUMN gesta.secret.secret IS '32 random bytes. The owner may replace them.';
COMMENT ON COLUMN gesta.secret.created_at IS 'When it was made, by the database''s clock.';

-- Three random UUIDs have 366 random bits.
INSERT INTO gesta.secret (name, secret)
VALUES ('cursor', sha256(uuid_send(gen_random_uuid()) || uuid_send(gen_random_uuid()) || uuid_send(gen_random_uuid())));

GRANT SELECT ON gesta.secret TO gesta_app;
