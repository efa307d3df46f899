-- SPDX-License-Identifier: Apache-2.0
-- Resources and their label rows.

-- :name res_get
SELECT r.id, r.org, r.kind, r.name, r.uid, r.generation, s.version, r.created, r.owner, r.labels,
    r.annotations, r.spec, s.status
FROM resource r JOIN resource_status s ON s.id = r.id
WHERE r.org = ?1 AND r.kind = ?2 AND r.name = ?3

-- :name res_get_id
SELECT r.id, r.org, r.kind, r.name, r.uid, r.generation, s.version, r.created, r.owner, r.labels,
    r.annotations, r.spec, s.status
FROM resource r JOIN resource_status s ON s.id = r.id
WHERE r.id = ?1

-- :name res_insert
INSERT INTO resource (org, kind, name, uid, generation, created, owner, labels, annotations, spec)
VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)
ON CONFLICT (org, kind, name) DO NOTHING RETURNING id

-- :name res_insert_as
INSERT INTO resource (org, kind, name, uid, generation, created, owner, labels, annotations, spec, id)
VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)
ON CONFLICT (org, kind, name) DO NOTHING RETURNING id

-- :name res_insert_status
INSERT INTO resource_status (id, version, status) VALUES (?1, ?2, ?3)

-- :name res_update
UPDATE resource SET generation = ?2, owner = ?3, labels = ?4, annotations = ?5, spec = ?6
WHERE id = ?1

-- :name res_set_owner
UPDATE resource SET owner = ?2 WHERE id = ?1

-- :name res_touch
UPDATE resource_status SET version = version + 1 WHERE id = ?1 AND version = ?2

-- :name res_set_status
UPDATE resource_status SET version = version + 1, status = ?2 WHERE id = ?1

-- :name res_delete
DELETE FROM resource WHERE id = ?1

-- :name label_add
INSERT INTO label (org, kind, name, id, key, value) VALUES (?1, ?2, ?3, ?4, ?5, ?6)

-- :name label_add_2
INSERT INTO label (org, kind, name, id, key, value) VALUES (?1, ?2, ?3, ?4, ?5, ?6),
    (?1, ?2, ?3, ?4, ?7, ?8)

-- :name label_add_4
INSERT INTO label (org, kind, name, id, key, value) VALUES (?1, ?2, ?3, ?4, ?5, ?6),
    (?1, ?2, ?3, ?4, ?7, ?8), (?1, ?2, ?3, ?4, ?9, ?10), (?1, ?2, ?3, ?4, ?11, ?12)

-- :name label_add_8
INSERT INTO label (org, kind, name, id, key, value) VALUES (?1, ?2, ?3, ?4, ?5, ?6),
    (?1, ?2, ?3, ?4, ?7, ?8), (?1, ?2, ?3, ?4, ?9, ?10), (?1, ?2, ?3, ?4, ?11, ?12),
    (?1, ?2, ?3, ?4, ?13, ?14), (?1, ?2, ?3, ?4, ?15, ?16), (?1, ?2, ?3, ?4, ?17, ?18),
    (?1, ?2, ?3, ?4, ?19, ?20)

-- :name label_next
SELECT key, value FROM label WHERE org = ?1 AND kind = ?2 AND (key, value) >= (?3, ?4)
ORDER BY key, value LIMIT 1

-- :name label_del
DELETE FROM label WHERE org = ?1 AND kind = ?2 AND name = ?3 AND key = ?4 AND value = ?5

-- :name label_some
SELECT id FROM label WHERE org = ?1 AND kind = ?2 AND key = ?3 AND value = ?4 LIMIT ?5
-- :name label_forget
DELETE FROM label WHERE id = ?1

-- The resource, and its rows of fields in its status.
-- :name index_of
SELECT r.org, r.kind, r.name, l.key, l.value FROM resource r
LEFT JOIN label l ON l.id = r.id AND l.key >= '@status.' AND l.key < '@status/'
WHERE r.id = ?1

-- :name index_page
SELECT r.id, r.org, r.name, r.spec, s.status
FROM resource r JOIN resource_status s ON s.id = r.id
WHERE r.kind = ?1 AND r.id > ?2 ORDER BY r.id LIMIT ?3
