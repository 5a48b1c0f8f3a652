-- Records changes of a table in the log of Gesta. Written by `gesta track`; do not edit it, track the table again.
CREATE OR REPLACE FUNCTION {function}() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
SET row_security = off
-- The plan of the first statement is kept, whose rows may have been few.
SET enable_nestloop = off
SET enable_mergejoin = off
AS {body};
