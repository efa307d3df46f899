-- SPDX-License-Identifier: Apache-2.0
-- Revisions: numbered 1, 2, 3 by resource name, in the order of the changes, whatever the clock said.

-- :name revision_add
INSERT INTO revision (org, kind, name, uid, generation, at, actor, reason, doc, created, number, owner,
    rev)
VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10,
    CASE WHEN ?2 = 9 THEN (SELECT o.id FROM organization o WHERE o.uid = ?4) END,
    coalesce((SELECT r.owner FROM resource r WHERE r.org = ?1 AND r.kind = ?2 AND r.name = ?3), ?11),
    (SELECT coalesce(max(p.rev), 0) + 1 FROM revision p
        WHERE p.org = ?1 AND p.kind = ?2 AND p.name = ?3))

-- :name revision_find
SELECT kind, name, rev, at, uid, generation, created, owner, actor, reason, doc FROM revision
WHERE org = ?1 AND kind = ?2 AND name = ?3 AND rev <= ?4 AND at <= ?5 ORDER BY rev DESC LIMIT 1

-- The number that an organization of this name and uid had.
-- :name revision_number
SELECT number FROM revision
WHERE org = ?1 AND kind = ?2 AND name = ?3 AND uid = ?4 AND number IS NOT NULL
ORDER BY rev DESC LIMIT 1

-- :name revision_first
SELECT min(rev) FROM revision WHERE org = ?1 AND kind = ?2 AND name = ?3

-- :name revision_list
SELECT kind, name, rev, at, uid, generation, created, owner, actor, reason, doc FROM revision
WHERE org = ?1 AND kind = ?2 AND name = ?3 ORDER BY rev DESC LIMIT ?4

-- Of each name the last one by then, unless it is a deletion: a walk of the kind in the order of
-- names (0 + at: not of the index of times, which would have to be sorted).
-- :name revision_past
SELECT kind, name, rev, at, uid, generation, created, owner, actor, reason, doc FROM revision r
WHERE org = ?1 AND kind = ?2 AND 0 + at <= ?3 AND doc IS NOT NULL AND NOT EXISTS (SELECT 1
    FROM revision n WHERE n.org = r.org AND n.kind = r.kind AND n.name = r.name AND n.rev > r.rev
    AND n.at <= ?3)
ORDER BY name

-- How many names have lost what they were by then.
-- :name revision_lost
SELECT count(*) FROM revision r
WHERE org = ?1 AND kind = ?2 AND rev > 1 AND at > ?3 AND NOT EXISTS (SELECT 1 FROM revision p
    WHERE p.org = r.org AND p.kind = r.kind AND p.name = r.name AND p.rev < r.rev)
    AND NOT EXISTS (SELECT 1 FROM revision n WHERE n.org = r.org AND n.kind = r.kind
        AND n.name = r.name AND n.at <= ?3)

-- What was changed since then, by one actor or (NULL) by all, the last change first.
-- :name revision_since
SELECT kind, name, min(rev), max(rev), count(*) FROM revision
WHERE org = ?1 AND at >= ?2 AND actor = coalesce(?3, actor)
GROUP BY kind, name ORDER BY max(id) DESC

-- :name revision_others
SELECT count(*) FROM revision
WHERE org = ?1 AND kind = ?2 AND name = ?3 AND rev >= ?4 AND actor <> ?5

-- Those that may go: ?4 newer ones are there, or another one holds since the time ?5; and a deletion
-- before it that nothing came after.
-- :name revision_spent
SELECT id, org, kind, name, rev FROM revision r
WHERE (org, kind, name, rev) > (?1, ?2, ?3, ?7) AND (EXISTS (SELECT 1 FROM revision n WHERE n.org = r.org
    AND n.kind = r.kind AND n.name = r.name AND n.rev >= r.rev + ?4)
    OR (at <= ?5 AND EXISTS (SELECT 1 FROM revision n WHERE n.org = r.org AND n.kind = r.kind
        AND n.name = r.name AND n.rev > r.rev AND n.at <= ?5))
    OR (at <= ?5 AND doc IS NULL AND NOT EXISTS (SELECT 1 FROM revision n WHERE n.org = r.org
        AND n.kind = r.kind AND n.name = r.name AND n.rev > r.rev)))
ORDER BY org, kind, name, rev LIMIT ?6

-- :name revision_drop
DELETE FROM revision WHERE id = ?1
