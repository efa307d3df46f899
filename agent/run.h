/* SPDX-License-Identifier: Apache-2.0 */
/* What the parts of one run share: run.c, which holds the conversation, and report.c. */
#ifndef FC_AGENT_RUN_H
#define FC_AGENT_RUN_H

#include "pace.h"
#include "proto.h"
#include "settings.h"
#include "state.h"

struct run {
    struct agent *a;
    struct state st;
    struct settings settings;
    struct pace pace;
    int sock;          /* to the network half; -1: there is none */
    struct buf keep;   /* the message that is being looked at */
    bool dirty;        /* st is to be stored */
    bool resend;       /* the server wants a report in any case */
    bool kicked;       /* nothing waits */
    bool alone;        /* there is no server: it is brought what it needs */
    bool boots;        /* an update waits for a reboot: nothing else is done to the device */
    bool leaving;      /* the device is decommissioned, and the server knows */
    bool worked;       /* the device was brought to its spec, or that was tried */
    struct err away;   /* why the server did not do what it was asked last; no code: it did */
    uint32_t after;    /* s that it wants to be left alone; 0: it did not say */
};

/* The network half's next word. MSG_ERROR is an error. */
int run_receive(struct run *r, struct msg *m, struct err *e);

/* Sends the status if it changed, if the server wants it, or if it was long ago. Without a network
 * half, and in a dry run, nothing. */
int run_report(struct run *r, struct err *e);

/* Brings the device to this document (borrowed) of the version received last, and tells about it
 * meanwhile. 1: it waits. */
int run_update(struct run *r, jv device, struct err *e);

/* due: update_recover found a reboot that is to come yet. Such a one, or any that was asked for in
 * this boot, is asked for again at the end of the run, when it is time. */
void run_boots(struct run *r, bool due);
/* Ends a run that came to rc and, if that is -1, e: asks for the reboot that is wanted, and notes it all
 * for `fc-agent status`. Returns rc, -1 when the reboot cannot be had. */
int run_end(struct run *r, int rc, struct err *e);

/* Looks after what the version that runs has left on the device. */
int run_drift(struct run *r, struct err *e);

#endif
