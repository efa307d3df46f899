/* SPDX-License-Identifier: Apache-2.0 */
#include "health.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/mem.h"
#include "base/print.h"
#include "deadline.h"
#include "place.h"
#include "show.h"
#include "state.h"
#include "sysinfo.h"
#include "tool.h"
#include "txn.h"

enum {
    PROGRAM_TIMEOUT = 60,   /* s for each program of health.d */
    PROGRAMS_MAX = 64,
    PROGRAM_OUT = 64 << 10, /* bytes of what it says that are kept, for its last line */
    TIMER_TIMEOUT = 30,     /* s for systemctl */
    LOOK_AGAIN = 1,         /* s, while it may get well */
};

/* The one in /etc counts. */
static const char *const dirs[] = {"/etc/flightctl/health.d", "/usr/lib/flightctl/health.d"};

/* --- programs ------------------------------------------------------------------------------- */

struct program {
    char *name;
    size_t dir;
    enum { RUNS, HIDES, OPEN, ODD } is; /* HIDES: not executable, and so not the one of /usr either;
                                           OPEN: others can have put it there; ODD: a link or so */
};

struct programs {
    struct program p[PROGRAMS_MAX];
    size_t n;
};

static void programs_free(struct programs *all)
{
    while (all->n)
        free(all->p[--all->n].name);
}

static bool has(const struct programs *all, const char *name)
{
    size_t i;

    for (i = 0; i < all->n; i++)
        if (strcmp(all->p[i].name, name) == 0)
            return true;
    return false;
}

static int by_name(const void *a, const void *b)
{
    return strcmp(((const struct program *)a)->name, ((const struct program *)b)->name);
}

static void list_dir(const struct agent *a, size_t d, struct programs *all)
{
    int fd = place_open(a->root_fd, dirs[d], O_RDONLY | O_DIRECTORY, 0);
    struct stat folder, st;
    struct dirent *ent;
    DIR *dir;

    if (fd < 0)
        return;
    dir = fdopendir(fd);
    if (!dir || fstat(fd, &folder) < 0) {
        close(fd);
        return;
    }
    while ((ent = readdir(dir)) && all->n < PROGRAMS_MAX) {
        if (*ent->d_name == '.' || has(all, ent->d_name) ||
            fstatat(fd, ent->d_name, &st, AT_SYMLINK_NOFOLLOW) < 0 || S_ISDIR(st.st_mode))
            continue;
        all->p[all->n++] = (struct program){xstrdup(ent->d_name), d, !S_ISREG(st.st_mode) ? ODD :
            !(st.st_mode & 0111) ? HIDES : place_is_ours(&folder) && place_is_ours(&st) ? RUNS :
            OPEN};
    }
    closedir(dir);
}

/* In the order of their names. */
static void programs_list(const struct agent *a, struct programs *all)
{
    size_t d;

    all->n = 0;
    for (d = 0; d < LEN(dirs); d++)
        list_dir(a, d, all);
    qsort(all->p, all->n, sizeof all->p[0], by_name);
}

static int program_run(const struct agent *a, const struct program *p, struct err *e)
{
    char *path AUTO_FREE = xasprintf("%s/%s", dirs[p->dir], p->name);
    const char *const argv[] = {path, NULL};
    const struct tool t = {.argv = argv, .timeout = PROGRAM_TIMEOUT, .out_max = PROGRAM_OUT};

    if (p->is == OPEN)
        return err_set(e, FC_DENIED, "%s: file or folder can be written by others than root", path);
    if (p->is == ODD)
        return err_set(e, FC_DENIED, "%s: is not a plain file, and so is not run", path);
    return p->is == HIDES ? 0 : tool_run(a, &t, NULL, e);
}

/* --- the controller: an update that makes the device unwell is taken back ------------------- */

static int health_plan(const struct agent *a, jv spec, struct plan *p, struct err *e)
{
    (void)a;
    (void)spec;
    (void)p;
    (void)e;
    return 0;
}

static int health_check(const struct agent *a, jv spec, struct err *e)
{
    struct programs all;
    size_t i;
    int rc = 0;

    (void)spec;
    programs_list(a, &all);
    for (i = 0; rc == 0 && i < all.n; i++)
        rc = program_run(a, &all.p[i], e);
    programs_free(&all);
    return rc < 0 ? err_wrap(e, "health") : 0;
}

const struct controller health_controller = {
    .name = "health",
    .plan = health_plan,
    .check = health_check,
};

/* --- the command ---------------------------------------------------------------------------- */

