-- Runs: what people did to many objects at once, by an action definition. What was selected, who asked, what became of
-- each object. State beside the log: that a run was started, ended, cancelled or refused is an action in it.
-- Locks: none on a big table; everything here is new.
--
-- An object of a run has a row in gesta.run_item as soon as something became of it, in the transaction that did it, and is
-- pending until then. So recording a run costs the same for one object and for a million, and nothing is done twice: the
-- second row would have the key of the first.

CREATE TABLE gesta.selection (
    tenant      text COLLATE "C" NOT NULL,
    id          uuid NOT NULL,
    object_type text COLLATE "C" NOT NULL,
    maker_type  text COLLATE "C" NOT NULL,
    maker_id    text COLLATE "C" NOT NULL,
    rule        jsonb NOT NULL,
    total       integer NOT NULL,
    dropped     integer NOT NULL,
    revision    integer NOT NULL DEFAULT 0,
    created_at  timestamptz NOT NULL DEFAULT statement_timestamp(),
    expires_at  timestamptz NOT NULL,
    CONSTRAINT selection_pkey PRIMARY KEY (tenant, id),
    CONSTRAINT selection_tenant_length CHECK (octet_length(tenant) BETWEEN 1 AND 63),
    CONSTRAINT selection_object_type_shape CHECK (octet_length(object_type) BETWEEN 1 AND 63 AND strpos(object_type, ':') = 0),
    CONSTRAINT selection_maker_type_shape CHECK (octet_length(maker_type) BETWEEN 1 AND 63 AND strpos(maker_type, ':') = 0),
    CONSTRAINT selection_maker_id_length CHECK (octet_length(maker_id) BETWEEN 1 AND 2048),
    CONSTRAINT selection_total_range CHECK (total BETWEEN 1 AND 1000000),
    CONSTRAINT selection_dropped_range CHECK (dropped >= 0)
);
CREATE INDEX selection_expiry_idx ON gesta.selection (expires_at);
CREATE INDEX selection_maker_idx ON gesta.selection (tenant, maker_type, maker_id, expires_at);
COMMENT ON TABLE gesta.selection IS 'One row is one selection of objects, frozen when it was made. Rows go when they have expired and no run is at work on them.';
COMMENT ON COLUMN gesta.selection.tenant IS 'Isolation unit, as in gesta.action.';
COMMENT ON COLUMN gesta.selection.id IS '122 random bits, so that nobody guesses it.';
COMMENT ON COLUMN gesta.selection.object_type IS 'Type of all its objects.';
COMMENT ON COLUMN gesta.selection.maker_type IS 'Type of who made it; nobody else can use it.';
COMMENT ON COLUMN gesta.selection.maker_id IS 'Id of who made it.';
COMMENT ON COLUMN gesta.selection.rule IS 'How it was asked for: {"ids": 12}, {"filter": {…}}, {"query": "…"}, {"retry_of": "…"}.';
COMMENT ON COLUMN gesta.selection.total IS 'How many objects it has, 1 to 1,000,000.';
COMMENT ON COLUMN gesta.selection.dropped IS 'How many ids were given that are none of its objects.';
COMMENT ON COLUMN gesta.selection.revision IS 'How often a plan found that rows are not what they were when it was selected or planned before. Changed by plans.';
COMMENT ON COLUMN gesta.selection.created_at IS 'When it was made, by the database''s clock.';
COMMENT ON COLUMN gesta.selection.expires_at IS 'From when on nothing can be planned or started with it, by the database''s clock.';

