-- SPDX-License-Identifier: Apache-2.0
-- Tokens that were issued here, and the keys of the issuers elsewhere.

-- :name token_add
INSERT INTO token (jti, org, subject, roles, groups, key, issued, issued_by, expires, revoked)
VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, 0)

-- :name token_get
SELECT jti, org, subject, roles, groups, key, issued, issued_by, expires, revoked, revoked_by
FROM token WHERE jti = ?1

-- :name token_list
SELECT jti, org, subject, roles, groups, key, issued, issued_by, expires, revoked, revoked_by
FROM token WHERE org = ?1 AND (issued, jti) > (?2, ?3) ORDER BY issued, jti LIMIT ?4

-- :name token_revoke
UPDATE token SET revoked = ?3, revoked_by = ?4 WHERE org = ?1 AND jti = ?2 AND revoked = 0

-- :name issuer_get
SELECT keys, fetched, tried, error FROM issuer WHERE url = ?1

-- :name issuer_keys
INSERT INTO issuer (url, keys, fetched, tried) VALUES (?1, ?2, ?3, ?3)
ON CONFLICT (url) DO UPDATE SET keys = excluded.keys, fetched = excluded.fetched,
    tried = excluded.tried, error = NULL

-- :name issuer_failed
INSERT INTO issuer (url, fetched, tried, error) VALUES (?1, 0, ?2, ?3)
ON CONFLICT (url) DO UPDATE SET tried = excluded.tried, error = excluded.error

-- :name issuer_drop
DELETE FROM issuer WHERE url = ?1

-- :name provider_list
SELECT r.org, r.name, r.spec FROM organization o JOIN resource r ON r.org = o.id AND r.kind = 10
WHERE r.spec IS NOT NULL ORDER BY r.org, r.name
