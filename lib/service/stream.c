/* SPDX-License-Identifier: Apache-2.0 */
/* Selects among documents of a stream, as the store does among resources. */
#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include "base/doc.h"
#include "base/file.h"
#include "fleet/field.h"
#include "service/list.h"

/* Those of kinds that are not known here have what every stored kind has. */
static const struct field *fields_of(const struct kind *k)
{
    return k ? k->fields : fields_stored;
}

struct stream {
    struct arena *a;
    const struct stream_query *q;
    struct selector labels;
    struct parsed {
        const struct field *fields; /* of which table */
        bool usable;                /* it has all that are asked for */
        struct selector sel;
    } *parsed; /* one a table, as they come up */
    size_t n;
};

static const struct parsed *parsed_of(struct stream *s, const struct field *fields)
{
    struct parsed *p;

    for (size_t i = 0; i < s->n; i++)
        if (s->parsed[i].fields == fields)
            return &s->parsed[i];
    s->parsed = xreallocarray(s->parsed, s->n + 1, sizeof *s->parsed);
    p = &s->parsed[s->n++];
    p->fields = fields;
    p->usable = selector_parse_fields(s->a, s->q->fields, fields, &p->sel, NULL) == 0;
    return p;
}

/* Is there a kind that has these fields? The error is that of the kind that comes nearest. */
static int check_fields(struct stream *s, struct err *e)
{
    struct selector sel;

    if (s->q->kind)
        return selector_parse_fields(s->a, s->q->fields, s->q->kind->fields, &sel, e);
    for (const struct kind *k = kinds; k->id; k++)
        if (selector_parse_fields(s->a, s->q->fields, k->fields, &sel, NULL) == 0)
            return 0;
    return selector_parse_fields(s->a, s->q->fields, kind_by_id(KIND_DEVICE)->fields, &sel, e);
}

static bool picks(struct stream *s, const struct kind *k, jv doc)
{
    const struct parsed *p;

    if (s->q->kind && k != s->q->kind)
        return false;
    if (!selector_match_doc(&s->labels, doc))
        return false;
    if (!s->q->fields)
        return true;
    p = parsed_of(s, fields_of(k));
    return p->usable && selector_match_doc(&p->sel, doc);
}

/* "device/x", "templateversion/fleet/v1"; a kind that is not known here in lower case. */
static void id_of(struct buf *b, const struct kind *k, jv doc)
{
    const char *kind = json_str(doc, "kind"), *name = json_str(doc, "metadata.name");
    const char *parent = k && k->flags & KIND_CHILD ? json_str(doc, "spec.fleet") : NULL;

    buf_reset(b);
    if (k)
        buf_adds(b, k->singular);
    else
        for (; kind && *kind; kind++)
            buf_addc(b, (char)tolower((unsigned char)*kind));
    buf_printf(b, "/%s%s%s", parent ? parent : "", parent ? "/" : "", name ? name : "");
}

static int all(struct stream *s, const struct docs *in,
    int (*each)(void *ctx, const struct kind *k, const char *id, jv doc, struct err *e), void *ctx,
    struct err *e)
{
    struct buf id AUTO_BUF = BUF_INIT;
    int64_t n = 0;
    int rc = 0;

    for (size_t i = 0; i < in->n && rc == 0 && (!s->q->limit || n < s->q->limit); i++) {
        const char *kind = json_str(in->doc[i].v, "kind");
        const struct kind *k = kind ? kind_find(kind) : NULL;

        if (!picks(s, k, in->doc[i].v))
            continue;
        n++;
        id_of(&id, k, in->doc[i].v);
        rc = each(ctx, k, id.p, in->doc[i].v, e);
    }
    return rc;
}

int stream_select(const struct stream_query *q,
    int (*each)(void *ctx, const struct kind *k, const char *id, jv doc, struct err *e), void *ctx,
    struct err *e)
{
    struct arena *a AUTO_ARENA = arena_new();
    struct stream s = {.a = a, .q = q};
    struct buf text AUTO_BUF = BUF_INIT;
    struct docs in = {0};
    int rc;

    if (q->labels && selector_parse(a, q->labels, &s.labels, e) < 0)
        return err_wrap(e, "selector");
    if (q->fields && check_fields(&s, e) < 0)
        return err_wrap(e, "field selector");
    if (fd_read(STDIN_FILENO, "(stdin)", DOC_MAX, &text, e) < 0)
        return -1;
    if (!text.p || text.p[strspn(text.p, " \t\r\n")] == '\0')
        return 0;
    if ((rc = docs_parse("(stdin)", text.p, text.len, &in, e)) == 0) {
        rc = all(&s, &in, each, ctx, e);
        docs_free(&in);
    }
    free(s.parsed);
    return rc;
}
