/* SPDX-License-Identifier: Apache-2.0 */
#include "store/arms.h"

#include <string.h>

#include "fleet/field.h"
#include "fleet/summary.h"

/* How much older than the sweep a last-seen may be that it did not see: writers gather them. */
#define SEEN_LATE SUMMARY_DISCONNECTED

struct arms_buf {
    struct sql_buf *q;
    const struct sql_select *l;
    const struct sel_req *r;
    const char *from;
    int n;
};

static bool is_order(enum sel_op op)
{
    return op == SEL_LT || op == SEL_LE || op == SEL_GT || op == SEL_GE;
}

enum arms sql_arms_of(const struct sql_select *l, const struct sel_req *r)
{
    bool in = r->op == SEL_IN, few = r->nvalues <= ARMS_MAX;

    switch (sql_home(l, r)) {
    case FIELD_MEMBER:
    case FIELD_ALIAS:
    case FIELD_OWNER:
        if (r->op == SEL_EXISTS && r->nkeys == 1)
            return ARMS_UNSORTED;
        return !in ? ARMS_NONE : few ? ARMS_SORTED : ARMS_UNSORTED;
    case FIELD_NAME:
        return in ? ARMS_SORTED : ARMS_NONE;
    case FIELD_NAME_OR_ALIAS:
        return !in ? ARMS_NONE : few ? ARMS_SORTED : ARMS_UNSORTED;
    case FIELD_CREATED:
        return in || is_order(r->op) ? ARMS_UNSORTED : ARMS_NONE;
    case FIELD_LIFECYCLE:
        return in && few ? ARMS_SORTED : ARMS_NONE;
    case FIELD_SUMMARY:
    case FIELD_APPLICATIONS:
    case FIELD_UPDATED:
        return in && few && l->swept ? ARMS_SORTED : ARMS_NONE;
    case FIELD_LOG:
        break;
    }
    die("field home %d", (int)sql_home(l, r));
}

bool sql_arms_exact(const struct sel_req *r)
{
    return r->nkeys == 1 && !r->field;
}

/* Begins an arm: of a table with columns org and kind, or of table device. Where the database has to
 * be told, it is in order of name and not all of it may be wanted. */
static void arm(struct arms_buf *b, const char *text)
{
    b->n++;
    if (b->n > 1)
        sql_add(b->q, " UNION ALL ");
    if (*b->l->lazy)
        sql_add(b->q, "SELECT name, id FROM (");
    sql_add(b->q, text);
    sql_int_param(b->q, b->l->org);
}

static void arm_of_kind(struct arms_buf *b, const char *text)
{
    arm(b, text);
    sql_add(b->q, " AND kind = ");
    sql_int_param(b->q, b->l->kind->id);
}

static void arm_end(struct arms_buf *b, const char *name)
{
    if (b->from) {
        sql_add(b->q, " AND ");
        sql_add(b->q, name);
        sql_add(b->q, " >= ");
        sql_text_param(b->q, b->from);
    }
    if (*b->l->lazy) {
        sql_add(b->q, " ORDER BY ");
        sql_add(b->q, name);
        sql_add(b->q, b->l->lazy);
        sql_add(b->q, ") a");
    }
}

/* Was value i of the (first) key there before? An arm for each is enough. */
static bool repeated(const struct sel_req *r, size_t i)
{
    for (size_t k = 0; k < i; k++)
        if (strcmp(r->values[k * r->nkeys], r->values[i * r->nkeys]) == 0)
            return true;
    return false;
}

static void name_in(struct arms_buf *b, const char *text)
{
    sql_add(b->q, text);
    for (size_t i = 0; i < b->r->nvalues; i++) {
        if (i)
            sql_add(b->q, ",");
        sql_text_param(b->q, b->r->values[i]);
    }
    sql_add(b->q, ")");
}

/* Rows of table label: an arm for each value, or all values (none: any) in one. */
static void label_arms(struct arms_buf *b, bool not_by_name)
{
    const struct sel_req *r = b->r;
    size_t n = r->nvalues <= ARMS_MAX ? r->nvalues : 1, i = 0;

    do {
        if (n > 1 && repeated(r, i))
            continue;
        arm_of_kind(b, "SELECT name, id FROM label WHERE org = ");
        sql_add(b->q, " AND key = ");
        sql_label_key(b->q, r);
        if (n == r->nvalues && n) {
            sql_add(b->q, " AND value = ");
            sql_label_value(b->q, r, r->values[i * r->nkeys]);
        } else if (n) {
            sql_add(b->q, " AND value IN (");
            for (size_t k = 0; k < r->nvalues; k++) {
                sql_add(b->q, k ? "," : "");
                sql_label_value(b->q, r, r->values[k * r->nkeys]);
            }
            sql_add(b->q, ")");
        }
        if (not_by_name)
            name_in(b, " AND name NOT IN (");
        arm_end(b, "name");
    } while (++i < n);
}

static void name_arm(struct arms_buf *b)
{
    arm_of_kind(b, "SELECT name, id FROM resource WHERE org = ");
    name_in(b, " AND name IN (");
    arm_end(b, "name");
}

