/* SPDX-License-Identifier: Apache-2.0 */
/* Makes a store. */
#include <stdio.h>
#include <string.h>

#include "base/file.h"
#include "base/log.h"
#include "base/opt.h"
#include "service/secret.h"
#include "service/service.h"

static const struct opt opts[] = {
    {OPT_STORE, "store", "URL", "file", "store: sqlite:PATH (default: FC_STORE, then the "
        "configuration)"},
    {OPT_CONF, "config", "FILE", "file", "read this configuration file only"},
    {0},
};
static const struct sub subs[] = {
    {"init", "", NULL, "make an empty store", NULL},
    {0},
};
static const struct command command = {
    .name = "fc-store",
    .brief = "make a store",
    .opts = opts,
    .subs = subs,
};

static int init(const struct conf *conf, const char *url, struct err *e)
{
    const char *state = conf_state_dir(conf);
    char buf[4096];

    url = service_url(conf, url, buf);
    /* The state folder is ours to make; that of any other path is its owner's. */
    if (!strncmp(url, "sqlite:", 7) && !strncmp(url + 7, state, strlen(state)) &&
        dir_make(state, 0700, e) < 0)
        return -1;
    if (secret_init(conf, e) < 0 || store_init(url, e) < 0)
        return -1;
    printf("made %s\n", url);
    return fflush(stdout) || ferror(stdout) ? err_errno(e, "standard output") : 0;
}

int main(int argc, char **argv)
{
    const char *url = NULL, *file = NULL;
    struct conf *conf = NULL;
    struct err e = {FC_OK, ""};
    struct opts o;
    int id, rc;

    opt_start(&o, &command, argc, argv);
    while ((id = opt_next(&o)) != -1)
        switch (id) {
        case OPT_STORE: url = o.arg; break;
        case OPT_CONF: file = o.arg; break;
        }
    if (o.argc)
        opt_usage(&o, "unexpected operand \"%s\"", o.argv[0]);
    rc = conf_load(&conf, file, &e);
    if (rc == 0)
        rc = init(conf, url, &e);
    if (rc < 0)
        log_err(&e);
    conf_free(conf);
    return rc < 0 ? (int)e.code : FC_OK;
}
