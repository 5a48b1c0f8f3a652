    -- What a cascade to the table itself did is in the same rows, and recorded where the statement was the session's.
    IF TG_OP <> 'INSERT' THEN
        noted := gesta.take_notes(TG_RELID, TG_OP);
    END IF;
