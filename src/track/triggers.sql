CREATE TRIGGER gesta_capture_insert AFTER INSERT ON {relation}
    REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION {function}();
CREATE TRIGGER gesta_capture_update AFTER UPDATE ON {relation}
    REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION {function}();
CREATE TRIGGER gesta_capture_delete AFTER DELETE ON {relation}
    REFERENCING OLD TABLE AS old_rows FOR EACH STATEMENT EXECUTE FUNCTION {function}();
CREATE TRIGGER gesta_capture_truncate BEFORE TRUNCATE ON {relation}
    FOR EACH STATEMENT EXECUTE FUNCTION {function}();
ALTER TABLE {relation}
    ENABLE ALWAYS TRIGGER gesta_capture_insert,
    ENABLE ALWAYS TRIGGER gesta_capture_update,
    ENABLE ALWAYS TRIGGER gesta_capture_delete,
    ENABLE ALWAYS TRIGGER gesta_capture_truncate;
GRANT SELECT ON {relation} TO gesta_capture;
