/* SPDX-License-Identifier: Apache-2.0 */
/* What fc-sign does with tokens, with its output. */
#ifndef FC_SERVICE_TOKEN_CMD_H
#define FC_SERVICE_TOKEN_CMD_H

#include "base/opt.h"
#include "service/token.h"

struct token_cmd {
    const struct conf *conf;
    const char *url, *org;       /* -S, --org, or NULL */
    const char *lifetime;        /* --for, or NULL */
    const char *format, *filter; /* -o, -q, or NULL */
    const char *roles[TOKEN_WORDS_MAX + 1], *groups[TOKEN_WORDS_MAX + 1];
    bool dry;
};
extern const struct opt token_issue_opts[], token_list_opts[], token_revoke_opts[];
/* Takes an option of these; false: it is none of them. */
bool token_cmd_option(struct token_cmd *t, const struct opts *o, int id);

/* With the operands that are left; wrong ones end the process. */
int token_cmd_issue(struct token_cmd *t, const struct opts *o, struct err *e); /* prints it alone */
int token_cmd_list(struct token_cmd *t, const struct opts *o, struct err *e);
int token_cmd_revoke(struct token_cmd *t, const struct opts *o, struct err *e); /* all that it can */

#endif
