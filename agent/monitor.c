/* SPDX-License-Identifier: Apache-2.0 */
#include "monitor.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "base/log.h"
#include "base/mem.h"
#include "deadline.h"
#include "place.h"
#include "sysinfo.h"

enum kind { CPU, MEMORY, DISK, KINDS };

static const struct {
    const char *type, *member; /* in the spec, in the status */
} kinds[KINDS] = {
    [CPU] = {"CPU", "cpu"}, [MEMORY] = {"Memory", "memory"}, [DISK] = {"Disk", "disk"},
};

static const char *const loads[] = {
    [LOAD_UNKNOWN] = "Unknown", [LOAD_HEALTHY] = "Healthy", [LOAD_WARNING] = "Warning",
    [LOAD_ERROR] = "Error", [LOAD_CRITICAL] = "Critical",
};

/* --- series -------------------------------------------------------------------------------- */

/* Makes room: spans of the older half that touch become one, with the least of both, so that time
 * long ago is known more coarsely; when none do, the oldest goes. */
static void join_old(struct series *s)
{
    uint32_t i, n = 0;

    for (i = 0; i < s->used; i++) {
        struct slot *last = n ? &s->slot[n - 1] : NULL;

        if (i % 2 && i < SLOTS / 2 && last->to == s->slot[i].from) {
            last->to = s->slot[i].to;
            last->low = s->slot[i].low < last->low ? s->slot[i].low : last->low;
        } else
            s->slot[n++] = s->slot[i];
    }
    if (n == s->used) {
        memmove(s->slot, s->slot + 1, (SLOTS - 1) * sizeof *s->slot);
        n--;
    }
    s->used = n;
}

void monitor_note(struct series *s, int64_t now, int64_t low, int64_t gap)
{
    /* where no gap matters, what was measured covers it */
    bool known = (s->used || gap == INT64_MAX) && s->last && now - s->last <= gap;

    if (s->used == SLOTS)
        join_old(s);
    s->slot[s->used++] = (struct slot){.from = known ? s->last : now, .to = now, .low = low};
    s->last = now;
    s->failed = 0;
}

static bool fires(const struct series *s, jv rule)
{
    jv share AUTO_JV = json_get(rule, "percentage");
    const char *duration = json_str(rule, "duration");
    int64_t span = duration ? duration_parse(duration) / 1000000 : -1, from;
    double limit = jv_get_kind(share) == JV_KIND_NUMBER ? jv_number_value(share) * 100 : 1e9;
    uint32_t i = s->used;

    if (!i || span < 0)
        return false;
    from = s->slot[i - 1].to - span;
    while (i--) {
        if ((double)s->slot[i].low <= limit)
            return false;
        if (s->slot[i].from <= from)
            return true;
        if (!i || s->slot[i - 1].to != s->slot[i].from)
            break;
    }
    return false;
}

enum load monitor_decide(const struct series *s, jv rules, int64_t now, int *rule)
{
    enum load worst = LOAD_HEALTHY;
    int i, n = jv_get_kind(rules) == JV_KIND_ARRAY ? jv_array_length(jv_copy(rules)) : 0;

    if (rule)
        *rule = -1;
    if (s->failed)
        return LOAD_ERROR;
    if (!s->used || now < s->last)
        return LOAD_UNKNOWN;
    for (i = 0; i < n; i++) {
        jv one AUTO_JV = jv_array_get(jv_copy(rules), i);
        const char *severity = json_str(one, "severity");
        enum load load = !severity ? LOAD_HEALTHY : strcmp(severity, "Critical") == 0 ?
            LOAD_CRITICAL : strcmp(severity, "Warning") == 0 ? LOAD_WARNING : LOAD_HEALTHY;

        if (load <= worst || !fires(s, one))
            continue;
        worst = load;
        if (rule)
            *rule = i;
    }
    return worst;
}

/* --- measuring ----------------------------------------------------------------------------- */

/* Share of what is used, in hundredths of a percent. */
static int64_t share(uint64_t used, uint64_t all)
{
    return used >= all ? 10000 : (int64_t)((double)used * 10000 / (double)all);
}

/* Each of these: the value in *low; 1 when there is none yet. */

static int measure_cpu(struct series *s, int64_t *low, struct err *e)
{
    struct buf b AUTO_BUF = BUF_INIT;
    uint64_t t[8] = {0}, total = 0, busy, busy_was = s->busy, total_was = s->total;
    size_t i;

    if (!sysinfo_read("/proc/stat", &b) || sscanf(b.p, "cpu %" SCNu64 " %" SCNu64 " %" SCNu64 " %"
        SCNu64 " %" SCNu64 " %" SCNu64 " %" SCNu64 " %" SCNu64, &t[0], &t[1], &t[2], &t[3], &t[4],
        &t[5], &t[6], &t[7]) < 4)
        return err_set(e, FC_FAIL, "/proc/stat says nothing of it");
    for (i = 0; i < LEN(t); i++)
        total += t[i];
    busy = total - t[3] - t[4]; /* idle, and idle because of a disk */
    s->busy = busy;
    s->total = total;
    if (!total_was || total <= total_was || busy < busy_was)
        return 1;
    *low = share(busy - busy_was, total - total_was);
    return 0;
}

