-- SPDX-License-Identifier: Apache-2.0
-- The event log, in the order of seq: see lib/store/event.h.

-- :name event_add
INSERT INTO event (org, at, uid, kind, name, reason, type, actor, source, message, details,
    parent, was)
VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13)

-- :name event_since
SELECT seq, at, uid, kind, name, parent, reason, type, actor, source, message, details, was
FROM event WHERE org = ?1 AND seq > ?2 ORDER BY seq LIMIT ?3

-- :name event_newest
SELECT seq FROM event ORDER BY seq DESC LIMIT 1

-- :name event_uid
SELECT uid FROM event WHERE seq = ?1

-- :name event_nth
SELECT coalesce((SELECT seq FROM event ORDER BY seq DESC LIMIT 1 OFFSET ?1), 0)

-- :name event_oldest
SELECT seq, at FROM event ORDER BY seq LIMIT ?1

-- From the oldest on, up to the first that stays.
-- :name event_spent
SELECT count(*) FROM event WHERE seq < coalesce(
    (SELECT min(seq) FROM event WHERE at >= ?1 AND seq > ?2), 9223372036854775807)

-- :name event_delete
DELETE FROM event WHERE seq <= ?1
