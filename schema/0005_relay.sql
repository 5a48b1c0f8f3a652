-- How far the relay is, who relays, and which actions are in the stream as a stub only. State, not log: the stream's last
-- message says how far the relay is, and everything here may be lost without harm to what is published.
-- Locks: none; everything here is new.

CREATE TABLE gesta.relay (
    stream     text COLLATE "C" NOT NULL,
    holder     text COLLATE "C" NOT NULL,
    held_until timestamptz NOT NULL,
    position   text COLLATE "C",
    sequence   bigint,
    saved_at   timestamptz,
    CONSTRAINT relay_pkey PRIMARY KEY (stream),
    CONSTRAINT relay_stream_length CHECK (octet_length(stream) BETWEEN 1 AND 64),
    CONSTRAINT relay_position_complete CHECK ((position IS NULL) = (sequence IS NULL) AND (position IS NULL) = (saved_at IS NULL)),
    CONSTRAINT relay_sequence_range CHECK (sequence >= 0)
) WITH (fillfactor = 50);
COMMENT ON TABLE gesta.relay IS 'One row is one JetStream stream that the log is published to, for all tenants. It spares work, and says where to go on when the stream has dropped every message.';
COMMENT ON COLUMN gesta.relay.stream IS 'The stream''s name.';
COMMENT ON COLUMN gesta.relay.holder IS 'Which relay publishes; the others wait. Changed by each relay that takes over.';
COMMENT ON COLUMN gesta.relay.held_until IS 'Until when the others wait, by the database''s clock. Changed about once a second.';
COMMENT ON COLUMN gesta.relay.position IS 'A position of the log up to which all is published, perhaps some seconds old. Null before the first one.';
COMMENT ON COLUMN gesta.relay.sequence IS 'The number of the stream''s last message then; 0 for none.';
COMMENT ON COLUMN gesta.relay.saved_at IS 'When the position was noted, by the database''s clock.';

CREATE TABLE gesta.parked (
    tenant   text COLLATE "C" NOT NULL,
    id       uuid NOT NULL,
    stream   text COLLATE "C" NOT NULL,
    position text COLLATE "C" NOT NULL,
    reason   text COLLATE "C" NOT NULL,
    since    timestamptz NOT NULL DEFAULT statement_timestamp(),
    CONSTRAINT parked_pkey PRIMARY KEY (tenant, id, stream)
);
CREATE INDEX parked_stream_idx ON gesta.parked (stream, since);
COMMENT ON TABLE gesta.parked IS 'One row is one action that the broker does not take as a message. The stream has a stub in its place.';
COMMENT ON COLUMN gesta.parked.tenant IS 'Isolation unit, as in gesta.action.';
COMMENT ON COLUMN gesta.parked.id IS 'The action.';
COMMENT ON COLUMN gesta.parked.stream IS 'The stream that it is missing in.';
COMMENT ON COLUMN gesta.parked.position IS 'Its position in the log.';
COMMENT ON COLUMN gesta.parked.reason IS 'Why, for people; no payload.';
COMMENT ON COLUMN gesta.parked.since IS 'When it was found, by the database''s clock.';

GRANT SELECT, INSERT, UPDATE ON gesta.relay TO gesta_relay;
GRANT SELECT, INSERT, DELETE ON gesta.parked TO gesta_relay;
GRANT SELECT ON gesta.relay, gesta.parked TO gesta_auditor;

ALTER TABLE gesta.parked ENABLE ROW LEVEL SECURITY;
CREATE POLICY parked_for_auditor ON gesta.parked TO gesta_auditor USING (true) WITH CHECK (true);
