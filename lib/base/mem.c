/* SPDX-License-Identifier: Apache-2.0 */
#include "base/mem.h"

#include <stdarg.h>
#include <stdalign.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "base/log.h"

_Noreturn void die(const char *fmt, ...)
{
    va_list ap;

    fprintf(stderr, "%s: ", log_name);
    va_start(ap, fmt);
    vfprintf(stderr, fmt, ap);
    va_end(ap);
    fputc('\n', stderr);
    abort();
}

void *xmalloc(size_t n)
{
    void *p = malloc(n ? n : 1);

    if (!p)
        die("out of memory");
    return p;
}

void *xcalloc(size_t n, size_t size)
{
    void *p = calloc(n ? n : 1, size ? size : 1);

    if (!p)
        die("out of memory");
    return p;
}

void *xrealloc(void *p, size_t n)
{
    p = realloc(p, n ? n : 1);
    if (!p)
        die("out of memory");
    return p;
}

void *xreallocarray(void *p, size_t n, size_t size)
{
    p = reallocarray(p, n ? n : 1, size ? size : 1);
    if (!p)
        die("out of memory");
    return p;
}

char *xstrdup(const char *s)
{
    return xstrndup(s, strlen(s));
}

char *xstrndup(const char *s, size_t n)
{
    char *p = xmalloc(n + 1);

    memcpy(p, s, n);
    p[n] = '\0';
    return p;
}

char *xasprintf(const char *fmt, ...)
{
    va_list ap;
    char *p;

    va_start(ap, fmt);
    if (vasprintf(&p, fmt, ap) < 0)
        die("out of memory");
    va_end(ap);
    return p;
}

struct block {
    struct block *next;
    size_t size, used;
    alignas(max_align_t) char data[];
};

enum { BLOCK = 16 * 1024 };

struct arena {
    struct block *head; /* the newest; the first one is last in the list */
};

static struct block *block_new(size_t n, struct block *next)
{
    size_t size = n > BLOCK ? n : BLOCK;
    struct block *b = xmalloc(sizeof *b + size);

    b->next = next;
    b->size = size;
    b->used = 0;
    return b;
}

struct arena *arena_new(void)
{
    struct arena *a = xmalloc(sizeof *a);

    a->head = block_new(0, NULL);
    return a;
}

void arena_reset(struct arena *a)
{
    while (a->head->next) {
        struct block *b = a->head;

        a->head = b->next;
        free(b);
    }
    a->head->used = 0;
}

void arena_free(struct arena *a)
{
    if (!a)
        return;
    arena_reset(a);
    free(a->head);
    free(a);
}

void *arena_alloc(struct arena *a, size_t n)
{
    struct block *b = a->head;
    void *p;

    if (n > SIZE_MAX / 2)
        die("allocation of %zu bytes", n);
    n = (n + alignof(max_align_t) - 1) & ~(alignof(max_align_t) - 1);
    if (b->size - b->used < n) {
        if (n > BLOCK / 4 && b->next) { /* a large one must not waste the room of the head */
            struct block *big = block_new(n, b->next);

            b->next = big;
            b = big;
        } else
            b = a->head = block_new(n, b);
    }
    p = b->data + b->used;
    b->used += n;
    return memset(p, 0, n);
}

char *arena_strdup(struct arena *a, const char *s)
{
    return s ? arena_strndup(a, s, strlen(s)) : NULL;
}

char *arena_strndup(struct arena *a, const char *s, size_t n)
{
    char *p = arena_alloc(a, n + 1);

    memcpy(p, s, n);
    return p;
}

char *arena_printf(struct arena *a, const char *fmt, ...)
{
    va_list ap;
    char *p;
    int n;

    va_start(ap, fmt);
    n = vsnprintf(NULL, 0, fmt, ap);
    va_end(ap);
    if (n < 0)
        die("bad format");
    p = arena_alloc(a, (size_t)n + 1);
    va_start(ap, fmt);
    vsnprintf(p, (size_t)n + 1, fmt, ap);
    va_end(ap);
    return p;
}
