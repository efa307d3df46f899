-- SPDX-License-Identifier: Apache-2.0
-- What the system keeps about devices: rendered versions, memberships, assigned versions.
-- device.stale: 0 rendered, 1 to be rendered, 2 to be rendered under a new version even if equal.
-- device.disconnected: as schema.sql says.
-- device_fleet.state: see enum assignment in store/device.h; batch -1: in none of the rollout's.

-- :name device_insert
INSERT INTO device (id, org, name, stale, rendered, hash, rendered_at, fetched, reported, floor,
    failed, failure, spec_valid, spec_message, spec_since, overlap_since, conditions, updated,
    updated_info, summary, applications, lifecycle, disconnected)
VALUES (?1, ?2, ?3, 1, 0, NULL, 0, 0, 0, 0, 0, NULL, -1, NULL, 0, 0, '', ?4, ?5, ?6, ?7, ?8, 2)

-- :name device_poll
SELECT id, rendered, stale FROM device WHERE org = ?1 AND name = ?2

-- What is shown comes first, as in device_shown_columns.
-- :name device_get
SELECT d.id, d.rendered, d.hash, d.spec_valid, d.spec_message, d.spec_since, d.overlap_since,
    d.conditions, d.updated, d.updated_info, d.summary, d.applications, d.lifecycle,
    CASE WHEN EXISTS (SELECT 1 FROM device_fleet f WHERE f.device = d.id) THEN 1 ELSE 0 END,
    coalesce(seen.at, 0), d.stale, d.rendered_at, d.fetched, d.reported, d.failure, d.floor, d.failed
FROM device d LEFT JOIN seen.seen seen ON seen.id = d.id WHERE d.id = ?1

-- :name device_last_seen
SELECT at FROM seen.seen WHERE id = ?1

-- :name device_stale
UPDATE device SET stale = ?2 WHERE id = ?1 AND stale < ?2

-- :name device_floor
UPDATE device SET floor = ?2, stale = CASE WHEN rendered BETWEEN 1 AND ?2 THEN 2 ELSE stale END
WHERE id = ?1 AND floor < ?2

-- :name device_stale_list
SELECT id FROM device WHERE org = ?1 AND stale > 0 AND id > ?2 ORDER BY id LIMIT ?3

-- :name device_walk
SELECT id, name FROM device WHERE org = ?1 AND name > ?2 ORDER BY name LIMIT ?3

-- :name device_rendered
UPDATE device SET stale = 0, rendered = ?2, hash = ?3, rendered_at = ?4, spec_valid = 1,
    spec_message = NULL, spec_since = CASE WHEN spec_valid = 1 THEN spec_since ELSE ?4 END
WHERE id = ?1

-- :name device_invalid
UPDATE device SET stale = 0, spec_since = CASE WHEN spec_valid = 0 THEN spec_since ELSE ?3 END,
    spec_valid = 0, spec_message = ?2
WHERE id = ?1

-- :name device_fetched
UPDATE device SET fetched = ?2 WHERE id = ?1

-- :name device_reported
UPDATE device SET reported = ?2, failure = ?3, conditions = ?4, failed = ?5 WHERE id = ?1

-- :name device_summary
UPDATE device SET updated = ?2, updated_info = ?3, summary = ?4, applications = ?5, lifecycle = ?6
WHERE id = ?1

-- :name device_disconnected
UPDATE device SET disconnected = ?2 WHERE id = ?1 AND disconnected = 1 - ?2

-- :name device_fell_silent
SELECT d.id, d.org, d.name, v.at FROM seen.seen v JOIN device d ON d.id = v.id
WHERE v.at > ?1 AND v.at < ?2 AND d.disconnected = 0 ORDER BY v.at LIMIT ?3

-- :name device_came_back
SELECT d.id, d.org, d.name, v.at FROM device d JOIN seen.seen v ON v.id = d.id
WHERE d.disconnected = 1 AND d.id > ?1 AND v.at >= ?2 ORDER BY d.id LIMIT ?3

-- :name device_first_seen
SELECT d.id, d.org, d.name, v.back FROM seen.seen v JOIN device d ON d.id = v.id
WHERE v.back >= ?1 AND d.disconnected = 2 ORDER BY v.back LIMIT ?2

-- :name device_lost_sight
SELECT d.id, d.org, d.name, 0 FROM device d
WHERE d.id > ?1 AND d.disconnected <> 2 AND NOT EXISTS (SELECT 1 FROM seen.seen v WHERE v.id = d.id)
ORDER BY d.id LIMIT ?2

-- :name device_met
UPDATE device SET disconnected = 0 WHERE id = ?1 AND disconnected = 2

-- :name device_unmet
UPDATE device SET disconnected = 2 WHERE id = ?1

-- :name device_overlap
UPDATE device SET overlap_since = ?2 WHERE id = ?1

