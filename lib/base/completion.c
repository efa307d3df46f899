/* SPDX-License-Identifier: Apache-2.0 */
/* Completion scripts for bash, zsh and fish from a command's table. */
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "base/opt.h"

/* What a shell's script calls itself: "fc-apply" becomes "fc_apply". */
static char *identifier(const char *name)
{
    char *s = xstrdup(name), *p;

    for (p = s; *p; p++)
        if (*p == '-')
            *p = '_';
    return s;
}

/* s inside of single quotes; `also` characters get a backslash. */
static void put_quoted(const char *s, const char *also)
{
    for (; *s; s++) {
        if (*s == '\'')
            fputs("'\\''", stdout);
        else {
            if (strchr(also, *s))
                putchar('\\');
            putchar(*s);
        }
    }
}

/* A list "a|b|c" with blanks between. */
static void put_list(const char *s)
{
    for (; *s; s++)
        putchar(*s == '|' ? ' ' : *s);
}

/* Does anything complete names of resources? */
static bool wants_names(const struct command *cmd)
{
    bool wants = cmd->complete && *cmd->complete == '~';

    for (const struct opt *o = cmd->opts; o && o->id; o++)
        wants = wants || (o->complete && *o->complete == '~');
    for (const struct sub *s = cmd->subs; s && s->name; s++) {
        wants = wants || (s->complete && *s->complete == '~');
        for (const struct opt *o = s->opts; o && o->id; o++)
            wants = wants || (o->complete && *o->complete == '~');
    }
    return wants;
}

/* The arguments of a shell's function of names: 'KINDS' or '' 'KIND'. */
static void put_names_of(const char *complete)
{
    bool one = complete[1] && !strchr(complete, '|');

    fputs(one ? "\"\" \"" : "\"", stdout);
    put_list(complete + 1);
    putchar('"');
}

/* The subcommand's options, the command's and the common ones; each: called for one option. */
static void each_opt(const struct command *cmd, const struct sub *sub,
    void (*each)(const struct command *cmd, const struct sub *sub, const struct opt *o))
{
    const struct opt *tables[] = {sub ? sub->opts : NULL, cmd->opts, opt_common};
    size_t i;

    for (i = 0; i < LEN(tables); i++)
        for (const struct opt *o = tables[i]; o && o->id; o++)
            each(cmd, sub, o);
}

/* "-S|--store" with `sep` between. */
static void put_names(const struct opt *o, const char *sep)
{
    if (o->id < 256)
        printf("-%c", o->id);
    if (o->id < 256 && o->name)
        fputs(sep, stdout);
    if (o->name)
        printf("--%s", o->name);
}

/* Did an earlier subcommand begin with the same word as s? */
static bool word_seen(const struct command *cmd, const struct sub *s)
{
    size_t n = strcspn(s->name, " ");

    for (const struct sub *p = cmd->subs; p < s; p++)
        if (strcspn(p->name, " ") == n && !strncmp(p->name, s->name, n))
            return true;
    return false;
}

/* --- bash --------------------------------------------------------------------------------- */

/* Names of the store that is configured: some, of those that begin as the word does. What is no kind
 * (status 2) has none: another operand may. */
static const char bash_some_names[] =
    "# KINDS [KIND]: KIND, KIND/NAME and NAME after KIND, or NAME of the one\n"
    "_fc_names()\n{\n"
    "    local kind=${2:-${given%% *}} name=$cur before= found= rc=2 i\n\n"
    "    if [[ -z $2 && $cur == */* ]]; then\n"
    "        kind=${cur%%/*} name=${cur#*/} before=${cur%%/*}/\n"
    "    elif [[ -z $1$2 ]]; then\n"
    "        kind=\n"
    "    fi\n"
    "    if [[ $kind ]]; then\n"
    "        found=$(fc-select \"$kind\" --prefix \"$name\" --limit 100 -o name 2>/dev/null)\n"
    "        rc=$?\n"
    "    fi\n"
    "    for i in $found; do COMPREPLY+=(\"$before${i#*/}\"); done\n"
    "    ((rc != 2)) || mapfile -t COMPREPLY < <(compgen -W \"$1\" -- \"$cur\")\n}\n";

