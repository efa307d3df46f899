/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Run at build, this writes the filter of confine.c as C: the system calls of a process that serves
 * and asks over sockets, reads and writes files, has threads, and starts no program. Others do not
 * exist for it (ENOSYS, which libraries know how to go on from); those that would start one are
 * forbidden (EPERM). To make it takes libseccomp ten times as long as the kernel to take it, which a
 * process for a single request had to wait for.
 */
#include <asm/termbits.h>
#include <errno.h>
#include <linux/filter.h>
#include <sched.h>
#include <seccomp.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>

enum { FILTER_MAX = 4096 }; /* instructions: what the kernel takes */

#define LEN(a) (sizeof(a) / sizeof((a)[0]))

static const char *const allowed[] = {
    /* files; which ones is Landlock's to say */
    "access", "chmod", "close", "close_range", "dup", "dup2", "dup3", "faccessat", "faccessat2",
    "fadvise64", "fallocate", "fchmod", "fchmodat", "fchown", "fchownat", "fcntl", "fdatasync",
    "flock", "fstat", "fstatfs", "fsync", "ftruncate", "getcwd", "getdents64", "link", "linkat",
    "lseek", "lstat", "mkdir", "mkdirat", "newfstatat", "open", "openat", "pipe", "pipe2", "pread64",
    "preadv", "preadv2", "pwrite64", "pwritev", "pwritev2", "read", "readlink", "readlinkat",
    "readv", "rename", "renameat", "renameat2", "rmdir", "stat", "statfs", "statx",
    "sync_file_range", "truncate", "umask", "unlink", "unlinkat", "utimensat", "write", "writev",
    /* waiting */
    "epoll_create", "epoll_create1", "epoll_ctl", "epoll_pwait", "epoll_pwait2", "epoll_wait",
    "eventfd2", "inotify_add_watch", "inotify_init1", "inotify_rm_watch", "poll", "ppoll",
    "pselect6", "select", "signalfd4", "timerfd_create", "timerfd_gettime", "timerfd_settime",
    /* sockets; none that listens is made any more */
    "accept", "accept4", "bind", "connect", "getpeername", "getsockname", "getsockopt", "recvfrom",
    "recvmmsg", "recvmsg", "sendmmsg", "sendmsg", "sendto", "setsockopt", "shutdown", "socketpair",
    /* memory, threads, signals to itself, the end */
    "brk", "exit", "exit_group", "futex", "get_robust_list", "gettid", "madvise", "membarrier",
    "mlock", "mremap", "munlock", "munmap", "pause", "prctl", "restart_syscall", "rseq",
    "rt_sigaction", "rt_sigpending", "rt_sigprocmask", "rt_sigreturn", "rt_sigsuspend",
    "rt_sigtimedwait", "sched_getaffinity", "sched_yield", "set_robust_list", "set_tid_address",
    "sigaltstack", "sigreturn", "tgkill",
    /* time, and who and where it is */
    "alarm", "clock_getres", "clock_gettime", "clock_nanosleep", "getcpu", "getegid", "geteuid",
    "getgid", "getgroups", "getitimer", "getpgrp", "getpid", "getppid", "getrandom", "getresgid",
    "getresuid", "getrlimit", "getrusage", "gettimeofday", "getuid", "nanosleep", "setitimer",
    "sysinfo", "time", "times", "uname",
    /* 32-bit systems name some of these otherwise */
    "_llseek", "clock_gettime64", "clock_nanosleep_time64", "epoll_ctl_old", "fadvise64_64",
    "fcntl64", "fstat64", "fstatat64", "fstatfs64", "ftruncate64", "futex_time64", "getegid32",
    "geteuid32", "getgid32", "getgroups32", "getresgid32", "getresuid32", "getuid32", "lstat64",
    "ppoll_time64", "pselect6_time64", "recvmmsg_time64", "rt_sigtimedwait_time64", "stat64",
    "statfs64", "timerfd_gettime64", "timerfd_settime64", "truncate64", "ugetrlimit",
    "utimensat_time64",
#ifdef __SANITIZE_ADDRESS__
    /* a leak sanitizer stops its own threads by a process that traces them */
    "clone", "getdents", "kill", "mincore", "prlimit64", "ptrace", "waitid", "wait4",
#endif
};

static const char *const forbidden[] = {"execve", "execveat", "fork", "vfork"};

