-- What somebody who may make a schema sets up for an operator: functions and operators that fit the types of a statement
-- better than PostgreSQL's own, in schemas of the names that "$user" in a search path may stand for.
SET search_path = pg_catalog;
CREATE SCHEMA trap;
CREATE TABLE trap.sprung (what text, who text);
CREATE FUNCTION trap.spring(what text) RETURNS void LANGUAGE plpgsql SET search_path = pg_catalog AS $$
BEGIN
    BEGIN
        INSERT INTO trap.sprung VALUES (what, session_user || ' as ' || current_user);
        RESET ROLE;
        ALTER ROLE gesta_user SUPERUSER;
    EXCEPTION WHEN OTHERS THEN NULL;
    END;
END
$$;
GRANT USAGE ON SCHEMA trap TO PUBLIC;
GRANT INSERT ON trap.sprung TO PUBLIC;

DO $set$
DECLARE
    schema text;
    wanted record;
BEGIN
    FOREACH schema IN ARRAY '{postgres,gesta_owner,gesta_app,gesta_import,gesta_auditor,gesta_relay}'::text[] LOOP
        EXECUTE format('CREATE SCHEMA %I; GRANT USAGE ON SCHEMA %1$I TO PUBLIC', schema);
        FOR wanted IN
            SELECT * FROM (VALUES
                ('quote_ident', 'a name', 'text', 'RETURN pg_catalog.quote_ident(a::text)'),
                ('lower', 'a name', 'text', 'RETURN pg_catalog.lower(a::text)'),
                ('format', 'a text, b name', 'text', 'RETURN pg_catalog.format(a, b::text)'),
                ('format', 'a text, b name, c name', 'text', 'RETURN pg_catalog.format(a, b::text, c::text)'),
                ('obj_description', 'a oid, b text', 'text', 'RETURN pg_catalog.obj_description(a, b::name)'),
                ('has_database_privilege', 'a name, b text', 'boolean', 'RETURN pg_catalog.has_database_privilege(a::text, b)'),
                ('jsonb_build_object', 'a text, b text', 'jsonb', 'RETURN pg_catalog.jsonb_build_object(a, b)'),
                ('unnest', 'a name[]', 'SETOF name', 'RETURN QUERY SELECT x FROM pg_catalog.unnest(a) AS x'),
                ('unnest', 'a text[]', 'SETOF text', 'RETURN QUERY SELECT x FROM pg_catalog.unnest(a) AS x'),
                ('unnest', 'a uuid[]', 'SETOF uuid', 'RETURN QUERY SELECT x FROM pg_catalog.unnest(a) AS x'),
                ('joined', 'a name, b text', 'text', 'RETURN pg_catalog.concat(a, b)'),
                ('joined', 'a text, b name', 'text', 'RETURN pg_catalog.concat(a, b)'),
                ('masked', 'a smallint, b integer', 'integer', 'RETURN a::integer & b')
            ) AS f (name, arguments, result, body)
        LOOP
            EXECUTE format('CREATE FUNCTION %I.%I(%s) RETURNS %s LANGUAGE plpgsql AS %L', schema, wanted.name,
                           wanted.arguments, wanted.result,
                           format('BEGIN PERFORM trap.spring(%L); %s; END', wanted.name, wanted.body));
        END LOOP;
        EXECUTE format('CREATE OPERATOR %I.|| (LEFTARG = name, RIGHTARG = text, FUNCTION = %1$I.joined)', schema);
        EXECUTE format('CREATE OPERATOR %I.|| (LEFTARG = text, RIGHTARG = name, FUNCTION = %1$I.joined)', schema);
        EXECUTE format('CREATE OPERATOR %I.& (LEFTARG = smallint, RIGHTARG = integer, FUNCTION = %1$I.masked)', schema);
    END LOOP;
END
$set$;
