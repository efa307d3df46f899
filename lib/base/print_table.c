/* SPDX-License-Identifier: Apache-2.0 */
#include "base/print_table.h"

#include <locale.h>
#include <string.h>
#include <unistd.h>
#include <wchar.h>

#include "base/clock.h"
#include "base/mem.h"
#include "base/text.h"

enum {
    COLUMNS_MAX = 32,
    ROWS_HELD = 1000, /* rows that are laid out together; then they are written */
    GAP = 2,          /* blanks between columns */
};

struct cell {
    char *text;
    size_t width;
};

struct table {
    FILE *f;
    bool wide, colour;
    const struct column *cols;       /* as given; NULL: none yet */
    const struct column *col[COLUMNS_MAX]; /* those that are shown */
    size_t ncol;
    const char *title;
    size_t width[COLUMNS_MAX];
    struct arena *arena;             /* of the cells */
    struct cell *cell;               /* nrow * ncol */
    size_t nrow;
    bool headed;                     /* the heading of these columns is written */
    bool several;                    /* a heading was written: the next one comes after a gap */
    int64_t now;
};

struct table *table_new(FILE *f, bool wide)
{
    const char *no_colour = getenv("NO_COLOR"), *term = getenv("TERM");
    struct table *t = xcalloc(1, sizeof *t);

    t->f = f;
    t->wide = wide;
    t->colour = isatty(fileno(f)) && !(no_colour && *no_colour) && term && strcmp(term, "dumb");
    t->arena = arena_new();
    t->cell = xcalloc(ROWS_HELD, sizeof *t->cell * COLUMNS_MAX);
    t->now = now_us();
    return t;
}

void table_free(struct table *t)
{
    if (!t)
        return;
    arena_free(t->arena);
    free(t->cell);
    free(t);
}

/* --- cells -------------------------------------------------------------------------------- */

static void add_text(struct buf *b, jv v)
{
    struct buf json AUTO_BUF = BUF_INIT;
    int i, n;

    switch (jv_get_kind(v)) {
    case JV_KIND_STRING:
        text_clean(b, jv_string_value(v), (size_t)jv_string_length_bytes(jv_copy(v)));
        return;
    case JV_KIND_ARRAY:
        n = jv_array_length(jv_copy(v));
        for (i = 0; i < n; i++) {
            jv x = jv_array_get(jv_copy(v), i);

            if (i)
                buf_addc(b, ',');
            add_text(b, x);
            jv_free(x);
        }
        return;
    case JV_KIND_INVALID:
    case JV_KIND_NULL:
        return;
    case JV_KIND_FALSE:
    case JV_KIND_TRUE:
    case JV_KIND_NUMBER:
    case JV_KIND_OBJECT:
        break;
    }
    json_canon(&json, v);
    text_clean(b, json.p, json.len);
}

static void add_ago(struct buf *b, jv v, int64_t now)
{
    char ago[TIME_LEN];
    int64_t us;

    if (jv_get_kind(v) == JV_KIND_STRING && time_parse(jv_string_value(v), &us) == 0) {
        time_ago(us, now, ago);
        buf_adds(b, ago);
    } else
        add_text(b, v);
}

static void add_count(struct buf *b, jv v)
{
    if (jv_get_kind(v) == JV_KIND_ARRAY)
        buf_add_int(b, jv_array_length(jv_copy(v)));
    else if (jv_get_kind(v) == JV_KIND_OBJECT)
        buf_add_int(b, jv_object_length(jv_copy(v)));
    else
        add_text(b, v);
}

static void add_labels(struct buf *b, jv v)
{
    jv keys;
    int i, n;

    if (jv_get_kind(v) != JV_KIND_OBJECT)
        return;
    keys = jv_keys(jv_copy(v)); /* sorted */
    n = jv_array_length(jv_copy(keys));
    for (i = 0; i < n; i++) {
        jv key = jv_array_get(jv_copy(keys), i), value = jv_object_get(jv_copy(v), jv_copy(key));

        if (i)
            buf_addc(b, ',');
        add_text(b, key);
        buf_addc(b, '=');
        add_text(b, value);
        jv_free(key);
        jv_free(value);
    }
    jv_free(keys);
}

/* The first alternative of "a.b|c.d" that there is. */
static jv find(jv v, const char *paths)
{
    for (;;) {
        size_t n = strcspn(paths, "|");
        char *path AUTO_FREE = xstrndup(paths, n);
        jv found = json_at(v, path);
        jv_kind kind = jv_get_kind(found);

        if (!paths[n] || (kind != JV_KIND_INVALID && kind != JV_KIND_NULL))
            return found;
        jv_free(found);
        paths += n + 1;
    }
}

static void make_cell(struct table *t, const struct column *col, jv doc, struct cell *cell)
{
    struct buf b AUTO_BUF = BUF_INIT;
    jv v = find(doc, col->path);

    switch (col->type) {
    case COL_TEXT:
    case COL_STATE: add_text(&b, v); break;
    case COL_AGO: add_ago(&b, v, t->now); break;
    case COL_COUNT: add_count(&b, v); break;
    case COL_LABELS: add_labels(&b, v); break;
    }
    jv_free(v);
    if (!b.len)
        buf_addc(&b, '-');
    cell->text = arena_strndup(t->arena, b.p, b.len);
    cell->width = text_width(cell->text);
}

