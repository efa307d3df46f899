/* SPDX-License-Identifier: Apache-2.0 */
/*
 * /etc/flightctl/config.yaml and conf.d/, as existing device images have them. Keys of the existing
 * agent that have no meaning here are accepted; unknown ones are said and passed over; a drop-in
 * that cannot be read is said and passed over too, because a fleet may have sent it, and a device
 * that stops for it could not be sent a better one.
 */
#ifndef FC_AGENT_SETTINGS_H
#define FC_AGENT_SETTINGS_H

#include "agent.h"
#include "base/buf.h"
#include "base/json.h"

struct service {           /* where an API is, and whom to trust there */
    char *server;          /* "https://host:7443" */
    char *tls_name;        /* or NULL */
    struct buf ca;         /* PEM */
};

enum { /* s, unless config.yaml says otherwise */
    PULL_TIMEOUT = 600, /* an image: over a bad line it may take long */
    APP_TIMEOUT = 300,  /* a command of podman, a compose tool or systemctl */
    APP_READY = 60,     /* until a started application runs */
};

struct settings {
    struct service enrollment, management;
    struct buf cert, key;  /* the bootstrap identity, if it was asked for */
    char *ui;              /* where people approve enrollments, or NULL */
    jv labels;             /* default-labels: an object of strings */
    jv info_labels;        /* label-from-systeminfo: an object of names of systemInfo */
    int timeout;           /* run-timeout: s until a run begins nothing new */
    bool drift_report;     /* drift-policy: tell of it, do not repair it */
    int64_t liveness;      /* liveness-interval: s after which a report is due anyway */
    jv info;               /* system-info: an array of names; invalid: the usual ones */
    jv info_custom;        /* system-info-custom: an array of names; invalid: none */
    int64_t info_timeout;  /* s that all programs of system-info-custom have in a run */
    int64_t info_interval; /* s from one time that such a program runs to the next */
    int pull_timeout, app_timeout, app_ready; /* s */
    bool prune;            /* image-pruning.enabled */
};

enum settings_need {
    SETTINGS_LOCAL,     /* neither a server nor the file itself need be there */
    SETTINGS_SERVER,
    SETTINGS_BOOTSTRAP, /* and the bootstrap certificate with its key */
};

/* FC_INVALID messages begin with "file:line: field: ". */
int settings_load(const struct agent *a, enum settings_need need, struct settings *s,
    struct err *e);
void settings_free(struct settings *s);

#endif
