-- The tables of actions.toml: a newsroom, and the sources of an extraction that runs elsewhere.

CREATE SCHEMA newsroom;
CREATE TABLE newsroom.section (
    id   bigint PRIMARY KEY,
    name text NOT NULL
);
CREATE TABLE newsroom.article (
    id           bigint PRIMARY KEY,
    section      bigint REFERENCES newsroom.section ON DELETE SET NULL,
    title        text NOT NULL,
    state        text NOT NULL DEFAULT 'draft' CHECK (state IN ('draft', 'published', 'withdrawn')),
    published_at timestamptz,
    note         text
);
CREATE INDEX article_section_idx ON newsroom.article (section);
-- Comments go with their article, and answers with what they answer.
CREATE TABLE newsroom.comment (
    id      bigint PRIMARY KEY,
    article bigint NOT NULL REFERENCES newsroom.article ON DELETE CASCADE,
    answers bigint REFERENCES newsroom.comment ON DELETE CASCADE,
    body    text NOT NULL
);
CREATE INDEX comment_article_idx ON newsroom.comment (article);
CREATE INDEX comment_answers_idx ON newsroom.comment (answers);
-- What a newsletter has sent must stay.
CREATE TABLE newsroom.newsletter (
    id      bigint PRIMARY KEY,
    article bigint NOT NULL REFERENCES newsroom.article
);
CREATE INDEX newsletter_article_idx ON newsroom.newsletter (article);

CREATE SCHEMA extraction;
CREATE TABLE extraction.source (
    id       text PRIMARY KEY,
    name     text NOT NULL,
    location text NOT NULL
);

GRANT USAGE ON SCHEMA newsroom, extraction TO gesta_app;
GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA newsroom, extraction TO gesta_app;
