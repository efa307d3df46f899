-- SPDX-License-Identifier: Apache-2.0
-- Secrets at rest: which key seals them, and the rows that hold some.

-- :name seal_lock
INSERT INTO meta (key, value) VALUES ('secret-key', '')
ON CONFLICT (key) DO UPDATE SET value = meta.value

-- :name seal_key
SELECT value FROM meta WHERE key = 'secret-key'

-- :name seal_key_set
UPDATE meta SET value = ?1 WHERE key = 'secret-key'

-- Deleted ones, too: an undo brings back what they held.
-- :name seal_orgs
SELECT id, uid FROM organization
UNION SELECT number, uid FROM revision WHERE org = 1 AND kind = 9 AND number IS NOT NULL

-- :name seal_resources
SELECT id, name, spec FROM resource
WHERE org = ?1 AND kind = ?2 AND name > ?3 ORDER BY name LIMIT ?4

-- :name seal_revisions
SELECT id, name, doc, rev FROM revision
WHERE org = ?1 AND kind = ?2 AND (name, rev) > (?3, ?5) ORDER BY name, rev LIMIT ?4

-- :name seal_revision_last
SELECT coalesce(max(id), 0) FROM revision

-- :name seal_revisions_since
SELECT doc FROM revision WHERE id > ?1 AND kind = ?2 AND doc IS NOT NULL

-- :name seal_resource_put
UPDATE resource SET spec = ?2 WHERE id = ?1 AND spec = ?3

-- :name seal_revision_put
UPDATE revision SET doc = ?2 WHERE id = ?1 AND doc = ?3
