/* SPDX-License-Identifier: Apache-2.0 */
/* A rendered device that somebody brings in a file: no server is asked. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/doc.h"
#include "base/log.h"
#include "base/mem.h"
#include "deadline.h"
#include "decommission.h"
#include "journal.h"
#include "place.h"
#include "reboot.h"
#include "show.h"
#include "spec.h"
#include "status.h"
#include "update.h"

struct brought {
    jv device;           /* without its status */
    struct buf text;     /* the same, canonical */
    char hash[SHA256_HEX];
    int64_t version;
};

/* As what a server sends it has to be a rendered device, this one, and valid. A device that nobody
 * named yet takes the document's name. */
static int read_brought(const char *file, struct state *st, struct brought *b, struct err *e)
{
    struct docs docs = {0};
    const char *name = NULL;
    int rc = docs_read(file, &docs, e);

    if (rc == 0 && docs.n != 1)
        rc = err_set(e, FC_INVALID, "%s: more than one document", docs.source);
    if (rc == 0) {
        b->device = jv_copy(docs.doc[0].v);
        json_del(&b->device, "status");
        name = st->device[0] ? st->device : json_str(b->device, "metadata.name");
        rc = spec_identify(b->device, name ? name : "", &b->version, e) < 0 ?
            err_wrap(e, "%s", docs.source) : spec_check(b->device, &docs, e);
    }
    docs_free(&docs);
    if (rc < 0)
        return -1;
    if (name != st->device)
        snprintf(st->device, sizeof st->device, "%s", name);
    json_canon(&b->text, b->device);
    sha256_hex(b->text.p, b->text.len, b->hash);
    return 0;
}

/* 0: it is to be applied; 1: it runs already. */
static int judge(const struct agent *a, const struct state *st, const struct brought *b,
    struct err *e)
{
    bool same = st->desired.number == b->version && strcmp(st->desired.hash, b->hash) == 0;

    if (same && st->current.number == b->version)
        return 1;
    if (a->force)
        return 0;
    if (b->version < st->desired.number)
        return err_set(e, FC_CONFLICT, "version %" PRId64 " is older than %" PRId64 ", which this "
            "device has received (--force applies it)", b->version, st->desired.number);
    if (b->version == st->desired.number && !same && st->desired.hash[0])
        return err_set(e, FC_CONFLICT, "version %" PRId64 " is not the one that this device has "
            "received (--force applies it)", b->version);
    if (b->version == st->failed)
        return err_set(e, FC_CONFLICT, "version %" PRId64 " failed before (--force tries it again)",
            b->version);
    return 0;
}

static int bring(struct run *r, struct brought *b, struct err *e)
{
    int rc = judge(r->a, &r->st, b, e);

    if (rc < 0)
        return -1;
    if (r->a->dry)
        return rc ? show_drift(r->a, &r->st, e) : show_plan(r->a, b->device, e);
    if (rc > 0) {
        log_info("version %" PRId64 " runs already", b->version);
        return run_drift(r, e);
    }
    if (r->st.failed == b->version)
        r->st.failed = 0;
    if (update_store(r->a, &r->st, b->version, b->hash, b->text.p, b->text.len, e) < 0)
        return -1;
    r->dirty = true;
    rc = run_update(r, b->device, e);
    if (reboot_wanted())
        return 0;
    return rc > 0 ? err_set(e, FC_AGAIN, "%s (--force does not wait)", r->st.outcome.message) : rc;
}

static int apply(struct run *r, const char *file, struct err *e)
{
    struct brought b = {.device = jv_invalid()};
    struct err store = {0};
    int rc;

    if (state_load(r->a, &r->st, e) < 0)
        return -1;
    if (!r->a->dry) {
        place_sweep(r->a->data_fd);
        pace_load(r->a, &r->pace);
        rc = update_recover(r->a, &r->st, &r->pace.reboot, e);
        if (rc < 0)
            return -1;
        run_boots(r, rc > 0);
        if (r->boots)
            return err_set(e, FC_AGAIN, "an update waits for the reboot");
    } else if (r->a->data_fd >= 0 && journal_exists(r->a->data_fd))
        log_info("an interrupted update would be finished or undone first");
    rc = decommission_found(r, e);
    if (rc)
        return rc < 0 ? -1 : err_set(e, FC_CONFLICT, "a decommissioned device takes no version");
    deadline_start(r->a, r->a->timeout ? r->a->timeout : r->settings.timeout);
    rc = read_brought(file, &r->st, &b, e);
    if (rc == 0)
        rc = bring(r, &b, e);
    jv_free(b.device);
    buf_free(&b.text);
    if (r->a->dry)
        return rc;
    if (r->leaving)
        return decommission_wipe(r, e);
    jv_free(status_sample(r->a, &r->st));
    if (r->dirty && state_store(r->a->data_fd, &r->st, rc < 0 ? &store : e) < 0) {
        if (rc < 0)
            log_err(&store);
        rc = -1;
    }
    return rc;
}

enum fc_code agent_apply(struct agent *a, const char *file, struct err *e)
{
    struct run r = {.a = a, .sock = -1, .alone = true, .kicked = true};
    int rc;

    if (agent_open(a, !a->dry, e) < 0)
        return e->code;
    rc = settings_load(a, SETTINGS_LOCAL, &r.settings, e);

    if (rc == 0 && a->run_fd >= 0 && !a->dry)
        rc = agent_lock(a, e);
    if (rc == 0) {
        a->settings = &r.settings;
        rc = apply(&r, file, e);
        if (!a->dry) {
            place_sweep(a->run_fd);
            rc = run_end(&r, rc, e);
        }
    }
    a->settings = NULL;
    settings_free(&r.settings);
    buf_free(&r.keep);
    return rc < 0 ? e->code : FC_OK;
}