static void column_arm(struct arms_buf *b, const char *column, const struct sel_req *r)
{
    arm_of_kind(b, "SELECT name, id FROM resource WHERE org = ");
    sql_add(b->q, " AND ");
    sql_column(b->q, column, r);
    arm_end(b, "name");
}

static void owner_arms(struct arms_buf *b)
{
    const struct sel_req *r = b->r;
    struct sel_req one = *r;

    if (r->op == SEL_EXISTS || r->nvalues > ARMS_MAX) {
        column_arm(b, "owner", r);
        return;
    }
    one.nvalues = 1;
    for (size_t i = 0; i < r->nvalues; i++, one.values++)
        if (!repeated(r, i))
            column_arm(b, "owner", &one);
}

/* --- states of devices ------------------------------------------------------------------------ */

static void device_arm(struct arms_buf *b, const char *column, const char *value,
    const char *disconnected)
{
    arm(b, "SELECT name, id FROM device WHERE org = ");
    if (value) {
        sql_add(b->q, " AND ");
        sql_add(b->q, column);
        sql_add(b->q, " = ");
        sql_text_param(b->q, value);
    }
    sql_add(b->q, disconnected);
    arm_end(b, "name");
}

/* Devices whose last-seen says otherwise than their column: few, sought by it. text ends with a
 * condition on their column. */
static void changed_arm(struct arms_buf *b, const char *text, const char *column, bool not)
{
    arm(b, "SELECT d.name, d.id FROM seen.seen n CROSS JOIN device d WHERE d.id = n.id "
        "AND d.org = ");
    sql_add(b->q, text);
    sql_add(b->q, " AND d.");
    sql_add(b->q, column);
    name_in(b, not ? " NOT IN (" : " IN (");
}

static void came_back(struct arms_buf *b, const char *text, const char *column, bool not)
{
    changed_arm(b, text, column, not);
    sql_add(b->q, " AND n.back >= ");
    sql_int_param(b->q, b->l->swept - SEEN_LATE);
    arm_end(b, "d.name");
}

void sql_changed(struct sql_buf *q, const struct sql_select *l)
{
    sql_add(q, " AND n.id IN (SELECT id FROM seen.seen WHERE back >= ");
    sql_int_param(q, l->swept - SEEN_LATE);
    sql_add(q, " UNION SELECT id FROM seen.seen WHERE at >= ");
    sql_int_param(q, l->swept - SUMMARY_DISCONNECTED - SEEN_LATE);
    sql_add(q, " AND at < ");
    sql_int_param(q, l->now - SUMMARY_DISCONNECTED);
    sql_add(q, ")");
}

static void went_silent(struct arms_buf *b, const char *column)
{
    changed_arm(b, " AND d.disconnected = 0", column, true);
    sql_add(b->q, " AND n.at >= ");
    sql_int_param(b->q, b->l->swept - SUMMARY_DISCONNECTED - SEEN_LATE);
    sql_add(b->q, " AND n.at < ");
    sql_int_param(b->q, b->l->now - SUMMARY_DISCONNECTED);
    arm_end(b, "d.name");
}

/* As the columns have it since the last sweep (device.disconnected: 0 seen lately, 1 silent, 2 never
 * seen), and those that may have changed since. No two arms may pick the same. */
static void state_arms(struct arms_buf *b, enum field_home home)
{
    const char *column = field_homes[home].state;
    bool unknown = false, updated = home == FIELD_UPDATED;

    for (size_t i = 0; i < b->r->nvalues; i++) {
        if (repeated(b->r, i))
            continue;
        unknown = unknown || strcmp(b->r->values[i], "Unknown") == 0;
        device_arm(b, column, b->r->values[i], home == FIELD_LIFECYCLE ? "" :
            " AND disconnected = 0");
        if (updated)
            device_arm(b, column, b->r->values[i], " AND disconnected = 2");
    }
    if (home == FIELD_LIFECYCLE)
        return;
    if (unknown) {
        device_arm(b, column, NULL, " AND disconnected = 1");
        if (updated)
            came_back(b, " AND d.disconnected = 2", column, true);
        else
            device_arm(b, column, NULL, " AND disconnected = 2");
        went_silent(b, column);
    } else {
        came_back(b, updated ? " AND d.disconnected = 1" : " AND d.disconnected > 0", column,
            false);
    }
}

void sql_arms(struct sql_buf *q, const struct sql_select *l, const struct sel_req *r,
    const char *from)
{
    enum field_home home = sql_home(l, r);
    struct arms_buf b = {q, l, r, from, 0};

    switch (home) {
    case FIELD_MEMBER:
    case FIELD_ALIAS:
        label_arms(&b, false);
        return;
    case FIELD_NAME:
        name_arm(&b);
        return;
    case FIELD_NAME_OR_ALIAS:
        name_arm(&b);
        label_arms(&b, true);
        return;
    case FIELD_OWNER:
        owner_arms(&b);
        return;
    case FIELD_CREATED:
        column_arm(&b, "created", r);
        return;
    case FIELD_SUMMARY:
    case FIELD_APPLICATIONS:
    case FIELD_UPDATED:
    case FIELD_LIFECYCLE:
        state_arms(&b, home);
        return;
    case FIELD_LOG:
        break;
    }
    die("field home %d", (int)home);
}
