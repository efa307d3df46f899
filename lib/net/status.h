/* SPDX-License-Identifier: Apache-2.0 */
/* Errors as HTTP statuses, and back: one table, that of EXIT STATUS in fc(7). */
#ifndef FC_NET_STATUS_H
#define FC_NET_STATUS_H

#include "base/err.h"

int status_of(enum fc_code code);
/* Of any status: 2xx is FC_OK; one that the table does not have is FC_INVALID (4xx) or FC_FAIL. */
enum fc_code status_code(int status);

#endif
