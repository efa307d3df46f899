/* SPDX-License-Identifier: Apache-2.0 */
/* What a plain YAML scalar means (doc.h says by whose rules). Private to lib/base. */
#ifndef FC_BASE_YAML_SCALAR_H
#define FC_BASE_YAML_SCALAR_H

#include <stddef.h>
#include <stdint.h>

enum scalar_type {
    SCALAR_STRING,
    SCALAR_NULL,
    SCALAR_BOOL,
    SCALAR_INT,
    SCALAR_FLOAT, /* .nan and .inf, too: they are no finite numbers */
};

struct scalar {
    enum scalar_type type;
    double number;  /* of SCALAR_BOOL (0 or 1), SCALAR_INT and SCALAR_FLOAT */
    int64_t integer; /* of SCALAR_INT, unless `huge` */
    int huge;       /* an integer that int64_t cannot hold */
};

struct scalar scalar_resolve(const char *s, size_t n);

/* Text of a float as a key: the shortest digits of single precision, an exponent below 1e-4 and
 * from 1e6 on, as existing clients have it. */
void scalar_float_key(double d, char out[32]);

#endif
