/* SPDX-License-Identifier: Apache-2.0 */
#include "watch.h"

#include <string.h>

#include "base/log.h"
#include "place.h"

static bool cached(const struct agent *a, const char *hash, jv *out)
{
    struct buf b AUTO_BUF = BUF_INIT;
    const char *of;

    *out = jv_invalid();
    if (a->run_fd < 0 ||
        place_read(a->run_fd, WATCH_CACHE, WATCH_CACHE, SPEC_MAX, &b, NULL) < 0 ||
        json_parse(b.p ? b.p : "", b.len, out, NULL) < 0)
        return false;
    of = json_str(*out, "sha256");
    if (of && strcmp(of, hash) == 0)
        return true;
    jv_free(*out);
    return false;
}

static void take(jv *out, const char *key, jv doc, const char *path)
{
    jv part = json_at(doc, path);

    if (jv_get_kind(part) == JV_KIND_ARRAY && json_nonempty(part))
        json_set(out, key, part);
    else
        jv_free(part);
}

jv watch_load(const struct agent *a, const struct state *st)
{
    struct buf b AUTO_BUF = BUF_INIT;
    jv doc AUTO_JV = jv_invalid(), out;
    struct err e = {0};

    if (!st->current.number || !st->current.hash[0] || a->data_fd < 0)
        return jv_object();
    if (cached(a, st->current.hash, &out))
        return out;
    out = jv_object();
    if (state_doc(a->data_fd, "current.json", &st->current, &doc, &e) < 0) {
        log_debug("%s", e.msg);
        return out;
    }
    json_sets(&out, "sha256", st->current.hash);
    take(&out, "resources", doc, "spec.resources");
    take(&out, "patterns", doc, "spec.systemd.matchPatterns");
    json_canon(&b, out);
    if (!a->dry && a->run_fd >= 0 &&
        place_write(a->run_fd, WATCH_CACHE, b.p, b.len, 0600, PLACE_FAST, &e) < 0)
        log_err(&e);
    return out;
}
