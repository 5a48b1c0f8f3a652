-- Foreign keys of the table to itself: fires only for rows that a cascade changes.
CREATE TRIGGER gesta_capture_cascade AFTER UPDATE OR DELETE ON {relation}
    FOR EACH ROW WHEN (pg_trigger_depth() > 0) EXECUTE FUNCTION {function}();
ALTER TABLE {relation} ENABLE ALWAYS TRIGGER gesta_capture_cascade;
