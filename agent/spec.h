/* SPDX-License-Identifier: Apache-2.0 */
/* What a rendered device must be before either half of the agent goes on with it. */
#ifndef FC_AGENT_SPEC_H
#define FC_AGENT_SPEC_H

#include "base/doc.h"
#include "base/json.h"

/* Is it a rendered Device, this one (name), and of which version? FC_INVALID. */
int spec_identify(jv device, const char *name, int64_t *version, struct err *e);

/* Does it follow the contract's schema and rules? FC_INVALID with the first path that does not; behind
 * source and line of the document that it was read from, unless that is NULL. */
int spec_check(jv device, const struct docs *from, struct err *e);

/* Says which members of a spec this agent does not know, and leaves as they are. */
void spec_warn(jv spec);

#endif
