/* SPDX-License-Identifier: Apache-2.0 */
/* The controller of applications: steps forth and back, and what comes behind them. */
#include "apps.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/log.h"
#include "base/mem.h"
#include "reboot.h"

enum { LOOK_MIN = 200, LOOK_MAX = 2000, STEADY = 1000 }; /* ms */

static bool does(jv rec, const char *what)
{
    const char *s = json_str(rec, "do");

    return s && strcmp(s, what) == 0;
}

bool apps_flag(const struct agent *a, const char *name)
{
    return a->run_fd >= 0 && faccessat(a->run_fd, name, F_OK, 0) == 0;
}

int apps_flag_set(const struct agent *a, const char *name, bool on, struct err *e)
{
    int fd;

    if (a->run_fd < 0)
        return 0;
    if (!on)
        return unlinkat(a->run_fd, name, 0) < 0 && errno != ENOENT ?
            err_errno(e, AGENT_RUN "/%s", name) : 0;
    fd = openat(a->run_fd, name, O_WRONLY | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (fd < 0)
        return err_errno(e, AGENT_RUN "/%s", name);
    return close(fd);
}

/* --- forth and back ------------------------------------------------------------------------- */

/* Until the first step is applied, taking steps back must not disturb what runs. In /run, since a
 * machine that was started anew has nothing that runs undisturbed. */
static int apps_prepare(const struct agent *a, struct step *s, struct err *e)
{
    (void)s;
    return apps_flag(a, APPS_UNTOUCHED) ? 0 : apps_flag_set(a, APPS_UNTOUCHED, true, e);
}

static int wrap(jv rec, struct err *e)
{
    return err_wrap(e, "application %s", json_str(rec, "path"));
}

static int apps_apply(const struct agent *a, struct step *s, struct err *e)
{
    jv app AUTO_JV = json_get(s->rec, "app");
    int rc = 0;

    if (apps_flag_set(a, APPS_UNTOUCHED, false, e) < 0)
        return -1;
    if (does(s->rec, "reload"))
        return json_bool(s->rec, "back", false) ? 0 : app_reload(a, s->rec, e);
    if (does(s->rec, "stop") || does(s->rec, "remove"))
        rc = app_down(a, app, does(s->rec, "remove"), e);
    else
        rc = does(s->rec, "start") ? app_up(a, app, e) : app_restart(a, app, e);
    return rc < 0 ? wrap(s->rec, e) : 0;
}

static int apps_undo(const struct agent *a, jv rec, struct err *e)
{
    jv app AUTO_JV = json_get(rec, "app");
    int rc;

    if (apps_flag(a, APPS_UNTOUCHED))
        return 0;
    if (does(rec, "reload"))
        return json_bool(rec, "back", false) ? app_reload(a, rec, e) : 0;
    if (does(rec, "start"))
        rc = app_down(a, app, true, e);
    else
        rc = json_bool(app, "run", true) ? app_up(a, app, e) : 0;
    return rc < 0 ? wrap(rec, e) : 0;
}

static int apps_finish(const struct agent *a, jv rec, struct err *e)
{
    (void)a;
    (void)rec;
    (void)e;
    return 0; /* nothing is left behind */
}

/* --- settle --------------------------------------------------------------------------------- */

static int apps_settle(const struct agent *a, jv after, struct err *e)
{
    jv defs AUTO_JV = jv_invalid(), images AUTO_JV = jv_invalid(), kept AUTO_JV = jv_invalid();
    const char *of;
    char boot[BOOT_ID_LEN];

    seen_forget(a);
    if (apps_flag_set(a, APPS_UNTOUCHED, false, e) < 0)
        return -1;
    if (!jv_is_valid(after))
        return 0;
    /* What was started in another boot does not run in this one. */
    boot_id(boot);
    of = json_str(after, "boot");
    defs = json_get(after, "apps");
    if (json_nonempty(defs) && of && strcmp(of, boot) == 0 &&
        apps_flag_set(a, APPS_STARTED, true, e) < 0)
        return -1;
    if (apps_store(a, after, e) < 0)
        return -1;
    packages_prune(a, defs);
    if (!app_limits(a).prune)
        return 0;
    images = apps_images(defs);
    kept = jv_copy(after);
    return images_prune(a, &kept, images) ? apps_store(a, kept, e) : 0;
}

/* --- check ---------------------------------------------------------------------------------- */

static int64_t clock_ms(void)
{
    struct timespec ts;

    clock_gettime(CLOCK_MONOTONIC, &ts);
    return (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

struct look {
    bool well, lost;   /* it runs, or will not any more */
    int64_t restarts;
};

static int look(const struct agent *a, jv def, struct look *l, struct err *e)
{
    struct app_seen s;
    int rc = seen_app(a, def, &s, e);

    seen_app_free(&s);
    if (rc < 0)
        return -1;
    l->restarts = s.restarts;
    l->well = s.total && !s.missing && s.running + s.done == s.total && !s.other &&
        !(json_has(def, "args") && (s.total != 1 || !s.running));
    l->lost = json_has(def, "start") && s.failed && !s.waiting;
    if (!l->well && s.failed)
        err_set(e, FC_FAIL, "does not run: %d of %d up, one ended with %d", s.running,
            s.total + s.missing, s.exit);
    else if (!l->well)
        err_set(e, FC_FAIL, "does not run: %d of %d up", s.running, s.total + s.missing);
    return 0;
}

/* Looks at all of them; restarts: how often each was, and is, restarted. An error begins with the
 * field of the first that does not run, or not steadily. */
static int look_all(const struct agent *a, jv spec, jv started, int64_t *restarts, bool *lost,
    struct err *e)
{
    int i, n = jv_array_length(jv_copy(started)), rc = 0;

    seen_forget(a);
    for (i = 0; i < n; i++) {
        jv one AUTO_JV = jv_array_get(jv_copy(started), i), def AUTO_JV = json_get(one, "def");
        char *where AUTO_FREE = apps_where(spec, (int)json_int(one, "at", 0));
        struct look l = {.restarts = restarts[i]};
        struct err why = {0};
        int seen = look(a, def, &l, &why);

        if (seen == 0 && l.well && l.restarts != restarts[i])
            seen = err_set(&why, FC_FAIL, "does not stay up: it was restarted %lld times",
                (long long)l.restarts);
        if ((seen < 0 || !l.well) && rc == 0) {
            *e = why;
            rc = err_wrap(e, "%s", where);
        }
        *lost |= l.lost;
        restarts[i] = l.restarts;
    }
    return rc;
}

/* What was started must run, and still a moment later, without having been restarted. */
static int wait_for(const struct agent *a, jv spec, jv started, struct err *e)
{
    int64_t *restarts AUTO_FREE = xcalloc((size_t)jv_array_length(jv_copy(started)),
        sizeof *restarts);
    int ready = app_limits(a).ready, pause = LOOK_MIN;
    int64_t end = clock_ms() + ready * INT64_C(1000), since = 0;
    bool lost = false;

    for (;;) {
        bool well = look_all(a, spec, started, restarts, &lost, e) == 0;
        int64_t now = clock_ms();
        struct timespec ts;

        since = !well ? 0 : since ? since : now;
        if (well && (ready == 0 || now - since >= STEADY))
            return 0;
        if (lost || (!well && now >= end))
            return -1;
        ts = (struct timespec){.tv_sec = pause / 1000, .tv_nsec = pause % 1000 * 1000000L};
        nanosleep(&ts, NULL);
        pause = well ? LOOK_MIN : pause * 2 < LOOK_MAX ? pause * 2 : LOOK_MAX;
    }
}

static int apps_check(const struct agent *a, jv spec, struct err *e)
{
    jv listed AUTO_JV = json_get(spec, "applications"), apps AUTO_JV = jv_invalid();
    jv registry AUTO_JV = jv_invalid(), before AUTO_JV = jv_invalid(), started AUTO_JV = jv_array();
    int i, n;

    if (!json_nonempty(listed))
        return 0;
    if (apps_read(a, spec, &apps, e) < 0 || apps_registry(a, &registry, e) < 0)
        return -1;
    before = json_get(registry, "apps");
    n = jv_array_length(jv_copy(apps));
    for (i = 0; i < n; i++) {
        jv app = jv_array_get(jv_copy(apps), i), def AUTO_JV = json_get(app, "def");
        jv old AUTO_JV = apps_find(before, json_str(def, "name"));

        if (json_bool(def, "run", true) && !(jv_is_valid(old) && apps_same(old, def, "hash") &&
            apps_same(old, def, "run") && apps_same(old, def, "restart"))) {
            json_seti(&app, "at", i);
            started = jv_array_append(started, app);
        } else
            jv_free(app);
    }
    return json_nonempty(started) ? wait_for(a, spec, started, e) : 0;
}

const struct controller apps_controller = {
    .name = "applications",
    .serves = "applications",
    .phase = PHASE_APPS,
    .plan = apps_plan,
    .drifted = apps_drifted,
    .prefetch = apps_prefetch,
    .prepare = apps_prepare,
    .apply = apps_apply,
    .undo = apps_undo,
    .finish = apps_finish,
    .settle = apps_settle,
    .check = apps_check,
    .status = apps_status,
};
