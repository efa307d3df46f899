/* SPDX-License-Identifier: Apache-2.0 */
#include "reboot.h"

#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include "base/buf.h"
#include "base/file.h"
#include "tool.h"

enum { REBOOT_TIMEOUT = 60 }; /* s */

/* Of the process, as the reboot is of the machine: said deep in an update, done at its end. */
static bool wanted;

void boot_id(char out[BOOT_ID_LEN])
{
    struct buf b AUTO_BUF = BUF_INIT;

    if (file_read("/proc/sys/kernel/random/boot_id", BOOT_ID_LEN, &b, NULL) < 0)
        buf_reset(&b);
    snprintf(out, BOOT_ID_LEN, "%.*s", (int)strcspn(b.p ? b.p : "", "\n"), b.p ? b.p : "");
}

void reboot_want(void)
{
    wanted = true;
}

bool reboot_wanted(void)
{
    return wanted;
}

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
