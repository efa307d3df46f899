/* SPDX-License-Identifier: Apache-2.0 */
#include "sysinfo.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/log.h"
#include "base/mem.h"
#include "place.h"
#include "settings.h"

enum {
    INFO_MAX = 4 << 20, /* bytes of a file read: cpuinfo of hundreds of processors */
    VALUE_MAX = 1024,   /* bytes of a value reported */
    CACHE_MAX = 1 << 20,
    SOURCE_KEYS = 3,    /* members of one source, at most */
};

void sysinfo_set(jv *o, const char *key, const char *p, size_t n)
{
    while (n && (unsigned char)p[n - 1] <= ' ')
        n--;
    if (n && n <= VALUE_MAX && utf8_valid(p, n) && !memchr(p, '\0', n))
        json_set(o, key, jv_string_sized(p, (int)n));
}

bool sysinfo_read(const char *path, struct buf *b)
{
    buf_reset(b);
    return file_read(path, INFO_MAX, b, NULL) == 0 && b->len;
}

const char *sysinfo_line(const char *text, const char *name, char sep, size_t *n)
{
    size_t len = strlen(name);

    for (; text; text = strchr(text, '\n') ? strchr(text, '\n') + 1 : NULL) {
        const char *p = text + len;

        if (strncmp(text, name, len) != 0)
            continue;
        p += strspn(p, " \t");
        if (*p != sep)
            continue;
        p++;
        p += strspn(p, " \t");
        *n = strcspn(p, "\n");
        while (*n && (p[*n - 1] == ' ' || p[*n - 1] == '\t' || p[*n - 1] == '\r'))
            --*n;
        return p;
    }
    return NULL;
}

/* --- small sources ------------------------------------------------------------------------- */

/* A file of the root folder. */
static bool read_below(const struct agent *a, const char *path, struct buf *b)
{
    return place_read_path(a->root_fd, path, path, INFO_MAX, b, NULL) == 0 && b->len;
}

/* Another root has the name that its own file says, if there is one. */
static void host(const struct agent *a, jv *o)
{
    struct buf b AUTO_BUF = BUF_INIT;
    char name[256] = "";

    if (*a->root_path && read_below(a, "/etc/hostname", &b)) {
        sysinfo_set(o, "hostname", b.p, strcspn(b.p, "\n"));
        return;
    }
    if (gethostname(name, sizeof name - 1) == 0)
        sysinfo_set(o, "hostname", name, strlen(name));
}

static void kernel(const struct agent *a, jv *o)
{
    struct utsname u;

    (void)a;
    if (uname(&u) == 0)
        sysinfo_set(o, "kernel", u.release, strlen(u.release));
}

/* KEY=value or KEY="value" of os-release. */
static void set_release(jv *o, const char *key, const char *text, const char *name)
{
    size_t n;
    const char *p = sysinfo_line(text, name, '=', &n);

    if (p && n >= 2 && (*p == '"' || *p == '\'') && p[n - 1] == *p)
        sysinfo_set(o, key, p + 1, n - 2);
    else if (p)
        sysinfo_set(o, key, p, n);
}

static void distro(const struct agent *a, jv *o)
{
    struct buf b AUTO_BUF = BUF_INIT;

    if (!read_below(a, "/etc/os-release", &b) && !read_below(a, "/usr/lib/os-release", &b))
        return;
    set_release(o, "distroName", b.p, "NAME");
    set_release(o, "distroVersion", b.p, "VERSION_ID");
    set_release(o, "distroVersion", b.p, "VERSION"); /* says more, if it is there */
    set_release(o, "distroId", b.p, "ID");
}

static void boot(const struct agent *a, jv *o)
{
    struct buf b AUTO_BUF = BUF_INIT;
    char time[TIME_LEN];
    const char *p;
    size_t n;

    (void)a;
    if (!sysinfo_read("/proc/stat", &b))
        return;
    /* "btime 1714791721" */
    p = strstr(b.p, "\nbtime ");
    if (!p)
        return;
    n = strspn(p + 7, "0123456789");
    if (n && n < 12) {
        time_format((int64_t)strtoll(p + 7, NULL, 10) * 1000000, time);
        json_sets(o, "bootTime", time);
    }
}