CREATE TABLE gesta.selected (
    tenant    text COLLATE "C" NOT NULL,
    selection uuid NOT NULL,
    place     integer NOT NULL,
    object_id text COLLATE "C" NOT NULL,
    name      text,
    version   bigint,
    revision  integer NOT NULL DEFAULT 0,
    CONSTRAINT selected_pkey PRIMARY KEY (tenant, selection, place),
    CONSTRAINT selected_object_id_length CHECK (octet_length(object_id) BETWEEN 1 AND 2048)
);
COMMENT ON TABLE gesta.selected IS 'One row is one object of a selection.';
COMMENT ON COLUMN gesta.selected.tenant IS 'Isolation unit, as in gesta.action.';
COMMENT ON COLUMN gesta.selected.selection IS 'The selection.';
COMMENT ON COLUMN gesta.selected.place IS 'Its place in the selection, from 0 on, in the order of the table''s keys: all runs take rows in the same order.';
COMMENT ON COLUMN gesta.selected.object_id IS 'Its id: the text of the row''s key.';
COMMENT ON COLUMN gesta.selected.name IS 'What it was called then, up to 256 characters; may be null.';
COMMENT ON COLUMN gesta.selected.version IS 'hashtextextended() of the row''s text when it was selected or last planned; null where the type has no table, or the row had gone by then. Changed by plans.';
COMMENT ON COLUMN gesta.selected.revision IS 'The selection''s revision that its version is of. Changed by plans.';

