/* SPDX-License-Identifier: Apache-2.0 */
/* Identifiers: what may become a name, a label or a path component. */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>

#include "base/mem.h"
#include "base/text.h"

enum {
    SUBDOMAIN_MAX = 253, /* RFC 1123 */
    LABEL_MAX = 63,      /* Kubernetes: a label's value, and the name part of its key */
};

static bool is_lower_alnum(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
}

static bool is_alnum(char c)
{
    return is_lower_alnum(c) || (c >= 'A' && c <= 'Z');
}

/* Dot-separated labels of [a-z0-9-] that begin and end with [a-z0-9]. */
static bool subdomain(const char *s, size_t n)
{
    size_t i;

    if (!n || n > SUBDOMAIN_MAX)
        return false;
    for (i = 0; i < n; i++) {
        bool edge = i == 0 || i == n - 1 || s[i - 1] == '.' || s[i + 1] == '.';

        if (is_lower_alnum(s[i]))
            continue;
        if ((s[i] != '-' && s[i] != '.') || edge)
            return false;
    }
    return true;
}

bool is_dns_subdomain(const char *s)
{
    return subdomain(s, strlen(s));
}

/* 1 to 63 of [A-Za-z0-9_.-] that begin and end with a letter or digit. */
static bool label_name(const char *s, size_t n)
{
    size_t i;

    if (!n || n > LABEL_MAX || !is_alnum(s[0]) || !is_alnum(s[n - 1]))
        return false;
    for (i = 0; i < n; i++)
        if (!is_alnum(s[i]) && s[i] != '-' && s[i] != '_' && s[i] != '.')
            return false;
    return true;
}

bool is_label_key(const char *s)
{
    const char *slash = strchr(s, '/');

    if (slash) {
        if (!subdomain(s, (size_t)(slash - s)))
            return false;
        s = slash + 1;
    }
    return label_name(s, strlen(s));
}

bool is_label_value(const char *s)
{
    return !*s || label_name(s, strlen(s));
}

void uuid_random(char out[UUID_LEN])
{
    unsigned char r[16];
    ssize_t n;

    do
        n = getrandom(r, sizeof r, 0);
    while (n < 0 && errno == EINTR);
    if (n != sizeof r) /* up to 256 bytes come whole */
        die("getrandom: %s", strerror(errno));
    r[6] = (unsigned char)((r[6] & 0x0f) | 0x40);
    r[8] = (unsigned char)((r[8] & 0x3f) | 0x80);
    snprintf(out, UUID_LEN, "%02x%02x%02x%02x-%02x%02x-%02x%02x-%02x%02x-%02x%02x%02x%02x%02x%02x",
        r[0], r[1], r[2], r[3], r[4], r[5], r[6], r[7], r[8], r[9], r[10], r[11], r[12], r[13],
        r[14], r[15]);
}

bool is_uuid(const char *s)
{
    size_t i;

    for (i = 0; i < UUID_LEN - 1; i++) {
        bool dash = i == 8 || i == 13 || i == 18 || i == 23;

        if (dash ? s[i] != '-' : !s[i] || !strchr("0123456789abcdefABCDEF", s[i]))
            return false;
    }
    return s[i] == '\0';
}

const char *uuid_lower(char out[UUID_LEN], const char *uuid)
{
    for (size_t i = 0; i < UUID_LEN; i++)
        out[i] = uuid[i] >= 'A' && uuid[i] <= 'F' ? (char)(uuid[i] - 'A' + 'a') : uuid[i];
    return out;
}
