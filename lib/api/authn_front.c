/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Who calls, by what the web server that started us (CGI) has found out itself: REMOTE_USER, where
 * [api] remote-user says that it is to be believed.
 */
#include <stdio.h>
#include <string.h>

#include "api/core.h"

struct authn_front {
    bool user;          /* REMOTE_USER counts */
    char *groups;       /* the variable with the groups, or NULL */
    jv claims;          /* {"groups": [...]} of the last caller */
    struct identity id;
};

struct authn_front *authn_front_new(const struct conf *conf, struct err *e)
{
    const char *groups = conf_get(conf, "api", "remote-groups");
    struct authn_front *n;

    if (groups && strncmp(groups, "HTTP_", 5) == 0) {
        err_set(e, FC_INVALID, "[api] remote-groups: %s is a header that clients send", groups);
        return NULL;
    }
    n = xcalloc(1, sizeof *n);

    n->user = strcmp(conf_get(conf, "api", "remote-user"), "yes") == 0;
    n->groups = groups ? xstrdup(groups) : NULL;
    n->claims = jv_invalid();
    return n;
}

void authn_front_free(struct authn_front *n)
{
    if (!n)
        return;
    jv_free(n->claims);
    free(n->groups);
    free(n);
}

static jv groups_of(const char *list)
{
    jv groups = jv_array();

    while (list && *list) {
        size_t n = strcspn(list, ","), from = strspn(list, " "), to = n;

        while (to > from && list[to - 1] == ' ')
            to--;
        if (to > from && utf8_valid(list + from, to - from))
            groups = jv_array_append(groups, jv_string_sized(list + from, (int)(to - from)));
        list += n + (list[n] == ',');
    }
    return groups;
}

bool authn_front_speaks(const struct call *c)
{
    const char *user = c->peer->cgi && c->api->front->user ? getenv("REMOTE_USER") : NULL;

    return user && *user;
}

static bool is_name(const char *s, size_t max)
{
    size_t n = strlen(s);

    for (size_t i = 0; i < n; i++)
        if ((unsigned char)s[i] < ' ' || s[i] == 0x7f)
            return false;
    return n < max && utf8_valid(s, n);
}

int authn_front(struct call *c, int *status, struct err *e)
{
    struct authn_front *n = c->api->front;
    struct buf b AUTO_BUF = BUF_INIT;
    const char *user = getenv("REMOTE_USER");

    if (!authn_front_speaks(c))
        return 0;
    *status = 401;
    n->id = (struct identity){.who = WHO_USER, .vouch = BY_FRONT, .not_after = INT64_MAX};
    if (!is_name(user, sizeof n->id.name))
        return err_set(e, FC_DENIED, "REMOTE_USER is not a name");
    snprintf(n->id.name, sizeof n->id.name, "%s", user);
    snprintf(n->id.actor, sizeof n->id.actor, "user:%s", user);
    jv_free(n->claims);
    n->claims = jv_object();
    json_set(&n->claims, "groups", groups_of(n->groups ? getenv(n->groups) : NULL));
    n->id.claims = &n->claims;
    buf_printf(&b, "front\n%s\n", user);
    json_canon(&b, n->claims);
    sha256_hex(b.p, b.len, n->id.key);
    c->id = &n->id;
    return 1;
}
