/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Hooks: commands that run around an update. Those of spec.hooks come with the version; rule files,
 * /etc/flightctl/hooks.d/WHEN/NAME.yaml over /usr/lib/flightctl/hooks.d/WHEN/NAME.yaml, are the
 * device's own or files of a version, and read when their time has come.
 *
 * A rule, once read: {"name","run","env":{},"dir","timeout","if":[{"path","op":[]} or
 * {"rebooted"}]}. An event, which rules are matched with: {"files":[{"path","op","old"}],
 * "rebooted"}; op is created, updated or removed, old the path of what was kept of it. An action:
 * {"name","argv":[],"env":{},"dir","timeout"}.
 */
#ifndef FC_AGENT_HOOKS_H
#define FC_AGENT_HOOKS_H

#include "agent.h"
#include "base/json.h"

#define HOOKS_ETC "/etc/flightctl/hooks.d"
#define HOOKS_USR "/usr/lib/flightctl/hooks.d"

enum {
    HOOK_FILE_MAX = 256 << 10, /* bytes of a rule file */
    HOOK_FILES = 256,          /* rule files of one folder */
    HOOK_RULES = 256,          /* rules of a file */
    HOOK_WORDS = 1024,         /* words of a command */
    HOOK_TIMEOUT = 10,         /* s, unless the action says otherwise */
    HOOK_TIMEOUT_MAX = 3600,   /* s */
};

/* The rules of a file's text, YAML or JSON. FC_INVALID: "source:line: [0].run: ...". The caller
 * frees. */
int hook_rules_parse(const char *source, const char *text, size_t n, jv *out, struct err *e);

/* What a rule does at an event (both borrowed): an action for the caller to free, or an invalid
 * value if one of its conditions does not hold. */
jv hook_rule_action(jv rule, jv event);

/* s of an action's timeout ("10s"), the default without one; -1 when it is none or too long. */
int hook_timeout(const char *s);

#endif
