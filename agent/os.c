/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The controller of the OS image, by bootc(8): an image is staged next to the one that runs, the
 * next boot runs it, and what the machine booted into says whether that went well; greenboot, or
 * the boot loader, may have gone back meanwhile. A step of the journal: "do" is "switch" to the
 * image "path", "from" what ran, "reboot" true.
 */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "base/mem.h"
#include "deadline.h"
#include "place.h"
#include "progress.h"
#include "reboot.h"
#include "tool.h"
#include "txn.h"

#define OS_FAILED "OSUpdateFailed: "
#define SEEN "os.json" /* in the run folder: what bootc said in this boot */

enum {
    LOOK_TIMEOUT = 60,      /* s for bootc to say what there is */
    HELP_TIMEOUT = 60,      /* s for bootc to say what it knows */
    SWITCH_TIMEOUT = 3600,  /* s to download an image, as far as the run has them */
    IMAGE_MAX = 1024,       /* bytes of a reference or digest */
};

static const char *const running = "status.booted.image.image.image";

/* --- what there is ------------------------------------------------------------------------ */

/* The document of `bootc status --json`; null where there is no bootc, or a system that it did not
 * install. */
static int look(const struct agent *a, jv *out, struct err *e)
{
    static const char *const argv[] = {"bootc", "status", "--json", NULL};
    struct tool t = {.argv = argv, .timeout = LOOK_TIMEOUT};
    struct buf b AUTO_BUF = BUF_INIT;
    const char *image;

    *out = jv_null();
    if (tool_run(a, &t, &b, e) < 0)
        return e->code == FC_NOTFOUND ? 0 : -1;
    jv_free(*out);
    if (json_parse(b.p ? b.p : "", b.len, out, e) < 0) {
        *out = jv_invalid();
        e->code = FC_FAIL;
        return err_wrap(e, "bootc status");
    }
    image = json_str(*out, running);
    if (!image || strlen(image) >= IMAGE_MAX) {
        jv_free(*out);
        *out = jv_null();
    }
    return 0;
}

/* What runs cannot change before the next boot, so bootc is asked once in each. */
static jv seen(const struct agent *a)
{
    struct buf b AUTO_BUF = BUF_INIT;
    jv o = jv_invalid(), status AUTO_JV = jv_invalid();
    char boot[BOOT_ID_LEN];
    const char *of;
    struct err e = {0};

    if (*a->root_path && geteuid() != 0) /* nobody else can start programs there */
        return jv_object();
    boot_id(boot);
    if (a->run_fd >= 0 && place_read(a->run_fd, SEEN, SEEN, STATE_MAX, &b, NULL) == 0 &&
        json_parse(b.p ? b.p : "", b.len, &o, NULL) == 0 && (of = json_str(o, "boot")) &&
        strcmp(of, boot) == 0)
        return o;
    jv_free(o);
    o = jv_object();
    if (look(a, &status, &e) < 0) {
        log_err(&e);
        return o;
    }
    json_sets(&o, "boot", boot);
    if (jv_get_kind(status) == JV_KIND_OBJECT) {
        json_sets(&o, "image", json_str(status, running));
        json_sets(&o, "digest", json_str(status, "status.booted.image.imageDigest"));
    }
    buf_reset(&b);
    json_canon(&b, o);
    if (!a->dry && a->run_fd >= 0 &&
        place_write(a->run_fd, SEEN, b.p, b.len, 0644, PLACE_FAST, &e) < 0)
        log_err(&e);
    return o;
}

static void os_status(const struct agent *a, jv *status)
{
    jv o AUTO_JV = seen(a), os = jv_object(), capabilities = jv_object();
    const char *image = json_str(o, "image"), *digest = json_str(o, "digest");

    json_sets(&os, "image", image ? image : "");
    json_sets(&os, "imageDigest", digest ? digest : "");
    json_set(status, "os", os);
    json_sets(&capabilities, "osMode", image ? "image" : "package");
    json_set(status, "capabilities", capabilities);
}

