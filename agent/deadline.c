/* SPDX-License-Identifier: Apache-2.0 */
#include "deadline.h"

#include <signal.h>
#include <time.h>
#include <unistd.h>

int64_t uptime_s(void)
{
    struct timespec ts;

    clock_gettime(CLOCK_BOOTTIME, &ts);
    return ts.tv_sec;
}

static void over(int signal)
{
    static const char text[] = "fc-agent: the run took too long and is given up; the next one "
        "undoes what it was about\n";

    (void)signal;
    if (write(STDERR_FILENO, text, sizeof text - 1) < 0)
        _exit(FC_FAIL);
    _exit(FC_AGAIN);
}

void deadline_start(struct agent *a, int soft)
{
    a->deadline = uptime_s() + soft;
    signal(SIGALRM, over);
    deadline_resume(a);
}

int deadline_check(const struct agent *a, struct err *e)
{
    return a->deadline && uptime_s() >= a->deadline ?
        err_set(e, FC_AGAIN, "the run's time is over: a later one goes on") : 0;
}

int deadline_left(const struct agent *a, int max)
{
    int64_t left = a->deadline ? a->deadline - uptime_s() : max;

    return left < 1 ? 1 : left > max ? max : (int)left;
}

void deadline_hold(void)
{
    alarm(0);
}

void deadline_resume(const struct agent *a)
{
    if (a->deadline)
        alarm((unsigned)deadline_left(a, RUN_MAX) + RUN_HARD);
}
