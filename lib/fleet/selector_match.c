/* SPDX-License-Identifier: Apache-2.0 */
/* Selectors: what they match, and their text form. */
#include <string.h>

#include "base/clock.h"
#include "fleet/field.h"
#include "fleet/selector.h"

static bool has_label(jv labels, const char *key)
{
    AUTO_JV jv v = json_get(labels, key);

    return jv_get_kind(v) == JV_KIND_STRING;
}

static bool label_is(jv labels, const char *key, const char *value)
{
    AUTO_JV jv v = json_get(labels, key);

    return jv_get_kind(v) == JV_KIND_STRING && !strcmp(jv_string_value(v), value);
}

static bool in_values(const struct sel_req *r, jv labels)
{
    size_t i, k;

    for (i = 0; i < r->nvalues; i++) {
        for (k = 0; k < r->nkeys && label_is(labels, r->keys[k], r->values[i * r->nkeys + k]); k++)
            ;
        if (k == r->nkeys)
            return true;
    }
    return false;
}

static bool equals(const struct sel_req *r, const struct field_value *v)
{
    int64_t at;

    for (size_t i = 0; i < r->nvalues; i++) {
        if (r->field->type == FIELD_TIME ? time_parse(r->values[i], &at) == 0 && at == v->at :
            strlen(r->values[i]) == v->n && memcmp(r->values[i], v->s, v->n) == 0)
            return true;
    }
    return false;
}

/* A positive operator on one value. */
static bool holds(enum sel_op op, const struct sel_req *r, const struct field_value *v)
{
    int64_t at = 0;

    if (r->field->type == FIELD_TIME && r->nvalues)
        time_parse(r->values[0], &at);
    switch (op) {
    case SEL_EXISTS: return true;
    case SEL_IN: return equals(r, v);
    case SEL_CONTAINS: return memmem(v->s, v->n, r->values[0], strlen(r->values[0])) != NULL;
    case SEL_LT: return v->at < at;
    case SEL_LE: return v->at <= at;
    case SEL_GT: return v->at > at;
    case SEL_GE: return v->at >= at;
    case SEL_NOT_EXISTS:
    case SEL_NOT_IN:
    case SEL_NOT_CONTAINS: break;
    }
    die("selector operator %d", (int)op);
}

enum sel_op sel_positive(enum sel_op op)
{
    return op == SEL_NOT_EXISTS ? SEL_EXISTS : op == SEL_NOT_IN ? SEL_IN :
        op == SEL_NOT_CONTAINS ? SEL_CONTAINS : op;
}

bool selector_holds(const struct sel_req *r, const struct field_value *v, size_t n)
{
    enum sel_op op = sel_positive(r->op);
    size_t i;

    for (i = 0; i < n && !holds(op, r, &v[i]); i++)
        ;
    return (i < n) == (op == r->op);
}

static bool field_match(const struct sel_req *r, jv doc)
{
    struct field_value v[2];
    size_t n = field_values(r->field, doc, v);

    return selector_holds(r, v, n);
}

static bool req_match(const struct sel_req *r, jv labels)
{
    size_t k;

    switch (r->op) {
    case SEL_EXISTS:
        for (k = 0; k < r->nkeys && has_label(labels, r->keys[k]); k++)
            ;
        return k == r->nkeys;
    case SEL_NOT_EXISTS:
        for (k = 0; k < r->nkeys && !has_label(labels, r->keys[k]); k++)
            ;
        return k == r->nkeys;
    case SEL_IN:
        return in_values(r, labels);
    case SEL_NOT_IN:
        return !in_values(r, labels);
    case SEL_CONTAINS:
    case SEL_NOT_CONTAINS:
    case SEL_LT:
    case SEL_LE:
    case SEL_GT:
    case SEL_GE:
        break;
    }
    die("selector operator %d", (int)r->op);
}

bool selector_match(const struct selector *s, jv labels)
{
    size_t i;

    if (s->nothing)
        return false;
    for (i = 0; i < s->n; i++)
        if (!req_match(&s->req[i], labels))
            return false;
    return true;
}

bool selector_match_doc(const struct selector *s, jv doc)
{
    jv labels AUTO_JV = json_at(doc, "metadata.labels");

    if (s->nothing)
        return false;
    for (size_t i = 0; i < s->n; i++)
        if (!(s->req[i].field ? field_match(&s->req[i], doc) : req_match(&s->req[i], labels)))
            return false;
    return true;
}

/* v or (v1,v2) */
static void write_tuple(struct buf *b, const char *const *v, size_t n)
{
    size_t i;

    if (n > 1)
        buf_addc(b, '(');
    for (i = 0; i < n; i++) {
        if (i)
            buf_addc(b, ',');
        buf_adds(b, v[i]);
    }
    if (n > 1)
        buf_addc(b, ')');
}

static void write_req(struct buf *b, const struct sel_req *r)
{
    static const char *const search[] = {
        [SEL_CONTAINS] = " contains ", [SEL_NOT_CONTAINS] = " notcontains ", [SEL_LT] = "<",
        [SEL_LE] = "<=", [SEL_GT] = ">", [SEL_GE] = ">=",
    };
    size_t i;

    if (r->op == SEL_NOT_EXISTS)
        buf_addc(b, '!');
    write_tuple(b, r->keys, r->nkeys);
    if (r->op == SEL_EXISTS || r->op == SEL_NOT_EXISTS)
        return;
    if (r->op >= SEL_CONTAINS) {
        buf_adds(b, search[r->op]);
        buf_adds(b, r->values[0]);
        return;
    }
    if (r->nvalues == 1) {
        buf_adds(b, r->op == SEL_IN ? "=" : "!=");
        write_tuple(b, r->values, r->nkeys);
        return;
    }
    buf_adds(b, r->op == SEL_IN ? " in (" : " notin (");
    for (i = 0; i < r->nvalues; i++) {
        if (i)
            buf_addc(b, ',');
        write_tuple(b, r->values + i * r->nkeys, r->nkeys);
    }
    buf_addc(b, ')');
}

void selector_write(struct buf *b, const struct selector *s)
{
    size_t i;

    if (s->nothing) {
        buf_adds(b, "<nothing>");
        return;
    }
    for (i = 0; i < s->n; i++) {
        if (i)
            buf_addc(b, ',');
        write_req(b, &s->req[i]);
    }
}
