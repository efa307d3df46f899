/* SPDX-License-Identifier: Apache-2.0 */
#include "txn.h"

const struct controller *const controllers[] = {
    &files_controller,
    &apps_controller,
    &os_controller,
    &health_controller,
    &hooks_controller, /* the last: it looks at what the others do */
    NULL,
};
