    -- Old and new rows are paired by their place. A row that an UPDATE moves to another partition may get lost there; those that
    -- a MERGE moves come neither here nor, as a rule, to another trigger of a statement.
    IF TG_OP = 'UPDATE' THEN
        IF (SELECT count(*) FROM old_rows) <> (SELECT count(*) FROM new_rows) THEN
            RAISE EXCEPTION 'an UPDATE of % cannot be recorded: a trigger of a partition swallowed a row that moved there',
                    TG_RELID::regclass
                USING ERRCODE = 'triggered_data_change_violation', HINT = 'Move such rows with DELETE and INSERT.';
        END IF;
        noted := gesta.take_notes(TG_RELID, 'MOVE');
        IF noted > 0 THEN
            EXECUTE gesta.moves_sql(TG_RELID) INTO touched;
            IF touched < noted THEN
                RAISE EXCEPTION 'a change of % cannot be recorded: a MERGE moves rows to another partition, or a trigger keeps them',
                        TG_RELID::regclass
                    USING ERRCODE = 'triggered_data_change_violation', HINT = 'Move such rows with UPDATE.';
            END IF;
            noted := 0;
        END IF;
    END IF;
