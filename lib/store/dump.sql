-- SPDX-License-Identifier: Apache-2.0
-- What an export says and an import writes (dump.c). Columns of a dump_* are the members of its
-- record, in order; so are parameters of its put_*, after the organization where it has that one.

-- :name dump_orgs
SELECT id, uid, name FROM organization ORDER BY uid

-- An organization that was deleted, after a uid and name: its number, by which its history goes.
-- :name dump_deleted
SELECT r.name, r.uid, r.number FROM revision r
WHERE r.org = ?1 AND r.kind = 9 AND r.number IS NOT NULL AND (r.uid, r.name) > (?2, ?3)
    AND NOT EXISTS (SELECT 1 FROM organization o WHERE o.id = r.number)
    AND NOT EXISTS (SELECT 1 FROM revision n WHERE n.org = r.org AND n.kind = r.kind
        AND n.name = r.name AND n.rev > r.rev AND n.uid = r.uid AND n.number IS NOT NULL)
ORDER BY r.uid, r.name LIMIT 1

-- :name put_deleted
UPDATE revision SET number = ?1
WHERE org = ?2 AND kind = 9 AND name = ?3 AND uid = ?4 AND number IS NULL

-- :name dump_organization
SELECT r.name, r.uid, r.generation, r.created, r.owner, r.labels, r.annotations, r.spec, s.version,
    s.status
FROM organization o JOIN resource r ON r.org = ?2 AND r.kind = 9 AND r.name = o.name
JOIN resource_status s ON s.id = r.id
WHERE o.id = ?1

-- :name dump_resource
SELECT r.kind, r.name, r.uid, r.generation, r.created, r.owner, r.labels, r.annotations, r.spec,
    s.version, s.status
FROM resource r JOIN resource_status s ON s.id = r.id
WHERE r.org = ?1 AND r.kind <> 9 AND (r.kind, r.name) > (?2, ?3)
ORDER BY r.kind, r.name LIMIT ?4

-- :name dump_device
SELECT d.name, d.stale, d.rendered, d.hash, d.rendered_at, d.fetched, d.reported, d.floor,
    d.failed, d.failure, d.spec_valid, d.spec_message, d.spec_since, d.overlap_since, d.conditions,
    d.updated, d.updated_info, d.summary, d.applications, d.lifecycle, d.disconnected, seen.at
FROM device d LEFT JOIN seen.seen seen ON seen.id = d.id
WHERE d.org = ?1 AND d.name > ?2 ORDER BY d.name LIMIT ?3

-- :name put_device
INSERT INTO device (id, org, name, stale, rendered, hash, rendered_at, fetched, reported, floor,
    failed, failure, spec_valid, spec_message, spec_since, overlap_since, conditions, updated,
    updated_info, summary, applications, lifecycle, disconnected)
SELECT id, ?1, name, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18, ?19,
    ?20, ?21, ?22
FROM resource WHERE id = ?2

-- :name dump_rendered
SELECT hash, spec, created FROM rendered WHERE hash = ?1

-- :name put_rendered
INSERT INTO rendered (hash, spec, created) VALUES (?1, ?2, ?3) ON CONFLICT (hash) DO NOTHING

-- :name dump_member
SELECT d.name, f.name, a.name, n.name, g.name, m.state, m.batch, m.assigned_at, m.message
FROM resource d JOIN device_fleet m ON m.device = d.id JOIN resource f ON f.id = m.fleet
LEFT JOIN resource a ON a.id = m.assigned LEFT JOIN resource n ON n.id = m.rendered
LEFT JOIN resource g ON g.id = m.good
WHERE d.org = ?1 AND d.kind = 1 AND d.name >= ?2 AND (d.name, f.name) > (?2, ?3)
ORDER BY d.name, f.name LIMIT ?4

-- :name put_member
INSERT INTO device_fleet (device, fleet, assigned, rendered, good, state, batch, assigned_at,
    message)
VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)

-- :name dump_rollout
SELECT f.name, v.name, c.name, o.digest, o.status, o.batch, o.started, o.changed, o.why, o.problem,
    o.problem_since, o.walk, o.deleted, o.remaining
FROM resource f JOIN rollout o ON o.fleet = f.id LEFT JOIN resource v ON v.id = o.version
LEFT JOIN resource c ON c.id = o.completed
WHERE f.org = ?1 AND f.kind = 2 AND f.name > ?2 ORDER BY f.name LIMIT ?3

-- :name put_rollout
INSERT INTO rollout (fleet, version, completed, digest, status, batch, started, changed, why,
    problem, problem_since, walk, deleted, remaining)
VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14)

