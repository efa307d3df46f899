/* SPDX-License-Identifier: Apache-2.0 */
/* Rule files: what they say, and what that means at an event. */
#include "hooks.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/doc.h"
#include "base/mem.h"

static const char *const ops[] = {"created", "updated", "removed"};

int hook_timeout(const char *s)
{
    int64_t us = s ? duration_parse(s) : (int64_t)HOOK_TIMEOUT * 1000000;

    return us <= 0 || us > (int64_t)HOOK_TIMEOUT_MAX * 1000000 ? -1 : (int)(us / 1000000);
}

/* --- reading ------------------------------------------------------------------------------ */

struct file {
    const char *source;
    const struct doc *doc;
    struct err *err;
};

__attribute__((format(printf, 3, 4)))
static int wrong(const struct file *f, const char *path, const char *fmt, ...)
{
    char what[512];
    va_list ap;

    va_start(ap, fmt);
    vsnprintf(what, sizeof what, fmt, ap);
    va_end(ap);
    return err_set(f->err, FC_INVALID, "%s:%d: %s%s%s", f->source, doc_line(f->doc, path), path,
        *path ? ": " : "", what);
}

static bool has_nul(jv s)
{
    return strlen(jv_string_value(s)) != (size_t)jv_string_length_bytes(jv_copy(s));
}

/* "rebooted == true" */
static int read_expression(const struct file *f, const char *path, const char *text, jv *out)
{
    char name[32], value[32], rest;

    *out = jv_invalid();
    if (sscanf(text, " %31[A-Za-z_] == %31[A-Za-z_] %c", name, value, &rest) != 2 ||
        strcmp(name, "rebooted") != 0 ||
        (strcmp(value, "true") != 0 && strcmp(value, "false") != 0))
        return wrong(f, path, "must be \"rebooted == true\" or \"rebooted == false\"");
    *out = jv_object();
    json_set(out, name, strcmp(value, "true") == 0 ? jv_true() : jv_false());
    return 0;
}

static bool is_op(jv v)
{
    size_t i;

    for (i = 0; jv_get_kind(v) == JV_KIND_STRING && i < LEN(ops); i++)
        if (strcmp(jv_string_value(v), ops[i]) == 0)
            return true;
    return false;
}

static int read_path(const struct file *f, const char *at, jv v, jv *out)
{
    jv list AUTO_JV = json_get(v, "op");
    const char *path = json_str(v, "path");
    int i, n = jv_get_kind(list) == JV_KIND_ARRAY ? jv_array_length(jv_copy(list)) : 0;
    char sub[96];

    snprintf(sub, sizeof sub, "%s.path", at);
    if (!path || *path != '/')
        return wrong(f, sub, "must be an absolute path");
    snprintf(sub, sizeof sub, "%s.op", at);
    if (!n)
        return wrong(f, sub, "must be a list of created, updated, removed");
    for (i = 0; i < n; i++) {
        jv op AUTO_JV = jv_array_get(jv_copy(list), i);

        if (!is_op(op))
            return wrong(f, sub, "must be a list of created, updated, removed");
    }
    *out = jv_object();
    json_sets(out, "path", path);
    json_set(out, "op", jv_copy(list));
    return 0;
}

static int read_if(const struct file *f, const char *at, jv rule, jv *out)
{
    jv list AUTO_JV = json_get(rule, "if");
    int i, n = jv_get_kind(list) == JV_KIND_ARRAY ? jv_array_length(jv_copy(list)) : 0;
    jv all = jv_array();

    for (i = 0; i < n; i++) {
        jv v AUTO_JV = jv_array_get(jv_copy(list), i), one = jv_invalid();
        char sub[64];
        int rc;

        snprintf(sub, sizeof sub, "%s.if[%d]", at, i);
        rc = jv_get_kind(v) == JV_KIND_STRING ? read_expression(f, sub, jv_string_value(v), &one) :
            jv_get_kind(v) == JV_KIND_OBJECT ? read_path(f, sub, v, &one) :
            wrong(f, sub, "must be a path with operations, or an expression");
        if (rc < 0) {
            jv_free(all);
            return -1;
        }
        all = jv_array_append(all, one);
    }
    json_set(out, "if", all);
    return 0;
}

static bool is_name(const char *s)
{
    static const char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz_0123456789";

    return *s && !(*s >= '0' && *s <= '9') && !s[strspn(s, letters)];
}

static int read_env(const struct file *f, const char *at, jv rule, jv *out)
{
    jv env = json_get(rule, "envVars");
    bool bad = false;

    if (!jv_is_valid(env))
        env = jv_object();
    jv_object_foreach(env, key, value) {
        bad |= !is_name(jv_string_value(key)) || has_nul(key) ||
            jv_get_kind(value) != JV_KIND_STRING || has_nul(value);
        jv_free(key);
        jv_free(value);
    }
    json_set(out, "env", env);
    return bad ? wrong(f, at, "envVars: must be names of variables and strings") : 0;
}