-- One that is used again after half a day is new to gc_rendered, which may be under way.
-- :name rendered_put
INSERT INTO rendered (hash, spec, created) VALUES (?1, ?2, ?3)
ON CONFLICT (hash) DO UPDATE SET created = excluded.created
    WHERE rendered.created < excluded.created - 43200000000

-- :name rendered_get
SELECT spec FROM rendered WHERE hash = ?1

-- :name member_list
SELECT m.fleet, f.name, m.assigned, m.rendered, m.good, m.state, m.batch, m.assigned_at, m.message,
    a.name, g.name, n.name, o.version, o.status, f.annotations
FROM device_fleet m JOIN resource f ON f.id = m.fleet
LEFT JOIN resource a ON a.id = m.assigned
LEFT JOIN resource g ON g.id = m.rendered
LEFT JOIN rollout o ON o.fleet = m.fleet
LEFT JOIN resource n ON n.id = o.version
WHERE m.device = ?1 ORDER BY f.created, f.name

-- :name member_add
INSERT INTO device_fleet (device, fleet, assigned, rendered, good, state, batch, assigned_at,
    message)
VALUES (?1, ?2, ?3, NULL, NULL, ?4, -1, ?5, NULL)

-- :name member_del
DELETE FROM device_fleet WHERE device = ?1 AND fleet = ?2

-- :name member_of
SELECT device FROM device_fleet WHERE fleet = ?1 ORDER BY device

-- :name member_progress
SELECT r.name, m.state, m.batch, m.assigned_at, m.message, a.name
FROM device_fleet m JOIN resource r ON r.id = m.device LEFT JOIN resource a ON a.id = m.assigned
WHERE m.fleet = ?1 AND m.state IN (1, 3, 4) ORDER BY r.name

-- :name member_rendered
UPDATE device_fleet SET rendered = assigned WHERE device = ?1

-- :name member_succeed
UPDATE device_fleet SET state = 2, good = assigned, message = NULL
WHERE device = ?1 AND state IN (1, 3, 4) AND rendered = assigned

-- :name member_fail
UPDATE device_fleet SET state = 3, message = ?2
WHERE device = ?1 AND state = 1

-- :name member_fail_given
UPDATE device_fleet SET state = 3, message = ?2
WHERE device = ?1 AND state = 1 AND rendered = assigned

-- :name member_timeout
UPDATE device_fleet SET state = 4, message = 'no report within the update timeout'
WHERE fleet = ?1 AND state = 1 AND device IN
    (SELECT m.device FROM device_fleet m WHERE m.fleet = ?1 AND m.state = 1 AND m.assigned_at < ?2
    ORDER BY m.assigned_at LIMIT ?3)

-- :name member_deadline
SELECT coalesce(min(assigned_at), 0) FROM device_fleet WHERE fleet = ?1 AND state = 1

-- :name member_unassigned
SELECT m.device FROM device_fleet m
WHERE m.fleet = ?1 AND (m.assigned IS NULL OR m.assigned < ?2 OR m.assigned > ?2)
    AND NOT EXISTS (SELECT 1 FROM device_fleet x WHERE x.device = m.device
        AND x.fleet <> ?1 AND x.state = 1)
LIMIT ?3

-- :name member_failed
SELECT m.device FROM device_fleet m
WHERE m.fleet = ?1 AND m.assigned = ?2 AND m.state IN (3, 4)
    AND NOT EXISTS (SELECT 1 FROM device_fleet x WHERE x.device = m.device
        AND x.fleet <> ?1 AND x.state = 1)
ORDER BY m.device

-- :name member_pending
SELECT 1 FROM device_fleet WHERE fleet = ?1 AND assigned = ?2 AND batch = ?3 AND state = 1 LIMIT 1

-- :name member_left
SELECT 1 FROM device_fleet
WHERE fleet = ?1 AND (assigned IS NULL OR assigned < ?2 OR assigned > ?2) LIMIT 1

-- :name member_overdue
SELECT count(*), count(*) FILTER (WHERE assigned = ?3 AND batch = ?4)
FROM device_fleet WHERE fleet = ?1 AND state = 1 AND assigned_at < ?2

-- :name member_unbatch
UPDATE device_fleet SET batch = -1 WHERE fleet = ?1 AND device IN
    (SELECT m.device FROM device_fleet m WHERE m.fleet = ?1 AND m.assigned = ?2 AND m.batch >= 0
    LIMIT ?3)

-- :name member_rebatch
UPDATE device_fleet SET batch = ?3 WHERE fleet = ?1 AND device IN
    (SELECT m.device FROM device_fleet m
    WHERE m.fleet = ?1 AND m.assigned = ?2 AND m.batch = -1 AND m.state = 1 LIMIT ?4)

