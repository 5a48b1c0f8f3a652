-- The first functions get the search path that the later ones have, with the schema of temporary tables at its end. Where it is
-- not named it comes first: whoever may call gesta.make_partitions() could lay a temporary view of their own over pg_class, and
-- what that calls would run as gesta_owner.
-- Locks: none on tables; functions are altered.

ALTER FUNCTION gesta.refuse_change() SET search_path = pg_catalog, pg_temp;
ALTER FUNCTION gesta.id_floor(timestamptz) SET search_path = pg_catalog, pg_temp;
ALTER FUNCTION gesta.guard_partition(regclass) SET search_path = pg_catalog, pg_temp;
ALTER FUNCTION gesta.next_partition_year() SET search_path = pg_catalog, pg_temp;