/* --- layout ------------------------------------------------------------------------------- */

size_t text_width(const char *s)
{
    size_t n = strlen(s), k, width = 0;
    locale_t utf8, old;
    uint32_t cp;

    for (k = 0; k < n && (unsigned char)s[k] < 0x80; k++)
        ;
    if (k == n)
        return n;
    utf8 = newlocale(LC_CTYPE_MASK, "C.UTF-8", (locale_t)0);
    old = utf8 ? uselocale(utf8) : (locale_t)0;
    for (; n; s += k, n -= k) {
        int w = 1;

        k = utf8_next(s, n, &cp);
        if (k && utf8)
            w = wcwidth((wchar_t)cp);
        k = k ? k : 1;
        width += w < 0 ? 1 : (size_t)w;
    }
    if (utf8) {
        uselocale(old);
        freelocale(utf8);
    }
    return width;
}

static const char *state_colour(const char *word)
{
    static const struct {
        const char *word, *colour;
    } colours[] = {
        {"Online", "\033[32m"}, {"UpToDate", "\033[32m"}, {"Healthy", "\033[32m"},
        {"Enrolled", "\033[32m"}, {"Approved", "\033[32m"}, {"Completed", "\033[32m"},
        {"Succeeded", "\033[32m"}, {"Verified", "\033[32m"}, {"Running", "\033[32m"},
        {"Valid", "\033[32m"}, {"True", "\033[32m"}, {"Ready", "\033[32m"},
        {"Error", "\033[31m"}, {"Failed", "\033[31m"}, {"Denied", "\033[31m"},
        {"Disconnected", "\033[31m"}, {"Invalid", "\033[31m"}, {"RolledBack", "\033[31m"},
        {"Degraded", "\033[33m"}, {"OutOfDate", "\033[33m"}, {"Updating", "\033[33m"},
        {"Pending", "\033[33m"}, {"InProgress", "\033[33m"}, {"Rebooting", "\033[33m"},
        {"RollingBack", "\033[33m"}, {"PoweredOff", "\033[33m"}, {"Unknown", "\033[33m"},
        {"ConflictPaused", "\033[33m"}, {"AwaitingReconnect", "\033[33m"},
        {"Decommissioning", "\033[33m"}, {"Suspended", "\033[33m"}, {"Paused", "\033[33m"},
    };
    size_t i;

    for (i = 0; i < LEN(colours); i++)
        if (!strcmp(word, colours[i].word))
            return colours[i].colour;
    return NULL;
}

static void write_cell(struct table *t, size_t i, const char *text, size_t width,
    const char *colour)
{
    size_t pad = i + 1 < t->ncol ? t->width[i] - width + GAP : 0;

    colour = t->colour ? colour : NULL;
    fprintf(t->f, "%s%s%s%*s", colour ? colour : "", text, colour ? "\033[0m" : "", (int)pad, "");
}

/* more: other columns follow. */
static void write_heading(struct table *t, bool more)
{
    size_t i;

    if (t->several)
        fputc('\n', t->f);
    if ((t->several || more) && t->title)
        fprintf(t->f, "%s\n", t->title);
    for (i = 0; i < t->ncol; i++)
        write_cell(t, i, t->col[i]->head, text_width(t->col[i]->head), "\033[1m");
    fputc('\n', t->f);
    t->headed = t->several = true;
}

static void write_rows(struct table *t, bool more)
{
    size_t row, i;

    for (row = 0; row < t->nrow; row++)
        for (i = 0; i < t->ncol; i++)
            if (t->cell[row * t->ncol + i].width > t->width[i])
                t->width[i] = t->cell[row * t->ncol + i].width;
    if (t->nrow && !t->headed)
        write_heading(t, more);
    for (row = 0; row < t->nrow; row++) {
        for (i = 0; i < t->ncol; i++) {
            const struct cell *c = &t->cell[row * t->ncol + i];

            write_cell(t, i, c->text, c->width,
                t->col[i]->type == COL_STATE ? state_colour(c->text) : NULL);
        }
        fputc('\n', t->f);
    }
    t->nrow = 0;
    arena_reset(t->arena);
}

void table_finish(struct table *t)
{
    write_rows(t, false);
}

void table_columns(struct table *t, const struct column *cols, const char *title)
{
    if (t->cols == cols)
        return;
    write_rows(t, true);
    t->cols = cols;
    t->title = title;
    t->headed = false;
    t->ncol = 0;
    for (; cols->head; cols++) {
        if (cols->wide && !t->wide)
            continue;
        if (t->ncol == COLUMNS_MAX)
            die("more than %d columns", COLUMNS_MAX);
        t->width[t->ncol] = text_width(cols->head);
        t->col[t->ncol++] = cols;
    }
}

void table_row(struct table *t, jv v)
{
    size_t i;

    for (i = 0; i < t->ncol; i++)
        make_cell(t, t->col[i], v, &t->cell[t->nrow * t->ncol + i]);
    if (++t->nrow == ROWS_HELD)
        write_rows(t, false);
}