CREATE TABLE gesta.run (
    tenant          text COLLATE "C" NOT NULL,
    id              uuid NOT NULL,
    object_type     text COLLATE "C" NOT NULL,
    name            text COLLATE "C" NOT NULL,
    label           text NOT NULL,
    state           text COLLATE "C" NOT NULL,
    actor_type      text COLLATE "C" NOT NULL,
    actor_id        text COLLATE "C" NOT NULL,
    actor_name      text,
    reason          text,
    context         jsonb,
    permission      text COLLATE "C",
    rights          text[] COLLATE "C" NOT NULL DEFAULT '{}',
    input           jsonb NOT NULL,
    secret_input    jsonb,
    is_background   boolean NOT NULL,
    is_atomic       boolean NOT NULL,
    selection       uuid,
    retry_of        uuid,
    total           integer NOT NULL,
    done            integer NOT NULL DEFAULT 0,
    skipped         integer NOT NULL DEFAULT 0,
    denied          integer NOT NULL DEFAULT 0,
    failed          integer NOT NULL DEFAULT 0,
    messages        integer NOT NULL DEFAULT 0,
    idempotency_key text COLLATE "C",
    request_hash    bytea,
    token_id        uuid,
    holder          uuid,
    held_until      timestamptz,
    attempts        integer NOT NULL DEFAULT 0,
    created_at      timestamptz NOT NULL DEFAULT clock_timestamp(),
    started_at      timestamptz,
    ended_at        timestamptz,
    cancelled_by    text COLLATE "C",
    error           text,
    waiting         text,
    CONSTRAINT run_pkey PRIMARY KEY (tenant, id),
    CONSTRAINT run_tenant_length CHECK (octet_length(tenant) BETWEEN 1 AND 63),
    CONSTRAINT run_object_type_shape CHECK (octet_length(object_type) BETWEEN 1 AND 63 AND strpos(object_type, ':') = 0),
    CONSTRAINT run_name_length CHECK (octet_length(name) BETWEEN 1 AND 255),
    CONSTRAINT run_state_known CHECK (state IN ('queued', 'running', 'succeeded', 'partial', 'failed', 'cancelled', 'refused')),
    CONSTRAINT run_actor_type_shape CHECK (octet_length(actor_type) BETWEEN 1 AND 63 AND strpos(actor_type, ':') = 0),
    CONSTRAINT run_actor_id_length CHECK (octet_length(actor_id) BETWEEN 1 AND 2048),
    CONSTRAINT run_idempotency_key_length CHECK (octet_length(idempotency_key) BETWEEN 1 AND 255),
    CONSTRAINT run_counts_fit CHECK (least(done, skipped, denied, failed) >= 0 AND done + skipped + denied + failed <= total),
    CONSTRAINT run_ended_whole CHECK ((ended_at IS NULL) = (state IN ('queued', 'running'))),
    CONSTRAINT run_secret_gone CHECK (secret_input IS NULL OR ended_at IS NULL),
    CONSTRAINT run_held_whole CHECK ((holder IS NULL) = (held_until IS NULL)),
    CONSTRAINT run_waiting_open CHECK (waiting IS NULL OR ended_at IS NULL)
) WITH (fillfactor = 50);
-- A key and a token start one run, a run is retried once: the second one of two at the same time finds the first.
CREATE UNIQUE INDEX run_idempotency_idx ON gesta.run (tenant, actor_type, actor_id, idempotency_key) WHERE idempotency_key IS NOT NULL;
CREATE UNIQUE INDEX run_token_idx ON gesta.run (tenant, token_id) WHERE token_id IS NOT NULL;
CREATE UNIQUE INDEX run_retry_idx ON gesta.run (tenant, retry_of) WHERE retry_of IS NOT NULL;
CREATE INDEX run_open_idx ON gesta.run (tenant, id) WHERE state IN ('queued', 'running');
CREATE INDEX run_ended_idx ON gesta.run (ended_at) WHERE ended_at IS NOT NULL;
CREATE INDEX run_selection_idx ON gesta.run (tenant, selection) WHERE selection IS NOT NULL;
COMMENT ON TABLE gesta.run IS 'One row is one execution of an action definition over a selection. Rows go to gesta.run_archive some time after they have ended.';
COMMENT ON COLUMN gesta.run.tenant IS 'Isolation unit, as in gesta.action.';
COMMENT ON COLUMN gesta.run.id IS 'UUIDv7 whose time is when it was recorded. It is the run_id of all actions of the run, and their object in run:ID.';
COMMENT ON COLUMN gesta.run.object_type IS 'Type of the objects.';
COMMENT ON COLUMN gesta.run.name IS 'Name of the definition.';
COMMENT ON COLUMN gesta.run.label IS 'What the definition was called for so many objects.';
COMMENT ON COLUMN gesta.run.state IS 'queued, running; then succeeded, partial (some failed or were denied), failed, cancelled or refused. Changed by whoever holds it, and by who cancels it.';
COMMENT ON COLUMN gesta.run.actor_type IS 'Type of who asked for it.';
COMMENT ON COLUMN gesta.run.actor_id IS 'Id of who asked for it.';
COMMENT ON COLUMN gesta.run.actor_name IS 'What they are called; may be null.';
COMMENT ON COLUMN gesta.run.reason IS 'Why, in their words; may be null.';
COMMENT ON COLUMN gesta.run.context IS 'Circumstances of the request, as in gesta.action.';
COMMENT ON COLUMN gesta.run.permission IS 'The permission that allowed it, or that was missing; null where it takes none.';
COMMENT ON COLUMN gesta.run.rights IS 'What they might do when they asked: a run in the background may do no more.';
COMMENT ON COLUMN gesta.run.input IS 'The input, with `***` in place of secrets.';
COMMENT ON COLUMN gesta.run.secret_input IS 'The input with its secrets, where it has some; null as soon as the run has ended. Auditors cannot read it.';
COMMENT ON COLUMN gesta.run.is_background IS 'Whether a worker runs it.';
COMMENT ON COLUMN gesta.run.is_atomic IS 'Whether it is one transaction, which one failing object undoes.';
COMMENT ON COLUMN gesta.run.selection IS 'The objects; null for a refused run.';
COMMENT ON COLUMN gesta.run.retry_of IS 'The run whose failed and pending objects it takes up; null for none.';
COMMENT ON COLUMN gesta.run.total IS 'How many objects there are.';
COMMENT ON COLUMN gesta.run.done IS 'How many were done. Changed with each piece.';
COMMENT ON COLUMN gesta.run.skipped IS 'With how many there was nothing to do. Changed with each piece.';
COMMENT ON COLUMN gesta.run.denied IS 'How many the asker may not do it to. Changed with each piece.';
COMMENT ON COLUMN gesta.run.failed IS 'How many failed. Changed with each piece.';
COMMENT ON COLUMN gesta.run.messages IS 'How many messages there were; the first 1,000 are kept. Changed with each piece.';
COMMENT ON COLUMN gesta.run.idempotency_key IS 'What the request called itself, 1 to 255 bytes: one run for each of an actor. May be null.';
COMMENT ON COLUMN gesta.run.request_hash IS 'SHA-256 of the request: the same key with another request is refused.';
COMMENT ON COLUMN gesta.run.token_id IS 'The confirmation that started it, which starts nothing else; null for none.';
COMMENT ON COLUMN gesta.run.holder IS 'Who runs it, a random id of each attempt; null while nobody does. Changed by gesta.claim_run.';
COMMENT ON COLUMN gesta.run.held_until IS 'Until when nobody else takes it, by the database''s clock. Changed several times a minute.';
COMMENT ON COLUMN gesta.run.attempts IS 'How often it was taken since it last got on.';
COMMENT ON COLUMN gesta.run.created_at IS 'When it was recorded, by the database''s clock.';
COMMENT ON COLUMN gesta.run.started_at IS 'When somebody first took it, by the database''s clock; null before.';
COMMENT ON COLUMN gesta.run.ended_at IS 'When it ended, by the database''s clock; null before.';
COMMENT ON COLUMN gesta.run.cancelled_by IS 'Who cancelled it, as TYPE:ID; null where nobody did.';
COMMENT ON COLUMN gesta.run.error IS 'Why it failed or was refused as a whole, for people; no value of a row.';
COMMENT ON COLUMN gesta.run.waiting IS 'What it waits for, for people: a worker elsewhere that is not there; null where it goes on. Changed by whoever holds it.';

