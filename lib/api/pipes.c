/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Standard input and output that are pipes, as under ssh, as the one socket that TLS wants. A process
 * for each direction copies, so that neither waits for the other.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "api/transport.h"
#include "base/file.h"

enum { COPY_STEP = 16 << 10 };

static void copy(int from, int to)
{
    char b[COPY_STEP];
    ssize_t n;

    while ((n = read(from, b, sizeof b)) != 0)
        if ((n < 0 && errno != EINTR) || (n > 0 && fd_write(to, b, (size_t)n, "pipe", NULL) < 0))
            break;
    shutdown(to, SHUT_WR); /* of a pipe the exit is the end */
}

/* It ends with its parent, or it would wait for bytes that nobody wants. */
static pid_t copier(int from, int to, const int close_too[3])
{
    pid_t parent = getpid(), pid = fork();

    if (pid != 0)
        return pid;
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() == parent) {
        for (int i = 0; i < 3; i++)
            close(close_too[i]);
        copy(from, to);
    }
    _exit(0);
}

int pipes_open(struct pipes *p, int in, int out, struct err *e)
{
    int fd[2], written[2];
    pid_t reader, writer;

    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fd) < 0)
        return err_errno(e, "socketpair");
    if (pipe2(written, O_CLOEXEC) < 0) {
        err_errno(e, "pipe");
        close(fd[0]);
        close(fd[1]);
        return -1;
    }
    reader = copier(in, fd[1], (const int[3]){fd[0], written[0], written[1]});
    writer = reader < 0 ? -1 : copier(fd[1], out, (const int[3]){fd[0], written[0], in});
    if (writer < 0)
        err_errno(e, "fork");
    close(fd[1]);
    close(written[1]);
    p->fd = fd[0];
    p->written = written[0];
    if (writer > 0)
        return 0;
    pipes_close(p);
    return -1;
}

void pipes_close(struct pipes *p)
{
    char c;

    shutdown(p->fd, SHUT_RDWR); /* also of the copies that the loop made */
    close(p->fd);
    while (read(p->written, &c, 1) < 0 && errno == EINTR) /* its end: the last that holds it exits */
        ;
    close(p->written);
}
