/* SPDX-License-Identifier: Apache-2.0 */
/* A growing byte string. p is NUL-terminated whenever cap > 0, and NULL when empty and fresh. */
#ifndef FC_BASE_BUF_H
#define FC_BASE_BUF_H

#include <stddef.h>
#include <stdint.h>

struct buf {
    char *p;
    size_t len;
    size_t cap;
};

#define BUF_INIT {NULL, 0, 0}

void buf_free(struct buf *b); /* frees and zeroes */
void buf_reset(struct buf *b); /* empties, keeps the memory */
char *buf_steal(struct buf *b); /* the caller frees; never NULL */
void buf_reserve(struct buf *b, size_t more); /* room for `more` bytes and a NUL */
void buf_add(struct buf *b, const void *p, size_t n);
void buf_adds(struct buf *b, const char *s);
void buf_addc(struct buf *b, char c);
void buf_printf(struct buf *b, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
void buf_add_int(struct buf *b, int64_t n); /* decimal */

/* s as a JSON string with quotes, escaped as RFC 8785 3.2.2.2 says; s must be UTF-8. */
void buf_add_json(struct buf *b, const char *s, size_t n);
void buf_add_jsons(struct buf *b, const char *s);

static inline void auto_buf(struct buf *b) { buf_free(b); }
#define AUTO_BUF __attribute__((cleanup(auto_buf)))

#endif
