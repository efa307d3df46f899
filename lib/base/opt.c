/* SPDX-License-Identifier: Apache-2.0 */
#include "base/opt.h"

#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/text.h"

/* FC_VERSION comes from the build. */

enum {
    OPT_VERSION = 0x7f00,
    OPT_COMPLETION,
    OPTS_MAX = 64,   /* options of one command: a row of getopt's table each */
    HELP_WIDTH = 79, /* columns of the usage text */
    HELP_INDENT = 26,
};

const struct opt opt_common[] = {
    {'h', "help", NULL, NULL, "show this text"},
    {'v', "verbose", NULL, NULL, "say more on stderr; may be repeated"},
    {OPT_VERSION, "version", NULL, NULL, "show the version"},
    {OPT_COMPLETION, "completion", "SHELL", "bash|zsh|fish", "print the completion for a shell"},
    {0},
};

/* The tables that hold for a command line, the subcommand's first. */
struct tables {
    const struct opt *t[3];
};

static struct tables tables_of(const struct command *cmd, const struct sub *sub)
{
    static const struct opt none[] = {{0}};

    return (struct tables){{sub && sub->opts ? sub->opts : none, cmd->opts ? cmd->opts : none,
        opt_common}};
}

static const struct opt *find_opt(const struct tables *t, int id)
{
    size_t i;

    for (i = 0; i < LEN(t->t); i++)
        for (const struct opt *p = t->t[i]; p->id; p++)
            if (p->id == id)
                return p;
    return NULL;
}

/* --- usage text --------------------------------------------------------------------------- */

/* Text from column HELP_INDENT on, wrapped; `used` columns of the first line are taken. */
static void print_wrapped(size_t used, const char *text)
{
    size_t col;

    if (used + 2 > HELP_INDENT) {
        putchar('\n');
        used = 0;
    }
    printf("%*s", (int)(HELP_INDENT - used), "");
    for (col = HELP_INDENT; *text; ) {
        size_t n = strcspn(text, " ");

        if (col > HELP_INDENT && col + 1 + n > HELP_WIDTH) {
            printf("\n%*s", HELP_INDENT, "");
            col = HELP_INDENT;
        } else if (col > HELP_INDENT) {
            putchar(' ');
            col++;
        }
        fwrite(text, 1, n, stdout);
        col += n;
        text += n + (text[n] == ' ');
    }
    putchar('\n');
}

static void print_opts(const struct opt *p)
{
    for (; p->id; p++) {
        int n = p->id < 256 ? printf("  -%c", p->id) : printf("    ");

        if (p->name)
            n += printf("%s--%s", p->id < 256 ? ", " : "  ", p->name);
        if (p->arg)
            n += printf("%s%s", p->name ? "=" : " ", p->arg);
        print_wrapped((size_t)n, p->help);
    }
}

static void print_help(const struct command *cmd, const struct sub *sub)
{
    struct tables t = tables_of(cmd, sub);
    const char *args = sub ? sub->args : cmd->args;
    size_t i;

    if (cmd->subs && !sub) {
        printf("usage: %s COMMAND [option ...]\n%s\n\ncommands:\n", cmd->name, cmd->brief);
        for (const struct sub *s = cmd->subs; s->name; s++) {
            int n = printf("  %s%s%s", s->name, s->args ? " " : "", s->args ? s->args : "");

            print_wrapped((size_t)n, s->help);
        }
    } else
        printf("usage: %s%s%s [option ...]%s%s\n%s\n", cmd->name, sub ? " " : "",
            sub ? sub->name : "", args ? " " : "", args ? args : "", sub ? sub->help : cmd->brief);
    printf("\noptions:\n");
    for (i = 0; i < LEN(t.t); i++)
        print_opts(t.t[i]);
    printf("\nSee %s(%d); exit statuses are in fc(7).\n", cmd->name,
        cmd->section ? cmd->section : 1);
}

_Noreturn static void finish_stdout(void)
{
    if (fflush(stdout) || ferror(stdout)) {
        log_warn("standard output: %s", strerror(errno));
        exit(FC_FAIL);
    }
    exit(FC_OK);
}

_Noreturn void opt_usage(const struct opts *o, const char *fmt, ...)
{
    struct err e = {0};
    char what[ERR_LEN];
    va_list ap;

    va_start(ap, fmt);
    vsnprintf(what, sizeof what, fmt, ap);
    va_end(ap);
    err_set(&e, FC_USAGE, "%s", what);
    log_err(&e);
    log_info("'%s%s%s -h' shows how it is used", o->cmd->name, o->sub ? " " : "",
        o->sub ? o->sub->name : "");
    exit(FC_USAGE);
}

long long opt_num(const struct opts *o, long long min, long long max)
{
    char what[64];
    struct err e;
    int64_t n;

    if (o->opt->id < 256)
        snprintf(what, sizeof what, "-%c", o->opt->id);
    else
        snprintf(what, sizeof what, "--%s", o->opt->name);
    if (num_parse(o->arg, min, max, &n, what, &e) < 0)
        opt_usage(o, "%s", e.msg);
    return n;
}

int64_t opt_past(const struct opts *o)
{
    int64_t t;

    if (time_past(o->arg, now_us(), &t) < 0)
        opt_usage(o, "--%s: \"%s\" is no time of the past like 2026-05-04T03:02:01Z, 2026-05-04, "
            "yesterday or -2h", o->opt->name, o->arg);
    return t;
}

void opt_labels(const struct opts *o, jv *labels)
{
    char *list AUTO_FREE = xstrdup(o->arg), *rest = list, *key, *value;

    while ((value = key = strsep(&rest, ",")) != NULL) {
        strsep(&value, "=");
        if (!value)
            opt_usage(o, "--%s %s: KEY=VALUE is wanted", o->opt->name, o->arg);
        if (!is_label_key(key) || !is_label_value(value)) {
            log_warn("--%s %s=%s: is no label", o->opt->name, key, value);
            exit(FC_INVALID);
        }
        json_sets(labels, key, value);
    }
}