CREATE TABLE gesta.run_item (
    tenant     text COLLATE "C" NOT NULL,
    run        uuid NOT NULL,
    place      integer NOT NULL,
    object_key bigint NOT NULL,
    object_id  text COLLATE "C" NOT NULL,
    name       text,
    outcome    text COLLATE "C" NOT NULL,
    note       text,
    settled_at timestamptz NOT NULL DEFAULT statement_timestamp(),
    CONSTRAINT run_item_pkey PRIMARY KEY (tenant, run, place),
    CONSTRAINT run_item_outcome_known CHECK (outcome IN ('done', 'skipped', 'denied', 'failed')),
    CONSTRAINT run_item_note_length CHECK (octet_length(note) <= 4096)
);
CREATE INDEX run_item_object_idx ON gesta.run_item (object_key, run) INCLUDE (tenant);
COMMENT ON TABLE gesta.run_item IS 'One row is one object of a run that something became of. Rows are written once.';
COMMENT ON COLUMN gesta.run_item.tenant IS 'Isolation unit, as in gesta.action.';
COMMENT ON COLUMN gesta.run_item.run IS 'The run.';
COMMENT ON COLUMN gesta.run_item.place IS 'Its place in the selection.';
COMMENT ON COLUMN gesta.run_item.object_key IS 'gesta.resource_key() of the object, to find the runs of an object.';
COMMENT ON COLUMN gesta.run_item.object_id IS 'Id of the object.';
COMMENT ON COLUMN gesta.run_item.name IS 'What it was called when it was selected; may be null.';
COMMENT ON COLUMN gesta.run_item.outcome IS 'What became of it: done, skipped, denied, failed.';
COMMENT ON COLUMN gesta.run_item.note IS 'Why, for people, up to 4,096 bytes; null where it was done.';
COMMENT ON COLUMN gesta.run_item.settled_at IS 'When, by the database''s clock.';

