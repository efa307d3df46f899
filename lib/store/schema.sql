-- SPDX-License-Identifier: Apache-2.0
-- The tables, as migrations: migrate_N takes a store from version N-1 to N. Once released, a
-- migration never changes. Times are microseconds since the epoch, UTC. Texts named labels,
-- annotations, spec, status, details and payload are canonical JSON.

-- :name migrate_1
CREATE TABLE meta (
    key TEXT PRIMARY KEY,
    value TEXT NOT NULL
) WITHOUT ROWID;
CREATE TABLE organization (
    id INTEGER PRIMARY KEY,
    uid TEXT NOT NULL UNIQUE,
    name TEXT NOT NULL UNIQUE
);
CREATE TABLE resource (
    id INTEGER PRIMARY KEY AUTOINCREMENT, -- never used again: last-seen goes by it
    org INTEGER NOT NULL REFERENCES organization(id),
    kind INTEGER NOT NULL,
    name TEXT NOT NULL,
    uid TEXT NOT NULL,
    generation INTEGER NOT NULL,
    created INTEGER NOT NULL,
    owner TEXT,
    labels TEXT NOT NULL,
    annotations TEXT NOT NULL,
    spec TEXT,
    UNIQUE (org, kind, name)
);
CREATE INDEX resource_owner ON resource (org, kind, owner, name) WHERE owner IS NOT NULL;
CREATE TABLE resource_status (
    id INTEGER PRIMARY KEY REFERENCES resource(id) ON DELETE CASCADE,
    version INTEGER NOT NULL,
    status TEXT
);
CREATE TABLE label (
    org INTEGER NOT NULL,
    kind INTEGER NOT NULL,
    key TEXT NOT NULL,
    value TEXT NOT NULL,
    name TEXT NOT NULL,
    id INTEGER NOT NULL,
    PRIMARY KEY (org, kind, key, value, name)
) WITHOUT ROWID;
CREATE INDEX label_id ON label (id, key, value);
CREATE TABLE device (
    id INTEGER PRIMARY KEY REFERENCES resource(id) ON DELETE CASCADE,
    org INTEGER NOT NULL,
    name TEXT NOT NULL,
    stale INTEGER NOT NULL,
    rendered INTEGER NOT NULL,
    hash TEXT,
    rendered_at INTEGER NOT NULL,
    fetched INTEGER NOT NULL,
    reported INTEGER NOT NULL,
    floor INTEGER NOT NULL,
    failed INTEGER NOT NULL,
    failure TEXT,
    spec_valid INTEGER NOT NULL,
    spec_message TEXT,
    spec_since INTEGER NOT NULL,
    overlap_since INTEGER NOT NULL,
    conditions TEXT NOT NULL,
    updated TEXT NOT NULL,
    updated_info TEXT,
    summary TEXT NOT NULL,
    applications TEXT NOT NULL,
    lifecycle TEXT NOT NULL
);
CREATE UNIQUE INDEX device_name ON device (org, name, rendered, stale, id);
CREATE INDEX device_stale ON device (org, id) WHERE stale > 0;
CREATE TABLE rendered (
    hash TEXT PRIMARY KEY,
    spec TEXT NOT NULL,
    created INTEGER NOT NULL
);
CREATE TABLE device_fleet (
    device INTEGER NOT NULL REFERENCES resource(id) ON DELETE CASCADE,
    fleet INTEGER NOT NULL REFERENCES resource(id) ON DELETE CASCADE,
    assigned INTEGER REFERENCES resource(id),
    rendered INTEGER REFERENCES resource(id),
    good INTEGER REFERENCES resource(id),
    state INTEGER NOT NULL,
    batch INTEGER NOT NULL,
    assigned_at INTEGER NOT NULL,
    message TEXT,
    PRIMARY KEY (device, fleet)
) WITHOUT ROWID;
CREATE INDEX device_fleet_fleet ON device_fleet (fleet, assigned, batch, state, device);
CREATE INDEX device_fleet_pending ON device_fleet (fleet, assigned_at) WHERE state = 1;
CREATE INDEX device_fleet_assigned ON device_fleet (assigned);
CREATE INDEX device_fleet_rendered ON device_fleet (rendered);
CREATE INDEX device_fleet_good ON device_fleet (good);
CREATE TABLE rollout (
    fleet INTEGER PRIMARY KEY REFERENCES resource(id) ON DELETE CASCADE,
    version INTEGER REFERENCES resource(id),
    completed INTEGER REFERENCES resource(id),
    digest TEXT NOT NULL,
    status INTEGER NOT NULL,
    batch INTEGER NOT NULL,
    started INTEGER NOT NULL,
    changed INTEGER NOT NULL,
    why TEXT,
    problem TEXT,
    problem_since INTEGER NOT NULL
);
CREATE INDEX rollout_version ON rollout (version);
CREATE INDEX rollout_completed ON rollout (completed);
CREATE TABLE revision (
    id INTEGER PRIMARY KEY,
    org INTEGER NOT NULL,
    kind INTEGER NOT NULL,
    name TEXT NOT NULL,
    uid TEXT NOT NULL,
    generation INTEGER NOT NULL,
    at INTEGER NOT NULL,
    actor TEXT NOT NULL,
    reason TEXT,
    doc TEXT
);
CREATE INDEX revision_name ON revision (org, kind, name, id);
CREATE TABLE event (
    seq INTEGER PRIMARY KEY AUTOINCREMENT,
    org INTEGER NOT NULL,
    at INTEGER NOT NULL,
    uid TEXT NOT NULL,
    kind INTEGER NOT NULL,
    name TEXT NOT NULL,
    reason TEXT NOT NULL,
    type TEXT NOT NULL,
    actor TEXT NOT NULL,
    source TEXT NOT NULL,
    message TEXT NOT NULL,
    details TEXT
);
CREATE INDEX event_org ON event (org, seq);
CREATE INDEX event_name ON event (org, kind, name, seq);
CREATE TABLE task (
    id INTEGER PRIMARY KEY,
    queue TEXT NOT NULL,
    type TEXT NOT NULL,
    org INTEGER NOT NULL,
    subject TEXT NOT NULL,
    payload TEXT,
    dedupe TEXT,
    state INTEGER NOT NULL,
    attempts INTEGER NOT NULL,
    due INTEGER NOT NULL,
    owner TEXT,
    lease INTEGER NOT NULL,
    error TEXT,
    created INTEGER NOT NULL
);
CREATE UNIQUE INDEX task_dedupe ON task (dedupe) WHERE state = 0;
CREATE INDEX task_due ON task (state, queue, due);