/* One call when an argument is as given; none is an error on systems that lack the call. */
struct condition {
    const char *call;
    struct scmp_arg_cmp arg;
};

#define IS(n, value) {n, SCMP_CMP_EQ, (scmp_datum_t)(value), 0}
#define BITS(n, mask, value) \
    {n, SCMP_CMP_MASKED_EQ, (scmp_datum_t)(mask), (scmp_datum_t)(value)}

static const struct condition conditions[] = {
    {"socket", IS(0, AF_UNIX)},
    {"socket", IS(0, AF_INET)},
    {"socket", IS(0, AF_INET6)},
    {"socket", IS(0, AF_NETLINK)}, /* which addresses there are, for names of hosts */
    {"clone", BITS(0, CLONE_THREAD, CLONE_THREAD)},
    /* memory is written or run, as what is loaded needs, never both, nor one after the other */
    {"mmap", BITS(2, PROT_WRITE | PROT_EXEC, 0)},
    {"mmap", BITS(2, PROT_WRITE | PROT_EXEC, PROT_WRITE)},
    {"mmap", BITS(2, PROT_WRITE | PROT_EXEC, PROT_EXEC)},
    {"mmap2", BITS(2, PROT_WRITE | PROT_EXEC, 0)},
    {"mmap2", BITS(2, PROT_WRITE | PROT_EXEC, PROT_WRITE)},
    {"mmap2", BITS(2, PROT_WRITE | PROT_EXEC, PROT_EXEC)},
    {"mprotect", BITS(2, PROT_EXEC, 0)},
    {"prlimit64", IS(2, 0)}, /* asks, sets none */
    {"ioctl", IS(1, FIONBIO)},
    {"ioctl", IS(1, FIONREAD)},
    {"ioctl", IS(1, TCGETS)}, /* isatty */
};

static int add(scmp_filter_ctx ctx, uint32_t action, const char *name, const struct condition *c)
{
    int nr = seccomp_syscall_resolve_name(name), rc;

    if (nr == __NR_SCMP_ERROR)
        return 0;
    rc = seccomp_rule_add_array(ctx, action, nr, c ? 1 : 0, c ? &c->arg : NULL);
    /* A call of other processors, or one that is allowed whatever its arguments. */
    return rc == -EDOM || rc == -EEXIST ? 0 : rc;
}

static int fill(scmp_filter_ctx ctx)
{
    int rc = seccomp_attr_set(ctx, SCMP_FLTATR_CTL_OPTIMIZE, 2); /* a tree, not a list */
    size_t i;

    for (i = 0; rc == 0 && i < LEN(allowed); i++)
        rc = add(ctx, SCMP_ACT_ALLOW, allowed[i], NULL);
    for (i = 0; rc == 0 && i < LEN(conditions); i++)
        rc = add(ctx, SCMP_ACT_ALLOW, conditions[i].call, &conditions[i]);
    for (i = 0; rc == 0 && i < LEN(forbidden); i++)
        rc = add(ctx, SCMP_ACT_ERRNO(EPERM), forbidden[i], NULL);
    return rc;
}

/* The filter's instructions by way of a file, which is all that the library writes to. */
static size_t export(scmp_filter_ctx ctx, struct sock_filter *out)
{
    FILE *f = tmpfile();
    size_t n = 0;

    if (f && seccomp_export_bpf(ctx, fileno(f)) == 0 && fseek(f, 0, SEEK_SET) == 0)
        n = fread(out, sizeof *out, FILTER_MAX, f);
    if (f)
        fclose(f);
    return n;
}

int main(void)
{
    static struct sock_filter filter[FILTER_MAX];
    scmp_filter_ctx ctx = seccomp_init(SCMP_ACT_ERRNO(ENOSYS));
    int rc = ctx ? fill(ctx) : -ENOMEM;
    size_t n = rc == 0 ? export(ctx, filter) : 0, i;

    seccomp_release(ctx);
    if (n == 0) {
        fprintf(stderr, "calls_gen: %s\n", strerror(rc ? -rc : errno));
        return 1;
    }
    puts("#include \"base/confine.h\"\n\nconst struct sock_filter confine_filter[] = {");
    for (i = 0; i < n; i++)
        printf("    {%u, %u, %u, %u},\n", filter[i].code, filter[i].jt, filter[i].jf, filter[i].k);
    printf("};\nconst unsigned short confine_filter_len = %zu;\n", n);
    return fflush(stdout) == 0 ? 0 : 1;
}
