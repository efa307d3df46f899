/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Schemas: the part of JSON Schema that OpenAPI 3.0 and the contract use, compiled from the
 * embedded texts of share/schema when first needed. Beside the standard keywords:
 *
 *   "x-pattern"   like pattern, but not for text of a template that holds {{ parameters }}
 *   "x-must"      what the message says when a pattern does not match: "must " + text
 *   "x-template"  true: below here strings are templates
 *   "x-check"     name of a check in C (schema_checks), run on values without other faults
 *
 * $ref names "FILE.json", "#/definitions/NAME" or both, and may have keywords beside it. oneOf
 * picks its branch by the discriminator, by the members that only one branch requires, or by
 * type, so that messages speak about the branch that was meant.
 */
#ifndef FC_FLEET_SCHEMA_H
#define FC_FLEET_SCHEMA_H

#include "fleet/kind.h"

struct schema_text {
    const char *name; /* "Device" */
    const char *text;
};

extern const struct schema_text schema_texts[]; /* generated; ended by a NULL name */

/* --- checks that a schema cannot express ---------------------------------------------------- */

struct schema_run; /* one validation under way */

struct schema_check {
    const char *name;
    void (*fn)(struct schema_run *r, jv v /* borrowed */);
};

extern const struct schema_check schema_checks[]; /* ended by a NULL name */

/* Reports a violation at the current value, or below it: sub is "", ".name" or "[2].mode". */
void schema_report(struct schema_run *r, const char *sub, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
/* Are strings here templates, filled per device later? */
bool schema_is_template(const struct schema_run *r);

/* --- compiled schemas, for the two halves of the engine ------------------------------------- */

enum schema_type {
    TYPE_STRING = 1 << 0,
    TYPE_INTEGER = 1 << 1,
    TYPE_NUMBER = 1 << 2,
    TYPE_BOOLEAN = 1 << 3,
    TYPE_ARRAY = 1 << 4,
    TYPE_OBJECT = 1 << 5,
};

enum schema_format {
    FORMAT_NONE, /* password and int64 add nothing: the JSON checker bounds integers */
    FORMAT_INT32,
    FORMAT_BYTE,
    FORMAT_DATE_TIME,
};

enum schema_more { /* additionalProperties */
    MORE_UNSAID,   /* open in the contract, closed to fc-apply */
    MORE_NONE,
    MORE_ANY,
    MORE_SCHEMA,
};

struct pattern;
struct schema_node;

struct schema_nodes {
    struct schema_node **v;
    size_t n;
};

struct schema_names {
    const char **v;
    size_t n;
};

struct schema_member {
    const char *name;
    struct schema_node *node;
};

struct schema_members {
    struct schema_member *v;
    size_t n;
};

/* A branch of oneOf, and how values of it are told from those of its siblings. */
struct schema_branch {
    struct schema_node *node;
    struct schema_names need;   /* required here, but not in all branches */
    struct schema_names forbid; /* never all together: from "not" */
    unsigned types;
};

struct schema_node {
    const char *file;           /* where a relative $ref starts */
    const char *ref;            /* NULL: none */
    struct schema_node *target; /* of ref; NULL until schema_target */
    unsigned types;             /* 0: any */
    bool nullable, read_only, is_template;
    bool has_minimum;
    double minimum;
    long min_length, max_length, min_items; /* -1: unbounded */
    enum schema_format format;
    struct pattern *pattern, *own_pattern;  /* own_pattern: x-pattern */
    const char *must;
    struct schema_names one_word;           /* enum: strings */
    struct schema_names required;
    struct schema_members props;
    enum schema_more more;
    struct schema_node *more_node;
    struct schema_node *items;
    struct schema_nodes all, any;
    struct schema_branch *one;
    size_t none;                            /* branches of one */
    bool one_prepared;                      /* need, forbid and types of the branches are set */
    struct schema_node *not;
    const char *tag;                        /* discriminator: propertyName */
    struct schema_members tags;             /* its mapping */
    const struct schema_check *check;
};

/* The root of a schema, or one of its definitions; a broken invariant when there is none. */
struct schema_node *schema_node(const char *schema, const char *definition);
/* What n->ref names. */
struct schema_node *schema_target(struct schema_node *n);
/* Fills in n->one. */
void schema_prepare(struct schema_node *n);

#endif
