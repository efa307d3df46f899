/* SPDX-License-Identifier: Apache-2.0 */
#include "service/token.h"

#include <stdio.h>

#include "base/clock.h"
#include "service/service.h"

int token_told(struct store *s, const struct token *t, const char *what, const struct actor *who,
    struct err *e)
{
    struct arena *a AUTO_ARENA = arena_new();
    struct buf message AUTO_BUF = BUF_INIT;
    const char *name, *spec;

    if (org_spec(s, a, t->org, &name, &spec, e) < 0)
        return -1;
    buf_printf(&message, "The token %s of %s was %s.", t->jti, t->subject, what);
    return events_add(s, t->org, who, &(struct event){.kind = KIND_ORGANIZATION, .name = name,
        .reason = "ResourceUpdated", .message = message.p}, e);
}

static int withdraw(struct store *s, struct arena *a, const char *jti, const struct actor *who,
    struct err *e)
{
    struct token t;
    int rc = token_get(s, a, jti, &t, e);

    if (rc < 0)
        return -1;
    if (rc == 0 || t.org != s->org)
        return err_set(e, FC_NOTFOUND, "there is no token %s", jti);
    if ((rc = token_revoke(s, s->org, jti, now_us(), who->name, e)) < 0)
        return -1;
    if (rc == 0)
        return err_set(e, FC_CONFLICT, "the token %s was revoked before, by %s", jti,
            t.revoked_by);
    return token_told(s, &t, "revoked", who, e);
}

int token_withdraw(struct store *s, const char *jti, const struct actor *who, struct err *e)
{
    struct arena *a AUTO_ARENA = arena_new();

    if (store_begin(s, e) < 0)
        return -1;
    if (withdraw(s, a, jti, who, e) == 0 && store_commit(s, e) == 0)
        return 0;
    store_rollback(s);
    return -1;
}

static void set_time(jv *v, const char *name, int64_t at)
{
    char text[TIME_LEN];

    time_format(at, text);
    json_sets(v, name, text);
}

jv token_shown(const struct token *t, int64_t now)
{
    jv v = jv_object();

    json_sets(&v, "jti", t->jti);
    json_sets(&v, "subject", t->subject);
    json_set(&v, "roles", jv_parse(t->roles));
    json_set(&v, "groups", jv_parse(t->groups));
    set_time(&v, "issuedAt", t->issued);
    json_sets(&v, "issuedBy", t->issued_by);
    set_time(&v, "expiresAt", t->expires);
    json_sets(&v, "state", t->revoked ? "Revoked" : t->expires <= now ? "Expired" : "Valid");
    if (t->revoked) {
        set_time(&v, "revokedAt", t->revoked);
        json_sets(&v, "revokedBy", t->revoked_by);
    }
    return v;
}
