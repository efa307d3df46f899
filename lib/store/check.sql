-- SPDX-License-Identifier: Apache-2.0
-- What cannot be in a store that is whole. A find_* answers organization, kind, name, a word (or
-- NULL) about each of ?1 rows, and the id by which its fix_* mends it, if it is still so.

-- :name check_resources
SELECT r.id, r.kind, r.name, r.uid, r.generation, r.created, r.owner, r.labels, r.annotations,
    r.spec, s.version, s.status
FROM resource r LEFT JOIN resource_status s ON s.id = r.id
WHERE r.org = ?1 AND (r.kind, r.name) > (?2, ?3) ORDER BY r.kind, r.name LIMIT ?4

-- Of a resource there are few: nothing but its number may lead to them.
-- :name check_labels
SELECT key, value FROM label
WHERE id = ?1 AND CASE WHEN org = ?2 AND kind = ?3 AND name = ?4 THEN 1 ELSE 0 END = 1

-- :name check_labels_drop
DELETE FROM label WHERE id = ?1

-- :name check_rendered
SELECT hash, spec FROM rendered WHERE hash > ?1 ORDER BY hash LIMIT ?2

-- :name find_label
SELECT l.org, l.kind, l.name, l.key, l.id FROM label l LEFT JOIN resource r
    ON r.id = l.id AND r.org = l.org AND r.kind = l.kind AND r.name = l.name
WHERE r.id IS NULL LIMIT ?1

-- :name fix_label
DELETE FROM label WHERE id = ?1 AND NOT EXISTS (SELECT 1 FROM resource r
    WHERE r.id = label.id AND r.org = label.org AND r.kind = label.kind AND r.name = label.name)

-- :name find_device
SELECT r.org, r.kind, r.name, NULL, r.id FROM resource r LEFT JOIN device d ON d.id = r.id
WHERE r.kind = 1 AND d.id IS NULL LIMIT ?1

-- :name fix_device
INSERT INTO device (id, org, name, stale, rendered, hash, rendered_at, fetched, reported, floor,
    failed, failure, spec_valid, spec_message, spec_since, overlap_since, conditions, updated,
    updated_info, summary, applications, lifecycle)
SELECT r.id, r.org, r.name, 1, 0, NULL, 0, 0, 0, 0, 0, NULL, -1, NULL, 0, 0, '', 'Unknown', NULL,
    'Unknown', 'Unknown', 'Unknown'
FROM resource r WHERE r.id = ?1 AND r.kind = 1
ON CONFLICT (id) DO NOTHING

-- :name find_device_name
SELECT r.org, r.kind, r.name, d.name FROM device d JOIN resource r ON r.id = d.id
WHERE r.kind <> 1 OR r.org <> d.org OR r.name <> d.name LIMIT ?1

-- :name find_device_hash
SELECT d.org, 1, d.name, d.hash, d.id FROM device d LEFT JOIN rendered x ON x.hash = d.hash
WHERE d.hash IS NOT NULL AND x.hash IS NULL LIMIT ?1

-- :name fix_device_hash
UPDATE device SET hash = NULL, stale = 2
WHERE id = ?1 AND NOT EXISTS (SELECT 1 FROM rendered x WHERE x.hash = device.hash)

-- :name find_status
SELECT r.org, r.kind, r.name, NULL, r.id FROM resource r LEFT JOIN resource_status s ON s.id = r.id
WHERE s.id IS NULL LIMIT ?1

-- :name fix_status
INSERT INTO resource_status (id, version, status)
SELECT id, generation, NULL FROM resource WHERE id = ?1
ON CONFLICT (id) DO NOTHING

-- :name find_member
SELECT d.org, 1, d.name, f.name FROM device_fleet m JOIN resource d ON d.id = m.device
JOIN resource f ON f.id = m.fleet LEFT JOIN resource a ON a.id = m.assigned
LEFT JOIN resource n ON n.id = m.rendered LEFT JOIN resource g ON g.id = m.good
WHERE d.kind <> 1 OR f.kind <> 2 OR d.org <> f.org OR m.state NOT BETWEEN 0 AND 4
    OR coalesce(a.owner, 'Fleet/' || f.name) <> 'Fleet/' || f.name OR coalesce(a.kind, 3) <> 3
    OR coalesce(n.owner, 'Fleet/' || f.name) <> 'Fleet/' || f.name OR coalesce(n.kind, 3) <> 3
    OR coalesce(g.owner, 'Fleet/' || f.name) <> 'Fleet/' || f.name OR coalesce(g.kind, 3) <> 3
LIMIT ?1

-- :name find_rollout
SELECT f.org, 2, f.name, v.name FROM rollout o JOIN resource f ON f.id = o.fleet
LEFT JOIN resource v ON v.id = o.version
WHERE f.kind <> 2 OR coalesce(v.org, f.org) <> f.org OR coalesce(v.kind, 3) <> 3
    OR coalesce(v.owner, 'Fleet/' || f.name) <> 'Fleet/' || f.name
LIMIT ?1

-- :name find_revision
SELECT org, kind, name, NULL FROM revision GROUP BY org, kind, name
HAVING max(rev) - min(rev) + 1 <> count(*) OR min(rev) < 1 LIMIT ?1

-- :name find_token
SELECT t.org, 9, coalesce(o.name, ''), t.jti FROM token t LEFT JOIN organization o ON o.id = t.org
WHERE o.id IS NULL OR t.expires < t.issued OR (t.revoked = 0) <> (t.revoked_by IS NULL)
LIMIT ?1

-- :name find_task
SELECT t.org, 0, t.type || ' ' || t.subject, NULL FROM task t
LEFT JOIN organization o ON o.id = t.org
WHERE o.id IS NULL OR t.state NOT BETWEEN 0 AND 2 OR t.attempts < 0
    OR (t.state = 1) <> (t.owner IS NOT NULL)
LIMIT ?1

-- :name find_org
SELECT o.id, 9, o.name, o.uid FROM organization o
LEFT JOIN resource r ON r.org = 1 AND r.kind = 9 AND r.name = o.name AND r.uid = o.uid
WHERE r.id IS NULL LIMIT ?1
