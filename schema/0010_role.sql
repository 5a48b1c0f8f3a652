-- Who may run which actions: roles with permissions, and who is a member of which. State, kept beside the log; each change of
-- it is an action in the transaction of the change.
-- Locks: none on a big table; everything here is new.
--
-- The role `administrator` has no row: it exists in every tenant with all permissions. So a member's role may have no row
-- either, and there is no foreign key; whoever changes roles holds an advisory lock on the tenant's.

CREATE TABLE gesta.role (
    tenant      text COLLATE "C" NOT NULL,
    name        text COLLATE "C" NOT NULL,
    permissions text[] COLLATE "C" NOT NULL,
    about       text,
    changed_at  timestamptz NOT NULL DEFAULT statement_timestamp(),
    changed_by  text COLLATE "C" NOT NULL,
    CONSTRAINT role_pkey PRIMARY KEY (tenant, name),
    CONSTRAINT role_tenant_length CHECK (octet_length(tenant) BETWEEN 1 AND 63),
    CONSTRAINT role_name_length CHECK (octet_length(name) BETWEEN 1 AND 255),
    CONSTRAINT role_name_free CHECK (name <> 'administrator'),
    CONSTRAINT role_permissions_length CHECK (cardinality(permissions) <= 100),
    CONSTRAINT role_about_length CHECK (octet_length(about) BETWEEN 1 AND 1024)
);
COMMENT ON TABLE gesta.role IS 'One row is one role. Rows go when it is removed, and its members before them.';
COMMENT ON COLUMN gesta.role.tenant IS 'Isolation unit, as in gesta.action.';
COMMENT ON COLUMN gesta.role.name IS 'What it is called, 1 to 255 bytes without commas; a proxy''s group of this name has it. Set when it is made.';
COMMENT ON COLUMN gesta.role.permissions IS 'What its members may, each TYPE.WORD, TYPE.* or *, up to 100. May be changed.';
COMMENT ON COLUMN gesta.role.about IS 'What it is for, 1 to 1,024 bytes; may be null. May be changed.';
COMMENT ON COLUMN gesta.role.changed_at IS 'When it was made or last changed, by the database''s clock.';
COMMENT ON COLUMN gesta.role.changed_by IS 'Who did that, as TYPE:ID.';

CREATE TABLE gesta.role_member (
    tenant      text COLLATE "C" NOT NULL,
    role        text COLLATE "C" NOT NULL,
    member_type text COLLATE "C" NOT NULL,
    member_id   text COLLATE "C" NOT NULL,
    added_at    timestamptz NOT NULL DEFAULT statement_timestamp(),
    added_by    text COLLATE "C" NOT NULL,
    CONSTRAINT role_member_pkey PRIMARY KEY (tenant, role, member_type, member_id),
    CONSTRAINT role_member_tenant_length CHECK (octet_length(tenant) BETWEEN 1 AND 63),
    CONSTRAINT role_member_role_length CHECK (octet_length(role) BETWEEN 1 AND 255),
    CONSTRAINT role_member_member_type_shape CHECK (octet_length(member_type) BETWEEN 1 AND 63 AND strpos(member_type, ':') = 0),
    CONSTRAINT role_member_member_id_length CHECK (octet_length(member_id) BETWEEN 1 AND 2048)
);
CREATE INDEX role_member_of_idx ON gesta.role_member (tenant, member_type, member_id, role);
COMMENT ON TABLE gesta.role_member IS 'One row is one membership: somebody has a role. Rows go when it ends.';
COMMENT ON COLUMN gesta.role_member.tenant IS 'Isolation unit, as in gesta.action.';
COMMENT ON COLUMN gesta.role_member.role IS 'The name of the role: one of gesta.role, or `administrator`.';
COMMENT ON COLUMN gesta.role_member.member_type IS 'Type of who has it.';
COMMENT ON COLUMN gesta.role_member.member_id IS 'Id of who has it.';
COMMENT ON COLUMN gesta.role_member.added_at IS 'Since when, by the database''s clock.';
COMMENT ON COLUMN gesta.role_member.added_by IS 'Who made them a member, as TYPE:ID.';

GRANT SELECT, DELETE ON gesta.role, gesta.role_member TO gesta_app;
GRANT INSERT (tenant, name, permissions, about, changed_by), UPDATE (permissions, about, changed_at, changed_by)
    ON gesta.role TO gesta_app;
GRANT INSERT (tenant, role, member_type, member_id, added_by) ON gesta.role_member TO gesta_app;
GRANT SELECT ON gesta.role, gesta.role_member TO gesta_auditor;

ALTER TABLE gesta.role ENABLE ROW LEVEL SECURITY;
CREATE POLICY role_of_tenant ON gesta.role TO gesta_app
    USING (tenant = current_setting('gesta.tenant', true))
    WITH CHECK (tenant = current_setting('gesta.tenant', true));
CREATE POLICY role_for_auditor ON gesta.role FOR SELECT TO gesta_auditor USING (true);
ALTER TABLE gesta.role_member ENABLE ROW LEVEL SECURITY;
CREATE POLICY role_member_of_tenant ON gesta.role_member TO gesta_app
    USING (tenant = current_setting('gesta.tenant', true))
    WITH CHECK (tenant = current_setting('gesta.tenant', true));
CREATE POLICY role_member_for_auditor ON gesta.role_member FOR SELECT TO gesta_auditor USING (true);