CREATE TABLE gesta.run_message (
    tenant  text COLLATE "C" NOT NULL,
    run     uuid NOT NULL,
    number  integer NOT NULL,
    level   text COLLATE "C" NOT NULL,
    content text NOT NULL,
    told_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    CONSTRAINT run_message_pkey PRIMARY KEY (tenant, run, number),
    CONSTRAINT run_message_number_range CHECK (number BETWEEN 1 AND 1000),
    CONSTRAINT run_message_level_known CHECK (level IN ('debug', 'info', 'success', 'warning', 'error')),
    CONSTRAINT run_message_content_length CHECK (octet_length(content) <= 4096)
);
COMMENT ON TABLE gesta.run_message IS 'One row is one message of a run to whoever asked for it; the first 1,000 of each run. Rows are written once.';
COMMENT ON COLUMN gesta.run_message.tenant IS 'Isolation unit, as in gesta.action.';
COMMENT ON COLUMN gesta.run_message.run IS 'The run.';
COMMENT ON COLUMN gesta.run_message.number IS 'Its number, from 1 on.';
COMMENT ON COLUMN gesta.run_message.level IS 'How much it matters: debug, info, success, warning, error.';
COMMENT ON COLUMN gesta.run_message.content IS 'The text, for people, up to 4,096 bytes.';
COMMENT ON COLUMN gesta.run_message.told_at IS 'When, by the database''s clock.';

CREATE TABLE gesta.run_archive (
    tenant      text COLLATE "C" NOT NULL,
    run         uuid NOT NULL,
    part        integer NOT NULL,
    content     jsonb NOT NULL,
    archived_at timestamptz NOT NULL DEFAULT statement_timestamp(),
    CONSTRAINT run_archive_pkey PRIMARY KEY (tenant, run, part),
    CONSTRAINT run_archive_part_range CHECK (part >= 0)
);
COMMENT ON TABLE gesta.run_archive IS 'What gesta.archive_runs has taken out of the other tables of runs. Rows are written once; whoever needs the room deletes them, oldest first.';
COMMENT ON COLUMN gesta.run_archive.tenant IS 'Isolation unit, as in gesta.action.';
COMMENT ON COLUMN gesta.run_archive.run IS 'The run.';
COMMENT ON COLUMN gesta.run_archive.part IS '0 for the run with its messages, then 10,000 objects each.';
COMMENT ON COLUMN gesta.run_archive.content IS 'Part 0: {"run": {…}, "messages": [{…}]}. Others: [[place, id, name, outcome, note, settled_at], …].';
COMMENT ON COLUMN gesta.run_archive.archived_at IS 'When, by the database''s clock.';

-- A run that is queued, or whose holder has not been heard of. The tenant that is worked for least comes first, then the one
-- whose run has waited longest. Two workers that ask at the same time get two runs: one skips what the other has locked. The
-- loop is over tenants, so a run is locked only when it is taken.
CREATE FUNCTION gesta.claim_run(claimer uuid, lease interval) RETURNS TABLE (tenant text, run uuid)
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    candidate record;
    taken     uuid;
BEGIN
    FOR candidate IN
        SELECT r.tenant,
            count(*) FILTER (WHERE r.state = 'running' AND r.held_until >= clock_timestamp()) AS busy,
            min(r.id::text) FILTER (WHERE r.held_until IS NULL OR r.held_until < clock_timestamp()) AS next
        FROM gesta.run AS r
        WHERE r.state IN ('queued', 'running')
        GROUP BY r.tenant
        HAVING count(*) FILTER (WHERE r.held_until IS NULL OR r.held_until < clock_timestamp()) > 0
        ORDER BY busy, next
    LOOP
        SELECT r.id INTO taken
        FROM gesta.run AS r
        WHERE r.tenant = candidate.tenant AND r.state IN ('queued', 'running')
            AND (r.held_until IS NULL OR r.held_until < clock_timestamp())
        ORDER BY r.id
        LIMIT 1
        FOR UPDATE SKIP LOCKED;
        CONTINUE WHEN NOT FOUND;
        UPDATE gesta.run AS r
        SET state = 'running', holder = claimer, held_until = clock_timestamp() + lease,
            attempts = r.attempts + 1, started_at = coalesce(r.started_at, clock_timestamp())
        WHERE r.tenant = candidate.tenant AND r.id = taken;
        RETURN QUERY SELECT candidate.tenant, taken;
        RETURN;
    END LOOP;
END
$$;
COMMENT ON FUNCTION gesta.claim_run(uuid, interval) IS 'Takes a run of any tenant that nobody is at work on, for as long as the lease; no row where there is none.';

