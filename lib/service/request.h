/* SPDX-License-Identifier: Apache-2.0 */
/* Enrollment requests as people handle them: what state one is in, decisions about several. */
#ifndef FC_SERVICE_REQUEST_H
#define FC_SERVICE_REQUEST_H

#include "service/service.h"

/* "Pending", "Signing" (approved, the certificate is still to come), "Approved", "Denied".
 * request: an EnrollmentRequest document, borrowed. */
const char *request_state(jv request);

struct decision {
    bool approve;                       /* else they are denied */
    struct ca *ca;                      /* NULL: approvals are recorded, and signed by a task */
    const struct enroll_approval *how;  /* of approvals */
    const char *message;                /* of denials; or NULL */
    bool dry_run;
    const struct actor *who;
    void (*each)(void *ctx, const char *name);
    void *ctx;
};
enum { DECIDE_CHUNK = 50 }; /* requests of one transaction: a signature takes a millisecond */

/* Decides about all, or (up to DECIDE_CHUNK) about none. The error names the request. */
int request_decide(struct store *s, const char *const *names, size_t n, const struct decision *d,
    struct err *e);

#endif
