
DECLARE
    options CONSTANT jsonb := {options};
    stamp   gesta.stamp;
    touched bigint;
    noted   bigint := 0;
    fits    boolean;
BEGIN
    IF TG_LEVEL = 'ROW' AND TG_WHEN = 'BEFORE' THEN
        PERFORM gesta.note(TG_RELID, 'MOVE');
        RETURN NEW;
    END IF;
    IF TG_LEVEL = 'ROW' THEN
        -- A cascade to the table itself, set off by a statement that the session records: the session does not see these
        -- rows, and the statement's trigger is silent.
        IF current_setting('gesta.recorded', true) <> '' AND pg_trigger_depth() = 1
            AND gesta.is_own_statement(TG_RELID, TG_OP || ' ROW') THEN
            stamp := gesta.stamp(clock_timestamp(), false);
            IF TG_OP = 'DELETE' THEN
                EXECUTE gesta.capture_sql(TG_RELID, 'DELETE ROW', options, '($1)') USING stamp, OLD;
            ELSE
                EXECUTE gesta.capture_sql(TG_RELID, 'UPDATE ROW', options, '($1)') USING stamp, OLD, NEW;
            END IF;
            GET DIAGNOSTICS touched = ROW_COUNT;
            IF touched > 0 THEN
                PERFORM gesta.note(TG_RELID, TG_OP);
            END IF;
        END IF;
        RETURN NULL;
    END IF;
    IF TG_OP = 'TRUNCATE' THEN
        -- It removes what an older snapshot does not show.
        IF current_setting('transaction_isolation') NOT IN ('read committed', 'read uncommitted') THEN
            RAISE EXCEPTION 'TRUNCATE of % cannot be recorded in a transaction of isolation level %', TG_RELID::regclass,
                    upper(current_setting('transaction_isolation'))
                USING ERRCODE = 'active_sql_transaction', HINT = 'Use READ COMMITTED, or DELETE.';
        END IF;
        IF EXISTS (
            SELECT FROM pg_partition_tree(TG_RELID) AS p
            WHERE NOT EXISTS (SELECT FROM pg_trigger AS t WHERE t.tgrelid = p.relid AND t.tgname = TG_NAME)
        ) THEN
            RAISE EXCEPTION 'TRUNCATE of % cannot be recorded: a partition has no trigger', TG_RELID::regclass
                USING ERRCODE = 'object_not_in_prerequisite_state', HINT = 'Run `gesta track` again.';
        END IF;
        IF NOT (has_schema_privilege(TG_TABLE_SCHEMA, 'USAGE') AND has_table_privilege(TG_RELID, 'SELECT')) THEN
            RAISE EXCEPTION 'TRUNCATE of % cannot be recorded: gesta_capture may not read it', TG_RELID::regclass
                USING ERRCODE = 'insufficient_privilege',
                      HINT = 'Run `gesta track` again, or GRANT USAGE on its schema and SELECT on it.';
        END IF;
        EXECUTE format('SELECT count(*) FROM (SELECT FROM ONLY %s LIMIT 2) AS r', TG_RELID::regclass) INTO touched;
        IF touched > 0 THEN
            stamp := gesta.stamp(clock_timestamp(), touched > 1);
            EXECUTE gesta.capture_sql(TG_RELID, TG_OP, options, '($1)') USING stamp;
        END IF;
        RETURN NULL;
    END IF;

{moves}{cascades}    IF TG_OP = 'DELETE' THEN
        PERFORM FROM old_rows LIMIT 2;
    ELSE
        PERFORM FROM new_rows LIMIT 2;
    END IF;
    GET DIAGNOSTICS touched = ROW_COUNT;
    IF touched = 0 THEN
        RETURN NULL;
    END IF;
    -- What this function names is what the table had; otherwise the statements are made anew.
    fits := gesta.shape(TG_RELID) = {shape};
    IF current_setting('gesta.recorded', true) <> '' AND pg_trigger_depth() = 1
        AND gesta.is_own_statement(TG_RELID, TG_OP) THEN
        IF TG_OP = 'INSERT' THEN
            touched := (SELECT count(*) FROM new_rows);
        ELSIF TG_OP = 'DELETE' THEN
            touched := (SELECT count(*) FROM old_rows);
        ELSIF fits THEN
            touched := ({count});
        ELSE
            EXECUTE gesta.count_sql(TG_RELID, options) INTO touched;
        END IF;
        PERFORM gesta.claim(TG_RELID, {type}, greatest(touched - noted, 0));
        RETURN NULL;
    END IF;

    stamp := gesta.stamp(clock_timestamp(), touched > 1);
    IF NOT fits THEN
        EXECUTE gesta.capture_sql(TG_RELID, TG_OP, options, '($1)') USING stamp;
    ELSIF TG_OP = 'INSERT' THEN
    {insert};
    ELSIF TG_OP = 'UPDATE' THEN
    {update};
    ELSE
    {delete};
    END IF;
    RETURN NULL;
END
