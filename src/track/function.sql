-- Records changes of a table in the log of Gesta. Written by `gesta track`; do not edit it, track the table again.
{drop}GRANT USAGE ON SCHEMA {schema} TO gesta_capture;
SET LOCAL ROLE gesta_owner;
CREATE OR REPLACE FUNCTION {function}() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
SET row_security = off
-- What is recorded, ids above all, does not depend on how somebody likes to see it.
SET timezone = 'UTC' SET datestyle = 'ISO' SET intervalstyle = 'postgres' SET bytea_output = 'hex' SET extra_float_digits = 1
SET lc_monetary = 'C'
-- The plan of the first statement is kept, whose rows may have been few.
SET enable_nestloop = off
SET enable_mergejoin = off
AS {body};
COMMENT ON FUNCTION {function}() IS {comment};
ALTER FUNCTION {function}() OWNER TO gesta_capture;
REVOKE ALL ON FUNCTION {function}() FROM PUBLIC;
SET LOCAL ROLE {operator};
