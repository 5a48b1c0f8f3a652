    -- Old and new rows are paired by their place. A row that an UPDATE moves to another partition may get lost there.
    IF TG_OP = 'UPDATE' AND (SELECT count(*) FROM old_rows) <> (SELECT count(*) FROM new_rows) THEN
        RAISE EXCEPTION 'an UPDATE of % cannot be recorded: a trigger of a partition swallowed a row that moved there', TG_RELID::regclass
            USING ERRCODE = 'triggered_data_change_violation', HINT = 'Move such rows with DELETE and INSERT.';
    END IF;
