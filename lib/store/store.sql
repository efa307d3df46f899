-- SPDX-License-Identifier: Apache-2.0
-- The store itself, organizations.

-- :name meta_get
SELECT value FROM meta WHERE key = ?1

-- :name meta_put
INSERT INTO meta (key, value) VALUES (?1, ?2)
ON CONFLICT (key) DO UPDATE SET value = excluded.value

-- :name org_add
INSERT INTO organization (id, uid, name) VALUES (?1, ?2, ?3) ON CONFLICT DO NOTHING

-- :name org_resource
INSERT INTO resource (org, kind, name, uid, generation, created, owner, labels, annotations, spec)
SELECT id, 9, name, uid, 1, ?2, NULL, '{}', '{}', NULL FROM organization WHERE id = ?1

-- :name org_resource_status
INSERT INTO resource_status (id, version, status)
SELECT id, 1, NULL FROM resource WHERE org = ?1 AND kind = 9

-- :name org_used
SELECT 1 FROM resource WHERE org = ?1 LIMIT 1

-- :name org_delete
DELETE FROM organization WHERE id = ?1

-- :name org_delete_tasks
DELETE FROM task WHERE org = ?1

-- :name org_delete_tokens
DELETE FROM token WHERE org = ?1

-- :name org_spec
SELECT o.name, r.spec FROM organization o
JOIN resource r ON r.org = ?2 AND r.kind = 9 AND r.name = o.name WHERE o.id = ?1

-- :name org_find
SELECT id, uid FROM organization WHERE uid = ?1 OR name = ?1

-- :name org_uid
SELECT uid FROM organization WHERE id = ?1

-- :name sweep_time
SELECT m.value FROM meta m WHERE m.key = 'sweep'
    AND EXISTS (SELECT 1 FROM seen.seen n WHERE n.id = 0)

-- The lossy side, which has this table alone. back: when it was seen for the first time, or again
-- after a silence.
-- :name seen_put
INSERT INTO seen (id, at, back) VALUES (?1, ?2, ?2)
ON CONFLICT (id) DO UPDATE SET at = excluded.at,
    back = CASE WHEN excluded.at - seen.at > ?3 THEN excluded.at ELSE seen.back END
WHERE excluded.at > seen.at

-- Moves with every change of an organization.
-- :name orgs_version
SELECT count(*), coalesce(max(r.id), 0), CAST(coalesce(sum(s.version), 0) AS bigint)
FROM resource r JOIN resource_status s ON s.id = r.id WHERE r.org = ?1 AND r.kind = 9

-- :name orgs_each
SELECT o.id, o.uid, o.name, r.spec FROM organization o
JOIN resource r ON r.org = ?1 AND r.kind = 9 AND r.name = o.name ORDER BY o.id
