/* SPDX-License-Identifier: Apache-2.0 */
#include "service/question.h"

#include <stdio.h>
#include <unistd.h>

void question_add(struct question *q, const struct kind *k, const char *name)
{
    if (q->n++ < QUESTION_NAMES)
        buf_printf(&q->names, "%s %s/%s", q->n > 1 ? "," : "", k->singular, name);
}

int question_ask(struct question *q, struct err *e)
{
    struct buf names AUTO_BUF = q->names;
    char answer[16];

    q->names = (struct buf)BUF_INIT;
    if (!isatty(STDIN_FILENO) || !isatty(STDERR_FILENO))
        return err_set(e, FC_USAGE, "nobody can be asked here: -y goes without a question");
    fprintf(stderr, "%s%s", q->verb, names.p ? names.p : "");
    if (q->n > QUESTION_NAMES)
        fprintf(stderr, " and %zu more", q->n - QUESTION_NAMES);
    fputs("? [y/N] ", stderr);
    if (!fgets(answer, sizeof answer, stdin) || (*answer != 'y' && *answer != 'Y'))
        return err_set(e, FC_FAIL, "%s", q->otherwise);
    return 0;
}