-- Oldest first, and the newest run of each definition stays, however old it is. A run is archived and removed in one
-- transaction; one that is retried at this moment is left for the next time.
CREATE FUNCTION gesta.archive_runs(age interval, most integer) RETURNS integer
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    old   record;
    moved integer := 0;
BEGIN
    FOR old IN
        SELECT r.tenant, r.id
        FROM gesta.run AS r
        WHERE r.ended_at < clock_timestamp() - age
            AND EXISTS (
                SELECT FROM gesta.run AS n
                WHERE n.tenant = r.tenant AND n.object_type = r.object_type AND n.name = r.name AND n.id > r.id
            )
        ORDER BY r.ended_at
        LIMIT most
        FOR UPDATE SKIP LOCKED
    LOOP
        INSERT INTO gesta.run_archive (tenant, run, part, content)
        SELECT r.tenant, r.id, 0, jsonb_build_object(
            'run', to_jsonb(r) - '{secret_input,holder,held_until,attempts,waiting,request_hash,token_id}'::text[],
            'messages', coalesce((
                SELECT jsonb_agg(jsonb_build_object('number', m.number, 'level', m.level, 'content', m.content, 'told_at', m.told_at)
                    ORDER BY m.number)
                FROM gesta.run_message AS m
                WHERE m.tenant = r.tenant AND m.run = r.id), '[]'))
        FROM gesta.run AS r
        WHERE r.tenant = old.tenant AND r.id = old.id;
        INSERT INTO gesta.run_archive (tenant, run, part, content)
        SELECT old.tenant, old.id, 1 + i.place / 10000,
            jsonb_agg(jsonb_build_array(i.place, i.object_id, i.name, i.outcome, i.note, i.settled_at) ORDER BY i.place)
        FROM gesta.run_item AS i
        WHERE i.tenant = old.tenant AND i.run = old.id
        GROUP BY i.place / 10000;
        DELETE FROM gesta.run_item AS i WHERE i.tenant = old.tenant AND i.run = old.id;
        DELETE FROM gesta.run_message AS m WHERE m.tenant = old.tenant AND m.run = old.id;
        DELETE FROM gesta.run AS r WHERE r.tenant = old.tenant AND r.id = old.id;
        moved := moved + 1;
    END LOOP;
    RETURN moved;
END
$$;
COMMENT ON FUNCTION gesta.archive_runs(interval, integer) IS 'Moves runs that ended longer ago than that to gesta.run_archive, oldest first, and never the newest of a definition; gives how many.';

-- A selection is needed until it expires, and by a run some of whose objects are pending.
CREATE FUNCTION gesta.drop_selections(most integer) RETURNS integer
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    old     record;
    dropped integer := 0;
BEGIN
    FOR old IN
        SELECT s.tenant, s.id
        FROM gesta.selection AS s
        WHERE s.expires_at < clock_timestamp()
            AND NOT EXISTS (
                SELECT FROM gesta.run AS r
                WHERE r.tenant = s.tenant AND r.selection = s.id
                    AND (r.ended_at IS NULL OR r.done + r.skipped + r.denied + r.failed < r.total)
            )
        ORDER BY s.expires_at
        LIMIT most
        FOR UPDATE SKIP LOCKED
    LOOP
        DELETE FROM gesta.selected AS d WHERE d.tenant = old.tenant AND d.selection = old.id;
        DELETE FROM gesta.selection AS s WHERE s.tenant = old.tenant AND s.id = old.id;
        dropped := dropped + 1;
    END LOOP;
    RETURN dropped;
END
$$;
COMMENT ON FUNCTION gesta.drop_selections(integer) IS 'Removes selections that have expired and that no run needs any more, oldest first; gives how many.';

REVOKE ALL ON FUNCTION gesta.claim_run(uuid, interval), gesta.archive_runs(interval, integer), gesta.drop_selections(integer)
    FROM PUBLIC;
GRANT EXECUTE ON FUNCTION gesta.claim_run(uuid, interval), gesta.archive_runs(interval, integer), gesta.drop_selections(integer)
    TO gesta_app;