-- :name dump_revision
SELECT kind, name, rev, uid, generation, at, actor, reason, created, owner, doc
FROM revision WHERE org = ?1 AND (kind, name, rev) > (?2, ?3, ?4)
ORDER BY kind, name, rev LIMIT ?5

-- :name put_revision
INSERT INTO revision (org, kind, name, rev, uid, generation, at, actor, reason, created, owner, doc)
VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12)

-- :name dump_event
SELECT at, uid, kind, name, parent, reason, type, actor, source, message, details, was, seq
FROM event WHERE org = ?1 AND seq > ?2 ORDER BY seq LIMIT ?3

-- :name put_event
INSERT INTO event (org, at, uid, kind, name, parent, reason, type, actor, source, message, details,
    was)
VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13)

-- :name dump_token
SELECT jti, subject, roles, groups, key, issued, issued_by, expires, revoked, revoked_by
FROM token WHERE org = ?1 AND jti > ?2 ORDER BY jti LIMIT ?3

-- :name put_token
INSERT INTO token (org, jti, subject, roles, groups, key, issued, issued_by, expires, revoked,
    revoked_by)
VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)

-- :name dump_task
SELECT queue, type, subject, payload, dedupe, state, attempts, due, owner, lease, error, created, id
FROM task WHERE org = ?1 AND id > ?2 ORDER BY id LIMIT ?3

-- :name put_task
INSERT INTO task (org, queue, type, subject, payload, dedupe, state, attempts, due, owner, lease,
    error, created)
VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13)

-- :name dump_count
SELECT count(*) FROM resource

-- :name dump_id
SELECT id FROM resource WHERE org = ?1 AND kind = ?2 AND name = ?3

-- :name dump_used
SELECT 1 FROM resource WHERE kind <> 9 UNION ALL SELECT 1 FROM organization WHERE id <> ?1
UNION ALL SELECT 1 FROM revision UNION ALL SELECT 1 FROM event LIMIT 1

-- A device without a row of its own, and a device's row whose rendered spec is not there.
-- :name dump_incomplete
SELECT r.name FROM resource r LEFT JOIN device d ON d.id = r.id
LEFT JOIN rendered x ON x.hash = d.hash
WHERE r.org = ?1 AND r.kind = 1 AND (d.id IS NULL OR (d.hash IS NOT NULL AND x.hash IS NULL))
LIMIT 1

-- An organization gets its name and uid when its import is done.
-- :name dump_org_show
UPDATE organization SET uid = ?2, name = ?3 WHERE id = ?1

-- :name drop_org_resource
DELETE FROM resource WHERE org = ?1 AND kind = 9 AND name = ?2

-- :name drop_org_labels
DELETE FROM label WHERE org = ?1 AND kind = 9 AND name = ?2

-- What an interrupted import has left, in parts.
-- :name discard_label
DELETE FROM label WHERE id IN (SELECT id FROM resource WHERE org = ?1 AND kind <> 9
    ORDER BY kind, name LIMIT ?2)

-- :name discard_member
DELETE FROM device_fleet WHERE device IN (SELECT m.device FROM resource r
    JOIN device_fleet m ON m.device = r.id WHERE r.org = ?1 AND r.kind = 1 LIMIT ?2)

-- :name discard_rollout
DELETE FROM rollout WHERE fleet IN (SELECT o.fleet FROM resource r JOIN rollout o ON o.fleet = r.id
    WHERE r.org = ?1 AND r.kind = 2 LIMIT ?2)

-- :name discard_resource
DELETE FROM resource WHERE id IN (SELECT id FROM resource WHERE org = ?1 AND kind <> 9
    ORDER BY kind, name LIMIT ?2)

-- :name discard_revision
DELETE FROM revision WHERE id IN (SELECT id FROM revision WHERE org = ?1 LIMIT ?2)

-- :name discard_event
DELETE FROM event WHERE seq IN (SELECT seq FROM event WHERE org = ?1 LIMIT ?2)

-- Of organizations that are not there.
-- :name discard_old_revision
DELETE FROM revision WHERE id IN (SELECT r.id FROM revision r
    WHERE NOT EXISTS (SELECT 1 FROM organization o WHERE o.id = r.org) LIMIT ?1)

-- :name discard_old_event
DELETE FROM event WHERE seq IN (SELECT e.seq FROM event e
    WHERE NOT EXISTS (SELECT 1 FROM organization o WHERE o.id = e.org) LIMIT ?1)

-- :name discard_token
DELETE FROM token WHERE jti IN (SELECT jti FROM token WHERE org = ?1 LIMIT ?2)

-- :name discard_task
DELETE FROM task WHERE id IN (SELECT id FROM task WHERE org = ?1 LIMIT ?2)

-- :name discard_org
DELETE FROM organization WHERE id = ?1