/* --- which --------------------------------------------------------------------------------- */

struct source {
    const char *name;
    void (*add)(const struct agent *a, jv *o);
    bool fixed; /* the same until the next boot */
    const char *keys[SOURCE_KEYS];
};

static const struct source sources[] = {
    {"host", host, false, {"hostname"}},
    {"kernel", kernel, false, {"kernel"}},
    {"distro", distro, false, {"distroName", "distroVersion", "distroId"}},
    {"product", sysinfo_product, true, {"productName", "productSerial", "productUuid"}},
    {"bios", sysinfo_bios, true, {"biosVendor", "biosVersion"}},
    {"cpu", sysinfo_cpu, true, {"cpuCores", "cpuProcessors", "cpuModel"}},
    {"memory", sysinfo_memory, false, {"memoryTotalKb"}},
    {"gpu", sysinfo_gpu, true, {"gpu"}},
    {"network", sysinfo_network, false, {"netInterfaceDefault", "netIpDefault", "netMacDefault"}},
    {"boot", boot, true, {"bootTime"}},
    {"tpm", sysinfo_tpm, true, {"tpmVendorInfo"}},
    {"cert", sysinfo_cert, false, {"managementCertNotAfter", "managementCertSerial"}},
};

/* Always there, whatever is chosen. */
static const char *const always[] = {"architecture", "bootID", "operatingSystem", "agentVersion",
    "privilegeSplit"};

static const char *const defaults[] = {"hostname", "kernel", "distroName", "distroVersion",
    "productName", "productUuid", "productSerial", "netInterfaceDefault", "netIpDefault",
    "netMacDefault", "managementCertNotAfter", "managementCertSerial", "tpmVendorInfo"};

#define CUSTOM "customInfo."

static bool known(const char *key)
{
    size_t i, j;

    for (i = 0; i < LEN(always); i++)
        if (strcmp(always[i], key) == 0)
            return true;
    for (i = 0; i < LEN(sources); i++)
        for (j = 0; j < SOURCE_KEYS && sources[i].keys[j]; j++)
            if (strcmp(sources[i].keys[j], key) == 0)
                return true;
    return false;
}

/* Consumes item. */
static void add_once(jv *array, jv item)
{
    bool found = false;

    jv_array_foreach(*array, i, other)
        found |= jv_equal(jv_copy(item), other);
    if (found)
        jv_free(item);
    else
        *array = jv_array_append(*array, item);
}

/* Members of the object *keys (chosen names) and *custom (an array of names): what the settings
 * list, and what labels are made of. */
static void choose(const struct settings *s, jv *keys, jv *custom)
{
    size_t i;

    *keys = jv_object();
    *custom = jv_array();
    if (!s || !jv_is_valid(s->info))
        for (i = 0; i < LEN(defaults); i++)
            json_set(keys, defaults[i], jv_true());
    if (!s)
        return;
    if (jv_is_valid(s->info))
        jv_array_foreach(s->info, n, key) {
            if (!known(jv_string_value(key)))
                log_warn("system-info: %s: unknown, ignored", jv_string_value(key));
            *keys = jv_object_set(*keys, key, jv_true());
        }
    if (jv_is_valid(s->info_custom))
        jv_array_foreach(s->info_custom, n, name)
            add_once(custom, name);
    jv_object_foreach(s->info_labels, label, field) {
        const char *name = jv_string_value(field);

        if (strncmp(name, CUSTOM, strlen(CUSTOM)) == 0)
            add_once(custom, jv_string(name + strlen(CUSTOM)));
        else if (known(name))
            json_set(keys, name, jv_true());
        else
            log_warn("label-from-systeminfo: %s: unknown, ignored", name);
        jv_free(label);
        jv_free(field);
    }
}

/* --- the cache ----------------------------------------------------------------------------- */

static jv cache_load(const struct agent *a, const char *boot_id)
{
    struct buf b AUTO_BUF = BUF_INIT;
    jv v = jv_invalid();
    const char *s;

    if (a->run_fd >= 0 &&
        place_read(a->run_fd, SYSINFO_CACHE, SYSINFO_CACHE, CACHE_MAX, &b, NULL) == 0 &&
        json_parse(b.p ? b.p : "", b.len, &v, NULL) == 0 && (s = json_str(v, "boot")) &&
        strcmp(s, boot_id) == 0 && (s = json_str(v, "agent")) && strcmp(s, FC_VERSION) == 0)
        return v;
    jv_free(v);
    v = jv_object();
    json_sets(&v, "boot", boot_id);
    json_sets(&v, "agent", FC_VERSION);
    return v;
}

