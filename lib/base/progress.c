/* SPDX-License-Identifier: Apache-2.0 */
#include "base/progress.h"

#include <stdio.h>
#include <unistd.h>

void progress_show(struct progress_bar *p, const char *what, size_t done, size_t total)
{
    enum { WIDTH = 30 };
    char bar[WIDTH + 1];
    size_t full = total ? done * WIDTH / total : 0, i;

    if (!isatty(STDERR_FILENO))
        return;
    for (i = 0; i < WIDTH; i++)
        bar[i] = i < full ? '#' : '.';
    bar[WIDTH] = '\0';
    if (total)
        fprintf(stderr, "\r\033[K%s [%s] %zu of %zu", what, bar, done, total);
    else
        fprintf(stderr, "\r\033[K%s %zu", what, done);
    fflush(stderr);
    p->shown = true;
}

void progress_clear(struct progress_bar *p)
{
    if (!p->shown)
        return;
    fputs("\r\033[K", stderr);
    fflush(stderr);
    p->shown = false;
}
