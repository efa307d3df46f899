/* SPDX-License-Identifier: Apache-2.0 */
/* How many devices are in which state, as they are shown. */
#ifndef FC_STORE_COUNTS_H
#define FC_STORE_COUNTS_H

#include "store/device.h"

enum device_state { STATE_SUMMARY, STATE_APPLICATIONS, STATE_UPDATED, STATES };
enum { COUNTS_MAX = 32 }; /* different texts of one state: the contract knows at most 8 */

struct device_counts {
    int64_t total;
    size_t n[STATES];
    struct device_tally {
        const char *name; /* in the arena */
        int64_t n;
    } state[STATES][COUNTS_MAX]; /* by name */
};
/* Adds one, as it is shown. */
int device_count_one(struct arena *a, struct device_counts *c, const struct device *d, int64_t now,
    struct err *e);
/* Of all devices that the query picks. All of an organization
 * are counted in indexes alone, once there was a sweep: by summary whole, by the other states all
 * groups but a large one, which is the rest. */
int device_count(struct store *s, struct arena *a, const struct res_query *q,
    struct device_counts *out, struct err *e);
/* How many devices of an organization the query picks, when one of these states is all that it asks
 * for. -1: error; -2: it asks for something else, or there was no sweep yet. */
int64_t device_count_state(struct store *s, const struct res_query *q, struct err *e);

#endif