/* --- forth and back ----------------------------------------------------------------------- */

/* Is it what is "booted", "staged" or there for "rollback"? By its reference, or by the digest that
 * the reference ends with. */
static bool is(jv status, const char *which, const char *image)
{
    jv all AUTO_JV = json_get(status, "status"), entry AUTO_JV = json_get(all, which);
    const char *name = json_str(entry, "image.image.image"), *at = strchr(image, '@');
    const char *digest = json_str(entry, "image.imageDigest");

    return name && (strcmp(name, image) == 0 || (at && digest && strcmp(at + 1, digest) == 0));
}

/* What is staged for the next boot; NULL: nothing, or what is kept until it is to be booted. */
static const char *staged(jv status)
{
    return json_bool(status, "status.staged.downloadOnly", false) ? NULL :
        json_str(status, "status.staged.image.image.image");
}

/* Is that what the next boot runs as well? */
static bool stays(jv status)
{
    const char *now = json_str(status, running), *next = staged(status);

    return !json_bool(status, "status.rollbackQueued", false) && (!next || strcmp(next, now) == 0);
}

static bool refused(const char *image)
{
    return !*image || *image == '-' || strlen(image) >= IMAGE_MAX;
}

static int os_plan(const struct agent *a, jv spec, struct plan *p, struct err *e)
{
    const char *image = json_str(spec, "os.image");
    jv status AUTO_JV = jv_invalid();
    struct step *s;

    if (!image || !*image)
        return 0;
    if (refused(image))
        return err_set(e, FC_FAIL, OS_FAILED "spec.os.image: not the name of an image");
    if (look(a, &status, e) < 0)
        return err_wrap(e, OS_FAILED "spec.os.image");
    if (jv_get_kind(status) != JV_KIND_OBJECT)
        return err_set(e, FC_FAIL, OS_FAILED "spec.os.image: this system was not installed as an "
            "image: bootc cannot switch it to %s", image);
    if (is(status, "booted", image) && stays(status))
        return 0;
    s = plan_add(p, &os_controller, "switch", image);
    json_sets(&s->rec, "from", json_str(status, running));
    json_set(&s->rec, "reboot", jv_true());
    return 0;
}

static int stage(const struct agent *a, const char *image, int timeout, struct err *e)
{
    const char *const argv[] = {"bootc", "switch", "--retain", image, NULL};
    struct tool t = {.argv = argv, .timeout = timeout};

    return tool_run(a, &t, NULL, e);
}

static bool can_download(const struct agent *a)
{
    static const char *const argv[] = {"bootc", "switch", "--help", NULL};
    struct tool t = {.argv = argv, .timeout = HELP_TIMEOUT};
    struct buf b AUTO_BUF = BUF_INIT;
    struct err e = {0};

    return tool_run(a, &t, &b, &e) == 0 && b.len &&
        memmem(b.p, b.len, "--download-only", strlen("--download-only"));
}

/* Where there is an update window to wait for, the image comes before it opens, and is kept, for
 * this boot, without being what the next one runs. A bootc that cannot do so downloads it with the
 * switch. */
static int os_prefetch(const struct agent *a, jv spec, struct err *e)
{
    const char *image = json_str(spec, "os.image");
    const char *const argv[] = {"bootc", "switch", "--retain", "--download-only", image, NULL};
    struct tool t = {.argv = argv, .timeout = deadline_left(a, SWITCH_TIMEOUT)};
    jv status AUTO_JV = jv_invalid();
    char *text AUTO_FREE = NULL;

    if (a->force || !image || !json_str(spec, "updatePolicy.updateSchedule.at") || refused(image))
        return 0;
    if (look(a, &status, e) < 0)
        return err_wrap(e, OS_FAILED "spec.os.image");
    if (jv_get_kind(status) != JV_KIND_OBJECT || is(status, "booted", image) ||
        is(status, "staged", image) || !can_download(a))
        return 0;
    text = xasprintf("image %s is fetched", image);
    progress_say(a, "Preparing", text);
    if (tool_run(a, &t, NULL, e) == 0)
        return 0;
    if (e->code == FC_FAIL) /* the registry, or the way to it: another time it may come */
        e->code = FC_AGAIN;
    return err_wrap(e, "spec.os.image");
}

