-- Partitions of gesta.action: one a calendar year (UTC), between a first one for all the past and a last one for all the future.
-- Locks: make_partitions takes ACCESS EXCLUSIVE on gesta.action for as long as the last partition needs to be checked, and
-- waits for it no longer than three seconds.
--
-- Why years: every stream that is not found in the newest partition, and every followed stream of a feed, costs one index
-- descent a partition. Why no default partition: with one the planner gives up the order of the partitions, and a page
-- would look into all of them instead of stopping in the newest.

CREATE FUNCTION gesta.id_floor(moment timestamptz) RETURNS uuid
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE SET search_path = pg_catalog AS $$
    SELECT (lpad(to_hex((extract(epoch FROM moment) * 1000)::bigint), 12, '0') || '70008000000000000000')::uuid
$$;
COMMENT ON FUNCTION gesta.id_floor(timestamptz) IS 'The least UUIDv7 of the millisecond of a moment.';

CREATE FUNCTION gesta.guard_partition(partition regclass) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog AS $$
BEGIN
    -- Statement triggers of a partitioned table are not inherited: TRUNCATE of a single partition has to be refused here.
    EXECUTE format('CREATE TRIGGER action_no_truncate BEFORE TRUNCATE ON %s '
                   'FOR EACH STATEMENT EXECUTE FUNCTION gesta.refuse_change()', partition);
    EXECUTE format('ALTER TABLE %s ENABLE ALWAYS TRIGGER action_no_truncate', partition);
    EXECUTE format('ALTER TABLE %s ENABLE ALWAYS TRIGGER action_append_only', partition);
END
$$;
COMMENT ON FUNCTION gesta.guard_partition(regclass) IS 'Makes a new partition of gesta.action append-only.';

-- Only partitions count that belong to the table: one that was detached for an archive may keep its name.
CREATE FUNCTION gesta.next_partition_year() RETURNS integer
LANGUAGE sql VOLATILE SET search_path = pg_catalog AS $$
    SELECT max(substr(c.relname, 9)::integer) + 1
    FROM pg_inherits AS i JOIN pg_class AS c ON c.oid = i.inhrelid
    WHERE i.inhparent = 'gesta.action'::regclass AND c.relname ~ '^action_y[0-9]{4}$'
$$;
COMMENT ON FUNCTION gesta.next_partition_year() IS 'The first year after all that have a partition; null where none has one.';

-- Adds the years up to `last_year` that are missing, and says how many. Rows that were dated so far ahead that they lie in
-- the last partition already are moved: as a detached table it has no append-only trigger of its own.
--
-- Only the table itself and its last partition are locked, in this order, as everybody does who reads or writes: a vacuum
-- of the past holds nobody up. A backup does, and all writers would queue behind this function, so it waits for three
-- seconds only, longer than PostgreSQL takes to send an autovacuum away. Nothing is lost by giving up: rows of the missing
-- years go into the last partition, and the next call moves them.
CREATE FUNCTION gesta.make_partitions(last_year integer DEFAULT NULL) RETURNS integer
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp SET timezone = 'UTC' SET lock_timeout = '3s' AS $$
DECLARE
    this_year integer := extract(year FROM now())::integer;
    wanted integer := least(coalesce(last_year, this_year + 2), this_year + 10);
    next_year integer := gesta.next_partition_year();
    made integer := 0;
    floor_id uuid;
    ceiling_id uuid;
    -- All but those that the database computes.
    columns constant text := 'tenant, id, actor_type, actor_id, verb, object_type, object_id, target_type, target_id, '
        'occurred_at, recorded_at, run_id, source, outcome, description, changes, data, names, context, audience, xid, seq';
BEGIN
    IF next_year > wanted THEN
        RETURN 0;
    END IF;
    -- What others committed while this call waited for the lock has to be seen.
    IF current_setting('transaction_isolation') NOT IN ('read committed', 'read uncommitted') THEN
        RAISE EXCEPTION 'partitions of gesta.action are made in a transaction of isolation level READ COMMITTED only';
    END IF;
    BEGIN
        LOCK TABLE ONLY gesta.action IN ACCESS EXCLUSIVE MODE;
        IF to_regclass('gesta.action_future') IS NOT NULL THEN
            LOCK TABLE ONLY gesta.action_future IN ACCESS EXCLUSIVE MODE;
        END IF;
    EXCEPTION
        WHEN lock_not_available THEN
            RAISE WARNING 'gesta.action is in use, perhaps by a backup: the partitions of % to % are left to the next call', next_year, wanted;
            RETURN 0;
    END;
    next_year := gesta.next_partition_year();
    IF next_year > wanted THEN
        RETURN 0;
    END IF;
    IF next_year IS NULL THEN
        next_year := this_year;
        EXECUTE format('CREATE TABLE gesta.action_past PARTITION OF gesta.action FOR VALUES FROM (MINVALUE) TO (%L)',
                       gesta.id_floor(make_timestamptz(next_year, 1, 1, 0, 0, 0)));
        PERFORM gesta.guard_partition('gesta.action_past');
        CREATE TABLE gesta.action_future (LIKE gesta.action INCLUDING ALL);
    ELSE
        ALTER TABLE gesta.action DETACH PARTITION gesta.action_future;
        DROP TRIGGER action_no_truncate ON gesta.action_future;
    END IF;
    WHILE next_year <= wanted LOOP
        floor_id := gesta.id_floor(make_timestamptz(next_year, 1, 1, 0, 0, 0));
        ceiling_id := gesta.id_floor(make_timestamptz(next_year + 1, 1, 1, 0, 0, 0));
        EXECUTE format('CREATE TABLE gesta.%I PARTITION OF gesta.action FOR VALUES FROM (%L) TO (%L)',
                       'action_y' || next_year, floor_id, ceiling_id);
        EXECUTE format('INSERT INTO gesta.%I (%s) SELECT %s FROM gesta.action_future WHERE id >= %L AND id < %L',
                       'action_y' || next_year, columns, columns, floor_id, ceiling_id);
        EXECUTE format('DELETE FROM gesta.action_future WHERE id >= %L AND id < %L', floor_id, ceiling_id);
        PERFORM gesta.guard_partition(format('gesta.%I', 'action_y' || next_year)::regclass);
        next_year := next_year + 1;
        made := made + 1;
    END LOOP;
    EXECUTE format('ALTER TABLE gesta.action ATTACH PARTITION gesta.action_future FOR VALUES FROM (%L) TO (MAXVALUE)', ceiling_id);
    PERFORM gesta.guard_partition('gesta.action_future');
    RETURN made;
END
$$;
COMMENT ON FUNCTION gesta.make_partitions(integer) IS 'Makes the yearly partitions that are missing, by default two years ahead, at most ten; returns how many.';
REVOKE ALL ON FUNCTION gesta.make_partitions(integer) FROM PUBLIC;
REVOKE ALL ON FUNCTION gesta.guard_partition(regclass) FROM PUBLIC;
REVOKE ALL ON FUNCTION gesta.next_partition_year() FROM PUBLIC;
GRANT EXECUTE ON FUNCTION gesta.make_partitions(integer) TO gesta_app, gesta_import;

SELECT gesta.make_partitions();
