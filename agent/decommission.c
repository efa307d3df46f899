/* SPDX-License-Identifier: Apache-2.0 */
#include "decommission.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/log.h"
#include "base/mem.h"
#include "drift.h"
#include "place.h"
#include "reboot.h"
#include "txn.h"

enum { DEPTH_MAX = 16 }; /* folders in folders */

const char *decommission_target(jv device)
{
    return json_str(device, "spec.decommissioning.target");
}

/* --- the server's part -------------------------------------------------------------------- */

/* As often as it takes; a server that denies the device is not waited for. */
static int tell(struct run *r, const char *reason, const char *message, struct err *e)
{
    struct outcome *o = &r->st.leaving;

    if (strcmp(o->reason, reason) != 0) {
        snprintf(o->reason, sizeof o->reason, "%s", reason);
        snprintf(o->message, sizeof o->message, "%s", message);
        time_format(now_us(), o->time);
        if (state_store(r->a->data_fd, &r->st, e) < 0)
            return -1;
    }
    if (r->sock < 0 && !r->alone)
        return err_set(e, FC_AGAIN, "the server is to be told first that this device is "
            "decommissioned");
    if (run_report(r, e) == 0)
        return 0;
    if (e->code != FC_DENIED)
        return -1;
    log_err(e);
    return 0;
}

/* Nothing of what the agent brought stays. */
static int clear(const struct agent *a, struct state *st, struct err *e)
{
    struct plan p = {.after = jv_invalid()};
    jv spec AUTO_JV = jv_object();
    int rc = plan_make(a, spec, &p, e);

    if (rc == 0 && p.n)
        rc = drift_repair(a, st, &p, spec, e);
    plan_free(&p);
    return rc;
}

int decommission_tell(struct run *r, jv device, struct err *e)
{
    const char *target = decommission_target(device), *reason = "Completed";
    const char *message = "The device is decommissioned.";
    const struct outcome *o = &r->st.leaving;
    struct err why = {0};

    if (strcmp(o->reason, "Error") == 0) /* told before, but not heard */
        reason = o->reason;
    else if (strcmp(o->reason, "Completed") != 0) {
        log_info("this device is to be decommissioned (%s)", target);
        if (state_updating(&r->st.outcome))
            state_outcome(&r->st, "Canceled", "the update that waited is called off: the device is "
                "decommissioned");
        if (tell(r, "Started", "The device is being decommissioned.", e) < 0)
            return -1;
        if (strcmp(target, "FactoryReset") == 0 && clear(r->a, &r->st, &why) < 0) {
            log_err(&why);
            reason = "Error";
            message = why.msg;
        }
    }
    if (tell(r, reason, message, e) < 0)
        return -1;
    r->leaving = true;
    return 0;
}

/* --- the device's part -------------------------------------------------------------------- */

static int remove_all(int dir, const char *but, int depth, struct err *e)
{
    int fd = openat(dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *d = fd < 0 ? NULL : fdopendir(fd);
    struct dirent *ent;
    int rc = 0;

    if (!d) {
        if (fd >= 0)
            close(fd);
        return err_errno(e, "data folder");
    }
    while (rc == 0 && (ent = readdir(d))) {
        const char *name = ent->d_name;
        int sub AUTO_CLOSE = -1;

        if (strcmp(name, ".") == 0 || strcmp(name, "..") == 0 || (but && strcmp(name, but) == 0))
            continue;
        sub = openat(dir, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        if (sub >= 0 && depth < DEPTH_MAX)
            rc = remove_all(sub, NULL, depth + 1, e);
        if (rc == 0 && unlinkat(dir, name, sub >= 0 ? AT_REMOVEDIR : 0) < 0 && errno != ENOENT)
            rc = err_errno(e, "data folder: %s", name);
    }
    if (rc == 0 && fsync(fd) < 0)
        rc = err_errno(e, "data folder");
    closedir(d);
    return rc;
}

/* SHA-256 of the bootstrap certificate that is configured; "" when there is none to be had. */
static void bootstrap_hash(const struct agent *a, char out[SHA256_HEX])
{
    struct settings s;

    out[0] = '\0';
    if (settings_load(a, SETTINGS_BOOTSTRAP, &s, NULL) == 0)
        sha256_hex(s.cert.p, s.cert.len, out);
    settings_free(&s);
}

static int end(const struct agent *a, jv marker, struct err *e)
{
    const char *boot = json_str(marker, "boot");
    char now[BOOT_ID_LEN];

    if (remove_all(a->data_fd, DECOMMISSIONED, 0, e) < 0)
        return -1;
    boot_id(now);
    if (boot && strcmp(boot, now) == 0 && reboot_request(a, e) < 0)
        return err_wrap(e, "decommissioned, but not rebooted");
    return 0;
}

int decommission_wipe(struct run *r, struct err *e)
{
    struct buf text AUTO_BUF = BUF_INIT;
    char bootstrap[SHA256_HEX], boot[BOOT_ID_LEN], time[TIME_LEN];
    jv marker AUTO_JV = jv_object();

    bootstrap_hash(r->a, bootstrap);
    boot_id(boot);
    time_format(now_us(), time);
    json_sets(&marker, "bootstrap", bootstrap);
    json_sets(&marker, "boot", boot);
    json_sets(&marker, "time", time);
    json_canon(&text, marker);
    buf_addc(&text, '\n');
    if (place_write(r->a->data_fd, DECOMMISSIONED, text.p, text.len, 0600, PLACE_DURABLE, e) < 0)
        return -1;
    log_info("decommissioned: key, certificate and state are removed, and the device reboots");
    return end(r->a, marker, e);
}

int decommission_found(struct run *r, struct err *e)
{
    struct buf text AUTO_BUF = BUF_INIT;
    char bootstrap[SHA256_HEX];
    jv marker AUTO_JV = jv_invalid();
    const char *old, *time;

    if (r->a->data_fd < 0 ||
        place_read(r->a->data_fd, DECOMMISSIONED, DECOMMISSIONED, STATE_MAX, &text, e) < 0)
        return r->a->data_fd < 0 || e->code == FC_NOTFOUND ? 0 : -1;
    if (json_parse(text.p ? text.p : "", text.len, &marker, NULL) < 0)
        marker = jv_object();
    old = json_str(marker, "bootstrap");
    time = json_str(marker, "time");
    bootstrap_hash(r->a, bootstrap);
    if (bootstrap[0] && (!old || strcmp(old, bootstrap) != 0)) {
        log_info("decommissioned at %s, but there is another bootstrap certificate: asking for "
            "enrollment", time ? time : "some time");
        return r->a->dry ? 0 : remove_all(r->a->data_fd, NULL, 0, e);
    }
    log_info("this device was decommissioned at %s: another bootstrap certificate takes it to a "
        "server again", time ? time : "some time");
    return !r->a->dry && end(r->a, marker, e) < 0 ? -1 : 1;
}
