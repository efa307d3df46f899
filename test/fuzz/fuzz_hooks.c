/* SPDX-License-Identifier: Apache-2.0 */
/* A rule file of hooks, and what its rules come to at events: words without a shell. */
#include <string.h>

#include "base/mem.h"
#include "hooks.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

/* That no rule says more than may be run. */
static void check_action(jv action)
{
    jv argv AUTO_JV = json_get(action, "argv"), env AUTO_JV = json_get(action, "env");
    const char *dir = json_str(action, "dir"), *name = json_str(action, "name");
    int64_t timeout = json_int(action, "timeout", 0);
    int i, count = jv_array_length(jv_copy(argv));

    if (!count || count > HOOK_WORDS || jv_get_kind(env) != JV_KIND_OBJECT)
        die("what cannot be run: %d words", count);
    for (i = 0; i < count; i++) {
        jv word AUTO_JV = jv_array_get(jv_copy(argv), i);

        if (strlen(jv_string_value(word)) != (size_t)jv_string_length_bytes(jv_copy(word)))
            die("a word with a NUL byte");
    }
    if (!name || (dir && *dir != '/') || timeout < 0 || timeout > HOOK_TIMEOUT_MAX)
        die("an action out of bounds");
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    static const char *const events[] = {
        "{\"files\":[],\"rebooted\":true}",
        "{\"files\":[{\"path\":\"/etc/a\",\"op\":\"created\"},"
        "{\"path\":\"/etc/b ' \\\" $\",\"op\":\"updated\",\"old\":\"/etc/.fc-1.old\"},"
        "{\"path\":\"/etc/d/${Path}\",\"op\":\"removed\",\"old\":\"/etc/.fc-2.old\"}],"
        "\"rebooted\":false}",
    };
    jv rules AUTO_JV = jv_invalid();
    struct err e;
    int i, count;
    size_t k;

    if (n > HOOK_FILE_MAX ||
        hook_rules_parse("/etc/flightctl/hooks.d/afterupdating/x.yaml", (const char *)data, n,
            &rules, &e) < 0)
        return 0;
    count = jv_array_length(jv_copy(rules));
    for (i = 0; i < count; i++) {
        jv rule AUTO_JV = jv_array_get(jv_copy(rules), i);

        for (k = 0; k < LEN(events); k++) {
            jv event AUTO_JV = jv_parse(events[k]);
            jv action AUTO_JV = hook_rule_action(rule, event);

            if (jv_is_valid(action))
                check_action(action);
        }
    }
    return 0;
}