static void bash_action(const char *complete)
{
    if (!complete)
        fputs(":", stdout);
    else if (!strcmp(complete, "file") || !strcmp(complete, "dir"))
        printf("compopt -o filenames; mapfile -t COMPREPLY < <(compgen -%c -- \"$cur\")",
            *complete);
    else if (*complete == '~') {
        fputs("_fc_names ", stdout);
        put_names_of(complete);
    } else if (*complete == '!')
        printf("while IFS= read -r i; do [[ $i == \"$cur\"* ]] && COMPREPLY+=(\"$i\"); done "
            "< <(%s 2>/dev/null)", complete + 1);
    else {
        fputs("mapfile -t COMPREPLY < <(compgen -W '", stdout);
        put_list(complete);
        fputs("' -- \"$cur\")", stdout);
    }
    fputs(" ;;\n", stdout);
}

static void bash_skip(const struct command *cmd, const struct sub *sub, const struct opt *o)
{
    (void)cmd;
    (void)sub;
    if (o->arg) {
        fputs("        ", stdout);
        put_names(o, "|");
        fputs(") [[ ${COMP_WORDS[i+1]} == = ]] && ((i++)); ((i++)) ;;\n", stdout);
    }
}

static void bash_argument(const struct command *cmd, const struct sub *sub, const struct opt *o)
{
    (void)cmd;
    if (o->arg) {
        if (o->id < 256)
            printf("    '%s:-%c'", sub ? sub->name : "", o->id);
        if (o->id < 256 && o->name)
            fputs("|\\\n", stdout);
        if (o->name)
            printf("    '%s:--%s'", sub ? sub->name : "", o->name);
        fputs(")\n        ", stdout);
        bash_action(o->complete);
    }
}

static void bash_names(const struct command *cmd, const struct sub *sub, const struct opt *o)
{
    (void)cmd;
    (void)sub;
    put_names(o, " ");
    putchar(' ');
}

/* What follows when neither an option nor its argument is being typed. */
static void bash_operands(const struct command *cmd)
{
    fputs("    case $sub:$given in\n", stdout);
    for (const struct sub *s = cmd->subs; s && s->name; s++) {
        const char *space = strchr(s->name, ' ');

        if (space)
            printf("    ':%.*s') mapfile -t -O ${#COMPREPLY[@]} COMPREPLY < "
                "<(compgen -W '%s' -- \"$cur\") ;;&\n",
                (int)(space - s->name), s->name, space + 1);
        if (!word_seen(cmd, s))
            printf("    ':') mapfile -t -O ${#COMPREPLY[@]} COMPREPLY < "
                "<(compgen -W '%.*s' -- \"$cur\") ;;&\n",
                (int)strcspn(s->name, " "), s->name);
        printf("    '%s:'*) ", s->name);
        bash_action(s->complete);
    }
    if (!cmd->subs) {
        fputs("    *) ", stdout);
        bash_action(cmd->complete);
    }
    fputs("    esac\n", stdout);
}

static void print_bash(const struct command *cmd)
{
    char *id AUTO_FREE = identifier(cmd->name);

    printf("# bash completion of %s\n", cmd->name);
    if (wants_names(cmd))
        fputs(bash_some_names, stdout);
    printf("_%s()\n{\n"
        "    local cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD-1]} "
        "sub= given= options= operands= i\n\n"
        "    if [[ $cur == = ]]; then\n        cur=\n"
        "    elif [[ $prev == = ]]; then\n        prev=${COMP_WORDS[COMP_CWORD-2]}\n    fi\n"
        "    COMPREPLY=()\n"
        "    for ((i = 1; i < COMP_CWORD; i++)); do\n"
        "        case ${COMP_WORDS[i]} in\n", id);
    each_opt(cmd, NULL, bash_skip);
    fputs("        -*|=) ;;\n        *) given+=\"${given:+ }${COMP_WORDS[i]}\" ;;\n"
        "        esac\n    done\n", stdout);
    if (cmd->subs) {
        fputs("    case $given in\n", stdout);
        for (const struct sub *s = cmd->subs; s->name; s++)
            printf("    '%s'|'%s '*) sub='%s' ;;\n", s->name, s->name, s->name);
        fputs("    esac\n", stdout);
    }
    fputs("    case $sub:$prev in\n", stdout);
    for (const struct sub *s = cmd->subs; s && s->name; s++)
        each_opt(cmd, s, bash_argument);
    each_opt(cmd, NULL, bash_argument);
    fputs("    *)\n        [[ $cur == -* ]] || operands=1\n        ;;\n    esac\n", stdout);
    fputs("    case $sub in\n", stdout);
    for (const struct sub *s = cmd->subs; s && s->name; s++) {
        printf("    '%s') options='", s->name);
        each_opt(cmd, s, bash_names);
        fputs("' ;;\n", stdout);
    }
    fputs("    *) options='", stdout);
    each_opt(cmd, NULL, bash_names);
    fputs("' ;;\n    esac\n"
        "    if [[ $cur == -* ]] && ((${#COMPREPLY[@]} == 0)); then\n"
        "        mapfile -t COMPREPLY < <(compgen -W \"$options\" -- \"$cur\")\n    fi\n"
        "    [[ $operands ]] || return 0\n", stdout);
    bash_operands(cmd);
    printf("}\ncomplete -F _%s %s\n", id, cmd->name);
}