static void cache_store(const struct agent *a, jv cache)
{
    struct buf b AUTO_BUF = BUF_INIT;
    struct err e = {0};

    if (a->dry || a->run_fd < 0)
        return;
    json_canon(&b, cache);
    if (place_write(a->run_fd, SYSINFO_CACHE, b.p, b.len, 0600, PLACE_FAST, &e) < 0)
        log_err(&e);
}

static jv object_of(jv v, const char *key)
{
    jv o = json_get(v, key);

    if (jv_get_kind(o) == JV_KIND_OBJECT)
        return o;
    jv_free(o);
    return jv_object();
}

/* --- all ----------------------------------------------------------------------------------- */

/* Names of machines as the existing agent has them. */
static const char *architecture(const char *machine)
{
    static const char *const names[][2] = {
        {"x86_64", "amd64"}, {"aarch64", "arm64"}, {"armv6l", "arm"}, {"armv7l", "arm"},
        {"i386", "386"}, {"i586", "386"}, {"i686", "386"}, {"ppc64le", "ppc64le"},
        {"riscv64", "riscv64"}, {"s390x", "s390x"},
    };
    size_t i;

    for (i = 0; i < LEN(names); i++)
        if (strcmp(names[i][0], machine) == 0)
            return names[i][1];
    return machine;
}

/* Adds the members of a source that are in keys. *fixed: what the cache has. */
static void add_source(const struct agent *a, const struct source *src, jv keys, jv *fixed,
    bool *changed, jv *o)
{
    jv found AUTO_JV = jv_invalid();
    bool any = false;
    size_t i;

    for (i = 0; i < SOURCE_KEYS && src->keys[i]; i++)
        any |= json_has(keys, src->keys[i]);
    if (!any)
        return;
    if (src->fixed)
        found = json_get(*fixed, src->name);
    if (jv_get_kind(found) != JV_KIND_OBJECT) {
        jv_free(found);
        found = jv_object();
        src->add(a, &found);
        if (src->fixed) {
            json_set(fixed, src->name, jv_copy(found));
            *changed = true;
        }
    }
    for (i = 0; i < SOURCE_KEYS && src->keys[i]; i++)
        if (json_has(keys, src->keys[i]) && json_has(found, src->keys[i]))
            json_set(o, src->keys[i], json_get(found, src->keys[i]));
}

jv sysinfo_make(const struct agent *a)
{
    struct buf id AUTO_BUF = BUF_INIT;
    jv o = jv_object(), keys AUTO_JV = jv_invalid(), names AUTO_JV = jv_invalid();
    jv cache AUTO_JV = jv_invalid(), fixed = jv_invalid(), custom = jv_invalid(), said;
    bool changed = false;
    struct utsname u;
    size_t i;

    choose(a->settings, &keys, &names);
    json_sets(&o, "architecture", uname(&u) == 0 ? architecture(u.machine) : "");
    json_sets(&o, "bootID", "");
    json_sets(&o, "operatingSystem", "linux");
    json_sets(&o, "agentVersion", FC_VERSION);
    json_sets(&o, "privilegeSplit", a->split ? "on" : "off");
    if (sysinfo_read("/proc/sys/kernel/random/boot_id", &id))
        sysinfo_set(&o, "bootID", id.p, id.len);
    cache = cache_load(a, json_str(o, "bootID"));
    fixed = object_of(cache, "fixed");
    custom = object_of(cache, "custom");
    for (i = 0; i < LEN(sources); i++)
        add_source(a, &sources[i], keys, &fixed, &changed, &o);
    said = sysinfo_custom(a, names, &custom, &changed);
    if (json_nonempty(said))
        json_set(&o, "customInfo", said);
    else
        jv_free(said);
    json_set(&cache, "fixed", fixed);
    json_set(&cache, "custom", custom);
    if (changed)
        cache_store(a, cache);
    return o;
}