/* Members of a rule and their kinds. */
static int check_members(const struct file *f, const char *at, jv rule)
{
    static const struct {
        const char *name;
        jv_kind kind;
        const char *what;
    } members[] = {
        {"if", JV_KIND_ARRAY, "a list"}, {"run", JV_KIND_STRING, "a string"},
        {"envVars", JV_KIND_OBJECT, "a map"}, {"workDir", JV_KIND_STRING, "a string"},
        {"timeout", JV_KIND_STRING, "a string"},
    };
    int rc = 0;

    jv_object_foreach(rule, key, value) {
        const char *name = jv_string_value(key);
        char sub[96];
        size_t i;

        snprintf(sub, sizeof sub, "%s.%.48s", at, name);
        for (i = 0; i < LEN(members) && strcmp(members[i].name, name) != 0; i++)
            ;
        if (rc == 0 && i == LEN(members))
            rc = wrong(f, sub, "is unknown");
        else if (rc == 0 && jv_get_kind(value) != members[i].kind)
            rc = wrong(f, sub, "must be %s", members[i].what);
        else if (rc == 0 && jv_get_kind(value) == JV_KIND_STRING && has_nul(value))
            rc = wrong(f, sub, "has a NUL byte");
        jv_free(key);
        jv_free(value);
    }
    return rc;
}

static int split_words(const char *s, jv vars, jv *argv);

static int read_rule(const struct file *f, const char *at, jv rule, jv *out)
{
    const char *run = json_str(rule, "run"), *dir = json_str(rule, "workDir");
    int timeout = hook_timeout(json_str(rule, "timeout"));
    jv words AUTO_JV = jv_invalid(), none AUTO_JV = jv_object();
    const char *slash = strrchr(f->source, '/');
    char sub[64];

    *out = jv_object();
    if (jv_get_kind(rule) != JV_KIND_OBJECT)
        return wrong(f, at, "must be a map");
    if (check_members(f, at, rule) < 0)
        return -1;
    snprintf(sub, sizeof sub, "%s.run", at);
    if (!run || split_words(run, none, &words) < 0)
        return wrong(f, sub, "%s", run ? "has a quote that does not end, or too many words" :
            "is missing");
    if (!json_nonempty(words))
        return wrong(f, sub, "names no program");
    snprintf(sub, sizeof sub, "%s.workDir", at);
    if (dir && *dir != '/')
        return wrong(f, sub, "must be an absolute path");
    snprintf(sub, sizeof sub, "%s.timeout", at);
    if (timeout < 0)
        return wrong(f, sub, "must be a duration such as 30s or 5m, of at most %d s",
            HOOK_TIMEOUT_MAX);
    json_set(out, "name", jv_string_fmt("%s%s", slash ? slash + 1 : f->source, at));
    json_sets(out, "run", run);
    json_sets(out, "dir", dir);
    json_seti(out, "timeout", timeout);
    return read_env(f, at, rule, out) < 0 || read_if(f, at, rule, out) < 0 ? -1 : 0;
}

static int read_rules(const struct file *f, jv *all)
{
    int i, n = jv_get_kind(f->doc->v) == JV_KIND_ARRAY ? jv_array_length(jv_copy(f->doc->v)) : -1;

    if (n < 0 || n > HOOK_RULES)
        return wrong(f, "", n < 0 ? "must be a list of rules" : "has too many rules");
    for (i = 0; i < n; i++) {
        jv rule AUTO_JV = jv_array_get(jv_copy(f->doc->v), i), one = jv_invalid();
        char at[24];

        snprintf(at, sizeof at, "[%d]", i);
        if (read_rule(f, at, rule, &one) < 0) {
            jv_free(one);
            return -1;
        }
        *all = jv_array_append(*all, one);
    }
    return 0;
}

/* A file of comments alone has no rules; that is how one of /usr is put out of force. */
static bool says_nothing(const char *text, size_t n)
{
    size_t i;
    bool comment = false;

    for (i = 0; i < n; i++) {
        comment = text[i] == '#' || (comment && text[i] != '\n');
        if (!comment && !strchr(" \t\r\n", text[i]))
            return false;
    }
    return true;
}

int hook_rules_parse(const char *source, const char *text, size_t n, jv *out, struct err *e)
{
    struct docs docs;
    size_t i;
    int rc = 0;

    *out = jv_array();
    if (says_nothing(text, n))
        return 0;
    if (docs_parse(source, text, n, &docs, e) < 0)
        rc = -1;
    for (i = 0; rc == 0 && i < docs.n; i++) {
        const struct file f = {source, &docs.doc[i], e};

        rc = read_rules(&f, out);
    }
    docs_free(&docs);
    if (rc < 0) {
        jv_free(*out);
        *out = jv_invalid();
    }
    return rc;
}

/* --- words -------------------------------------------------------------------------------- */

/* Length of "${Name}" at s, blanks inside of the braces allowed, if it is one of vars; else 0. */
static size_t variable(const char *s, jv vars, jv *value)
{
    char name[32];
    int n = 0;

    *value = jv_invalid();
    if (sscanf(s, "${ %31[A-Za-z] %n", name, &n) != 1 || !n || s[n] != '}')
        return 0;
    *value = json_get(vars, name);
    return jv_get_kind(*value) == JV_KIND_STRING ? (size_t)n + 1 : 0;
}

