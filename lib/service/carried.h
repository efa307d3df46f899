/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Status reports of devices that came without a network, such as on a stick: documents of kind
 * Device, of which name and status count ("fc-agent status -o json").
 */
#ifndef FC_SERVICE_CARRIED_H
#define FC_SERVICE_CARRIED_H

#include "service/service.h"

struct carried_report {
    const char *name;   /* in doc */
    jv doc;             /* a Device with metadata.name and status alone, as an agent sends it */
    const char *source; /* of the documents */
    int line;
};
struct carried {
    struct carried_report *v;
    size_t n;
};

/* Checks all of them as the API does. FC_INVALID: "source:line: path: what". carried_free is due in
 * any case; the documents stay longer. */
int carried_read(const struct docs *in, size_t n, struct carried *out, struct err *e);
void carried_free(struct carried *c);

/* Stores them as if the devices had sent them, CARRIED_CHUNK in a transaction; of the options
 * dry_run, who, each, progress and ctx count. FC_NOTFOUND: there is no such device. The error of a
 * later chunk names the last one that was stored. */
enum { CARRIED_CHUNK = 100 };
int carried_put(struct store *s, const struct carried *c, const struct apply_options *o,
    struct err *e);

#endif
