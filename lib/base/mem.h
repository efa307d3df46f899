/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Memory. Allocation never fails: without memory the process says so and aborts, since every
 * step of the system is safe to be killed at. Request- and run-scoped memory comes from an
 * arena; what must go earlier uses malloc and a cleanup attribute.
 */
#ifndef FC_BASE_MEM_H
#define FC_BASE_MEM_H

#include <stddef.h>
#include <stdlib.h>
#include <unistd.h>

void *xmalloc(size_t n);
void *xcalloc(size_t n, size_t size); /* overflow of n * size aborts */
void *xrealloc(void *p, size_t n);
void *xreallocarray(void *p, size_t n, size_t size);
char *xstrdup(const char *s);
char *xstrndup(const char *s, size_t n);
char *xasprintf(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

/* Says "NAME: what" on stderr and aborts: for broken invariants. */
_Noreturn void die(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

/* An arena: allocations live until arena_free (or arena_reset, which keeps the first block). */
struct arena;
struct arena *arena_new(void);
void arena_free(struct arena *a); /* NULL is fine */
void arena_reset(struct arena *a);
void *arena_alloc(struct arena *a, size_t n); /* zeroed, aligned for any type */
char *arena_strdup(struct arena *a, const char *s); /* NULL gives NULL */
char *arena_strndup(struct arena *a, const char *s, size_t n);
char *arena_printf(struct arena *a, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* Cleanup on leaving the scope: char *p AUTO_FREE = ...; int fd AUTO_CLOSE = -1; */
static inline void auto_free(void *p) { free(*(void **)p); }
static inline void auto_close(int *fd) { if (*fd >= 0) close(*fd); }
static inline void auto_arena(struct arena **a) { arena_free(*a); }
#define AUTO_FREE __attribute__((cleanup(auto_free)))
#define AUTO_CLOSE __attribute__((cleanup(auto_close)))
#define AUTO_ARENA __attribute__((cleanup(auto_arena)))

#define LEN(a) (sizeof(a) / sizeof((a)[0]))

#endif
