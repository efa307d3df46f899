/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How often a device may try what fails: /run/flightctl/pace.json, which is there only when it says
 * something. After a failure the next try waits 5 s, then twice as long each time, up to 5 min, or
 * as long as the server said (Retry-After), and up to a fifth more, so that many devices do not come
 * back at once. A kick (the file kick beside it) lets the next run try at once.
 */
#ifndef FC_AGENT_PACE_H
#define FC_AGENT_PACE_H

#include "agent.h"

struct backoff {
    int64_t failures;      /* in a row; 0: it went well */
    int64_t until;         /* uptime_s() before which it is not tried */
    char message[ERR_LEN]; /* of the last failure */
};

struct pace {
    struct backoff poll;   /* of the server */
    struct backoff update; /* what a version needs */
    struct backoff drift;  /* its repair */
    struct backoff reboot; /* that was asked for in this boot, and did not come: failures says how
                            * often; message, what kept it from being asked for */
    int64_t reported;      /* uptime_s() of the last report; 0: none since boot */
    bool dirty;
};

void pace_load(const struct agent *a, struct pace *p);
/* Writes it if it changed; what keeps it from that is said. */
void pace_store(const struct agent *a, struct pace *p);

/* s to wait; 0: it may be tried now. */
int64_t backoff_left(const struct backoff *b);
/* after: s that the other side asked for; 0: it did not. */
void pace_failed(struct pace *p, struct backoff *b, uint32_t after, const char *message);
void pace_went_well(struct pace *p, struct backoff *b);
/* May the reboot that did not come be asked for again? */
bool pace_reboot_due(const struct pace *p);

/* Is there a kick? */
bool pace_kick_waits(const struct agent *a);
/* Takes the kick: was there one? */
bool pace_kicked(const struct agent *a);
/* Takes the kick away from a run that cannot begin: what starts runs by it would start one after the
 * other. */
void pace_kick_spent(const struct agent *a);

#endif
