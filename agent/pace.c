/* SPDX-License-Identifier: Apache-2.0 */
#include "pace.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

#include "base/json.h"
#include "base/log.h"
#include "base/mem.h"
#include "deadline.h"
#include "place.h"
#include "reboot.h"

#define PACE "pace.json"
#define KICK "kick"

enum {
    DELAY_FIRST = 5,    /* s */
    DELAY_MAX = 300,    /* s */
    DELAY_ASKED = 3600, /* s that a server may ask for */
    PACE_MAX = 16 << 10 /* bytes of the file */
};

static void get(jv v, const char *key, struct backoff *b)
{
    jv o AUTO_JV = json_get(v, key);
    const char *message = json_str(o, "message");

    b->failures = json_int(o, "failures", 0);
    b->until = json_int(o, "until", 0);
    snprintf(b->message, sizeof b->message, "%s", message ? message : "");
}

static void put(jv *v, const char *key, const struct backoff *b)
{
    jv o;

    if (!b->failures)
        return;
    o = jv_object();
    json_seti(&o, "failures", b->failures);
    json_seti(&o, "until", b->until);
    json_sets(&o, "message", b->message);
    json_set(v, key, o);
}

/* Where /run outlives a boot, what was asked for in another one has come. */
static void get_reboot(jv v, struct backoff *b)
{
    const char *of = json_str(v, "reboot.boot");
    char now[BOOT_ID_LEN];

    if (!of)
        return;
    boot_id(now);
    if (strcmp(of, now) == 0)
        get(v, "reboot", b);
}

static void put_reboot(jv *v, const struct backoff *b)
{
    char now[BOOT_ID_LEN];
    jv o;

    if (!b->failures)
        return;
    put(v, "reboot", b);
    boot_id(now);
    o = json_get(*v, "reboot");
    json_sets(&o, "boot", now);
    json_set(v, "reboot", o);
}

void pace_load(const struct agent *a, struct pace *p)
{
    struct buf b AUTO_BUF = BUF_INIT;
    jv v AUTO_JV = jv_invalid();

    *p = (struct pace){0};
    if (a->run_fd < 0 || place_read(a->run_fd, PACE, PACE, PACE_MAX, &b, NULL) < 0 ||
        json_parse(b.p ? b.p : "", b.len, &v, NULL) < 0)
        return;
    get(v, "poll", &p->poll);
    get(v, "update", &p->update);
    get(v, "drift", &p->drift);
    get_reboot(v, &p->reboot);
    p->reported = json_int(v, "reported", 0);
}

void pace_store(const struct agent *a, struct pace *p)
{
    struct buf b AUTO_BUF = BUF_INIT;
    jv v AUTO_JV = jv_object();
    struct err e = {0};

    if (!p->dirty)
        return;
    put(&v, "poll", &p->poll);
    put(&v, "update", &p->update);
    put(&v, "drift", &p->drift);
    put_reboot(&v, &p->reboot);
    if (p->reported)
        json_seti(&v, "reported", p->reported);
    json_canon(&b, v);
    buf_addc(&b, '\n');
    if (place_write(a->run_fd, PACE, b.p, b.len, 0644, PLACE_FAST, &e) < 0)
        log_err(&e);
    p->dirty = false;
}

/* Times of an earlier boot, where /run outlives one, are too far away to be of this one. */
int64_t backoff_left(const struct backoff *b)
{
    int64_t left = b->failures ? b->until - uptime_s() : 0;

    return left > 0 && left <= DELAY_ASKED * 2 ? left : 0;
}

void pace_failed(struct pace *p, struct backoff *b, uint32_t after, const char *message)
{
    int64_t delay = DELAY_MAX;
    unsigned char chance;

    if (b->failures < 6)
        delay = (int64_t)DELAY_FIRST << b->failures;
    if (delay < after)
        delay = after < DELAY_ASKED ? after : DELAY_ASKED;
    if (getrandom(&chance, 1, 0) != 1)
        chance = 0;
    if (b->failures < INT32_MAX)
        b->failures++;
    b->until = uptime_s() + delay + (delay * chance + 5 * 256 - 1) / (5 * 256);
    snprintf(b->message, sizeof b->message, "%s", message);
    p->dirty = true;
}

void pace_went_well(struct pace *p, struct backoff *b)
{
    if (!b->failures)
        return;
    *b = (struct backoff){0};
    p->dirty = true;
}

bool pace_reboot_due(const struct pace *p)
{
    return p->reboot.failures < REBOOTS_MAX && !backoff_left(&p->reboot);
}

int agent_kick(struct agent *a, struct err *e)
{
    int fd;

    if (agent_open(a, false, e) < 0)
        return -1;
    if (a->run_fd < 0)
        a->run_fd = place_dir(a->root_fd, AGENT_RUN, true, 0755, e);
    if (a->run_fd < 0)
        return -1;
    fd = openat(a->run_fd, KICK, O_WRONLY | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0644);
    return fd < 0 || close(fd) < 0 ? err_errno(e, AGENT_RUN "/" KICK) : 0;
}

bool pace_kick_waits(const struct agent *a)
{
    return faccessat(a->run_fd, KICK, F_OK, AT_SYMLINK_NOFOLLOW) == 0;
}

bool pace_kicked(const struct agent *a)
{
    return unlinkat(a->run_fd, KICK, 0) == 0;
}

void pace_kick_spent(const struct agent *a)
{
    int root AUTO_CLOSE = place_root(a->root, NULL);
    int run AUTO_CLOSE = root < 0 ? -1 : place_open(root, AGENT_RUN, O_RDONLY | O_DIRECTORY, 0);

    if (run >= 0 && unlinkat(run, KICK, 0) < 0 && errno != ENOENT)
        log_debug(AGENT_RUN "/" KICK ": %s", strerror(errno));
}
