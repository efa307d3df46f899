/* SPDX-License-Identifier: Apache-2.0 */
#include "fleet/pattern.h"

#include <oniguruma.h>
#include <string.h>

#include "base/buf.h"
#include "base/mem.h"

struct pattern {
    const char *text;
    regex_t *re; /* NULL until first used; kept until the process ends */
};

struct pattern *pattern_new(struct arena *a, const char *text)
{
    struct pattern *p = arena_alloc(a, sizeof *p);

    p->text = text;
    return p;
}

const char *pattern_text(const struct pattern *p)
{
    return p->text;
}

/* ECMA's ^ and $ hold at the ends of the text only; Perl's $ also before a last newline. */
static void anchor(struct buf *b, const char *s)
{
    bool in_class = false;

    for (; *s; s++) {
        if (*s == '\\' && s[1]) {
            buf_add(b, s++, 2);
            continue;
        }
        if (*s == '[')
            in_class = true;
        else if (*s == ']')
            in_class = false;
        if (!in_class && *s == '^')
            buf_adds(b, "\\A");
        else if (!in_class && *s == '$')
            buf_adds(b, "\\z");
        else
            buf_addc(b, *s);
    }
}

static void compile(struct pattern *p)
{
    AUTO_BUF struct buf b = BUF_INIT;
    OnigEncoding utf8 = ONIG_ENCODING_UTF8;
    OnigErrorInfo info;
    const OnigUChar *text;
    int rc;

    anchor(&b, p->text);
    text = (const OnigUChar *)b.p;
    if (onig_initialize(&utf8, 1) != ONIG_NORMAL)
        die("cannot start the matcher of patterns");
    rc = onig_new(&p->re, text, text + b.len,
        ONIG_OPTION_DONT_CAPTURE_GROUP | ONIG_OPTION_DIGIT_IS_ASCII | ONIG_OPTION_WORD_IS_ASCII,
        utf8, ONIG_SYNTAX_PERL_NG, &info);
    if (rc != ONIG_NORMAL)
        die("pattern %s: error %d", p->text, rc);
}

bool pattern_match(struct pattern *p, const char *s, size_t n)
{
    const OnigUChar *from = (const OnigUChar *)s, *to = from + n;
    OnigMatchParam *limits;
    int rc;

    if (n > PATTERN_TEXT_MAX)
        return false;
    if (!p->re)
        compile(p);
    limits = onig_new_match_param();
    if (!limits)
        die("out of memory");
    onig_set_retry_limit_in_match_of_match_param(limits, PATTERN_RETRY_MAX);
    onig_set_retry_limit_in_search_of_match_param(limits, PATTERN_RETRY_MAX);
    onig_set_match_stack_limit_size_of_match_param(limits, PATTERN_STACK_MAX);
    rc = onig_search_with_param(p->re, from, to, from, to, NULL, ONIG_OPTION_NONE, limits);
    onig_free_match_param(limits);
    return rc >= 0;
}
