/* SPDX-License-Identifier: Apache-2.0 */
#include "reboot.h"

#include <stddef.h>

#include "tool.h"

enum { REBOOT_TIMEOUT = 60 }; /* s */

int reboot_request(const struct agent *a, struct err *e)
{
    static const char *const systemd[] = {"systemctl", "reboot", NULL};
    static const char *const other[] = {"shutdown", "-r", "now", NULL};
    struct tool t = {.argv = systemd, .timeout = REBOOT_TIMEOUT};

    if (tool_run(a, &t, NULL, e) == 0)
        return 0;
    if (e->code != FC_NOTFOUND)
        return -1;
    t.argv = other;
    return tool_run(a, &t, NULL, e);
}
