/* SPDX-License-Identifier: Apache-2.0 */
#include "service/target.h"

#include <string.h>

#include "base/text.h"

/* What is no UTF-8 is no name of anything. */
static int good_text(const char *word, struct err *e)
{
    struct buf shown AUTO_BUF = BUF_INIT;
    size_t n = strlen(word);

    if (utf8_valid(word, n))
        return 0;
    text_clean(&shown, word, n);
    return err_set(e, FC_INVALID, "\"%s\": not UTF-8", shown.p);
}

void targets_add(struct targets *t, const struct kind *k, const char *name)
{
    if ((t->n & (t->n - 1)) == 0) /* full at each power of two */
        t->v = xreallocarray(t->v, t->n ? 2 * t->n : 1, sizeof *t->v);
    t->v[t->n++] = (struct target){k, name};
}

static int by_name(const void *x, const void *y)
{
    const struct target *a = *(const struct target *const *)x;
    const struct target *b = *(const struct target *const *)y;
    int c = a->kind != b->kind ? (a->kind < b->kind ? -1 : 1) : strcmp(a->name, b->name);

    return c ? c : a < b ? -1 : a > b;
}

void targets_unique(struct targets *t)
{
    struct target **sorted AUTO_FREE = xcalloc(t->n + 1, sizeof *sorted);
    size_t n = 0;

    for (size_t i = 0; i < t->n; i++)
        sorted[i] = &t->v[i];
    qsort(sorted, t->n, sizeof *sorted, by_name);
    for (size_t i = 1, first = 0; i < t->n; i++) {
        if (sorted[i]->kind == sorted[first]->kind &&
            strcmp(sorted[i]->name, sorted[first]->name) == 0)
            sorted[i]->kind = NULL;
        else
            first = i;
    }
    for (size_t i = 0; i < t->n; i++)
        if (t->v[i].kind)
            t->v[n++] = t->v[i];
    t->n = n;
}

void targets_free(struct targets *t)
{
    free(t->v);
    *t = (struct targets){0};
}

/* The kind in front of a slash. */
static const struct kind *kind_before(const char *word, const char *slash, struct err *e)
{
    char *kind AUTO_FREE = xstrndup(word, (size_t)(slash - word));

    return kind_parse(kind, e);
}

int targets_parse(struct targets *t, int argc, char **argv, struct err *e)
{
    const struct kind *k = NULL;

    for (int i = 0; i < argc; i++) {
        const char *slash = strchr(argv[i], '/'), *name = argv[i];

        if (good_text(argv[i], e) < 0)
            return -1;
        if (i == 0 && !slash) {
            if (!(k = kind_parse(argv[0], e)))
                return -1;
            if (argc == 1)
                targets_add(t, k, NULL);
            continue;
        }
        if (!k) {
            const struct kind *own;

            if (!slash)
                return err_set(e, FC_USAGE, "%s: KIND/NAME is wanted, as in the operand before",
                    argv[i]);
            if (!(own = kind_before(argv[i], slash, e)))
                return -1;
            name = slash + 1;
            targets_add(t, own, name);
        } else {
            targets_add(t, k, name);
        }
        if (!*name)
            return err_set(e, FC_USAGE, "\"%s\": the name is empty", argv[i]);
    }
    return 0;
}

int targets_of_docs(struct targets *t, struct arena *a, const struct docs *d, struct err *e)
{
    for (size_t i = 0; i < d->n; i++) {
        const struct doc *doc = &d->doc[i];
        const char *kind = json_str(doc->v, "kind"), *name = json_str(doc->v, "metadata.name");
        const struct kind *k = kind ? kind_find(kind) : NULL;
        const char *parent = NULL;

        if (kind && kind_is_list(kind))
            return err_set(e, FC_INVALID, "%s:%d: items: must be a list", d->source,
                doc_line(doc, "items"));
        if (!k)
            return err_set(e, FC_INVALID, "%s:%d: kind: must be one that is known here", d->source,
                doc_line(doc, "kind"));
        if (k->flags & (KIND_LOG | KIND_CATALOG))
            return err_set(e, FC_INVALID, "%s:%d: kind: %s cannot be deleted", d->source,
                doc_line(doc, "kind"), k->plural);
        if (!name || !*name)
            return err_set(e, FC_INVALID, "%s:%d: metadata.name: must be a name", d->source,
                doc_line(doc, "metadata.name"));
        if (k->flags & KIND_CHILD && !(parent = json_str(doc->v, "spec.fleet")))
            return err_set(e, FC_INVALID, "%s:%d: spec.fleet: must be a name", d->source,
                doc_line(doc, "spec.fleet"));
        targets_add(t, k, parent ? arena_printf(a, "%s/%s", parent, name) : arena_strdup(a, name));
    }
    return 0;
}

