/* SPDX-License-Identifier: Apache-2.0 */
#include "base/confine.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/landlock.h>
#include <linux/seccomp.h>
#include <stdint.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/mem.h"

/* Rights that older headers do not name; the kernel is asked whether it knows them. */
#ifndef LANDLOCK_ACCESS_FS_REFER
#define LANDLOCK_ACCESS_FS_REFER (1ULL << 13)
#endif
#ifndef LANDLOCK_ACCESS_FS_TRUNCATE
#define LANDLOCK_ACCESS_FS_TRUNCATE (1ULL << 14)
#endif
#ifndef LANDLOCK_ACCESS_FS_IOCTL_DEV
#define LANDLOCK_ACCESS_FS_IOCTL_DEV (1ULL << 15)
#endif

enum { /* versions of the interface that brought those */
    ABI_REFER = 2,
    ABI_TRUNCATE = 3,
    ABI_IOCTL = 5,
};

static const uint64_t first = LANDLOCK_ACCESS_FS_EXECUTE | LANDLOCK_ACCESS_FS_WRITE_FILE |
    LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_READ_DIR | LANDLOCK_ACCESS_FS_REMOVE_DIR |
    LANDLOCK_ACCESS_FS_REMOVE_FILE | LANDLOCK_ACCESS_FS_MAKE_CHAR | LANDLOCK_ACCESS_FS_MAKE_DIR |
    LANDLOCK_ACCESS_FS_MAKE_REG | LANDLOCK_ACCESS_FS_MAKE_SOCK | LANDLOCK_ACCESS_FS_MAKE_FIFO |
    LANDLOCK_ACCESS_FS_MAKE_BLOCK | LANDLOCK_ACCESS_FS_MAKE_SYM;
static const uint64_t of_files = LANDLOCK_ACCESS_FS_EXECUTE | LANDLOCK_ACCESS_FS_WRITE_FILE |
    LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_TRUNCATE;

struct confine {
    int rules;       /* descriptor of the rule set; -1: the kernel has none */
    int why;         /* errno of that */
    uint64_t known;  /* rights that it knows */
};

/* Time and cryptography of the system, shared objects that a module loads. */
static const char *const system_paths[] = {
    "/lib", "/lib32", "/lib64", "/usr/lib", "/usr/lib32", "/usr/lib64", "/usr/local/lib",
    "/etc/ld.so.cache", "/etc/localtime", "/etc/ssl", "/etc/pki", "/etc/crypto-policies",
    "/usr/share/zoneinfo", "/dev/random", "/dev/urandom",
};
/* Names of hosts and services, certificates of the system, and what a connection is encrypted with. */
static const char *const network_paths[] = {
    "/etc/hosts", "/etc/host.conf", "/etc/resolv.conf", "/etc/nsswitch.conf", "/etc/gai.conf",
    "/etc/services", "/etc/protocols", "/etc/ca-certificates", "/usr/share/ca-certificates",
    "/usr/local/share/ca-certificates", "/usr/share/pki", "/etc/krb5.conf", "/etc/krb5.conf.d",
    "/run/systemd/resolve", "/run/resolvconf", "/run/NetworkManager", "/run/nscd",
};

static uint64_t known_rights(long abi)
{
    return first | (abi >= ABI_REFER ? LANDLOCK_ACCESS_FS_REFER : 0) |
        (abi >= ABI_TRUNCATE ? LANDLOCK_ACCESS_FS_TRUNCATE : 0) |
        (abi >= ABI_IOCTL ? LANDLOCK_ACCESS_FS_IOCTL_DEV : 0);
}

#ifdef __SANITIZE_ADDRESS__
/* A sanitizer looks at its own process, and writes what it finds to log_path. */
static void sanitizer_paths(struct confine *c)
{
    const char *options = getenv("ASAN_OPTIONS"), *log = options ? strstr(options, "log_path=") :
        NULL;

    confine_path(c, "/proc/self", CONFINE_READ);
    confine_path(c, "/sys/devices/system/cpu", CONFINE_READ);
    if (log) {
        char *path AUTO_FREE = xstrndup(log + 9, strcspn(log + 9, ":"));

        confine_folder(c, path, CONFINE_WRITE | CONFINE_MAKE);
    }
}
#endif

