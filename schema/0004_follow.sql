-- Who follows what, and who may see an action now. Both are state, kept beside the log; what changed them is an action in it.
-- Locks: none on a big table; everything here is new.

CREATE TABLE gesta.follow (
    tenant        text COLLATE "C" NOT NULL,
    id            uuid NOT NULL,
    follower_type text COLLATE "C" NOT NULL,
    follower_id   text COLLATE "C" NOT NULL,
    followed_type text COLLATE "C" NOT NULL,
    followed_id   text COLLATE "C" NOT NULL,
    flag          text COLLATE "C" NOT NULL DEFAULT '',
    roles         text[] COLLATE "C" NOT NULL DEFAULT '{actor}',
    verbs         text[] COLLATE "C" NOT NULL DEFAULT '{}',
    since         timestamptz,
    muted         boolean NOT NULL DEFAULT false,
    created_at    timestamptz NOT NULL DEFAULT statement_timestamp(),
    CONSTRAINT follow_pkey PRIMARY KEY (tenant, id),
    CONSTRAINT follow_tenant_length CHECK (octet_length(tenant) BETWEEN 1 AND 63),
    CONSTRAINT follow_follower_type_shape CHECK (octet_length(follower_type) BETWEEN 1 AND 63 AND strpos(follower_type, ':') = 0),
    CONSTRAINT follow_follower_id_length CHECK (octet_length(follower_id) BETWEEN 1 AND 2048),
    CONSTRAINT follow_followed_type_shape CHECK (octet_length(followed_type) BETWEEN 1 AND 63 AND strpos(followed_type, ':') = 0),
    CONSTRAINT follow_followed_id_length CHECK (octet_length(followed_id) BETWEEN 1 AND 2048),
    CONSTRAINT follow_flag_length CHECK (octet_length(flag) <= 63),
    CONSTRAINT follow_roles_known CHECK (roles <@ '{actor,object,target}'::text[] AND cardinality(roles) BETWEEN 1 AND 3)
);
CREATE INDEX follow_follower_idx ON gesta.follow (tenant, follower_type, follower_id, id);
CREATE INDEX follow_followed_idx ON gesta.follow (tenant, followed_type, followed_id, id);

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

CREATE TABLE gesta.visibility (
    tenant     text COLLATE "C" NOT NULL,
    action_id  uuid NOT NULL,
    audience   text[] COLLATE "C" NOT NULL,
    changed_by uuid NOT NULL,
    CONSTRAINT visibility_pkey PRIMARY KEY (tenant, action_id),
    CONSTRAINT visibility_audience_length CHECK (cardinality(audience) <= 32)
);
COMMENT ON TABLE gesta.visibility IS 'Audiences that were changed after the fact. It holds only the exceptions, so it stays small.';
COMMENT ON COLUMN gesta.visibility.tenant IS 'Isolation unit, as in gesta.action.';
COMMENT ON COLUMN gesta.visibility.action_id IS 'The action whose audience is different now.';
COMMENT ON COLUMN gesta.visibility.audience IS 'Labels of who may see it now; {} for auditors only. May be changed.';
COMMENT ON COLUMN gesta.visibility.changed_by IS 'Id of the action that records the latest change.';

GRANT SELECT, INSERT, UPDATE, DELETE ON gesta.follow TO gesta_app;
GRANT SELECT, INSERT, UPDATE ON gesta.visibility TO gesta_app;
GRANT SELECT ON gesta.follow, gesta.visibility TO gesta_import, gesta_auditor;

ALTER TABLE gesta.follow ENABLE ROW LEVEL SECURITY;
CREATE POLICY follow_of_tenant ON gesta.follow TO gesta_app
    USING (tenant = current_setting('gesta.tenant', true))
    WITH CHECK (tenant = current_setting('gesta.tenant', true));
CREATE POLICY follow_for_auditor ON gesta.follow FOR SELECT TO gesta_auditor USING (true);
ALTER TABLE gesta.visibility ENABLE ROW LEVEL SECURITY;
CREATE POLICY visibility_of_tenant ON gesta.visibility TO gesta_app
    USING (tenant = current_setting('gesta.tenant', true))
    WITH CHECK (tenant = current_setting('gesta.tenant', true));
CREATE POLICY visibility_for_auditor ON gesta.visibility FOR SELECT TO gesta_auditor USING (true);