/* --- zsh ---------------------------------------------------------------------------------- */

static const char zsh_some_names[] =
    "# KINDS [KIND]: KIND, KIND/NAME and NAME after KIND, or NAME of the one\n"
    "_fc_names()\n{\n"
    "    local kind=$2 name=$PREFIX before= rc=2\n"
    "    local -a found\n\n"
    "    if [[ -z $2 && $PREFIX == */* ]]; then\n"
    "        kind=${PREFIX%%/*} name=${PREFIX#*/} before=${PREFIX%%/*}/\n"
    "    elif [[ -z $2 && -n $1 && ${line[1]} != $PREFIX* ]]; then\n"
    "        kind=${line[1]}\n"
    "    fi\n"
    "    if [[ -n $kind ]]; then\n"
    "        found=(${(f)\"$(fc-select $kind --prefix \"$name\" --limit 100 -o name 2>/dev/null)\"})\n"
    "        rc=$?\n"
    "    fi\n"
    "    if ((${#found})); then\n"
    "        compadd -- $before${^found#*/}\n"
    "    elif ((rc == 2)); then\n"
    "        compadd -- ${=1}\n"
    "    fi\n}\n";

static void zsh_action(const char *complete)
{
    if (!complete)
        return;
    if (!strcmp(complete, "file"))
        fputs("_files", stdout);
    else if (!strcmp(complete, "dir"))
        fputs("_files -/", stdout);
    else if (*complete == '~') {
        fputs("{_fc_names ", stdout);
        put_names_of(complete);
        putchar('}');
    } else if (*complete == '!') {
        fputs("{compadd -- ${(f)\"$(", stdout);
        put_quoted(complete + 1, ":");
        fputs(" 2>/dev/null)\"}}", stdout);
    } else {
        putchar('(');
        put_list(complete);
        putchar(')');
    }
}

static void zsh_option(const struct command *cmd, const struct sub *sub, const struct opt *o)
{
    bool both = o->id < 256 && o->name;

    (void)cmd;
    (void)sub;
    fputs(" \\\n            ", stdout);
    if (both) /* any option may be given again: tables do not say which ones count once */
        printf("'*'{-%c%s,--%s%s}'", o->id, o->arg ? "+" : "", o->name, o->arg ? "=" : "");
    else {
        fputs("'*", stdout);
        put_names(o, "");
        if (o->arg)
            putchar(o->name ? '=' : '+');
    }
    putchar('[');
    put_quoted(o->help, "]\\");
    putchar(']');
    if (o->arg) {
        putchar(':');
        put_quoted(o->arg, ":");
        putchar(':');
        zsh_action(o->complete);
    }
    putchar('\'');
}

static void zsh_arguments(const struct command *cmd, const struct sub *sub)
{
    const char *complete = sub ? sub->complete : cmd->complete;

    fputs("_arguments -s", stdout);
    each_opt(cmd, sub, zsh_option);
    if (complete) {
        fputs(" \\\n            '*:operand:", stdout);
        zsh_action(complete);
        putchar('\'');
    }
    putchar('\n');
}

static void zsh_skip(const struct command *cmd, const struct sub *sub, const struct opt *o)
{
    (void)cmd;
    (void)sub;
    if (o->arg) {
        fputs("        ", stdout);
        put_names(o, "|");
        fputs(") ((i++)) ;;\n", stdout);
    }
}

/* A list for _describe: the first words of all subcommands, or the second ones after `after`. */
static void zsh_describe(const struct command *cmd, const char *after, size_t n)
{
    fputs("        subs=(", stdout);
    for (const struct sub *s = cmd->subs; s->name; s++) {
        size_t first = strcspn(s->name, " ");

        if (after ? first != n || strncmp(s->name, after, n) || !s->name[first] :
            word_seen(cmd, s))
            continue;
        putchar('\'');
        if (after)
            put_quoted(s->name + first + 1, ":");
        else
            printf("%.*s", (int)first, s->name);
        if (after || !s->name[first]) {
            putchar(':');
            put_quoted(s->help, "\\");
        }
        fputs("' ", stdout);
    }
    fputs(")\n        _describe command subs\n", stdout);
}