/* --- parsing ------------------------------------------------------------------------------ */

/* Next option id, 1 for an operand (in optarg), -1 at the end. Errors end the process. */
static int next(struct opts *o, int argc, char **argv)
{
    struct tables t = tables_of(o->cmd, o->sub);
    struct option longs[OPTS_MAX + 1] = {{0}};
    char shorts[2 * OPTS_MAX + 3] = "-:"; /* operands in order; a missing argument is ':' */
    size_t i, nlong = 0, nshort = 2;
    int id;

    for (i = 0; i < LEN(t.t); i++)
        for (const struct opt *p = t.t[i]; p->id; p++) {
            if (nlong == OPTS_MAX)
                die("%s has more than %d options", o->cmd->name, OPTS_MAX);
            if (p->name)
                longs[nlong++] = (struct option){p->name,
                    p->arg ? required_argument : no_argument, NULL, p->id};
            if (p->id < 256 && nshort + 2 < sizeof shorts) {
                shorts[nshort++] = (char)p->id;
                if (p->arg)
                    shorts[nshort++] = ':';
            }
        }
    opterr = 0;
    id = getopt_long(argc, argv, shorts, longs, NULL);
    if (id == ':' && strncmp(argv[optind - 1], "--", 2))
        opt_usage(o, "option -%c needs an argument", optopt);
    if (id == ':')
        opt_usage(o, "option %s needs an argument", argv[optind - 1]);
    if (id == '?' && optopt && optopt < 256 && !find_opt(&t, optopt))
        opt_usage(o, "unknown option -%c", optopt);
    if (id == '?' && optopt)
        opt_usage(o, "option %s takes no argument", argv[optind - 1]);
    if (id == '?')
        opt_usage(o, "unknown option %s", argv[optind - 1]);
    return id;
}

/* Those options that are answered here. */
static void answer(const struct opts *o, int id)
{
    switch (id) {
    case 'h':
        print_help(o->cmd, o->sub);
        finish_stdout();
    case OPT_VERSION:
        printf("%s %s\n", o->cmd->name, FC_VERSION);
        finish_stdout();
    case OPT_COMPLETION:
        if (completion_print(o->cmd, optarg) < 0)
            opt_usage(o, "--completion: bash, zsh or fish, not %s", optarg);
        finish_stdout();
    default:
        return;
    }
}

/* The subcommand that argv[at] and perhaps argv[at + 1] name; *words says how many. */
static const struct sub *find_sub(const struct command *cmd, char **argv, int at, int *words)
{
    const char *second = argv[at + 1];
    size_t n = strlen(argv[at]);

    for (const struct sub *s = cmd->subs; s->name; s++) {
        if (strncmp(s->name, argv[at], n))
            continue;
        *words = s->name[n] == ' ' ? 2 : 1;
        if (!s->name[n] || (s->name[n] == ' ' && second && !strcmp(s->name + n + 1, second)))
            return s;
    }
    return NULL;
}

_Noreturn static void no_sub(const struct opts *o, const char *word)
{
    struct buf b = BUF_INIT;

    for (const struct sub *s = o->cmd->subs; s->name; s++)
        buf_printf(&b, "%s%s", b.len ? ", " : "", s->name);
    if (word)
        opt_usage(o, "unknown command \"%s\": use one of %s", word, b.p);
    opt_usage(o, "which command? One of %s", b.p);
}

/* Finds the subcommand and takes its words out of argv. */
static void start_sub(struct opts *o, int *argc, char **argv)
{
    int id, at, words, i;

    optind = 0; /* GNU: begin anew */
    while ((id = next(o, *argc, argv)) > 1)
        answer(o, id);
    if (id < 0 && !argv[optind])
        no_sub(o, NULL);
    at = id < 0 ? optind : optind - 1;
    o->sub = find_sub(o->cmd, argv, at, &words);
    if (!o->sub)
        no_sub(o, argv[at]);
    for (i = at; i + words <= *argc; i++)
        argv[i] = argv[i + words];
    *argc -= words;
}

/* What is closed at the start stays as useless, but is not free: else a file that is opened next gets
 * its number, and what is printed or said goes into that file. */
static void hold_standard(void)
{
    int fd;

    for (fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++)
        if (fcntl(fd, F_GETFD) < 0 && open("/dev/null", O_PATH) < 0)
            return; /* no such device: as it was */
}

void opt_start(struct opts *o, const struct command *cmd, int argc, char **argv)
{
    hold_standard();
    log_name = cmd->name;
    *o = (struct opts){.cmd = cmd};
    if (cmd->subs)
        start_sub(o, &argc, argv);
    o->total = argc;
    o->argv = argv + 1;
    optind = 0;
}

/* Operands are gathered at the front of argv, where all has been looked at already. */
int opt_next(struct opts *o)
{
    struct tables t = tables_of(o->cmd, o->sub);
    char **argv = o->argv - 1;
    int id;

    if (o->total == 0)
        return -1;
    while ((id = next(o, o->total, argv)) >= 0) {
        if (id == 1)
            o->argv[o->argc++] = optarg;
        else if (id == 'v')
            log_verbose++;
        else {
            answer(o, id);
            o->arg = optarg;
            o->opt = find_opt(&t, id);
            return id;
        }
    }
    while (optind < o->total)
        o->argv[o->argc++] = argv[optind++];
    o->argv[o->argc] = NULL;
    o->total = 0;
    o->arg = NULL;
    o->opt = NULL;
    return -1;
}
