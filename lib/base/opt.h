/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Command lines. A command is a table: usage text, synopsis and the completions for bash, zsh
 * and fish all come from it. Every command also knows -h, --help, --version, -v and
 * `--completion bash|zsh|fish`, which opt_start handles itself.
 */
#ifndef FC_BASE_OPT_H
#define FC_BASE_OPT_H

#include <stdbool.h>

#include "base/conf.h"
#include "base/err.h"
#include "base/json.h"

/* What completes an argument: a file, a folder, a fixed list "a|b|c", the names of resources of a
 * kind ("~device"), of the kinds in a list ("~device|fleet", as KIND NAME or KIND/NAME) or of any
 * kind ("~", as KIND/NAME), or what a command prints ("!fc-sign token list -o name": run by the
 * shell's completion function). NULL: nothing. */
struct opt {
    int id;           /* the short letter, or 256 and up for an option without one */
    const char *name; /* long name without dashes, or NULL */
    const char *arg;  /* name of the argument in the usage text, or NULL if it takes none */
    const char *complete; /* "file", "dir", "a|b|c", "~...", "!command", or NULL */
    const char *help; /* what it does, a few words; defaults included */
};

struct sub {
    const char *name;        /* "ca init" is two words */
    const char *args;        /* operands in the usage text: "[FLEET ...]" */
    const char *complete;    /* what completes the operands, as in struct opt */
    const char *help;
    const struct opt *opts;  /* those of this subcommand alone, ended by {0}; may be NULL */
};

struct command {
    const char *name;        /* "fc-apply" */
    const char *brief;       /* "create or change resources" */
    const char *args;        /* operands when there are no subcommands */
    const char *complete;
    const struct opt *opts;  /* ended by {0} */
    const struct sub *subs;  /* ended by {0}; NULL when there are none */
    int section;             /* of its manual page; 0: section 1 */
};

/* Options that most commands share; a command lists the macros it wants in its table. */
enum { OPT_STORE = 'S', OPT_CONF = 'C', OPT_OUTPUT = 'o', OPT_FILTER = 'q', OPT_DRY = 'n',
    OPT_ORG = 0x100, OPT_FIRST = 0x110 /* ids of a command's own long options start here */ };
#define OPTS_STORE \
    {OPT_STORE, "store", "URL", "file", "store: sqlite:PATH, postgres://... or " \
        "https://... (default: FC_STORE, then the configuration)"}, \
    {OPT_CONF, "config", "FILE", "file", "read this configuration file only"}, \
    {OPT_ORG, "org", "NAME", NULL, "organization (default: FC_ORG, then the default one)"}
#define OPTS_OUTPUT \
    {OPT_OUTPUT, "output", "FORMAT", "json|yaml|name|table|wide", \
        "output format (default: table on a terminal, else json)"}, \
    {OPT_FILTER, "filter", "JQ", NULL, "print what this jq program makes of each document"}

struct opts {
    const struct command *cmd;
    const struct sub *sub;   /* the subcommand, or NULL */
    int argc;                /* after opt_next returned -1: the operands */
    char **argv;
    const char *arg;         /* argument of the option that opt_next returned */
    const struct opt *opt;   /* that option */
    int total;               /* length of the whole argv; for opt_next */
};

/* The options that every command has; those of opt_start alone. Ended by {0}. */
extern const struct opt opt_common[];

/* Sets log_name, finds the subcommand, handles the common options. Usage errors are printed and
 * end the process with FC_USAGE; so do -h and --version with 0. */
void opt_start(struct opts *o, const struct command *cmd, int argc, char **argv);
/* The id of the next option or -1. Options may stand before and after operands. */
int opt_next(struct opts *o);
/* Prints "NAME: message", a line that points at -h, and exits with FC_USAGE. */
_Noreturn void opt_usage(const struct opts *o, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));
/* num_parse of o->arg that ends with opt_usage and names the option. */
long long opt_num(const struct opts *o, long long min, long long max);
/* time_past of o->arg, in the same way. */
int64_t opt_past(const struct opts *o);
/* Adds the labels of o->arg, "KEY=VALUE[,KEY=VALUE ...]", to an object; what is no label ends the
 * process with FC_INVALID. */
void opt_labels(const struct opts *o, jv *labels);

/* Prints the completion script for "bash", "zsh" or "fish". -1: no such shell. */
int completion_print(const struct command *cmd, const char *shell);

#endif