struct confine *confine_new(bool network)
{
    struct confine *c = xcalloc(1, sizeof *c);
    struct landlock_ruleset_attr attr = {0};
    long abi = syscall(SYS_landlock_create_ruleset, NULL, 0, LANDLOCK_CREATE_RULESET_VERSION);
    size_t i;

    attr.handled_access_fs = c->known = known_rights(abi);
    c->rules = abi < 1 ? -1 : (int)syscall(SYS_landlock_create_ruleset, &attr, sizeof attr, 0);
    c->why = c->rules < 0 ? errno : 0;
    for (i = 0; i < LEN(system_paths); i++)
        confine_path(c, system_paths[i], CONFINE_READ);
    for (i = 0; network && i < LEN(network_paths); i++)
        confine_path(c, network_paths[i], CONFINE_READ);
    confine_path(c, "/dev/null", CONFINE_READ | CONFINE_WRITE);
#ifdef __SANITIZE_ADDRESS__
    sanitizer_paths(c);
#endif
    return c;
}

void confine_free(struct confine *c)
{
    if (!c)
        return;
    if (c->rules >= 0)
        close(c->rules);
    free(c);
}

void confine_opened(struct confine *c, int fd, unsigned rights)
{
    struct landlock_path_beneath_attr rule = {.allowed_access = 0};
    struct stat st;

    if (c->rules < 0 || fstat(fd, &st) < 0)
        return;
    if (rights & CONFINE_READ)
        rule.allowed_access |= LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_READ_DIR;
    if (rights & CONFINE_WRITE)
        rule.allowed_access |= LANDLOCK_ACCESS_FS_WRITE_FILE | LANDLOCK_ACCESS_FS_TRUNCATE;
    if (rights & (CONFINE_REMOVE | CONFINE_MAKE))
        rule.allowed_access |= LANDLOCK_ACCESS_FS_REMOVE_FILE;
    if (rights & CONFINE_MAKE)
        rule.allowed_access |= LANDLOCK_ACCESS_FS_MAKE_REG | LANDLOCK_ACCESS_FS_MAKE_DIR |
            LANDLOCK_ACCESS_FS_REMOVE_DIR | LANDLOCK_ACCESS_FS_REFER;
    rule.allowed_access &= c->known & (S_ISDIR(st.st_mode) ? ~UINT64_C(0) : of_files);
    rule.parent_fd = fd;
    if (rule.allowed_access && syscall(SYS_landlock_add_rule, c->rules, LANDLOCK_RULE_PATH_BENEATH,
        &rule, 0) < 0)
        die("a rule for a path: %s", strerror(errno));
}

void confine_path(struct confine *c, const char *path, unsigned rights)
{
    int fd AUTO_CLOSE = c->rules >= 0 && path ? open(path, O_PATH | O_CLOEXEC) : -1;

    if (fd >= 0)
        confine_opened(c, fd, rights);
}

void confine_folder(struct confine *c, const char *file, unsigned rights)
{
    const char *slash = file ? strrchr(file, '/') : NULL;
    char *dir AUTO_FREE = slash ? xstrndup(file, slash == file ? 1 : (size_t)(slash - file)) :
        xstrdup(".");

    if (file)
        confine_path(c, dir, rights);
}

/* Appends what is missing and why. */
static void lacking(struct err *e, const char *what, const char *then, int why)
{
    char had[ERR_LEN];

    memcpy(had, e->msg, sizeof had);
    err_set(e, FC_FAIL, "%.300s%s%s: %s: %s", e->code ? had : "", e->code ? "; " : "", what,
        strerror(why), then);
}

void confine_enter(struct confine *c, struct err *lacks)
{
    struct sock_fprog calls = {confine_filter_len, (struct sock_filter *)(uintptr_t)confine_filter};
    int why = c->why;

    lacks->code = FC_OK;
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
        die("no new privileges: %s", strerror(errno)); /* every kernel since 3.5 can */
    if (c->rules >= 0)
        why = syscall(SYS_landlock_restrict_self, c->rules, 0) < 0 ? errno : 0;
    if (why)
        lacking(lacks, "Landlock", "all files of the account are in reach", why);
    confine_free(c);
    if (prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &calls, 0, 0) < 0)
        lacking(lacks, "seccomp", "system calls are not filtered", errno);
}
