/* SPDX-License-Identifier: Apache-2.0 */
#include "base/print.h"

#include <errno.h>
#include <jq.h>
#include <string.h>
#include <unistd.h>

#include "base/doc.h"
#include "base/mem.h"
#include "base/print_table.h"

enum format { FORMAT_JSON, FORMAT_YAML, FORMAT_NAME, FORMAT_TABLE, FORMAT_WIDE };

static const char *const formats[] = {
    [FORMAT_JSON] = "json",
    [FORMAT_YAML] = "yaml",
    [FORMAT_NAME] = "name",
    [FORMAT_TABLE] = "table",
    [FORMAT_WIDE] = "wide",
};

struct printer {
    FILE *f;
    enum format format;
    jq_state *jq;        /* NULL: no filter */
    struct table *table; /* of FORMAT_TABLE and FORMAT_WIDE without a filter */
    struct buf line;     /* kept for its memory */
    bool begun;          /* something was printed: YAML wants a separator */
};

static int find_format(const char *word, FILE *f)
{
    size_t i;

    if (!word || !*word)
        return isatty(fileno(f)) ? FORMAT_TABLE : FORMAT_JSON;
    for (i = 0; i < LEN(formats); i++)
        if (!strcmp(word, formats[i]))
            return (int)i;
    return -1;
}

/* --- filter ------------------------------------------------------------------------------- */

/* libjq reports several lines; the first one says what is wrong. */
static void keep_first(void *ctx, jv msg)
{
    struct buf *b = ctx;

    if (!b->len && jv_get_kind(msg) == JV_KIND_STRING) {
        const char *s = jv_string_value(msg);

        if (!strncmp(s, "jq: ", 4))
            s += 4;
        buf_add(b, s, strcspn(s, "\n"));
    }
    jv_free(msg);
}

static int compile(struct printer *p, const char *filter, struct err *e)
{
    struct buf why AUTO_BUF = BUF_INIT;
    int ok;

    p->jq = jq_init();
    if (!p->jq)
        die("out of memory");
    /* libjq 1.6 leaves these unset in memory that it does not clear. */
    jq_set_input_cb(p->jq, NULL, NULL);
    jq_set_debug_cb(p->jq, NULL, NULL);
    /* No modules: a filter is one line of its own. */
    jq_set_attr(p->jq, jv_string("JQ_LIBRARY_PATH"), jv_array());
    jq_set_attr(p->jq, jv_string("JQ_ORIGIN"), jv_string("/nonexistent"));
    jq_set_attr(p->jq, jv_string("PROGRAM_ORIGIN"), jv_string("/nonexistent"));
    jq_set_error_cb(p->jq, keep_first, &why);
    ok = jq_compile(p->jq, filter);
    jq_set_error_cb(p->jq, NULL, NULL);
    return ok ? 0 : err_set(e, FC_USAGE, "filter: %s", why.len ? why.p : "does not compile");
}

int printer_open(struct printer **out, FILE *f, const char *format, const char *filter,
    struct err *e)
{
    struct printer *p;
    int found = find_format(format, f);

    *out = NULL;
    if (found < 0)
        return err_set(e, FC_USAGE, "unknown output format \"%s\": use json, yaml, name, table or "
            "wide", format);
    p = xcalloc(1, sizeof *p);
    p->f = f;
    p->format = (enum format)found;
    if (filter && compile(p, filter, e) < 0) {
        jq_teardown(&p->jq);
        free(p);
        return -1;
    }
    if (!filter && p->format >= FORMAT_TABLE)
        p->table = table_new(f, p->format == FORMAT_WIDE);
    *out = p;
    return 0;
}

/* --- documents ---------------------------------------------------------------------------- */

static int check(struct printer *p, struct err *e)
{
    return ferror(p->f) ? err_errno(e, "standard output") : 0;
}

static int write_line(struct printer *p, const char *s, size_t n, struct err *e)
{
    fwrite(s, 1, n, p->f);
    fputc('\n', p->f);
    return check(p, e);
}

static int write_yaml(struct printer *p, jv v, struct err *e)
{
    buf_reset(&p->line);
    if (p->begun)
        buf_adds(&p->line, "---\n");
    p->begun = true;
    if (yaml_write(&p->line, v, e) < 0)
        return -1;
    fwrite(p->line.p, 1, p->line.len, p->f);
    return check(p, e);
}

