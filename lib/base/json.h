/* SPDX-License-Identifier: Apache-2.0 */
/*
 * JSON. Values are libjq's jv. Text from outside goes through the strict checker first,
 * because libjq 1.6 silently rounds large integers, drops duplicate keys, replaces bad UTF-8
 * and accepts nan: RFC 8259, UTF-8, no duplicate keys, bounded depth and size, integers within
 * 2^53. Unlike libjq's own functions, those here borrow their arguments unless said otherwise.
 */
#ifndef FC_BASE_JSON_H
#define FC_BASE_JSON_H

#include <jv.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/text.h"

enum {
    JSON_DEPTH = 64,         /* nesting: deeper is not a manifest, and recursion stays bounded */
    JSON_MAX = 16 << 20,     /* bytes of one document */
    JSON_MEMBERS = 5000,     /* members of one object: libjq's hash has a fixed seed, so that chosen
                              * names make an object's cost grow with the square of their number */
};

/* Checks one JSON value that fills text[0..n) but for white space. On failure the message has
 * line, column and reason ("2:14: duplicate key \"a\""), FC_INVALID. */
int json_check(const char *text, size_t n, struct err *e);

/* Length of the first JSON value in a stream of them, leading white space included; 0 when only
 * white space is left; -1 if no value can end within n bytes or it is malformed. Same checks. */
ptrdiff_t json_next(const char *text, size_t n, struct err *e);

/* json_check, then parse. The caller frees *out with jv_free; on failure *out is invalid. */
int json_parse(const char *text, size_t n, jv *out, struct err *e);

/* Appends the canonical form (RFC 8785): sorted keys, no white space, shortest numbers. */
void json_canon(struct buf *b, jv v);
/* Appends an indented form for people, keys sorted, two spaces. */
void json_pretty(struct buf *b, jv v);
/* SHA-256 (hex) of the canonical form. */
void json_hash(jv v, char out[SHA256_HEX]);

/* --- reading; v is borrowed ------------------------------------------------------------- */

/* The member, owned by the caller; an invalid jv when v is no object or has no such member. */
jv json_get(jv v, const char *key);
/* The same along "a.b.c" (members only; a key with a dot needs json_get). */
jv json_at(jv v, const char *path);
/* Text of a string member along a path; valid as long as v lives unchanged. NULL: no string. */
const char *json_str(jv v, const char *path);
/* Integer along a path; dflt when it is absent or no integer. */
int64_t json_int(jv v, const char *path, int64_t dflt);
bool json_bool(jv v, const char *path, bool dflt);
bool json_has(jv v, const char *path);
/* Is v (borrowed) a non-empty object or array? */
bool json_nonempty(jv v);

/* --- building; *o is replaced, val is consumed ------------------------------------------- */

void json_set(jv *o, const char *key, jv val);
void json_sets(jv *o, const char *key, const char *s); /* NULL s: nothing happens */
void json_seti(jv *o, const char *key, int64_t n);
void json_del(jv *o, const char *key);

#define AUTO_JV __attribute__((cleanup(auto_jv)))
static inline void auto_jv(jv *v) { jv_free(*v); }

#endif
