/* SPDX-License-Identifier: Apache-2.0 */
#include "service/pick.h"

#include <string.h>

#include "base/clock.h"
#include "fleet/field.h"

/* The fields of one kind. */
struct filter {
    const struct kind *kind;
    struct selector all;
    struct selector lasting; /* those requirements whose past metadata tells */
};

enum known {
    KNOWN_NOTHING,
    KNOWN_FOUND,  /* it matched when the watch began */
    KNOWN_PICKED, /* the reader was told so since */
    KNOWN_GONE,
};

struct entry {
    char *key; /* "KIND/NAME"; NULL: free */
    enum known known;
};

struct pick {
    struct arena *a;
    const struct watch_options *o;
    struct filter *filter;
    size_t nfilters;
    bool varies; /* is there a requirement whose past metadata does not tell? */
    int64_t began; /* place of the newest event then */
    struct entry *entry; /* a hash table, never more than half full */
    size_t nentries, cap; /* cap: a power of two */
};

/* --- what the reader knows -------------------------------------------------------------------- */

static struct entry *slot(struct entry *v, size_t cap, const char *key)
{
    uint64_t h = UINT64_C(0xcbf29ce484222325);

    for (const char *s = key; *s; s++)
        h = (h ^ (unsigned char)*s) * UINT64_C(0x100000001b3);
    h ^= h >> 32;
    while (v[h & (cap - 1)].key && strcmp(v[h & (cap - 1)].key, key) != 0)
        h++;
    return &v[h & (cap - 1)];
}

static enum known known(const struct pick *p, const struct kind *k, const char *name)
{
    char *key AUTO_FREE = xasprintf("%d/%s", (int)k->id, name);

    return p->cap ? slot(p->entry, p->cap, key)->known : KNOWN_NOTHING;
}

static void grow(struct pick *p)
{
    size_t cap = p->cap ? p->cap * 2 : 64;
    struct entry *v = xcalloc(cap, sizeof *v);

    for (size_t i = 0; i < p->cap; i++)
        if (p->entry[i].key)
            *slot(v, cap, p->entry[i].key) = p->entry[i];
    free(p->entry);
    p->entry = v;
    p->cap = cap;
}

static void know(struct pick *p, const struct kind *k, const char *name, enum known what)
{
    char *key = xasprintf("%d/%s", (int)k->id, name);
    struct entry *e;

    if (p->nentries * 2 >= p->cap)
        grow(p);
    e = slot(p->entry, p->cap, key);
    if (e->key)
        free(key);
    else {
        e->key = key;
        p->nentries++;
    }
    e->known = what;
}

/* --- selectors -------------------------------------------------------------------------------- */

static const struct filter *filter_of(const struct pick *p, const struct kind *k)
{
    for (size_t i = 0; i < p->nfilters; i++)
        if (p->filter[i].kind == k)
            return &p->filter[i];
    return NULL;
}

static int add_filter(struct pick *p, const struct kind *k, struct err *e)
{
    struct filter *f = &p->filter[p->nfilters];

    if (filter_of(p, k))
        return 0;
    f->kind = k;
    if (selector_parse_fields(p->a, p->o->fields, k->fields, &f->all, e) < 0)
        return err_wrap(e, "field selector");
    p->nfilters++;
    f->lasting.req = arena_alloc(p->a, f->all.n * sizeof *f->lasting.req + 1);
    for (size_t i = 0; i < f->all.n; i++)
        if (field_homes[f->all.req[i].field->home].lasting)
            f->lasting.req[f->lasting.n++] = f->all.req[i];
    p->varies = p->varies || f->lasting.n < f->all.n;
    return 0;
}

int pick_open(struct pick **out, const struct watch_options *o, bool events, struct err *e)
{
    struct pick *p = *out = xcalloc(1, sizeof *p);

    p->a = arena_new();
    p->o = o;
    if (!o->fields)
        return 0;
    p->filter = arena_alloc(p->a, (o->ntargets + 1) * sizeof *p->filter);
    if (events)
        return add_filter(p, kind_by_id(KIND_EVENT), e);
    for (size_t i = 0; i < o->ntargets; i++)
        if (add_filter(p, o->target[i].kind, e) < 0)
            return -1;
    return 0;
}

void pick_free(struct pick *p)
{
    if (!p)
        return;
    for (size_t i = 0; i < p->cap; i++)
        free(p->entry[i].key);
    free(p->entry);
    arena_free(p->a);
    free(p);
}

static int find(struct pick *p, struct store *s, const struct filter *f, struct err *e)
{
    struct res_query q = {.org = s->org, .kind = f->kind, .labels = p->o->labels,
        .fields = &f->all, .now = now_us()};
    struct res_iter *it;
    struct res r;
    int rc;

    if (res_list(s, &q, &it, e) < 0)
        return -1;
    while ((rc = res_next(it, &r, e)) == 1)
        know(p, f->kind, r.name, KNOWN_FOUND);
    res_list_end(it);
    return rc;
}

int pick_begin(struct pick *p, struct store *s, int64_t newest, struct err *e)
{
    p->began = newest;
    for (size_t i = 0; p->varies && i < p->nfilters; i++)
        if (find(p, s, &p->filter[i], e) < 0)
            return -1;
    return 0;
}

/* fields: NULL where there are none. */
static bool matches(const struct pick *p, const struct selector *fields, const char *json)
{
    jv doc AUTO_JV = jv_invalid();

    if (!p->o->labels && !fields)
        return true;
    doc = jv_parse(json);
    return (!p->o->labels || selector_match_doc(p->o->labels, doc)) &&
        (!fields || selector_match_doc(fields, doc));
}

bool pick_event(const struct pick *p, const char *json)
{
    return !p->nfilters || matches(p, &p->filter[0].all, json);
}

/* Of before the beginning, so that what was found then came later. */
static bool is_old(const struct pick *p, int64_t at)
{
    return at <= p->began;
}

enum pick_was pick_was(const struct pick *p, const struct kind *k, const char *name, int64_t at,
    const char *doc)
{
    const struct filter *f = filter_of(p, k);

    if (p->varies)
        switch (known(p, k, name)) {
        case KNOWN_PICKED: return WAS_PICKED;
        case KNOWN_GONE: return WAS_NOT;
        case KNOWN_FOUND:
            if (!is_old(p, at))
                return WAS_PICKED;
            break;
        case KNOWN_NOTHING:
            if (!is_old(p, at))
                return WAS_NOT;
            break;
        }
    if (!matches(p, f ? &f->lasting : NULL, doc))
        return WAS_NOT;
    return p->varies ? WAS_UNKNOWN : WAS_PICKED;
}

bool pick_is(struct pick *p, const struct kind *k, const char *name, int64_t at,
    const char *doc)
{
    const struct filter *f = filter_of(p, k);

    if (!matches(p, f ? &f->all : NULL, doc)) {
        pick_gone(p, k, name, at);
        return false;
    }
    if (p->varies)
        know(p, k, name, KNOWN_PICKED);
    return true;
}

void pick_gone(struct pick *p, const struct kind *k, const char *name, int64_t at)
{
    if (p->varies && (is_old(p, at) || known(p, k, name) != KNOWN_NOTHING))
        know(p, k, name, KNOWN_GONE);
}