int targets_select(struct targets *t, struct store *s, struct arena *a, const struct kind *k,
    const struct selector *sel, struct err *e)
{
    struct res_query q = {.org = s->org, .kind = k, .labels = sel};
    struct res_iter *it;
    struct res r;
    int rc;

    if (res_list(s, &q, &it, e) < 0)
        return -1;
    while ((rc = res_next(it, &r, e)) == 1)
        targets_add(t, k, arena_strdup(a, r.name));
    res_list_end(it);
    return rc;
}

const char *target_name(const struct kind *k, const char *word, struct err *e)
{
    const char *slash = k->flags & KIND_CHILD ? NULL : strchr(word, '/');
    const struct kind *own;

    if (good_text(word, e) < 0)
        return NULL;
    if (slash) {
        if (!(own = kind_before(word, slash, e)))
            return NULL;
        if (own != k) {
            err_set(e, FC_USAGE, "%s: must be a %s", word, k->singular);
            return NULL;
        }
        word = slash + 1;
    }
    if (!*word) {
        err_set(e, FC_USAGE, "the name of a %s is empty", k->singular);
        return NULL;
    }
    return word;
}

int target_selector(struct arena *a, const struct kind *k, const char *text, struct selector *out,
    struct err *e)
{
    if (!(k->flags & KIND_LABELS))
        return err_set(e, FC_USAGE, "%s have no labels to select by", k->plural);
    if (selector_parse(a, text, out, e) < 0)
        return err_wrap(e, "selector");
    return 0;
}

int target_involved(const char *word, const struct kind **k, const char **name, struct err *e)
{
    const char *slash = strchr(word, '/');

    if (good_text(word, e) < 0)
        return err_wrap(e, "--of");
    if (!slash || !slash[1])
        return err_set(e, FC_USAGE, "--of %s: KIND/NAME is wanted", word);
    if (!(*k = kind_before(word, slash, e)))
        return -1;
    *name = strrchr(word, '/') + 1;
    return 0;
}

int target_missing(const struct kind *k, const char *name, struct err *e)
{
    return err_set(e, FC_NOTFOUND, "%s of name \"%s\" not found", k->name, name);
}

int target_found(const struct kind *k, const char *word, const char *names, size_t hits,
    struct err *e)
{
    if (hits > 1)
        return err_set(e, FC_INVALID, "\"%s\" begins the names of several: %s%s", word, names,
            hits == TARGET_HITS ? ", ..." : "");
    return hits ? 0 : target_missing(k, word, e);
}

int target_find(struct store *s, struct arena *a, const struct kind *k, const char *word,
    const char **name, struct err *e)
{
    struct res_query q = {.org = s->org, .kind = k, .from = word, .limit = TARGET_HITS};
    struct buf found AUTO_BUF = BUF_INIT;
    size_t n = strlen(word), hits = 0;
    struct res_iter *it;
    struct res r;
    int rc;

    if (res_list(s, &q, &it, e) < 0)
        return -1;
    while ((rc = res_next(it, &r, e)) == 1 && !strncmp(r.name, word, n)) {
        if (n < PREFIX_MIN && r.name[n])
            break;
        if (hits++ == 0)
            *name = arena_strdup(a, r.name);
        buf_printf(&found, "%s%s", found.len ? ", " : "", r.name);
        if (!r.name[n]) /* the name itself, which comes first */
            break;
    }
    res_list_end(it);
    if (rc < 0)
        return -1;
    return target_found(k, word, found.p, hits, e);
}
