/* SPDX-License-Identifier: Apache-2.0 */
#include "units.h"

#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "base/mem.h"
#include "tool.h"

enum {
    PATTERNS_MAX = 128,      /* handed to systemctl */
    PATTERN_MAX = 256,       /* bytes, by the contract */
    UNITS_MAX = 500,         /* reported */
    UNITS_OUT = 4 << 20,     /* bytes of what systemctl says */
    UNITS_TIMEOUT = 10,      /* s */
    DESCRIPTION_MAX = 2048,  /* bytes, by the contract */
    SUB_STATE_MAX = 64,
};

/* What the contract knows, each ended by NULL; anything else is "unknown". */
static const char *const enable_states[] = {"enabled", "enabled-runtime", "linked",
    "linked-runtime", "alias", "masked", "masked-runtime", "static", "disabled", "indirect",
    "generated", "transient", "bad", "", NULL};
static const char *const load_states[] = {"stub", "loaded", "not-found", "bad-setting", "error",
    "merged", "masked", NULL};
static const char *const active_states[] = {"active", "reloading", "inactive", "failed",
    "activating", "deactivating", "maintenance", "refreshing", NULL};

static const struct {
    const char *property, *member;
    const char *const *values;
} states[] = {
    {"UnitFileState", "enableState", enable_states},
    {"LoadState", "loadState", load_states},
    {"ActiveState", "activeState", active_states},
};

/* As the contract has it, and no option of a program. */
static bool good_pattern(const char *s)
{
    size_t n = strlen(s);

    return n && n <= PATTERN_MAX && *s != '-' &&
        strspn(s, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
        ":-_.\\[]!*?@") == n;
}

/* The value of PROPERTY=... in the lines p[0..n); NULL: there is none. */
static const char *property(const char *p, size_t n, const char *name, size_t *len)
{
    const char *end = p + n;
    size_t name_len = strlen(name);

    while (p < end) {
        const char *line_end = memchr(p, '\n', (size_t)(end - p));

        if (!line_end)
            line_end = end;
        if ((size_t)(line_end - p) > name_len && memcmp(p, name, name_len) == 0 &&
            p[name_len] == '=') {
            *len = (size_t)(line_end - p) - name_len - 1;
            return p + name_len + 1;
        }
        p = line_end + 1;
    }
    return NULL;
}

static const char *one_of(const char *const *values, const char *p, size_t n)
{
    for (; *values; values++)
        if (strlen(*values) == n && memcmp(*values, p, n) == 0)
            return *values;
    return "unknown";
}

/* A unit from its block of properties; invalid when it has no name. */
static jv unit_of(const char *p, size_t n)
{
    const char *value;
    size_t len, i;
    jv u;

    value = property(p, n, "Id", &len);
    if (!value || !len || len > PATTERN_MAX || !utf8_valid(value, len))
        return jv_invalid();
    u = jv_object();
    json_set(&u, "unit", jv_string_sized(value, (int)len));
    value = property(p, n, "Description", &len);
    if (!value)
        len = 0;
    if (len > DESCRIPTION_MAX)
        len = DESCRIPTION_MAX;
    while (len && !utf8_valid(value, len)) /* a character that was cut, or no text at all */
        len--;
    json_set(&u, "description", jv_string_sized(len ? value : "", (int)len));
    for (i = 0; i < LEN(states); i++) {
        value = property(p, n, states[i].property, &len);
        json_sets(&u, states[i].member, value ? one_of(states[i].values, value, len) : "unknown");
    }
    value = property(p, n, "SubState", &len);
    if (!value || !len || len > SUB_STATE_MAX ||
        strspn(value, "abcdefghijklmnopqrstuvwxyz0123456789-") < len)
        json_sets(&u, "subState", "unknown");
    else
        json_set(&u, "subState", jv_string_sized(value, (int)len));
    return u;
}

/* Blocks of properties with an empty line between them. Several patterns may match one unit. */
static jv units_of(const char *text, size_t n)
{
    const char *end = text + n, *p = text;
    jv by_name AUTO_JV = jv_object(), keys AUTO_JV = jv_invalid(), out = jv_array();

    while (p < end) {
        const char *stop = memmem(p, (size_t)(end - p), "\n\n", 2);
        jv u = unit_of(p, (size_t)((stop ? stop : end) - p));

        if (jv_is_valid(u))
            json_set(&by_name, json_str(u, "unit"), u);
        p = stop ? stop + 2 : end;
    }
    keys = jv_keys(jv_copy(by_name));
    jv_array_foreach(keys, i, key) {
        if (i < UNITS_MAX)
            out = jv_array_append(out, jv_object_get(jv_copy(by_name), key));
        else
            jv_free(key);
    }
    if (jv_array_length(jv_copy(keys)) > UNITS_MAX)
        log_warn("systemd.matchPatterns: %d units match, the first %d are reported",
            jv_array_length(jv_copy(keys)), UNITS_MAX);
    return out;
}

jv units_status(const struct agent *a, jv patterns)
{
    const char *argv[PATTERNS_MAX + 7] = {"systemctl", "show", "--all", "--no-pager",
        "--property=Id,Description,UnitFileState,LoadState,ActiveState,SubState", "--"};
    const struct tool t = {.argv = argv, .timeout = UNITS_TIMEOUT, .out_max = UNITS_OUT};
    int i, n = jv_get_kind(patterns) == JV_KIND_ARRAY ? jv_array_length(jv_copy(patterns)) : 0;
    struct buf out AUTO_BUF = BUF_INIT;
    struct err e = {0};
    size_t used = 6;

    for (i = 0; i < n; i++) {
        jv v = jv_array_get(jv_copy(patterns), i);
        const char *s = jv_get_kind(v) == JV_KIND_STRING ? jv_string_value(v) : "";

        if (used == LEN(argv) - 1 || !good_pattern(s))
            log_warn("systemd.matchPatterns[%d]: %s, ignored", i, good_pattern(s) ? "too many" :
                "no pattern of unit names");
        else
            argv[used++] = s; /* patterns has it too */
        jv_free(v);
    }
    argv[used] = NULL;
    if (used == 6)
        return jv_invalid();
    if (tool_run(a, &t, &out, &e) < 0) {
        log_warn("status of systemd units: %s", e.msg);
        return jv_invalid();
    }
    return units_of(out.p ? out.p : "", out.len);
}
