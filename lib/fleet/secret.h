/* SPDX-License-Identifier: Apache-2.0 */
/* Credentials in specs: shown as "*****" on every way out, and kept when that comes back in. */
#ifndef FC_FLEET_SECRET_H
#define FC_FLEET_SECRET_H

#include "base/json.h"

#define SECRET_MASK "*****"

/* Replaces the values of credential members anywhere below *v. */
void secrets_mask(jv *v);
/* Where *v has the mask for a credential, puts what old (borrowed) has at the same place. */
void secrets_keep(jv *v, jv old);

#endif
