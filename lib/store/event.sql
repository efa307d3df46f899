-- SPDX-License-Identifier: Apache-2.0
-- The event log. Its order is that of (tx, seq): see lib/store/event.h.

-- :name event_add
INSERT INTO event (org, at, uid, kind, name, reason, type, actor, source, message, details, tx,
    parent, was)
VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14)

-- :name event_since
SELECT tx, seq, at, uid, kind, name, parent, reason, type, actor, source, message, details, was
FROM event WHERE org = ?1 AND (tx, seq) > (?2, ?3) AND tx < ?4 ORDER BY tx, seq LIMIT ?5

-- :name event_newest
SELECT e.tx, e.seq FROM organization o JOIN event e ON e.seq = (SELECT n.seq FROM event n
    WHERE n.org = o.id AND n.tx < ?1 ORDER BY n.tx DESC, n.seq DESC LIMIT 1)
ORDER BY e.tx DESC, e.seq DESC LIMIT 1

-- :name event_unsettled
SELECT 1 FROM organization o WHERE EXISTS (SELECT 1 FROM event e WHERE e.org = o.id AND e.tx >= ?1)
LIMIT 1

-- :name event_uid
SELECT uid FROM event WHERE seq = ?1 AND tx = ?2

-- :name event_nth
SELECT seq FROM event ORDER BY seq DESC LIMIT 1 OFFSET ?1

-- :name event_oldest
SELECT tx, seq, at FROM event ORDER BY seq LIMIT ?1

-- From the oldest on, up to the first that stays.
-- :name event_spent
SELECT count(*) FROM event WHERE seq < coalesce(
    (SELECT min(seq) FROM event WHERE at >= ?1 AND seq > ?2), 9223372036854775807)

-- :name event_delete
DELETE FROM event WHERE seq <= ?1