static bool number_of(const char *text, const char *name, uint64_t *out)
{
    size_t n;
    const char *p = sysinfo_line(text, name, ':', &n);

    return p && sscanf(p, "%" SCNu64, out) == 1;
}

static int measure_memory(int64_t *low, struct err *e)
{
    struct buf b AUTO_BUF = BUF_INIT;
    uint64_t total, available;

    if (!sysinfo_read("/proc/meminfo", &b) || !number_of(b.p, "MemTotal", &total) ||
        !number_of(b.p, "MemAvailable", &available) || !total || available > total)
        return err_set(e, FC_FAIL, "/proc/meminfo says nothing of it");
    *low = share(total - available, total);
    return 0;
}

/* As df(1) has it: of what is there for other accounts than root. */
static int measure_disk(const struct agent *a, const char *path, int64_t *low, struct err *e)
{
    int fd AUTO_CLOSE = place_open(a->root_fd, path, O_PATH, 0);
    struct statvfs v;

    if (fd < 0 || fstatvfs(fd, &v) < 0)
        return err_errno(e, "%s", path);
    if (v.f_bfree > v.f_blocks || v.f_blocks == 0)
        return err_set(e, FC_FAIL, "%s: its file system has no size", path);
    *low = share(v.f_blocks - v.f_bfree, v.f_blocks - v.f_bfree + v.f_bavail);
    return 0;
}

/* --- the file ------------------------------------------------------------------------------ */

struct head {
    char magic[8];
    char boot[40];         /* boot_id */
    char sum[SHA256_HEX];  /* of all that follows */
    uint32_t n;            /* series */
};

static const char magic[8] = "fcsmpl1";

struct samples {
    struct series *series; /* n; NULL when n is 0 */
    size_t n;
};

static void boot_id(char out[40])
{
    struct buf b AUTO_BUF = BUF_INIT;

    memset(out, 0, 40);
    if (sysinfo_read("/proc/sys/kernel/random/boot_id", &b))
        snprintf(out, 40, "%.36s", b.p);
}

static void load_samples(const struct agent *a, struct samples *s)
{
    struct buf b AUTO_BUF = BUF_INIT;
    struct head h;
    char boot[40], sum[SHA256_HEX];
    size_t size, i;

    *s = (struct samples){0};
    boot_id(boot);
    if (a->run_fd < 0 || place_read(a->run_fd, MONITOR_SAMPLES, MONITOR_SAMPLES,
        sizeof h + SERIES_MAX * sizeof *s->series, &b, NULL) < 0 || b.len < sizeof h)
        return;
    memcpy(&h, b.p, sizeof h);
    size = b.len - sizeof h;
    sha256_hex(b.p + sizeof h, size, sum);
    if (memcmp(h.magic, magic, sizeof magic) != 0 || memcmp(h.boot, boot, sizeof boot) != 0 ||
        memcmp(h.sum, sum, sizeof sum) != 0 || h.n > SERIES_MAX ||
        size != h.n * sizeof *s->series || !h.n)
        return;
    s->series = xmalloc(size);
    memcpy(s->series, b.p + sizeof h, size);
    s->n = h.n;
    for (i = 0; i < s->n; i++)
        if (s->series[i].used > SLOTS)
            s->series[i] = (struct series){0};
}

static void store_samples(const struct agent *a, const struct samples *s)
{
    struct buf b AUTO_BUF = BUF_INIT;
    struct head h;
    struct err e = {0};

    memset(&h, 0, sizeof h);
    memcpy(h.magic, magic, sizeof magic);
    boot_id(h.boot);
    h.n = (uint32_t)s->n;
    sha256_hex(s->series, s->n * sizeof *s->series, h.sum);
    buf_add(&b, &h, sizeof h);
    buf_add(&b, s->series, s->n * sizeof *s->series);
    if (place_write(a->run_fd, MONITOR_SAMPLES, b.p, b.len, 0600, PLACE_FAST, &e) < 0)
        log_err(&e);
}

static const struct series *find(const struct samples *s, const char *key)
{
    size_t i;

    for (i = 0; i < s->n; i++)
        if (strcmp(s->series[i].key, key) == 0)
            return &s->series[i];
    return NULL;
}

/* --- monitors ------------------------------------------------------------------------------ */

struct monitor { /* one of the spec */
    enum kind kind;
    const char *path;  /* of a disk, else "" */
    int64_t interval;  /* s */
    char key[40];
};

