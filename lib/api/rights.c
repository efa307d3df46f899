/* SPDX-License-Identifier: Apache-2.0 */
#include "api/rights.h"

#include <string.h>

#include "api/authorizer.h"
#include "fleet/assign.h"
#include "store/orgs.h"

enum { SLOTS = 1024 }; /* decisions that are kept */

struct org {
    int64_t id;
    char *uid, *name, *external;
    jv spec; /* its assignments; null when there are none */
};

struct slot {
    char key[SHA256_HEX]; /* of the identity */
    int64_t at;
    struct rights *rights; /* NULL: empty */
};

struct rights_cache {
    struct orgs_version version; /* of what follows */
    struct org *orgs;
    size_t n, cap;
    struct slot slot[SLOTS];
};

struct rights_cache *rights_cache_new(void)
{
    return xcalloc(1, sizeof(struct rights_cache));
}

void rights_cache_drop(struct rights_cache *k)
{
    for (size_t i = 0; i < SLOTS; i++) {
        free(k->slot[i].rights);
        k->slot[i].rights = NULL;
    }
    for (size_t i = 0; i < k->n; i++) {
        free(k->orgs[i].uid);
        free(k->orgs[i].name);
        free(k->orgs[i].external);
        jv_free(k->orgs[i].spec);
    }
    k->n = 0;
    k->version = (struct orgs_version){0};
}

void rights_cache_free(struct rights_cache *k)
{
    if (!k)
        return;
    rights_cache_drop(k);
    free(k->orgs);
    free(k);
}

/* --- the organizations ------------------------------------------------------------------------- */

static void add(void *ctx, int64_t id, const char *uid, const char *name, const char *spec)
{
    struct rights_cache *k = ctx;
    const char *external;
    struct org *o;

    if (k->n == k->cap) {
        k->cap = k->cap ? k->cap * 2 : 16;
        k->orgs = xreallocarray(k->orgs, k->cap, sizeof *k->orgs);
    }
    o = &k->orgs[k->n++];
    *o = (struct org){.id = id, .uid = xstrdup(uid), .name = xstrdup(name),
        .spec = spec ? jv_parse(spec) : jv_null()};
    external = json_str(o->spec, "externalId");
    o->external = external ? xstrdup(external) : NULL;
    json_del(&o->spec, "deviceDefaults"); /* large, and no business of ours */
}

/* The version is read first: what is read after it can only be newer, and is read again then. */
static int refresh(struct rights_cache *k, struct store *s, struct err *e)
{
    struct orgs_version v;

    if (orgs_version(s, &v, e) < 0)
        return -1;
    if (memcmp(&v, &k->version, sizeof v) == 0)
        return 0;
    rights_cache_drop(k);
    if (orgs_each(s, add, k, e) < 0) {
        rights_cache_drop(k);
        return -1;
    }
    k->version = v;
    return 0;
}

/* --- one identity ------------------------------------------------------------------------------ */

/* What assignments and the provider give in one organization. *in: is the caller in it? */
static unsigned given(const struct identity *id, const struct org *o, bool *in)
{
    const struct subject who = {id->name, id->claims};
    const char *const names[3] = {o->uid, o->name, o->external};
    unsigned roles;
    bool member = false;

    *in = false;
    if (id->provider_org && id->provider_org != ORG_DEFAULT_ID && id->provider_org != o->id)
        return 0;
    roles = roles_assigned(o->spec, &who);
    if (id->grants)
        roles |= grants_in(id->grants, names, &member);
    *in = roles || member;
    return roles;
}

static struct rights *decide(const struct rights_cache *k, const struct identity *id,
    const bool *member)
{
    struct rights *r = xcalloc(1, sizeof *r + k->n * sizeof r->v[0]);
    bool everywhere = false;

    for (size_t i = 0; i < k->n; i++) {
        const struct org *o = &k->orgs[i];
        bool in;
        unsigned roles = given(id, o, &in);

        if (o->id == ORG_DEFAULT_ID) /* the first one: numbers are in order */
            everywhere = roles & ROLE_ADMIN;
        if (id->org ? id->org != o->id : !in && !everywhere && !member[i])
            continue;
        if (everywhere)
            roles |= ROLE_ADMIN;
        r->v[r->n++] = (struct right){o->id, o->uid, o->name, roles | (id->org ? id->roles : 0)};
    }
    return r;
}

/* Where an authorizer says they are; nobody is anywhere without one. */
static int members(struct call *c, bool *member, struct err *e)
{
    const struct rights_cache *k = c->api->rights;
    const char **uids;

    if (!c->api->authorizer || c->id->org || !k->n)
        return 0;
    uids = arena_alloc(c->a, k->n * sizeof *uids);
    for (size_t i = 0; i < k->n; i++)
        uids[i] = k->orgs[i].uid;
    return authorizer_member(c, uids, k->n, member, e);
}

static unsigned slot_of(const char *key)
{
    unsigned n = 0;

    for (int i = 0; i < 8; i++)
        n = n * 31 + (unsigned char)key[i];
    return n % SLOTS;
}

/* Is what a slot holds still to be believed? Nothing outlives a change of an organization: that has
 * emptied it. */
static bool fresh(const struct call *c, const struct slot *s)
{
    const struct authorizer *z = c->api->authorizer;
    int64_t age = c->now - s->at, keep = RIGHTS_KEPT * INT64_C(1000000);

    if (!s->rights || strcmp(s->key, c->id->key) != 0)
        return false;
    if (z && authorizer_keeps(z) < keep)
        keep = authorizer_keeps(z);
    /* The same request was decided a moment ago, and a transaction should not wait for others. */
    return (age >= 0 && age < keep) || (z && c->pass == PASS_WRITE);
}

int rights_of(struct call *c, const struct rights **out, struct err *e)
{
    struct rights_cache *k = c->api->rights;
    struct slot *s = &k->slot[slot_of(c->id->key)];
    bool *member;

    if (refresh(k, c->s, e) < 0)
        return -1;
    if (!fresh(c, s)) {
        member = arena_alloc(c->a, k->n + 1);
        if (members(c, member, e) < 0)
            return -1;
        free(s->rights);
        memcpy(s->key, c->id->key, sizeof s->key);
        s->at = c->now;
        s->rights = decide(k, c->id, member);
    }
    *out = s->rights;
    return 0;
}
