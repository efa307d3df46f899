/* SPDX-License-Identifier: Apache-2.0 */
#include "fleet/address.h"

#include <stdbool.h>
#include <string.h>

#include "base/mem.h"
#include "base/text.h"

#define LOWER "abcdefghijklmnopqrstuvwxyz"
#define UPPER "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
#define DIGITS "0123456789"
#define HEX DIGITS "abcdefABCDEF"

enum {
    NAME_MAX_BYTES = 255, /* of an image, host included, as registries have it */
    HOST_MAX_BYTES = 253,
    TAG_MAX = 128,
    DIGEST_MIN = 32,      /* hex digits */
};

/* --- hosts ---------------------------------------------------------------------------------- */

static bool host_good(const char *s, size_t n)
{
    static const char chars[] = LOWER UPPER DIGITS "-_";
    size_t k;

    if (n > 2 && *s == '[' && s[n - 1] == ']')
        return strspn(s + 1, HEX ":.") == n - 2 && memchr(s + 1, ':', n - 2);
    if (!n || n > HOST_MAX_BYTES)
        return false;
    for (; n; s += k + 1, n -= k + 1) { /* labels and the dots between them */
        k = strspn(s, chars);
        k = k < n ? k : n;
        if (!k || k > 63 || *s == '-' || s[k - 1] == '-' || (k < n && s[k] != '.'))
            return false;
        if (k == n)
            return true;
    }
    return false; /* ends with a dot */
}

/* HOST[:PORT] in n bytes. */
static const char *authority_fault(const char *s, size_t n)
{
    char *copy AUTO_FREE = xstrndup(s, n), *port = strrchr(copy, ':');
    int64_t number;

    if (port && strchr(port, ']'))
        port = NULL; /* within an address */
    if (port) {
        *port++ = '\0';
        if (num_parse(port, 1, 65535, &number, "port", NULL) < 0)
            return "the port is not from 1 to 65535";
    }
    return host_good(copy, strlen(copy)) ? NULL : "the host is none";
}

const char *host_fault(const char *s)
{
    if (strstr(s, "://"))
        return "there is a scheme before it";
    if (strchr(s, '/'))
        return "there is a path behind it";
    return authority_fault(s, strlen(s));
}

/* --- images --------------------------------------------------------------------------------- */

/* Letters and digits with one of ., _, __ or any number of - between them. */
static bool component_good(const char *s, size_t n)
{
    size_t i = 0, run;

    while (i < n) {
        run = strspn(s + i, LOWER DIGITS);
        if (!run || (i += run) >= n)
            return run && i == n;
        run = strspn(s + i, "-");
        if (!run)
            run = s[i] == '.' ? 1 : strspn(s + i, "_");
        if (!run || (s[i] == '_' && run > 2))
            return false;
        i += run;
    }
    return false;
}

const char *image_name_fault(const char *s)
{
    size_t n;

    if (strlen(s) > NAME_MAX_BYTES)
        return "the name is longer than 255 characters";
    for (;; s += n + 1) {
        n = strcspn(s, "/");
        if (!component_good(s, n))
            return "a name has lower-case letters and digits, with ., _ or - between them";
        if (!s[n])
            return NULL;
    }
}

static bool digest_good(const char *s)
{
    size_t n = strspn(s, LOWER UPPER DIGITS "-_+.");

    if (!n || s[n] != ':' || !strchr(LOWER UPPER, *s))
        return false;
    s += n + 1;
    n = strspn(s, HEX);
    return n >= DIGEST_MIN && !s[n];
}

static bool tag_good(const char *s)
{
    size_t n = strspn(s, LOWER UPPER DIGITS "_.-");

    return n && n <= TAG_MAX && !s[n] && *s != '.' && *s != '-';
}

/* Is what stands before the first slash a host? */
static bool is_host(const char *s, size_t n)
{
    return (n == 9 && !strncmp(s, "localhost", n)) || memchr(s, '.', n) || memchr(s, ':', n) ||
        strcspn(s, UPPER) < n;
}

const char *image_fault(const char *s)
{
    char *copy AUTO_FREE = xstrdup(s), *digest = strchr(copy, '@'), *slash, *tag;
    const char *name = copy, *fault;
    size_t n;

    if (digest) {
        *digest++ = '\0';
        if (!digest_good(digest))
            return "the digest is none, such as sha256: and 64 hex digits";
    }
    slash = strrchr(copy, '/');
    tag = strchr(slash ? slash : copy, ':');
    if (tag) {
        *tag++ = '\0';
        if (!tag_good(tag))
            return "a tag has at most 128 letters, digits, _, . and -";
    }
    if (strlen(copy) > NAME_MAX_BYTES)
        return "the name is longer than 255 characters";
    n = strcspn(copy, "/");
    if (copy[n] && is_host(copy, n)) {
        if ((fault = authority_fault(copy, n)))
            return fault;
        name = copy + n + 1;
    }
    return image_name_fault(name);
}

/* --- URLs ----------------------------------------------------------------------------------- */

const char *url_fault(const char *s, const char *const *schemes)
{
    const char *at, *after = strstr(s, "://");
    size_t n, user;

    for (const char *p = s; *p; p++)
        if ((unsigned char)*p <= 0x20 || *p == 0x7f)
            return "it has a blank or a control character";
    if (!after)
        return "there is no scheme";
    while (*schemes && (strlen(*schemes) != (size_t)(after - s) ||
        strncmp(s, *schemes, (size_t)(after - s))))
        schemes++;
    if (!*schemes)
        return "it has another scheme";
    after += 3;
    n = strcspn(after, "/?#");
    at = memrchr(after, '@', n);
    user = at ? (size_t)(at - after) + 1 : 0;
    if (user && !strncmp(s, "http", 4) && memchr(after, ':', user))
        return "a password in it would be shown: httpConfig has a place for it";
    return authority_fault(after + user, n - user);
}

const char *git_url_fault(const char *s)
{
    static const char *const schemes[] = {"https", "http", "ssh", "git", NULL};
    size_t user = strspn(s, LOWER UPPER DIGITS "_.-");
    const char *host, *colon;

    if (strstr(s, "://") || !user || s[user] != '@')
        return url_fault(s, schemes);
    host = s + user + 1;
    colon = strchr(host, ':');
    if (!colon || !host_good(host, (size_t)(colon - host)))
        return "the host is none";
    for (const char *p = colon + 1; *p; p++)
        if ((unsigned char)*p <= 0x20 || *p == 0x7f)
            return "it has a blank or a control character";
    return colon[1] ? NULL : "there is no path";
}