/* false: one of a type that nobody knows, which the schema does not let through. */
static bool monitor_read(jv v, struct monitor *m)
{
    const char *type = json_str(v, "monitorType"), *path = json_str(v, "path");
    const char *interval = json_str(v, "samplingInterval");
    char *what AUTO_FREE = NULL, hash[SHA256_HEX];

    for (m->kind = 0; m->kind < KINDS; m->kind++)
        if (type && strcmp(kinds[m->kind].type, type) == 0)
            break;
    if (m->kind == KINDS)
        return false;
    m->path = m->kind == DISK && path ? path : "";
    m->interval = interval ? duration_parse(interval) / 1000000 : 0;
    what = xasprintf("%s %s", type, m->path);
    sha256_hex(what, strlen(what), hash);
    snprintf(m->key, sizeof m->key, "%.32s", hash);
    return true;
}

static int measure(const struct agent *a, const struct monitor *m, struct series *s, int64_t *low,
    struct err *e)
{
    switch (m->kind) {
    case CPU: return measure_cpu(s, low, e);
    case MEMORY: return measure_memory(low, e);
    case DISK: return measure_disk(a, m->path, low, e);
    case KINDS: break;
    }
    return 1;
}

/* Tells people what a monitor came to, when that is another thing than before. */
static void tell(const struct monitor *m, jv v, struct series *s, int64_t now, const struct err *e)
{
    jv rules AUTO_JV = json_get(v, "alertRules"), rule AUTO_JV = jv_invalid();
    const char *gap = *m->path ? " " : "", *type = kinds[m->kind].type;
    int i;
    enum load load = monitor_decide(s, rules, now, &i);

    if (load == s->said)
        return;
    if (i >= 0) {
        rule = jv_array_get(jv_copy(rules), i);
        log_warn("%s%s%s: %s: above %g%% for %s: %s", type, gap, m->path, loads[load],
            jv_number_value(json_get(rule, "percentage")), json_str(rule, "duration"),
            json_str(rule, "description"));
    } else if (load == LOAD_ERROR)
        log_warn("%s%s%s: cannot be measured: %s", type, gap, m->path, e->msg);
    else if (s->said > LOAD_HEALTHY)
        log_info("%s%s%s: %s again", type, gap, m->path, loads[load]);
    s->said = load;
}

/* Brings a series up to this time, if its turn has come. A little early is in time: timers are not
 * exact. */
static bool sample(const struct agent *a, const struct monitor *m, jv v, struct series *s,
    int64_t now)
{
    int64_t low = 0, gap = 2 * m->interval > SAMPLE_GAP ? 2 * m->interval : SAMPLE_GAP;
    struct err e = {0};
    int rc;

    if (s->last && now >= s->last && (now == s->last || now - s->last < m->interval * 9 / 10))
        return false;
    rc = measure(a, m, s, &low, &e);
    if (rc == 0) /* ticks count all of the time since the last sample, the others a moment */
        monitor_note(s, now, low, m->kind == CPU ? INT64_MAX : gap);
    else {
        s->used = 0;
        s->failed = rc < 0;
        s->last = now;
    }
    tell(m, v, s, now, &e);
    return true;
}

void monitor_sample(const struct agent *a, jv monitors)
{
    struct samples was, is = {0};
    int i, n = jv_get_kind(monitors) == JV_KIND_ARRAY ? jv_array_length(jv_copy(monitors)) : 0;
    int64_t now = uptime_s();
    bool changed = false;

    if (!n || a->run_fd < 0)
        return;
    load_samples(a, &was);
    is.series = xcalloc(SERIES_MAX, sizeof *is.series);
    for (i = 0; i < n && is.n < SERIES_MAX; i++) {
        jv v AUTO_JV = jv_array_get(jv_copy(monitors), i);
        struct series *s = &is.series[is.n];
        const struct series *old;
        struct monitor m;

        if (!monitor_read(v, &m))
            continue;
        old = find(&was, m.key);
        if (old)
            *s = *old;
        memcpy(s->key, m.key, sizeof m.key);
        is.n++;
        changed |= sample(a, &m, v, s, now);
    }
    if (changed || is.n != was.n)
        store_samples(a, &is);
    free(was.series);
    free(is.series);
}

jv monitor_status(const struct agent *a, jv monitors)
{
    enum load load[KINDS] = {LOAD_UNKNOWN, LOAD_UNKNOWN, LOAD_UNKNOWN};
    int i, n = jv_get_kind(monitors) == JV_KIND_ARRAY ? jv_array_length(jv_copy(monitors)) : 0;
    struct samples s = {0};
    jv o = jv_object();

    if (n)
        load_samples(a, &s);
    for (i = 0; i < n; i++) {
        jv v AUTO_JV = jv_array_get(jv_copy(monitors), i);
        jv rules AUTO_JV = json_get(v, "alertRules");
        const struct series *series;
        struct monitor m;
        enum load l = LOAD_UNKNOWN;

        if (!monitor_read(v, &m))
            continue;
        series = find(&s, m.key);
        if (series)
            l = monitor_decide(series, rules, uptime_s(), NULL);
        else if (i >= SERIES_MAX)
            l = LOAD_ERROR; /* there are too many */
        if (l > load[m.kind])
            load[m.kind] = l;
    }
    for (i = 0; i < KINDS; i++)
        json_sets(&o, kinds[i].member, loads[load[i]]);
    free(s.series);
    return o;
}
