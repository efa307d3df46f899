/* SPDX-License-Identifier: Apache-2.0 */
/* The two halves of the module "yaml". They need libyaml; only the module links them. */
#ifndef FC_BASE_YAML_READ_H
#define FC_BASE_YAML_READ_H

#include "base/doc.h"

int yaml_read_docs(const char *text, size_t n, struct docs *d, struct err *e);
int yaml_emit_doc(struct buf *b, jv v, struct err *e);

#endif
