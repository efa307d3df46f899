/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <string.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "base/file.h"
#include "base/mem.h"
#include "place.h"
#include "status.h"

enum { INFO_MAX = 64 << 10, VALUE_MAX = 256 }; /* bytes of a file read, of a value reported */

/* Members are strings of the contract: printable UTF-8, no longer than useful. */
static void set(jv *o, const char *key, const char *p, size_t n)
{
    while (n && (p[n - 1] == '\n' || p[n - 1] == ' ' || p[n - 1] == '\r'))
        n--;
    if (n && n <= VALUE_MAX && utf8_valid(p, n) && !memchr(p, '\0', n))
        json_set(o, key, jv_string_sized(p, (int)n));
}

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

static bool read_info(int root, const char *path, struct buf *b)
{
    return place_read_path(root, path, path, INFO_MAX, b, NULL) == 0 && b->len;
}

/* KEY=value or KEY="value" of os-release. */
static void set_release(jv *o, const char *key, const char *text, const char *name)
{
    size_t n = strlen(name), len;

    for (; text; text = strchr(text, '\n') ? strchr(text, '\n') + 1 : NULL) {
        if (strncmp(text, name, n) != 0 || text[n] != '=')
            continue;
        text += n + 1;
        len = strcspn(text, "\n");
        if (len >= 2 && (*text == '"' || *text == '\'') && text[len - 1] == *text)
            set(o, key, text + 1, len - 2);
        else
            set(o, key, text, len);
        return;
    }
}

/* Another root has the name that its own file says, if there is one. */
static void set_hostname(const struct agent *a, jv *o)
{
    struct buf b AUTO_BUF = BUF_INIT;
    char name[256] = "";

    if (*a->root_path && read_info(a->root_fd, "/etc/hostname", &b)) {
        set(o, "hostname", b.p, strcspn(b.p, "\n"));
        return;
    }
    if (gethostname(name, sizeof name - 1) == 0)
        set(o, "hostname", name, strlen(name));
}

jv sysinfo_make(const struct agent *a)
{
    struct buf boot AUTO_BUF = BUF_INIT, release AUTO_BUF = BUF_INIT;
    jv o = jv_object();
    struct utsname u;

    json_sets(&o, "architecture", "");
    json_sets(&o, "bootID", "");
    json_sets(&o, "operatingSystem", "linux");
    json_sets(&o, "agentVersion", FC_VERSION);
    json_sets(&o, "privilegeSplit", a->split ? "on" : "off");
    if (uname(&u) == 0) {
        json_sets(&o, "architecture", architecture(u.machine));
        set(&o, "kernel", u.release, strlen(u.release));
    }
    if (file_read("/proc/sys/kernel/random/boot_id", INFO_MAX, &boot, NULL) == 0)
        set(&o, "bootID", boot.p, boot.len);
    set_hostname(a, &o);
    if (read_info(a->root_fd, "/etc/os-release", &release) ||
        read_info(a->root_fd, "/usr/lib/os-release", &release)) {
        set_release(&o, "distroName", release.p, "NAME");
        set_release(&o, "distroId", release.p, "ID");
        set_release(&o, "distroVersion", release.p, "VERSION_ID");
    }
    return o;
}
