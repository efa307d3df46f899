/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>

#include "base/text.h"
#include "crypto/seal.h"

void buf_erase(struct buf *b)
{
    if (b->p)
        explicit_bzero(b->p, b->cap);
    buf_free(b);
}

void seal_keys_wipe(struct seal_keys *k)
{
    explicit_bzero(k, sizeof *k);
}

/* Length of the ID that s begins with; 0: none. */
static size_t id_length(const char *s, size_t n)
{
    size_t i;

    for (i = 0; i < n && (strchr("-_", s[i]) ? s[i] != '\0' : (s[i] >= '0' && s[i] <= '9') ||
        (s[i] >= 'a' && s[i] <= 'z') || (s[i] >= 'A' && s[i] <= 'Z')); i++)
        ;
    return i <= SEAL_ID_MAX ? i : 0;
}

/* One line "ID BASE64" without its end. */
static int parse_line(const char *s, size_t n, const char *where, struct seal_keys *out,
    struct err *e)
{
    struct seal_key *k = &out->v[out->n];
    struct buf raw = BUF_INIT;
    size_t id = id_length(s, n), at = id;
    int bad;

    while (at < n && (s[at] == ' ' || s[at] == '\t'))
        at++;
    if (!id || at == id)
        return err_set(e, FC_INVALID, "%s: must be an ID (at most %d letters, digits, - and _), a "
            "space and the base64 of a key", where, SEAL_ID_MAX);
    if (out->n == SEAL_KEYS_MAX)
        return err_set(e, FC_INVALID, "%s: more than %d keys", where, SEAL_KEYS_MAX);
    buf_reserve(&raw, n); /* growing would leave copies in freed memory */
    bad = base64_decode(&raw, s + at, n - at) < 0;
    if (!bad && raw.len == SEAL_KEY_LEN)
        memcpy(k->key, raw.p, SEAL_KEY_LEN);
    if (bad)
        err_set(e, FC_INVALID, "%s: the key is not base64", where);
    else if ((bad = raw.len != SEAL_KEY_LEN))
        err_set(e, FC_INVALID, "%s: a key of %zu bytes, not %d", where, raw.len, SEAL_KEY_LEN);
    buf_erase(&raw);
    if (bad)
        return -1;
    memcpy(k->id, s, id);
    k->id[id] = '\0';
    if (seal_keys_find(out, k->id))
        return err_set(e, FC_INVALID, "%s: there is a key of ID %s already", where, k->id);
    out->n++;
    return 0;
}

int seal_keys_parse(const char *text, size_t n, const char *source, struct seal_keys *out,
    struct err *e)
{
    const char *end = text + n;
    unsigned line = 0;

    out->n = 0;
    while (text < end) {
        const char *eol = memchr(text, '\n', (size_t)(end - text));
        size_t len = (size_t)((eol ? eol : end) - text);
        char where[512];

        while (len && strchr(" \t\r", text[len - 1]) && text[len - 1])
            len--;
        snprintf(where, sizeof where, "%.480s:%u", source, ++line);
        if (len && *text != '#' && parse_line(text, len, where, out, e) < 0)
            return -1;
        text = eol ? eol + 1 : end;
    }
    return out->n ? 0 : err_set(e, FC_INVALID, "%s: there is no key in it", source);
}

void seal_keys_write(const struct seal_keys *k, struct buf *out)
{
    size_t i;

    buf_reserve(out, k->n * (SEAL_ID_MAX + 2 * SEAL_KEY_LEN));
    for (i = 0; i < k->n; i++) {
        buf_adds(out, k->v[i].id);
        buf_addc(out, ' ');
        base64_encode(out, k->v[i].key, SEAL_KEY_LEN);
        buf_addc(out, '\n');
    }
}

static int random_bytes(void *p, size_t n, struct err *e)
{
    ssize_t k;

    do
        k = getrandom(p, n, 0);
    while (k < 0 && errno == EINTR);
    return k == (ssize_t)n ? 0 : err_errno(e, "getrandom");
}

int seal_keys_add(struct seal_keys *k, struct err *e)
{
    struct seal_key fresh;
    struct buf id AUTO_BUF = BUF_INIT;
    unsigned char raw[4];

    if (k->n == SEAL_KEYS_MAX)
        return err_set(e, FC_FAIL, "there are %d keys already", SEAL_KEYS_MAX);
    do {
        if (random_bytes(raw, sizeof raw, e) < 0)
            return -1;
        buf_reset(&id);
        hex_encode(&id, raw, sizeof raw);
    } while (seal_keys_find(k, id.p));
    memcpy(fresh.id, id.p, id.len + 1);
    if (random_bytes(fresh.key, sizeof fresh.key, e) < 0)
        return -1;
    memmove(&k->v[1], &k->v[0], k->n * sizeof k->v[0]);
    k->v[0] = fresh;
    k->n++;
    explicit_bzero(&fresh, sizeof fresh);
    return 0;
}

void seal_keys_keep_first(struct seal_keys *k)
{
    explicit_bzero(&k->v[1], (SEAL_KEYS_MAX - 1) * sizeof k->v[0]);
    k->n = 1;
}

const struct seal_key *seal_keys_find(const struct seal_keys *k, const char *id)
{
    size_t i;

    for (i = 0; i < k->n; i++)
        if (strcmp(k->v[i].id, id) == 0)
            return &k->v[i];
    return NULL;
}

int seal_id(const char *sealed, char id[SEAL_ID_MAX + 1])
{
    size_t n;

    if (strncmp(sealed, "1:", 2) != 0 || !(n = id_length(sealed + 2, strlen(sealed + 2))) ||
        sealed[2 + n] != ':')
        return -1;
    memcpy(id, sealed + 2, n);
    id[n] = '\0';
    return 0;
}
