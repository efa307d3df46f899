/* SPDX-License-Identifier: Apache-2.0 */
/* Inside select.c: the rows of indexes that may drive a query, as a UNION ALL of (name, id). */
#ifndef FC_STORE_ARMS_H
#define FC_STORE_ARMS_H

#include "store/select.h"

enum {
    ARMS_MAX = 50, /* values of one requirement: SQLite unites up to 500 queries */
};
enum arms {
    ARMS_NONE,     /* it cannot drive */
    ARMS_UNSORTED, /* its rows have to be sorted: only when they are few */
    ARMS_SORTED,   /* each arm is in order of name */
};
enum arms sql_arms_of(const struct sql_select *l, const struct sel_req *r);
/* At least the resources that r picks, each once, from this name on (or NULL). */
void sql_arms(struct sql_buf *q, const struct sql_select *l, const struct sel_req *r,
    const char *from);
/* Do the arms of r pick no more than r does? */
bool sql_arms_exact(const struct sel_req *r);

/* Where requirement r is sought: labels, and the name of a child, among the rows of members. */
enum field_home sql_home(const struct sql_select *l, const struct sel_req *r);
/* A state of device d, whose last-seen is n.at, as it is shown: a CASE. */
void sql_state(struct sql_buf *q, enum field_home home, int64_t now);
/* The key of table label, and a value as that has it. */
void sql_label_key(struct sql_buf *q, const struct sel_req *r);
void sql_label_value(struct sql_buf *q, const struct sel_req *r, const char *value);

/* " AND ..." for those of seen.seen n and device d whose last-seen may say otherwise than
 * device.disconnected does. */
void sql_changed(struct sql_buf *q, const struct sql_select *l);

#endif
