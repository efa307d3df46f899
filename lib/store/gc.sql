-- SPDX-License-Identifier: Apache-2.0
-- What nothing needs any more.

-- :name gc_rendered_count
SELECT count(*) FROM rendered x WHERE x.created < ?1
    AND NOT EXISTS (SELECT 1 FROM device d WHERE d.hash = x.hash)

-- :name gc_rendered_some
SELECT x.hash FROM rendered x WHERE x.created < ?1 AND x.hash > ?2
    AND NOT EXISTS (SELECT 1 FROM device d WHERE d.hash = x.hash)
ORDER BY x.hash LIMIT ?3

-- :name gc_rendered
DELETE FROM rendered WHERE hash = ?2 AND created < ?1
    AND NOT EXISTS (SELECT 1 FROM device d WHERE d.hash = rendered.hash)

-- :name gc_templates
SELECT r.id FROM resource r WHERE r.kind = 3 AND r.created < ?1
    AND NOT EXISTS (SELECT 1 FROM device_fleet m WHERE m.assigned = r.id)
    AND NOT EXISTS (SELECT 1 FROM device_fleet m WHERE m.rendered = r.id)
    AND NOT EXISTS (SELECT 1 FROM device_fleet m WHERE m.good = r.id)
    AND NOT EXISTS (SELECT 1 FROM rollout o WHERE o.version = r.id)
    AND NOT EXISTS (SELECT 1 FROM rollout o WHERE o.completed = r.id)
    AND (SELECT count(*) FROM resource n WHERE n.org = r.org AND n.kind = 3 AND n.owner = r.owner
        AND n.created > r.created) >= ?2
    AND r.id > ?3
ORDER BY r.id LIMIT ?4

-- :name gc_tasks_count
SELECT count(*) FROM task WHERE state = 2 AND due < ?1

-- :name gc_tasks
DELETE FROM task WHERE id IN (SELECT id FROM task WHERE state = 2 AND due < ?1 LIMIT ?2)

-- :name gc_tokens_count
SELECT count(*) FROM token WHERE expires < ?1

-- :name gc_tokens
DELETE FROM token WHERE jti IN (SELECT jti FROM token WHERE expires < ?1 LIMIT ?2)

-- :name gc_seen
SELECT seen.id FROM seen.seen seen LEFT JOIN device d ON d.id = seen.id
WHERE d.id IS NULL AND seen.id <> 0 LIMIT ?1

-- :name gc_events_all
SELECT count(*) FROM event

-- :name seen_drop
DELETE FROM seen WHERE id = ?1

-- :name info_kinds
SELECT kind, count(*) FROM resource GROUP BY kind ORDER BY kind

-- :name info_tasks
SELECT count(*) FILTER (WHERE state = 0), count(*) FILTER (WHERE state = 1),
    count(*) FILTER (WHERE state = 2) FROM task

-- :name info_revisions
SELECT count(*) FROM revision
