/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Selectors compiled to SQL. One requirement drives the query where it can: the rows that it picks
 * (its arms) come from indexes in the order of names, merged, so that a page ends where it is full.
 * Arms may pick too much: every requirement is tested for each row, too, the driving one included.
 */
#ifndef FC_STORE_SELECT_H
#define FC_STORE_SELECT_H

#include "fleet/kind.h"
#include "fleet/selector.h"
#include "store/store.h"

/* SQL text with its parameters, in order. */
struct sql_buf {
    struct buf text;
    struct sql_param {
        const char *s; /* borrowed; NULL: n */
        int64_t n;
        char *own;     /* s, where it is the buffer's own */
    } *param;
    size_t n;
};
void sql_add(struct sql_buf *q, const char *text);
/* Appends "?N" and the parameter. */
void sql_text_param(struct sql_buf *q, const char *s);
void sql_own_param(struct sql_buf *q, char *s); /* takes s */
void sql_int_param(struct sql_buf *q, int64_t n);
/* Appends the text form of requirement r on a column that holds texts (times: integers), which may
 * be NULL: a condition that is never NULL. */
void sql_column(struct sql_buf *q, const char *column, const struct sel_req *r);
struct stmt *sql_prepare(struct store *s, const struct sql_buf *q, struct err *e); /* and bound */
/* The same for a list or a count, on a replica where there is one: store_reader. */
struct stmt *sql_prepare_read(struct store *s, const struct sql_buf *q, struct err *e);
void sql_free(struct sql_buf *q);

/* What is selected, and how: filled in by the caller up to `now`, then by sql_plan. */
struct sql_select {
    int64_t org;
    const struct kind *kind;
    const struct selector *labels, *fields; /* NULL: all */
    int64_t now;    /* states of devices are those of this time; 0: there is no such field */
    const struct sel_req *drive; /* NULL: the resources themselves, in order of name */
    const struct sel_req *meet;  /* read along with drive, by name, where both pick many; or NULL */
    bool sorted;    /* the driving rows come in order of name */
    const char *lazy; /* db_lazy */
    int64_t swept;  /* when silent devices were last marked as such; 0: never */
};
/* Chooses what drives. With several to choose from it looks which picks least, up to SQL_PROBE
 * rows each. */
enum { SQL_PROBE = 1000 };
int sql_plan(struct store *s, struct sql_select *l, struct err *e);
/* " FROM ... " for rows of resources named `r`; with something that drives also of `k` (id, name).
 * from: the first name, or NULL. sql_where is due with the same plan. */
void sql_from(struct sql_buf *q, const struct sql_select *l, const char *from);
/* The condition, without a word before it. */
void sql_where(struct sql_buf *q, const struct sql_select *l, const char *from);
/* The column of the names, and " ORDER BY" them: by an index where the plan has one. */
const char *sql_name(const struct sql_select *l);
const char *sql_order(const struct sql_select *l);

#endif
