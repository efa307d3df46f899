/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Loaded into a program (LD_PRELOAD) this tries what a taken-over process would: on SIGUSR1, and when
 * the program ends. It writes a line for each attempt to the file that PROBE names, which is opened
 * while everything may still be opened, or to standard error ("-"), which stays open whatever happens.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

static int out = -1;
static const char *own; /* a file that the program may read */

static void say(const char *what, long rc)
{
    dprintf(out, "%s %s\n", what, rc < 0 ? strerrorname_np(errno) : "ok");
    if (rc > 2)
        close((int)rc);
}

static void attempt(int sig)
{
    char *const argv[] = {(char *)"true", NULL};
    int kept = errno;
    void *p;

    (void)sig;
    say("read-foreign", open("/etc/shadow", O_RDONLY));
    say("read-root", open("/", O_RDONLY | O_DIRECTORY));
    say("make-foreign", open("/tmp/fc-probe", O_WRONLY | O_CREAT, 0600));
    say("read-own", own ? open(own, O_RDONLY) : -1);
    say("exec", syscall(SYS_execve, "/bin/true", argv, argv));
    say("fork", syscall(SYS_vfork)); /* would return twice */
    say("packets", socket(AF_PACKET, SOCK_RAW, 0));
    say("listen", listen(-1, 1));
    say("mount", syscall(SYS_mount, "none", "/mnt", "tmpfs", 0, NULL));
    say("bpf", syscall(SYS_bpf, 0, NULL, 0));
    p = mmap(NULL, 4096, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    say("code", p == MAP_FAILED ? -1 : 0);
    say("end", 0);
    errno = kept;
}

__attribute__((constructor)) static void load(void)
{
    const char *file = getenv("PROBE");

    own = getenv("PROBE_OWN");
    out = file && strcmp(file, "-") == 0 ? 2 : file ? open(file, O_WRONLY | O_CREAT | O_APPEND, 0600) : -1;
    if (out >= 0)
        signal(SIGUSR1, attempt);
}

__attribute__((destructor)) static void unload(void)
{
    if (out >= 0 && getenv("PROBE_END"))
        attempt(0);
}