struct words {
    jv list;
    struct buf word;
    bool open;  /* there is a word, if only an empty one in quotes */
};

static void end_word(struct words *w)
{
    if (w->open)
        w->list = jv_array_append(w->list, jv_string_sized(w->word.p ? w->word.p : "",
            (int)w->word.len));
    buf_reset(&w->word);
    w->open = false;
}

/*
 * Words are what stands between blanks. 'x' keeps all as it is, "x" all but \" and \\; outside of
 * quotes \ takes the next character as it is. A variable becomes part of the word where it stands,
 * whatever is in it.
 */
static int split_words(const char *s, jv vars, jv *argv)
{
    struct words w = {.list = jv_array(), .word = BUF_INIT};
    char quote = '\0';
    int rc;

    for (; *s; s++) {
        jv value AUTO_JV = jv_invalid();
        size_t n = *s == '$' ? variable(s, vars, &value) : 0;

        if (n) {
            buf_adds(&w.word, jv_string_value(value));
            s += n - 1;
        } else if (!quote && strchr(" \t\r\n", *s)) {
            end_word(&w);
            continue;
        } else if (quote ? *s == quote : *s == '\'' || *s == '"')
            quote = quote ? '\0' : *s;
        else if (*s == '\\' && s[1] && (!quote || (quote == '"' && (s[1] == '"' || s[1] == '\\'))))
            buf_addc(&w.word, *++s);
        else
            buf_addc(&w.word, *s);
        w.open = true;
    }
    end_word(&w);
    rc = quote || jv_array_length(jv_copy(w.list)) > HOOK_WORDS ? -1 : 0;
    buf_free(&w.word);
    *argv = w.list;
    return rc;
}

/* --- matching ----------------------------------------------------------------------------- */

static void append(jv *vars, const char *name, const char *text)
{
    const char *old = json_str(*vars, name);

    if (text)
        json_set(vars, name, jv_string_fmt("%s%s%s", old ? old : "", old && *old ? " " : "", text));
}

static bool has_op(jv cond, const char *op)
{
    jv list AUTO_JV = json_get(cond, "op");
    int i, n = jv_array_length(jv_copy(list));
    bool found = false;

    for (i = 0; i < n; i++) {
        jv one AUTO_JV = jv_array_get(jv_copy(list), i);

        found |= strcmp(jv_string_value(one), op) == 0;
    }
    return found;
}

/* Does a path condition cover a file? That of a folder ends with '/'. */
static bool covers(const char *cond, const char *path)
{
    size_t n = strlen(cond);

    return cond[n - 1] == '/' ? strncmp(path, cond, n) == 0 : strcmp(path, cond) == 0;
}

/* Whether a path condition holds; *vars becomes what it says. */
static bool match_path(jv cond, jv event, jv *vars)
{
    static const char *const lists[] = {"CreatedFiles", "UpdatedFiles", "RemovedFiles"};
    const char *path = json_str(cond, "path");
    jv files AUTO_JV = json_get(event, "files");
    int i, n = jv_get_kind(files) == JV_KIND_ARRAY ? jv_array_length(jv_copy(files)) : 0;
    bool found = false;
    size_t k;

    jv_free(*vars);
    *vars = jv_object();
    json_sets(vars, "Path", path);
    json_sets(vars, "Files", "");
    json_sets(vars, "Backup", "");
    for (k = 0; k < LEN(lists); k++)
        json_sets(vars, lists[k], "");
    for (i = 0; i < n; i++) {
        jv file AUTO_JV = jv_array_get(jv_copy(files), i);
        const char *op = json_str(file, "op"), *one = json_str(file, "path");

        if (!op || !one || !covers(path, one) || !has_op(cond, op))
            continue;
        found = true;
        append(vars, "Files", one);
        append(vars, "Backup", json_str(file, "old"));
        for (k = 0; k < LEN(ops); k++)
            if (strcmp(op, ops[k]) == 0)
                append(vars, lists[k], one);
    }
    return found;
}

jv hook_rule_action(jv rule, jv event)
{
    jv conds AUTO_JV = json_get(rule, "if"), vars AUTO_JV = jv_object();
    jv action = jv_copy(rule), argv = jv_invalid();
    int i, n = jv_array_length(jv_copy(conds));
    bool holds = true;

    for (i = 0; holds && i < n; i++) {
        jv cond AUTO_JV = jv_array_get(jv_copy(conds), i);

        if (json_has(cond, "path"))
            holds = match_path(cond, event, &vars);
        else
            holds = json_bool(cond, "rebooted", false) == json_bool(event, "rebooted", false);
    }
    if (holds && split_words(json_str(rule, "run"), vars, &argv) == 0) {
        json_set(&action, "argv", argv);
        json_del(&action, "run");
        json_del(&action, "if");
        return action;
    }
    jv_free(argv);
    jv_free(action);
    return jv_invalid();
}
