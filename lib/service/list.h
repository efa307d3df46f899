/* SPDX-License-Identifier: Apache-2.0 */
/* Lists: a page of resources or events by selectors, with the token of the next one; counts. */
#ifndef FC_SERVICE_LIST_H
#define FC_SERVICE_LIST_H

#include "service/target.h"
#include "store/counts.h"
#include "store/event.h"

struct list_query {
    const struct kind *kind;
    int64_t org, now;
    const struct selector *labels, *fields; /* of this kind; NULL: all */
    const char *parent;     /* KIND_CHILD: only those of this one, or NULL */
    const struct kind *of;  /* events: of this object, with its name; or NULL */
    const char *of_name;
    bool oldest;            /* events: the oldest first */
    const char *prefix;     /* resources: what their names begin with, in one page; or NULL */
    const char *token;      /* where to go on, or NULL */
    int64_t limit;          /* 0: all */
    unsigned view;          /* VIEW_* */
    int64_t at;             /* as it was then, without a status and in one page; 0: as it is */
};
struct list_page {
    const char *token;  /* of the next page, in the arena; NULL: this was the last */
    int64_t remaining;  /* after this page; -1: more than LIST_MAX */
    struct device_counts counts; /* of its devices; names in the arena */
    int64_t lost;       /* at a time: of how many others it is not known what they were */
};
/* id: "device/x". json: canonical. */
typedef int list_each(void *ctx, const char *id, const char *json, size_t n, struct err *e);

/* What a person asked for, in words; NULL: not. */
struct list_words {
    const char *labels, *fields; /* selectors */
    const char *of;              /* "device/x": whose events */
    bool named, count, summary;  /* by names; only how many */
};
/* Do they go together, of q's kind? FC_USAGE. */
int list_check(const struct list_query *q, const struct list_words *w, struct err *e);
/* Fills in q's selectors and object. FC_INVALID, FC_USAGE. */
int list_parse(struct arena *a, struct list_query *q, const struct list_words *w, struct err *e);
/* Selectors by the texts of people (NULL or empty: all); what is put before an error is for the
 * caller. FC_INVALID; FC_USAGE: the kind has no labels. */
int list_labels_parse(struct arena *a, const struct kind *k, const char *text,
    const struct selector **out, struct err *e);
int list_fields_parse(struct arena *a, const struct kind *k, const char *text,
    const struct selector **out, struct err *e);

/* The store name that an operand means, in the arena, for a kind that has names. NULL: FC_USAGE. */
const char *list_name(struct arena *a, const struct list_query *q, const struct target *t,
    struct err *e);
/* One resource by its name; of q count parent, view, now and at. FC_NOTFOUND; FC_USAGE: the kind has
 * no names. */
int list_one(struct store *s, struct arena *a, const struct list_query *q, const struct target *t,
    list_each *each, void *ctx, struct err *e);
/* Resources by name, events by the order of the log. FC_INVALID: the token is not one of this list
 * (of the same kind, selectors and store). */
int list_read(struct store *s, struct arena *a, const struct list_query *q, list_each *each,
    void *ctx, struct list_page *out, struct err *e);
/* How many there are, whatever the limit. -1: error. */
int64_t list_count(struct store *s, const struct list_query *q, struct err *e);
/* Devices by their states, {total, applicationStatus, summaryStatus, updateStatus}. Appended to b. */
void list_counts_write(struct buf *b, const struct device_counts *c);
/* The same of all that the query picks, whatever the limit. */
int list_summary(struct store *s, struct arena *a, const struct list_query *q, struct buf *b,
    struct err *e);

/* The documents of a stream that selectors pick, without any store. */
struct stream_query {
    const struct kind *kind; /* only those; NULL: all */
    const char *labels, *fields; /* selectors, or NULL */
    int64_t limit;           /* 0: all */
};
/* Reads standard input, where documents stand as fc-apply takes them, if any. k: NULL when it is
 * none that is known here; id: "device/x"; doc borrowed. Where fields are selected by, a document of
 * a kind without them is not picked. FC_INVALID: no kind has them, or a selector is wrong. */
int stream_select(const struct stream_query *q,
    int (*each)(void *ctx, const struct kind *k, const char *id, jv doc, struct err *e), void *ctx,
    struct err *e);

#endif