static int write_json(struct printer *p, jv v, struct err *e)
{
    buf_reset(&p->line);
    json_canon(&p->line, v);
    return write_line(p, p->line.p, p->line.len, e);
}

static int write_name(struct printer *p, const char *name, jv v, struct err *e)
{
    if (!name)
        name = json_str(v, "metadata.name");
    return name ? write_line(p, name, strlen(name), e) : 0;
}

/* One of the results of a filter. */
static int write_result(struct printer *p, jv v, struct err *e)
{
    if (p->format == FORMAT_YAML)
        return write_yaml(p, v, e);
    if (p->format == FORMAT_NAME && jv_get_kind(v) == JV_KIND_STRING)
        return write_line(p, jv_string_value(v), (size_t)jv_string_length_bytes(jv_copy(v)), e);
    return write_json(p, v, e);
}

/* What ended the filter, consumed: an error, or nothing but the end. */
static int filter_end(jv last, struct err *e)
{
    jv msg;
    int rc = 0;

    if (!jv_invalid_has_msg(jv_copy(last))) {
        jv_free(last);
        return 0;
    }
    msg = jv_invalid_get_msg(last);
    if (jv_get_kind(msg) != JV_KIND_STRING)
        msg = jv_dump_string(msg, 0);
    rc = err_set(e, FC_FAIL, "filter: %s", jv_string_value(msg));
    jv_free(msg);
    return rc;
}

/* halt and halt_error end a program of jq(1), not a command of ours. */
static int filter_halted(struct printer *p, struct err *e)
{
    jv text AUTO_JV = jq_get_error_message(p->jq);

    if (jv_get_kind(text) != JV_KIND_STRING && jv_is_valid(text))
        text = jv_dump_string(text, 0);
    if (!jv_is_valid(text))
        return err_set(e, FC_FAIL, "filter: it was halted");
    return err_set(e, FC_FAIL, "filter: it was halted: %s", jv_string_value(text));
}

static int filter(struct printer *p, jv v, struct err *e)
{
    jq_start(p->jq, jv_copy(v), 0);
    for (;;) {
        jv result = jq_next(p->jq);
        int rc;

        if (jq_halted(p->jq)) {
            jv_free(result);
            return filter_halted(p, e);
        }
        if (!jv_is_valid(result))
            return filter_end(result, e);
        rc = write_result(p, result, e);
        jv_free(result);
        if (rc < 0)
            return -1;
    }
}

void printer_columns(struct printer *p, const struct column *cols, const char *title)
{
    if (p->table)
        table_columns(p->table, cols, title);
}

int printer_put(struct printer *p, const char *name, jv v, struct err *e)
{
    if (p->jq)
        return filter(p, v, e);
    switch (p->format) {
    case FORMAT_JSON: return write_json(p, v, e);
    case FORMAT_YAML: return write_yaml(p, v, e);
    case FORMAT_NAME: return write_name(p, name, v, e);
    case FORMAT_TABLE:
    case FORMAT_WIDE: break;
    }
    table_row(p->table, v);
    return check(p, e);
}

int printer_text(struct printer *p, const char *name, const char *json, size_t n, struct err *e)
{
    jv v;
    int rc;

    if (!p->jq && p->format == FORMAT_JSON)
        return write_line(p, json, n, e);
    if (!p->jq && p->format == FORMAT_NAME && name)
        return write_line(p, name, strlen(name), e);
    if (json_parse(json, n, &v, e) < 0)
        return err_wrap(e, "document to print");
    rc = printer_put(p, name, v, e);
    jv_free(v);
    return rc;
}

int printer_flush(struct printer *p, struct err *e)
{
    if (p->table)
        table_finish(p->table);
    return fflush(p->f) || ferror(p->f) ? err_errno(e, "standard output") : 0;
}

int printer_close(struct printer *p, struct err *e)
{
    int rc = printer_flush(p, e);

    table_free(p->table);
    if (p->jq)
        jq_teardown(&p->jq);
    buf_free(&p->line);
    free(p);
    return rc;
}

bool printer_is_table(const struct printer *p)
{
    return p->table != NULL;
}
