-- A claim notes how far the sequence has come by the function that waits for whoever changes it. The sequence's row, which it
-- read before, says 32 more while nextval() writes the WAL for the next values: a claim of that moment could refuse its
-- transaction although all was recorded.
-- Locks: none; a function is replaced.

CREATE OR REPLACE FUNCTION gesta.claim(relation oid, object_type text, changed bigint) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    IF changed <> 0 THEN
        -- Somebody may have made all constraints immediate; the session's actions come only after its statement.
        SET CONSTRAINTS gesta.claim_settled DEFERRED;
        INSERT INTO gesta.claim (relation, object_type, changed, after_seq)
        SELECT $1, $2, $3, coalesce(pg_sequence_last_value('gesta.action_seq'), 0);
    END IF;
END
$$;
