-- Partitions: tells of rows whose partition key changes, which a MERGE hides from the triggers of statements.
CREATE TRIGGER gesta_capture_move BEFORE UPDATE ON {relation}
    FOR EACH ROW WHEN (pg_catalog.record_image_ne({old_part}, {new_part})) EXECUTE FUNCTION {function}();
ALTER TABLE {relation} ENABLE ALWAYS TRIGGER gesta_capture_move;
