/* SPDX-License-Identifier: Apache-2.0 */
/* The agent's side of devices: the poll and the status report; and what people read of them. */
#include <stdio.h>
#include <string.h>

#include "api/core.h"
#include "base/clock.h"
#include "base/text.h"
#include "fleet/patch.h"

enum { WAIT_DEFAULT = 120, WAIT_MAX = 230 }; /* s; agents give a poll up after 240 */

static int not_found(const struct call *c, struct err *e)
{
    return err_set(e, FC_NOTFOUND, "Device of name \"%s\" not found", c->arg[0]);
}

static int device_res(struct call *c, struct res *r, struct err *e)
{
    int rc = res_get(c->s, c->a, c->org, kind_by_id(KIND_DEVICE), c->arg[0], r, e);

    return rc < 0 ? -1 : rc ? 0 : not_found(c, e);
}

/* "Prefer: wait=N" (RFC 7240), in microseconds. */
static int64_t preferred_wait(const struct call *c)
{
    const char *p = http_header(c->q, "prefer"), *w = p ? strcasestr(p, "wait=") : NULL;
    int64_t s = WAIT_DEFAULT;
    char digits[8] = "";

    if (w) {
        snprintf(digits, sizeof digits, "%.*s", (int)strspn(w + 5, "0123456789"), w + 5);
        if (num_parse(digits, 0, WAIT_MAX, &s, "", NULL) < 0)
            s = WAIT_MAX;
    }
    return s * 1000000;
}

/* Sends the newest version that there is; what was sent is remembered once a version. */
static int serve_rendered(struct call *c, int64_t id, int64_t version, struct err *e)
{
    struct device d;
    struct res r;

    if (device_get(c->s, c->a, id, &d, e) != 1)
        return -1;
    if (c->id->who == WHO_DEVICE && d.fetched != version) {
        if (!c->writing)
            return WANTS_WRITE;
        if (device_fetched(c->s, id, version, e) < 0)
            return -1;
    }
    if (device_res(c, &r, e) < 0)
        return -1;
    return answer_resource(c, 200, &r, VIEW_RENDERED, e);
}

int get_rendered(struct call *c, struct err *e)
{
    const char *known;
    int64_t id, rendered, have = -1;
    int stale, rc;
    bool ahead;

    if (query_get(c, "knownRenderedVersion", &known, e) < 0)
        return -1;
    if (known && *known && num_parse(known, 0, INT64_MAX / 2, &have, "knownRenderedVersion", e) < 0)
        return -1;
    if (c->api->turns && !c->writing && db_hold(c->s->db, e) < 0)
        return -1;
    rc = device_poll(c->s, c->org, c->arg[0], &id, &rendered, &stale, e);
    if (rc <= 0)
        return rc < 0 ? -1 : not_found(c, e);
    /* A device that knows a newer version than the store (restored from a backup, say) would refuse
     * ours: what it should run is issued again above what it knows. */
    ahead = c->id->who == WHO_DEVICE && have > rendered;
    if (stale || ahead) { /* all sources of its spec are in the store: rendered on the spot */
        if (!c->writing)
            return WANTS_WRITE;
        if ((ahead && device_floor(c->s, id, have, e) < 0) ||
            render_device(c->s, c->a, id, c->now, &c->actor, e) < 0 ||
            device_poll(c->s, c->org, c->arg[0], &id, &rendered, &stale, e) != 1)
            return -1;
    }
    if (c->id->who == WHO_DEVICE)
        note_seen(c, id);
    if (rendered == 0)
        return err_set(e, FC_CONFLICT, "no rendered version of device \"%s\"", c->arg[0]);
    if (have != rendered)
        return serve_rendered(c, id, rendered, e);
    if (c->can_park && c->park && preferred_wait(c) > 0) {
        *c->park = (struct api_park){.device = id, .known = rendered, .wait = preferred_wait(c)};
        return WANTS_PARK;
    }
    c->r->status = 204;
    return HANDLED;
}

/* A report that is a valid document, counted. */
static int report(struct call *c, jv doc, struct err *e)
{
    const char *name = json_str(doc, "metadata.name");
    int64_t version;
    struct res r;

    if (!name || strcmp(name, c->arg[0]) != 0)
        return err_set(e, FC_INVALID, "API Error: metadata.name: is not the name in the path");
    if (!json_has(doc, "status"))
        return err_set(e, FC_INVALID, "API Error: status: is required");
    if (device_res(c, &r, e) < 0 || change_check_version(&r, doc, e) < 0)
        return -1;
    version = r.version;
    if (device_report(c->s, c->a, c->org, name, doc, &c->actor, e) < 0 ||
        device_res(c, &r, e) < 0)
        return -1;
    answer_result(c, change_name(r.version == version ? CHANGE_NONE : CHANGE_UPDATED));
    if (c->id->who == WHO_DEVICE)
        note_seen(c, r.id);
    return answer_resource(c, 200, &r, 0, e);
}

int put_device_status(struct call *c, struct err *e)
{
    return report(c, c->doc, e);
}

int patch_device_status(struct call *c, struct err *e)
{
    jv doc AUTO_JV = jv_invalid();
    struct buf now AUTO_BUF = BUF_INIT;
    struct res r;

    if (device_res(c, &r, e) < 0 || res_write(c->s, c->a, &r, c->now, 0, &now, e) < 0)
        return -1;
    doc = jv_parse_sized(now.p, (int)now.len);
    if ((body_is_merge_patch(c) ? json_merge : json_patch)(&doc, c->doc, e) < 0)
        return err_wrap(e, "API Error");
    return body_valid(c->kind, doc, VALIDATE_STATUS, e) < 0 ? -1 : report(c, doc, e);
}

int get_last_seen(struct call *c, struct err *e)
{
    struct device d;
    struct res r;
    char at[TIME_LEN];

    if (device_res(c, &r, e) < 0 || device_get(c->s, c->a, r.id, &d, e) != 1)
        return -1;
    if (!d.last_seen) {
        c->r->status = 204;
        return HANDLED;
    }
    time_format(d.last_seen, at);
    c->r->status = 200;
    buf_printf(&c->r->body, "{\"lastSeen\":\"%s\"}", at);
    return HANDLED;
}