/* Stages it, after a download unless that is done: what can fail and takes long, and nothing that
 * runs is touched. */
static int os_prepare(const struct agent *a, struct step *s, struct err *e)
{
    static const char *const argv[] = {"bootc", "switch", "--from-downloaded", NULL};
    struct tool downloaded = {.argv = argv, .timeout = SWITCH_TIMEOUT};
    const char *image = json_str(s->rec, "path");
    jv status AUTO_JV = jv_invalid();
    int rc = look(a, &status, e);

    if (rc == 0 && is(status, "staged", image) && !staged(status))
        rc = tool_run(a, &downloaded, NULL, e);
    else if (rc == 0)
        rc = stage(a, image, deadline_left(a, SWITCH_TIMEOUT), e);
    return rc < 0 ? err_wrap(e, OS_FAILED "spec.os.image") : 0;
}

/* The boot does it. */
static int os_apply(const struct agent *a, struct step *s, struct err *e)
{
    (void)a;
    (void)s;
    (void)e;
    return 0;
}

/* What was staged becomes what is booted when the system goes down in order. When it does not, as
 * when the power is cut, the staged image is lost; an image that was booted and left is what can be
 * gone back to. */
static int os_booted(const struct agent *a, jv rec, struct err *e)
{
    const char *image = json_str(rec, "path"), *from = json_str(rec, "from"), *now;
    jv status AUTO_JV = jv_invalid();

    if (look(a, &status, e) < 0) {
        e->code = FC_FAIL;
        return err_wrap(e, OS_FAILED "spec.os.image");
    }
    if (image && is(status, "booted", image))
        return 0;
    if (image && from && is(status, "booted", from) && !is(status, "rollback", image))
        return err_set(e, FC_AGAIN, OS_FAILED "%s was lost between its staging and the boot",
            image);
    now = json_str(status, running);
    return err_set(e, FC_FAIL, OS_FAILED "%s was not booted into, or did not stay: %s runs",
        image ? image : "the image", now ? now : "another one");
}

/* The image that ran is to be what the next boot runs. If that is not this one, it takes a boot. */
static int os_undo(const struct agent *a, jv rec, struct err *e)
{
    static const char *const argv[] = {"bootc", "rollback", NULL};
    struct tool rollback = {.argv = argv, .timeout = SWITCH_TIMEOUT};
    const char *image = json_str(rec, "path"), *from = json_str(rec, "from"), *next;
    jv status AUTO_JV = jv_invalid();

    if (!image || !from)
        return err_set(e, FC_FAIL, "journal: a step without its images");
    if (look(a, &status, e) < 0)
        return -1;
    next = staged(status);
    if (is(status, "booted", from))
        return next && strcmp(next, from) != 0 ? stage(a, from, SWITCH_TIMEOUT, e) : 0;
    if (!next || strcmp(next, from) != 0) {
        if (is(status, "rollback", from) ? !json_bool(status, "status.rollbackQueued", false) &&
            tool_run(a, &rollback, NULL, e) < 0 : stage(a, from, SWITCH_TIMEOUT, e) < 0)
            return -1;
    }
    reboot_want();
    return 0;
}

static int os_finish(const struct agent *a, jv rec, struct err *e)
{
    (void)a;
    (void)rec;
    (void)e;
    return 0;
}

const struct controller os_controller = {
    .name = "os",
    .serves = "os",
    .phase = PHASE_OS,
    .plan = os_plan,
    .prefetch = os_prefetch,
    .prepare = os_prepare,
    .apply = os_apply,
    .booted = os_booted,
    .undo = os_undo,
    .finish = os_finish,
    .status = os_status,
};
