/* SPDX-License-Identifier: Apache-2.0 */
/* What is left to a process that reads what strangers send. */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "api/core.h"
#include "base/confine.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/mod.h"

static void on_path(void *ctx, const char *path, bool folder_to_write)
{
    confine_path(ctx, path, CONFINE_READ | (folder_to_write ? CONFINE_WRITE | CONFINE_MAKE : 0));
}

void api_confine(struct api *a, const struct serve_options *o, bool stays)
{
    char buf[4096];
    const char *urls[] = {service_url(o->conf, o->store_url, buf),
        conf_get(o->conf, "", "store-read"), conf_get(o->conf, "", "store-listen")};
    const char *ca = conf_get(o->conf, "api", "ca-file");
    const char *agents = conf_get(o->conf, "api", "agent-ca-file");
    char *exe AUTO_FREE = realpath("/proc/self/exe", NULL);
    struct confine *c;
    bool network = conf_get(o->conf, "api", "authorizer");
    struct err lacks;
    size_t i;

    for (i = 0; i < LEN(urls); i++)
        network |= urls[i] && strncmp(urls[i], "sqlite:", 7) != 0;
    c = confine_new(network);
    for (i = 0; i < LEN(urls); i++)
        if (urls[i])
            db_paths(urls[i], on_path, c);
    confine_folder(c, a->store.key_file, CONFINE_READ); /* by its folder: the file is replaced */
    confine_path(c, mod_folder(), CONFINE_READ);
    confine_folder(c, exe, CONFINE_READ); /* modules, in a tree where nothing is installed */
    if (o->listen && strncmp(o->listen, "unix:", 5) == 0)
        confine_folder(c, o->listen + 5, CONFINE_REMOVE); /* it goes with us */
    if (stays && authn_cert_warm(a->cert, &lacks) < 0) /* who comes is told, and so is the log */
        log_debug("%s", lacks.msg);
    if (access(ca, R_OK) == 0)
        confine_path(c, ca, CONFINE_READ);
    else
        confine_folder(c, ca, CONFINE_READ); /* it may come yet */
    if (agents) /* handed out with the configuration of agents */
        confine_folder(c, agents, CONFINE_READ);
    confine_enter(c, &lacks);
    if (lacks.code && stays)
        log_err(&lacks);
    else if (lacks.code)
        log_debug("%s", lacks.msg);
}
