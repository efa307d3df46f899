/* SPDX-License-Identifier: Apache-2.0 */
/* Documents that a command is given: files, folders of files, standard input. */
#ifndef FC_SERVICE_INPUT_H
#define FC_SERVICE_INPUT_H

#include "base/doc.h"
#include "fleet/kind.h"

enum { INPUT_DIR_MAX = 100000 }; /* files of one folder */

struct input {
    struct docs *docs; /* one for each file */
    size_t n;
    bool late;         /* values of documents are parsed when asked for: doc_value */
};

/* Reads files, "-" (standard input) and folders: their *.yaml, *.yml and *.json in order of name,
 * not those of folders in them. input_free is due in any case. */
int input_read(struct input *in, const char *const *paths, size_t n, struct err *e);
void input_free(struct input *in);

/* Is the document a valid one of this kind? FC_INVALID: "source:line: path: what". */
int input_check(const struct docs *d, size_t i, const struct kind *k, unsigned flags,
    struct err *e);

/* The Fleet documents, valid ones and each name once; others are passed over. The values are
 * borrowed, the array *out is the caller's to free (on failure, too). FC_INVALID: as above, or
 * there is none. */
int input_fleets(const struct input *in, jv **out, size_t *n, struct err *e);

#endif