static const struct column columns[] = {
    {"CHECK", "check", COL_TEXT, false},
    {"HEALTH", "status", COL_STATE, false},
    {"MESSAGE", "message", COL_TEXT, false},
    {0},
};

/* status: Healthy, Error; Unknown: does not apply, and counts for nothing. */
static jv result(const char *check, const char *status, const char *message)
{
    jv o = jv_object();

    json_sets(&o, "check", check);
    json_sets(&o, "status", status);
    json_sets(&o, "message", message);
    return o;
}

/* A server that is away is no illness of the device. */
static jv last_run(const struct agent *a)
{
    struct buf b AUTO_BUF = BUF_INIT;
    jv run AUTO_JV = jv_invalid();
    const char *message;
    int64_t code;

    if (a->run_fd < 0 || place_read(a->run_fd, LAST_RUN, LAST_RUN, STATE_MAX, &b, NULL) < 0 ||
        json_parse(b.p ? b.p : "", b.len, &run, NULL) < 0)
        return result("last-run", "Error", "no run since this boot");
    code = json_int(run, "exit", FC_FAIL);
    message = json_str(run, "message");
    return result("last-run", code == FC_OK || code == FC_AGAIN ? "Healthy" : "Error",
        message && *message ? message : code == FC_OK ? "succeeded" : "failed");
}

static jv identity(const struct agent *a)
{
    jv info AUTO_JV = jv_object();
    const char *text;
    char message[96];
    int64_t end;

    sysinfo_cert(a, &info);
    text = json_str(info, "managementCertNotAfter");
    if (!text || time_parse(text, &end) < 0)
        return result("identity", "Unknown", "the device is not enrolled");
    snprintf(message, sizeof message, "certificate %s %s", end < now_us() ? "expired at" :
        "is valid until", text);
    return result("identity", end < now_us() ? "Error" : "Healthy", message);
}

static jv timer(const struct agent *a)
{
    static const char *const argv[] = {"systemctl", "is-active", "fc-agent.timer", NULL};
    const struct tool t = {.argv = argv, .timeout = TIMER_TIMEOUT, .out_max = PROGRAM_OUT};
    struct err e = {0};

    if (tool_run(a, &t, NULL, &e) == 0)
        return result("timer", "Healthy", "active");
    if (e.code == FC_NOTFOUND)
        return result("timer", "Unknown", "there is no systemd here");
    return result("timer", "Error", e.msg);
}

/* All of them; *well: none has anything against it. The caller frees. */
static jv examine(const struct agent *a, bool *well)
{
    jv list = jv_array_append(jv_array_append(jv_array_append(jv_array(), last_run(a)),
        identity(a)), timer(a));
    struct programs all;
    size_t i;
    int n;

    programs_list(a, &all);
    for (i = 0; i < all.n; i++) {
        struct err e = {0};
        int rc = program_run(a, &all.p[i], &e);

        if (all.p[i].is == HIDES)
            continue;
        list = jv_array_append(list, result(all.p[i].name, rc < 0 ? "Error" : "Healthy",
            rc < 0 ? e.msg : ""));
    }
    programs_free(&all);
    *well = true;
    for (n = jv_array_length(jv_copy(list)) - 1; n >= 0; n--) {
        jv one AUTO_JV = jv_array_get(jv_copy(list), n);

        *well &= strcmp(json_str(one, "status"), "Error") != 0;
    }
    return list;
}

int agent_health(struct agent *a, struct err *e)
{
    const struct timespec again = {LOOK_AGAIN, 0};
    int64_t until;
    struct printer *out;
    jv list AUTO_JV = jv_invalid();
    int i, rc = 0;
    bool well;

    a->dry = true;
    if (agent_open(a, false, e) < 0)
        return -1;
    until = uptime_s() + a->wait;
    for (list = examine(a, &well); !well && uptime_s() < until; list = examine(a, &well)) {
        jv_free(list);
        nanosleep(&again, NULL);
    }
    if (printer_open(&out, stdout, a->format, a->filter, e) < 0)
        return -1;
    printer_columns(out, columns, NULL);
    for (i = 0; rc == 0 && i < jv_array_length(jv_copy(list)); i++) {
        jv one AUTO_JV = jv_array_get(jv_copy(list), i);

        rc = printer_put(out, json_str(one, "check"), one, e);
    }
    if (printer_close(out, rc < 0 ? NULL : e) < 0 || rc < 0)
        return -1;
    return well ? 0 : err_set(e, FC_FAIL, "this device is not well");
}