-- :name rollout_get
SELECT o.version, o.completed, o.digest, o.status, o.batch, o.started, o.changed, o.why, o.problem,
    o.problem_since, v.name, c.name, o.walk, o.deleted, o.remaining
FROM rollout o LEFT JOIN resource v ON v.id = o.version LEFT JOIN resource c ON c.id = o.completed
WHERE o.fleet = ?1

-- :name rollout_put
INSERT INTO rollout (fleet, version, completed, digest, status, batch, started, changed, why,
    problem, problem_since, remaining)
VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12)
ON CONFLICT (fleet) DO UPDATE SET version = excluded.version, completed = excluded.completed,
    digest = excluded.digest, status = excluded.status, batch = excluded.batch,
    started = excluded.started, changed = excluded.changed, why = excluded.why,
    problem = excluded.problem, problem_since = excluded.problem_since,
    remaining = excluded.remaining

-- :name rollout_counts
SELECT count(*), count(*) FILTER (WHERE state = 1), count(*) FILTER (WHERE state = 2),
    count(*) FILTER (WHERE state = 3), count(*) FILTER (WHERE state = 4)
FROM device_fleet WHERE fleet = ?1 AND assigned = ?2 AND batch = ?3

-- :name rollout_totals
SELECT count(*), count(*) FILTER (WHERE assigned = ?2 AND state = 1),
    count(*) FILTER (WHERE assigned = ?2 AND state = 2),
    count(*) FILTER (WHERE assigned = ?2 AND state = 3),
    count(*) FILTER (WHERE assigned = ?2 AND state = 4)
FROM device_fleet WHERE fleet = ?1

-- :name rollout_open
SELECT o.fleet FROM rollout o JOIN resource f ON f.id = o.fleet
WHERE f.org = ?1 AND f.kind = 2 AND o.fleet > ?2 AND o.status IN (0, 1) ORDER BY o.fleet LIMIT ?3

-- :name rollout_blocked
SELECT count(*) FROM device_fleet m WHERE m.fleet = ?1 AND m.assigned IS DISTINCT FROM ?2
    AND EXISTS (SELECT 1 FROM device_fleet x WHERE x.device = m.device AND x.fleet <> ?1
        AND x.state = 1)

-- :name rollout_free
SELECT count(*) FROM device_fleet m
WHERE m.fleet = ?1 AND (m.assigned IS NULL OR m.assigned < ?2 OR m.assigned > ?2)
    AND NOT EXISTS (SELECT 1 FROM device_fleet x WHERE x.device = m.device
        AND x.fleet <> ?1 AND x.state = 1)

-- :name rollout_forget
DELETE FROM rollout WHERE fleet = ?1

-- :name template_drop
DELETE FROM resource WHERE id IN
    (SELECT r.id FROM resource r WHERE r.org = ?1 AND r.kind = 3 AND r.owner = ?4
        AND NOT EXISTS (SELECT 1 FROM rollout o
            WHERE o.fleet = ?2 AND (o.version = r.id OR o.completed = r.id))
    LIMIT ?3) RETURNING id, name

-- :name template_list
SELECT id FROM resource WHERE org = ?1 AND kind = 3 AND owner = ?3 ORDER BY name LIMIT ?2

-- :name template_used
SELECT 1 FROM device_fleet WHERE assigned = ?1
UNION ALL SELECT 1 FROM device_fleet WHERE rendered = ?1
UNION ALL SELECT 1 FROM device_fleet WHERE good = ?1
UNION ALL SELECT 1 FROM rollout WHERE version = ?1 OR completed = ?1
LIMIT 1

-- :name fleet_list
SELECT f.id, f.name, f.created, f.spec, coalesce(o.deleted, 0), f.annotations
FROM resource f LEFT JOIN rollout o ON o.fleet = f.id
WHERE f.org = ?1 AND f.kind = 2 ORDER BY f.created, f.name

-- :name member_up_to_date
SELECT m.device FROM device_fleet m JOIN device d ON d.id = m.device
WHERE m.fleet = ?1 AND d.updated = 'UpToDate' ORDER BY m.device

-- :name member_some
SELECT device FROM device_fleet WHERE fleet = ?1 LIMIT ?2

-- :name device_some
SELECT id FROM device WHERE org = ?1 LIMIT ?2

-- :name walk_mark
UPDATE rollout SET walk = walk | ?2 WHERE fleet = ?1

-- :name walk_clear
UPDATE rollout SET walk = 0 WHERE fleet = ?1

-- :name walk_list
SELECT o.fleet FROM rollout o JOIN resource f ON f.id = o.fleet
WHERE f.org = ?1 AND f.kind = 2 AND o.walk > 0 AND o.fleet > ?2 ORDER BY o.fleet LIMIT ?3

-- :name rollout_deleted
UPDATE rollout SET deleted = ?2 WHERE fleet = ?1 AND deleted = 0
