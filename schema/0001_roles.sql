-- Who may do what. Roles belong to the whole cluster, so each is made only where it is missing.
-- Locks: none on tables.
--
--   gesta_owner    owns every table and function here; nobody logs in as it
--   gesta_app      what an application is: appends and reads actions of its tenant, writes follows
--   gesta_import   gesta_app for bulk loads; BYPASSRLS where the server grants it, because COPY is refused under row security
--   gesta_auditor  reads the actions of every tenant, writes nothing
--   gesta_capture  runs the functions that record changes of tracked tables; nobody logs in as it; BYPASSRLS where the server
--                  grants it, because a TRUNCATE is recorded by reading the table
--   gesta_user     gesta_app for people at psql; may make schemas and tables of its own
--
-- LOGIN without a password admits nobody, except where pg_hba.conf trusts the connection, as on the private
-- socket of the embedded default. Elsewhere: GRANT gesta_app TO the role that your application logs in as.

DO $roles$
DECLARE
    wanted record;
BEGIN
    FOR wanted IN
        SELECT * FROM (VALUES
            ('gesta_owner', 'NOLOGIN'),
            ('gesta_app', 'LOGIN'),
            ('gesta_import', 'LOGIN BYPASSRLS'),
            ('gesta_auditor', 'LOGIN'),
            ('gesta_capture', 'NOLOGIN BYPASSRLS'),
            ('gesta_user', 'LOGIN')
        ) AS role (name, attributes)
    LOOP
        CONTINUE WHEN EXISTS (SELECT FROM pg_roles WHERE rolname = wanted.name);
        BEGIN
            EXECUTE format('CREATE ROLE %I %s NOSUPERUSER NOCREATEDB NOCREATEROLE', wanted.name, wanted.attributes);
        EXCEPTION
            -- Another database of this cluster is being migrated at this moment.
            WHEN duplicate_object OR unique_violation THEN NULL;
            -- Only a superuser may hand out BYPASSRLS. Without it imports go through a staging table, and TRUNCATE of a
            -- tracked table with row security is refused.
            WHEN insufficient_privilege THEN
                IF wanted.attributes NOT LIKE '% BYPASSRLS' THEN
                    RAISE;
                END IF;
                EXECUTE format('CREATE ROLE %I %s NOSUPERUSER NOCREATEDB NOCREATEROLE', wanted.name,
                               replace(wanted.attributes, ' BYPASSRLS', ''));
        END;
    END LOOP;
    -- Whoever migrates acts as the owner afterwards. From PostgreSQL 16 on, the maker of a role administers it without
    -- being able to become it.
    IF NOT pg_has_role('gesta_owner',
                       CASE WHEN current_setting('server_version_num')::integer < 160000 THEN 'MEMBER' ELSE 'SET' END) THEN
        EXECUTE format('GRANT gesta_owner TO %I', current_user);
    END IF;
    -- Whoever may become the owner may hand functions to the role that they run as.
    IF NOT pg_has_role('gesta_owner', 'gesta_capture', 'MEMBER') THEN
        GRANT gesta_capture TO gesta_owner;
    END IF;
    IF NOT pg_has_role('gesta_user', 'gesta_app', 'MEMBER') THEN
        GRANT gesta_app TO gesta_user;
    END IF;
    IF NOT pg_has_role('gesta_import', 'gesta_app', 'MEMBER') THEN
        GRANT gesta_app TO gesta_import;
    END IF;
    -- A migrating role without the grant option can only warn here: people at psql have no schemas of their own then.
    EXECUTE format('GRANT CREATE, TEMPORARY ON DATABASE %I TO gesta_user', current_database());
    EXECUTE format('GRANT TEMPORARY ON DATABASE %I TO gesta_app', current_database());
END
$roles$;

GRANT USAGE ON SCHEMA gesta TO gesta_app, gesta_import, gesta_auditor, gesta_user;
GRANT USAGE, CREATE ON SCHEMA gesta TO gesta_capture;
