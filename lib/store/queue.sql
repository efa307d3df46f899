-- SPDX-License-Identifier: Apache-2.0
-- The task queue. state: 0 ready, 1 leased, 2 dead letter.

-- :name task_add
INSERT INTO task (queue, type, org, subject, payload, dedupe, state, attempts, due, owner, lease,
    error, created)
VALUES (?1, ?2, ?3, ?4, ?5, ?6, 0, 0, ?7, NULL, 0, NULL, ?8)
ON CONFLICT (org, dedupe) WHERE state = 0 DO UPDATE SET due = excluded.due
    WHERE excluded.due < task.due

-- :name task_due
SELECT id, queue, type, org, subject, payload, attempts FROM task
WHERE state = 0 AND due <= ?1 AND queue = ?2 ORDER BY due, id LIMIT 1

-- :name task_lease
UPDATE task SET state = 1, owner = ?2, lease = ?3, attempts = attempts + 1
WHERE id = ?1 AND state = 0

-- :name task_expired
SELECT id, attempts FROM task WHERE state = 1 AND lease < ?1

-- :name task_done
DELETE FROM task WHERE id = ?1 AND owner = ?2 AND state = 1

-- :name task_extend
UPDATE task SET lease = ?3 WHERE id = ?1 AND owner = ?2 AND state = 1

-- :name task_drop
DELETE FROM task WHERE id = ?1

-- :name task_same_ready
SELECT 1 FROM task t JOIN task o ON o.org = t.org AND o.dedupe = t.dedupe AND o.state = 0
WHERE t.id = ?1

-- :name task_again
UPDATE task SET state = 0, owner = NULL, lease = 0, due = ?2, error = ?3,
    attempts = attempts - ?4
WHERE id = ?1 AND state = 1

-- :name task_dead
UPDATE task SET state = 2, owner = NULL, lease = 0, error = ?2 WHERE id = ?1 AND state = 1

-- :name task_cancel
DELETE FROM task WHERE org = ?1 AND dedupe = ?2 AND state = 0

-- :name task_owned
SELECT 1 FROM task WHERE id = ?1 AND owner = ?2 AND state = 1
