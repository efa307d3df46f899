/* SPDX-License-Identifier: Apache-2.0 */
/* Regular expressions of schemas: ECMA-style, on Oniguruma. */
#ifndef FC_FLEET_PATTERN_H
#define FC_FLEET_PATTERN_H

#include <stdbool.h>
#include <stddef.h>

enum {
    PATTERN_TEXT_MAX = 4096,    /* bytes matched against: a longer name or duration is none */
    PATTERN_RETRY_MAX = 100000, /* backtracking steps: a few milliseconds */
    PATTERN_STACK_MAX = 10000,  /* entries of the matcher's stack */
};

struct arena;
struct pattern;

/* text must outlive the pattern, which lives as long as the arena and is compiled when first
 * used. Text that is no expression is a broken invariant: it comes from our own schemas. */
struct pattern *pattern_new(struct arena *a, const char *text);
const char *pattern_text(const struct pattern *p);
/* Does it match anywhere in s (UTF-8)? Not when s is longer than PATTERN_TEXT_MAX or the search
 * takes more steps than allowed. */
bool pattern_match(struct pattern *p, const char *s, size_t n);

#endif
