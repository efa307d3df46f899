/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The device side. One run of fc-agent is two processes: the privileged half (run.c and what it
 * calls: state, journal, transaction, controllers) writes files and opens no sockets; the network
 * half (net.c, enroll.c, identity.c) holds the device's key, talks TLS and parses what comes, and
 * may write its own folder of keys only. Between them is a small message protocol (proto.h).
 */
#ifndef FC_AGENT_AGENT_H
#define FC_AGENT_AGENT_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/err.h"

#define AGENT_CONFIG "/etc/flightctl/config.yaml"
#define AGENT_DATA "/var/lib/flightctl"
#define AGENT_RUN "/run/flightctl"
#define AGENT_ACCOUNT "_fc-agent"

#define ANNOTATION_VERSION "device-controller/renderedVersion"
#define ANNOTATION_PAUSED "device-controller/conflictPaused"

enum { /* limits of the agent, all in one place */
    CONFIG_MAX = 1 << 20,      /* bytes of a configuration file, certificate or key */
    SPEC_MAX = 16 << 20,       /* bytes of a rendered device: as much as the server may send */
    STATE_MAX = 1 << 20,       /* bytes of state.json: versions, one message, hashes */
    RECORDS_MAX = 64 << 20,    /* bytes of journal and files.json: a few hundred for each file */
    STATUS_MAX = 1 << 20,      /* bytes of a status report */
    PATH_LEN = 4096,           /* bytes of a path, as the kernel has it */
    ENROLL_TIMEOUT = 60,       /* s for a request of the enrollment or a report */
    POLL_TIMEOUT = 240,        /* s for a poll: servers that know no `Prefer` park it for 120 s */
    WAIT_MAX = 3600,           /* s of --wait */
    CUT_MAX = 3,               /* updates to a version that are killed before it counts as failed */
    REBOOTS_MAX = 10,          /* requests of one reboot; then it is left to a person */
    RUN_SLACK = 600,           /* s beside --wait after which the network half is given up */
    RUN_TIMEOUT = 1800,        /* s after which a run begins nothing new, unless it is told */
    INFO_TIMEOUT = 120,        /* s for all programs of custom-info.d, at most */
    INFO_INTERVAL = 3600,      /* s that an answer of such a program counts */
    RUN_MAX = 7 * 24 * 3600,   /* s of --timeout */
    RUN_HARD = 900,            /* s after that, when it is ended */
    LIVENESS = 24 * 3600,      /* s without a report, unless it is told */
    KICK_WAIT = 60,            /* s that a kicked run waits for the one that is under way */
};

struct apps_cache;
struct labels;
struct settings;
struct progress;

struct agent {
    /* options */
    const char *root;     /* "/" or the operand of --root */
    const char *config;   /* an absolute path of the host, or NULL: AGENT_CONFIG below root */
    const char *data;     /* an absolute path of the host, or NULL: AGENT_DATA below root */
    const char *account;  /* of the network half */
    bool split;           /* two accounts; --no-split clears it */
    bool dry;             /* say what would be done, change nothing */
    bool force;           /* a version that is brought is taken whatever was received before */
    bool now;             /* the server is asked even if that is to wait after a failure */
    int timeout;          /* s of a run until it begins nothing new; 0: as configured */
    int wait;             /* s that the server may park the poll */
    const char *format;   /* of what is printed, as printer_open takes it */
    const char *filter;

    const struct settings *settings; /* NULL until a run has read them */
    int64_t deadline;          /* of this run, see deadline.h; 0: none */
    struct apps_cache *apps;         /* what podman said, for one run; agent_open makes it */
    struct labels *labels;     /* what SELinux wants files to have; agent_open makes it */
    struct progress *progress; /* of the update that is under way; NULL: nobody is told */

    /* opened by agent_open; -1 until then */
    int root_fd;
    int data_fd;
    int run_fd;
    int lock_fd;
    char *root_path;      /* resolved, without a '/' at its end: "" for "/" */
    char *data_path;      /* resolved */
    uid_t uid;            /* of the account, when split */
    gid_t gid;
};

/* Opens root, data and run folders; with make, creates them. Without make a missing folder
 * leaves its descriptor at -1. */
int agent_open(struct agent *a, bool make, struct err *e);
void agent_close(struct agent *a);

/* Checks who runs this and finds the account of the network half. */
int agent_account(struct agent *a, struct err *e);

/* One run at a time: FC_AGAIN when another one has the lock. A kicked one waits for it a while. */
int agent_lock(struct agent *a, struct err *e);

/* Opens the folder of the device's identity and gives it to the account of the network half,
 * together with files that root made there before. -1 without an error when it does not exist and
 * make is not set. */
int agent_certs(struct agent *a, bool make, struct err *e);

/* One run, from lock to report. The returned code is the exit status, e its message, if any. */
enum fc_code agent_run(struct agent *a, struct err *e);

/* Has the next run try everything at once; the service's path unit starts it. */
int agent_kick(struct agent *a, struct err *e);

/* Prints what is known of the device and its last run. */
int agent_status(struct agent *a, struct err *e);
/* The same as a run for a rendered device that somebody brings: a file, "-" for standard input. */
enum fc_code agent_apply(struct agent *a, const char *file, struct err *e);
/* Prints what a run would do to the device for the spec that was received last. */
int agent_plan(struct agent *a, struct err *e);

#endif
