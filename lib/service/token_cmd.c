/* SPDX-License-Identifier: Apache-2.0 */
#include "service/token_cmd.h"

#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/print.h"
#include "crypto/crypto.h"
#include "service/service.h"

enum { O_FOR = OPT_FIRST + 100 }; /* beside those of fc-sign itself */

#define O_STORE {OPT_STORE, "store", "URL", "file", "store: sqlite:PATH or postgres://... " \
    "(default: FC_STORE, then the configuration)"}
#define O_ORG {OPT_ORG, "org", "NAME", NULL, "organization (default: FC_ORG, then the default one)"}

const struct opt token_issue_opts[] = {
    O_STORE,
    O_ORG,
    {OPT_DRY, "dry-run", NULL, NULL, "check and say what would be issued"},
    {O_FOR, "for", "TIME", NULL, "how long it is valid: 8h, 30d (default: [tokens] lifetime)"},
    {'g', "group", "GROUP", NULL, "a group that it speaks for; may be repeated"},
    {'r', "role", "ROLE", "admin|org-admin|operator|viewer|installer", "a role that it has; may "
        "be repeated"},
    {0},
};
const struct opt token_list_opts[] = {O_STORE, O_ORG, OPTS_OUTPUT, {0}};
const struct opt token_revoke_opts[] = {O_STORE, O_ORG, {0}};

static void add_word(const char **list, const struct opts *o)
{
    size_t i;

    for (i = 0; i < TOKEN_WORDS_MAX && list[i]; i++)
        ;
    if (i == TOKEN_WORDS_MAX)
        opt_usage(o, "-%c: more than %d", o->opt->id, TOKEN_WORDS_MAX);
    list[i] = o->arg;
}

bool token_cmd_option(struct token_cmd *t, const struct opts *o, int id)
{
    switch (id) {
    case OPT_STORE: t->url = o->arg; return true;
    case OPT_ORG: t->org = o->arg; return true;
    case OPT_OUTPUT: t->format = o->arg; return true;
    case OPT_FILTER: t->filter = o->arg; return true;
    case OPT_DRY: t->dry = true; return true;
    case O_FOR: t->lifetime = o->arg; return true;
    case 'g': add_word(t->groups, o); return true;
    case 'r': add_word(t->roles, o); return true;
    default: return false;
    }
}

static struct actor myself(char user[64])
{
    return (struct actor){.name = service_user(user), .source = log_name};
}

static int issue(const struct token_cmd *t, const struct opts *o, struct store *s,
    struct err *e)
{
    struct token_request q = {.subject = o->argv[0], .roles = t->roles, .groups = t->groups,
        .lifetime = t->lifetime, .dry = t->dry};
    struct arena *a AUTO_ARENA = arena_new();
    struct buf token = BUF_INIT;
    char user[64], until[TIME_LEN];
    struct actor who = myself(user);
    struct token made;
    int rc = token_issue(s, t->conf, &q, &who, &made, a, &token, e);

    if (rc == 0) {
        time_format(made.expires, until);
        if (!t->dry)
            puts(token.p);
        log_info("%s for %s, valid until %s", t->dry ? "would issue a token" : made.jti,
            made.subject, until);
    }
    buf_wipe(&token);
    return rc;
}

static const struct column columns[] = {
    {"TOKEN", "jti", COL_TEXT, false},
    {"SUBJECT", "subject", COL_TEXT, false},
    {"STATE", "state", COL_TEXT, false},
    {"EXPIRES", "expiresAt", COL_TEXT, false},
    {"ISSUED BY", "issuedBy", COL_TEXT, false},
    {"ISSUED", "issuedAt", COL_TEXT, true},
    {"REVOKED", "revokedAt", COL_TEXT, true},
    {"REVOKED BY", "revokedBy", COL_TEXT, true},
    {0},
};

static int show_one(void *ctx, const struct token *t, struct err *e)
{
    jv v AUTO_JV = token_shown(t, now_us());

    return printer_put(ctx, t->jti, v, e);
}

static int list(const struct token_cmd *t, const struct opts *o, struct store *s, struct err *e)
{
    struct printer *p;
    struct err ignored;
    int rc;

    (void)o;
    if (printer_open(&p, stdout, t->format, t->filter, e) < 0)
        return -1;
    printer_columns(p, columns, NULL);
    rc = token_list(s, s->org, show_one, p, e);
    return printer_close(p, rc < 0 ? &ignored : e) < 0 ? -1 : rc;
}

static int revoke_all(const struct token_cmd *t, const struct opts *o, struct store *s,
    struct err *e)
{
    char user[64];
    struct actor who = myself(user);
    struct err why;
    int rc = 0;

    (void)t;
    for (int i = 0; i < o->argc; i++) {
        if (token_withdraw(s, o->argv[i], &who, &why) == 0) {
            printf("revoked %s\n", o->argv[i]);
            continue;
        }
        if (rc < 0)
            log_err(e); /* the last one is the caller's to print */
        *e = why;
        rc = -1;
    }
    return rc;
}

static int in_store(const struct token_cmd *t, const struct opts *o,
    int (*run)(const struct token_cmd *, const struct opts *, struct store *, struct err *),
    struct err *e)
{
    struct store s;
    int rc;

    if (service_open(&s, t->conf, t->url, t->org, e) < 0)
        return -1;
    rc = run(t, o, &s, e);
    store_close(&s);
    return rc;
}

int token_cmd_issue(struct token_cmd *t, const struct opts *o, struct err *e)
{
    if (o->argc != 1)
        opt_usage(o, "one subject is wanted");
    return in_store(t, o, issue, e);
}

int token_cmd_list(struct token_cmd *t, const struct opts *o, struct err *e)
{
    if (o->argc)
        opt_usage(o, "unexpected operand \"%s\"", o->argv[0]);
    return in_store(t, o, list, e);
}

int token_cmd_revoke(struct token_cmd *t, const struct opts *o, struct err *e)
{
    if (!o->argc)
        opt_usage(o, "a token is missing");
    return in_store(t, o, revoke_all, e);
}
