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
SELECT keys, fetched, tried, wanted, error FROM issuer WHERE url = ?1

-- :name issuer_keys
INSERT INTO issuer (url, keys, fetched, tried, wanted) VALUES (?1, ?2, ?3, ?3, 0)
ON CONFLICT (url) DO UPDATE SET keys = excluded.keys, fetched = excluded.fetched,
    tried = excluded.tried, wanted = 0, error = NULL

-- :name issuer_failed
INSERT INTO issuer (url, fetched, tried, wanted, error) VALUES (?1, 0, ?2, 0, ?3)
ON CONFLICT (url) DO UPDATE SET tried = excluded.tried, wanted = 0, error = excluded.error

-- :name issuer_want
INSERT INTO issuer (url, fetched, tried, wanted) VALUES (?1, 0, 0, ?2)
ON CONFLICT (url) DO UPDATE SET wanted = excluded.wanted

-- :name issuer_drop
DELETE FROM issuer WHERE url = ?1

-- :name issuer_urls
SELECT url FROM issuer ORDER BY url