-- By this secret a confirmation is known to be one of ours.
INSERT INTO gesta.secret (name, secret)
VALUES ('confirm', sha256(uuid_send(gen_random_uuid()) || uuid_send(gen_random_uuid()) || uuid_send(gen_random_uuid())));

GRANT SELECT, INSERT ON gesta.selection, gesta.selected TO gesta_app;
GRANT UPDATE (revision) ON gesta.selection TO gesta_app;
GRANT UPDATE (version, revision) ON gesta.selected TO gesta_app;
GRANT SELECT, INSERT ON gesta.run TO gesta_app;
GRANT UPDATE (state, secret_input, done, skipped, denied, failed, messages, holder, held_until, attempts, started_at, ended_at,
              cancelled_by, error, waiting)
    ON gesta.run TO gesta_app;
GRANT SELECT, INSERT ON gesta.run_item, gesta.run_message TO gesta_app;
GRANT SELECT ON gesta.run_archive TO gesta_app;
GRANT SELECT ON gesta.selection, gesta.selected, gesta.run_item, gesta.run_message, gesta.run_archive TO gesta_auditor;
-- All but secret_input.
GRANT SELECT (tenant, id, object_type, name, label, state, actor_type, actor_id, actor_name, reason, context, permission, rights,
              input, is_background, is_atomic, selection, retry_of, total, done, skipped, denied, failed, messages,
              idempotency_key, request_hash, token_id, holder, held_until, attempts, created_at, started_at, ended_at,
              cancelled_by, error, waiting)
    ON gesta.run TO gesta_auditor;

ALTER TABLE gesta.selection ENABLE ROW LEVEL SECURITY;
ALTER TABLE gesta.selected ENABLE ROW LEVEL SECURITY;
ALTER TABLE gesta.run ENABLE ROW LEVEL SECURITY;
ALTER TABLE gesta.run_item ENABLE ROW LEVEL SECURITY;
ALTER TABLE gesta.run_message ENABLE ROW LEVEL SECURITY;
ALTER TABLE gesta.run_archive ENABLE ROW LEVEL SECURITY;
CREATE POLICY selection_of_tenant ON gesta.selection TO gesta_app
    USING (tenant = current_setting('gesta.tenant', true)) WITH CHECK (tenant = current_setting('gesta.tenant', true));
CREATE POLICY selected_of_tenant ON gesta.selected TO gesta_app
    USING (tenant = current_setting('gesta.tenant', true)) WITH CHECK (tenant = current_setting('gesta.tenant', true));
CREATE POLICY run_of_tenant ON gesta.run TO gesta_app
    USING (tenant = current_setting('gesta.tenant', true)) WITH CHECK (tenant = current_setting('gesta.tenant', true));
CREATE POLICY run_item_of_tenant ON gesta.run_item TO gesta_app
    USING (tenant = current_setting('gesta.tenant', true)) WITH CHECK (tenant = current_setting('gesta.tenant', true));
CREATE POLICY run_message_of_tenant ON gesta.run_message TO gesta_app
    USING (tenant = current_setting('gesta.tenant', true)) WITH CHECK (tenant = current_setting('gesta.tenant', true));
CREATE POLICY run_archive_of_tenant ON gesta.run_archive FOR SELECT TO gesta_app
    USING (tenant = current_setting('gesta.tenant', true));
CREATE POLICY selection_for_auditor ON gesta.selection FOR SELECT TO gesta_auditor USING (true);
CREATE POLICY selected_for_auditor ON gesta.selected FOR SELECT TO gesta_auditor USING (true);
CREATE POLICY run_for_auditor ON gesta.run FOR SELECT TO gesta_auditor USING (true);
CREATE POLICY run_item_for_auditor ON gesta.run_item FOR SELECT TO gesta_auditor USING (true);
CREATE POLICY run_message_for_auditor ON gesta.run_message FOR SELECT TO gesta_auditor USING (true);
CREATE POLICY run_archive_for_auditor ON gesta.run_archive FOR SELECT TO gesta_auditor USING (true);