static void print_zsh(const struct command *cmd)
{
    printf("#compdef %s\n", cmd->name);
    if (wants_names(cmd))
        fputs(zsh_some_names, stdout);
    printf("_%s()\n{\n", cmd->name);
    if (cmd->subs) {
        fputs("    local -a subs\n    local i\n    for ((i = 2; i < CURRENT; i++)); do\n"
            "        case ${words[i]} in\n", stdout);
        each_opt(cmd, NULL, zsh_skip);
        fputs("        -*) ;;\n        *) break ;;\n        esac\n    done\n"
            "    if ((i > CURRENT)) || { ((i == CURRENT)) && [[ ${words[i]} == -* ]]; }; then\n"
            "        ", stdout);
        zsh_arguments(cmd, NULL);
        fputs("        return\n    elif ((i >= CURRENT)); then\n", stdout);
        zsh_describe(cmd, NULL, 0);
        fputs("        return\n    fi\n    case \"${words[i]} ${words[i+1]}\" in\n", stdout);
        for (const struct sub *s = cmd->subs; s->name; s++) {
            int n = strchr(s->name, ' ') ? 2 : 1;

            printf("    '%s'%s)\n        ", s->name, n == 1 ? "\\ *" : "");
            if (n == 2)
                fputs("((i + 1 < CURRENT)) || return\n        ", stdout);
            printf("words[i,i+%d]=(); ((CURRENT -= %d))\n        ", n - 1, n);
            zsh_arguments(cmd, s);
            fputs("        ;;\n", stdout);
        }
        for (const struct sub *s = cmd->subs; s->name; s++) {
            size_t first = strcspn(s->name, " ");

            if (!s->name[first] || word_seen(cmd, s))
                continue;
            printf("    '%.*s '*)\n", (int)first, s->name);
            zsh_describe(cmd, s->name, first);
            fputs("        ;;\n", stdout);
        }
        fputs("    esac\n", stdout);
    } else {
        fputs("    ", stdout);
        zsh_arguments(cmd, NULL);
    }
    printf("}\nif [[ ${funcstack[1]} == _%s ]]; then\n    _%s \"$@\"\nelse\n"
        "    compdef _%s %s\nfi\n", cmd->name, cmd->name, cmd->name, cmd->name);
}

/* --- fish --------------------------------------------------------------------------------- */

static const char fish_some_names[] =
    "# KINDS [KIND]: KIND, KIND/NAME and NAME after KIND, or NAME of the one\n"
    "function __%s_names\n"
    "    set -l name (commandline -ct)\n"
    "    set -l kind $argv[2]\n"
    "    set -l before ''\n"
    "    if test -z \"$kind\"; and string match -q '*/*' -- $name\n"
    "        set -l parts (string split -m 1 / -- $name)\n"
    "        set kind $parts[1]\n"
    "        set name $parts[2]\n"
    "        set before $kind/\n"
    "    else if test -z \"$kind\"; and test -n \"$argv[1]\"\n"
    "        set kind (__%s_operands)[1]\n"
    "    end\n"
    "    set -l found\n"
    "    set -l rc 2\n"
    "    if test -n \"$kind\"\n"
    "        set found (fc-select $kind --prefix \"$name\" --limit 100 -o name 2>/dev/null)\n"
    "        set rc $status\n"
    "    end\n"
    "    if set -q found[1]\n"
    "        string replace -r '^[^/]*/' \"$before\" -- $found\n"
    "    else if test $rc = 2\n"
    "        string split -n ' ' -- $argv[1]\n"
    "    end\nend\n";

static void fish_action(const struct command *cmd, const char *complete, bool argument)
{
    if (!complete)
        fputs(argument ? " -x" : " -f", stdout);
    else if (!strcmp(complete, "file"))
        fputs(argument ? " -r -F" : " -F", stdout);
    else if (!strcmp(complete, "dir"))
        printf(" %s -a '(__fish_complete_directories)'", argument ? "-x" : "-f");
    else {
        printf(" %s -a '", argument ? "-x" : "-f");
        if (*complete == '~') {
            char *id AUTO_FREE = identifier(cmd->name);

            printf("(__%s_names ", id);
            put_names_of(complete);
            putchar(')');
        } else if (*complete == '!') {
            putchar('(');
            put_quoted(complete + 1, "\\");
            fputs(" 2>/dev/null)", stdout);
        } else
            put_list(complete);
        putchar('\'');
    }
}