-- Revisions are counted by resource, and keep what undoing needs. Whether a device was silent for
-- too long is a column that a sweep keeps, so that states can be sought in an index: 0 it was seen
-- lately, 1 it is silent, 2 it was never seen. Table label gets the rows of fields (index.h).
-- :name migrate_2
ALTER TABLE revision ADD COLUMN rev INTEGER NOT NULL DEFAULT 0;
ALTER TABLE revision ADD COLUMN created INTEGER NOT NULL DEFAULT 0;
ALTER TABLE revision ADD COLUMN owner TEXT;
ALTER TABLE revision ADD COLUMN number INTEGER; -- of an organization: it comes back with it
UPDATE revision SET
    rev = (SELECT count(*) FROM revision p WHERE p.org = revision.org AND p.kind = revision.kind
        AND p.name = revision.name AND p.id <= revision.id),
    created = coalesce((SELECT r.created FROM resource r WHERE r.org = revision.org
        AND r.kind = revision.kind AND r.name = revision.name AND r.uid = revision.uid), at);
DROP INDEX revision_name;
CREATE UNIQUE INDEX revision_name ON revision (org, kind, name, rev);
CREATE INDEX revision_at ON revision (org, at);
ALTER TABLE device ADD COLUMN disconnected INTEGER NOT NULL DEFAULT 0;
CREATE INDEX device_hash ON device (hash) WHERE hash IS NOT NULL;
CREATE INDEX device_disconnected ON device (id) WHERE disconnected = 1;
UPDATE device SET disconnected = 2;
CREATE INDEX device_summary ON device (org, summary, disconnected, name, id);
CREATE INDEX device_applications ON device (org, applications, disconnected, name, id);
CREATE INDEX device_updated ON device (org, updated, disconnected, name, id);
CREATE INDEX device_lifecycle ON device (org, lifecycle, name, id);
CREATE INDEX device_silent ON device (org, disconnected, name, id);
CREATE INDEX resource_created ON resource (org, kind, created, name, id);
-- Events name the fleet of a template version, and keep the metadata of what was deleted or
-- relabelled.
ALTER TABLE event ADD COLUMN parent TEXT;
ALTER TABLE event ADD COLUMN was TEXT;
CREATE INDEX event_involved ON event (org, name, seq);
CREATE INDEX event_reason ON event (org, reason, seq);
CREATE INDEX event_warning ON event (org, seq) WHERE type = 'Warning';
-- A task is one of its organization, whose number no key says: it is another one after an import.
DROP INDEX task_dedupe;
UPDATE task SET dedupe = NULL;
CREATE UNIQUE INDEX task_dedupe ON task (org, dedupe) WHERE state = 0;
-- Work on many devices goes through several transactions: what is left of it, and of a batch.
ALTER TABLE rollout ADD COLUMN walk INTEGER NOT NULL DEFAULT 0;
ALTER TABLE rollout ADD COLUMN deleted INTEGER NOT NULL DEFAULT 0;
ALTER TABLE rollout ADD COLUMN remaining INTEGER NOT NULL DEFAULT 0;
-- Tokens that were issued here, with the public key that verifies them, and the keys of issuers
-- elsewhere, which are a copy.
CREATE TABLE token (
    jti TEXT PRIMARY KEY,
    org INTEGER NOT NULL,
    subject TEXT NOT NULL,
    roles TEXT NOT NULL,
    groups TEXT NOT NULL,
    key TEXT NOT NULL,
    issued INTEGER NOT NULL,
    issued_by TEXT NOT NULL,
    expires INTEGER NOT NULL,
    revoked INTEGER NOT NULL,
    revoked_by TEXT
);
CREATE INDEX token_org ON token (org, issued, jti);
CREATE INDEX token_expires ON token (expires);
CREATE TABLE issuer (
    url TEXT PRIMARY KEY,
    keys TEXT,
    fetched INTEGER NOT NULL,
    tried INTEGER NOT NULL,
    error TEXT
);
