/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What commands do, on a store or, where its URL is https://, through the API of a remote one: the
 * same contracts as the functions of lib/service that each names. verbs_open and verbs_close stand
 * for those of a session; session.remote says which it is.
 */
#ifndef FC_CLIENT_VERBS_H
#define FC_CLIENT_VERBS_H

#include "service/carried.h"
#include "service/list.h"
#include "service/preview.h"
#include "service/remove.h"
#include "service/request.h"
#include "service/service.h"
#include "service/session.h"
#include "store/labels.h"

int verbs_open(struct session *s, struct err *e);
void verbs_close(struct session *s);

int verb_one(struct session *s, const struct list_query *q, const struct target *t,
    list_each *each, void *ctx, struct err *e);                           /* list_one */
int verb_list(struct session *s, const struct list_query *q, list_each *each, void *ctx,
    struct list_page *out, struct err *e);                                /* list_read */
int64_t verb_count(struct session *s, const struct list_query *q, struct err *e); /* list_count */
int verb_summary(struct session *s, const struct list_query *q, struct buf *b,
    struct err *e);                                                       /* list_summary */
int verb_labels(struct session *s, const struct label_query *q,
    int (*each)(void *ctx, const char *key, const char *value, struct err *e), void *ctx,
    struct err *e);                                                       /* labels_list */
int verb_select(struct session *s, struct targets *t, const struct kind *k,
    const struct selector *sel, struct err *e);                           /* targets_select */
int verb_apply(struct session *s, const struct docs *in, size_t n, const struct apply_options *o,
    struct err *e);                                                       /* apply_docs */
int verb_carried(struct session *s, const struct carried *c, const struct apply_options *o,
    struct err *e);                                                       /* carried_put */
int verb_remove(struct session *s, const struct targets *t, const struct remove_options *o,
    struct err *e);                                                       /* remove_all */
int verb_find(struct session *s, const struct kind *k, const char *word, const char **name,
    struct err *e);                                                       /* target_find */
int verb_decide(struct session *s, const char *const *names, size_t n, const struct decision *d,
    struct err *e);                                                       /* request_decide */
/* Appends the names of the enrollment requests that nobody has decided about; in s->arena. */
int verb_pending(struct session *s, const char ***names, size_t *n, struct err *e);
/* preview_named, _selected, _docs, and preview_compare */
int verb_preview_named(struct session *s, const struct previews *p, int argc, char **argv,
    struct err *e);
int verb_preview_selected(struct session *s, const struct previews *p, const char *selector,
    struct err *e);
int verb_preview_docs(struct session *s, const struct previews *p, const struct docs *docs,
    struct err *e);
int verb_preview_compare(struct session *s, const char *name, jv spec, bool colour,
    struct buf *out, struct err *e);

#endif