/* Fish has no '\'' inside of quotes: \' it is. */
static void fish_description(const char *s)
{
    fputs(" -d '", stdout);
    for (; *s; s++) {
        if (*s == '\'' || *s == '\\')
            putchar('\\');
        putchar(*s);
    }
    fputs("'\n", stdout);
}

static void fish_condition(const struct command *cmd, char how, const char *words, int n)
{
    char *id AUTO_FREE = identifier(cmd->name);

    printf("complete -c %s -n '__%s_at %c %.*s'", cmd->name, id, how, n, words);
}

static void fish_option(const struct command *cmd, const struct sub *sub, const struct opt *o)
{
    if (sub)
        fish_condition(cmd, '+', sub->name, (int)strlen(sub->name));
    else
        printf("complete -c %s", cmd->name);
    if (o->id < 256)
        printf(" -s %c", o->id);
    if (o->name)
        printf(" -l %s", o->name);
    if (o->arg)
        fish_action(cmd, o->complete, true);
    fish_description(o->help);
}

static void fish_skip(const struct command *cmd, const struct sub *sub, const struct opt *o)
{
    (void)cmd;
    (void)sub;
    if (o->arg) {
        putchar(' ');
        put_names(o, " ");
    }
}

/* Functions that tell the operands typed so far. */
static void fish_functions(const struct command *cmd, const char *id)
{
    printf("function __%s_operands\n    set -l skip 0\n"
        "    for w in (commandline -opc)[2..-1]\n"
        "        if test $skip = 1\n            set skip 0\n            continue\n        end\n"
        "        switch $w\n            case", id);
    each_opt(cmd, NULL, fish_skip);
    printf("\n                set skip 1\n            case '-*'\n            case '*'\n"
        "                printf '%%s\\n' $w\n        end\n    end\nend\n"
        "# Are the operands those of $argv[2..-1], and with '+' perhaps more?\n"
        "function __%s_at\n    set -l have (__%s_operands)\n    set -l want $argv[2..-1]\n"
        "    test (count $have) -ge (count $want); or return 1\n"
        "    if test $argv[1] = =; and test (count $have) -ne (count $want)\n"
        "        return 1\n    end\n"
        "    for i in (seq (count $want))\n"
        "        test $have[$i] = $want[$i]; or return 1\n    end\nend\n", id, id);
}

static void print_fish(const struct command *cmd)
{
    char *id AUTO_FREE = identifier(cmd->name);

    printf("# fish completion of %s\n", cmd->name);
    if (cmd->subs || wants_names(cmd))
        fish_functions(cmd, id);
    if (wants_names(cmd))
        printf(fish_some_names, id, id);
    for (const struct opt *o = cmd->opts; o && o->id; o++)
        fish_option(cmd, NULL, o);
    for (const struct opt *o = opt_common; o->id; o++)
        fish_option(cmd, NULL, o);
    if (!cmd->subs) {
        printf("complete -c %s", cmd->name);
        fish_action(cmd, cmd->complete, false);
        putchar('\n');
        return;
    }
    printf("complete -c %s -f\n", cmd->name);
    for (const struct sub *s = cmd->subs; s->name; s++) {
        size_t first = strcspn(s->name, " ");

        if (!word_seen(cmd, s)) {
            fish_condition(cmd, '=', "", 0);
            printf(" -a %.*s", (int)first, s->name);
            fish_description(s->name[first] ? "" : s->help);
        }
        if (s->name[first]) {
            fish_condition(cmd, '=', s->name, (int)first);
            printf(" -a %s", s->name + first + 1);
            fish_description(s->help);
        }
        for (const struct opt *o = s->opts; o && o->id; o++)
            fish_option(cmd, s, o);
        if (s->complete) {
            fish_condition(cmd, '+', s->name, (int)strlen(s->name));
            fish_action(cmd, s->complete, false);
            putchar('\n');
        }
    }
}

int completion_print(const struct command *cmd, const char *shell)
{
    if (!strcmp(shell, "bash"))
        print_bash(cmd);
    else if (!strcmp(shell, "zsh"))
        print_zsh(cmd);
    else if (!strcmp(shell, "fish"))
        print_fish(cmd);
    else
        return -1;
    return 0;
}
