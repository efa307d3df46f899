/* SPDX-License-Identifier: Apache-2.0 */
/* What several devices would get: those of the store, and such as documents describe. */
#ifndef FC_SERVICE_PREVIEW_H
#define FC_SERVICE_PREVIEW_H

#include "service/service.h"

struct previews {
    const struct preview_options *how;
    int64_t org;
    /* Each device that has a valid spec, in order; doc and out are borrowed and valid during the
     * call only. Less than 0 ends it all. */
    int (*each)(void *ctx, const char *name, jv doc, const struct rendered *out, struct err *e);
    /* Each that has none, which is no error of these functions: "device/NAME: why". */
    void (*invalid)(void *ctx, const struct err *why);
    void *ctx;
    /* preview_selected: the device to begin with, or NULL; and whether to end before this one, which
     * may be NULL, too. */
    const char *from;
    bool (*stop)(void *ctx, const char *name);
};

/* Devices of the store, by operands ("x" or "device/x"). FC_NOTFOUND. */
int preview_named(struct store *s, const struct previews *p, int argc, char **argv,
    struct err *e);
/* Devices of the store that a label selector matches; NULL: all. FC_INVALID. */
int preview_selected(struct store *s, const struct previews *p, const char *selector,
    struct err *e);
/* Device documents, of devices that need not be in the store. None is shown unless all are valid
 * ones (FC_INVALID). */
int preview_docs(struct store *s, const struct previews *p, const struct docs *docs,
    struct err *e);
int preview_check(const struct docs *docs, struct err *e); /* are they? */
/* One such document, a valid one (borrowed). */
int preview_doc(struct store *s, const struct previews *p, jv doc, struct err *e);

/* Appends a unified diff of what the device was given last and spec (borrowed). 1: they differ;
 * 0: they are equal; -1: error. */
int preview_compare(struct store *s, const char *name, jv spec, bool colour, struct buf *out,
    struct err *e);
/* The same when it is known what that is: a version (0: nothing yet) and its spec (canonical). */
int preview_diff(const char *name, int64_t version, const char *from, jv spec, bool colour,
    struct buf *out, struct err *e);

#endif
