/* SPDX-License-Identifier: Apache-2.0 */
/* What agent/policy.c makes of each line of standard input, {"schedule": ..., "now": TIME}, below
 * the root folder that is the operand. A line of text for each. */
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "policy.h"

int main(int argc, char **argv)
{
    char line[4096], next[TIME_LEN];

    while (argc == 2 && fgets(line, sizeof line, stdin)) {
        jv in AUTO_JV = jv_invalid(), schedule AUTO_JV = jv_invalid();
        struct opening o;
        struct err e = {0};
        int64_t now;

        if (json_parse(line, strlen(line), &in, &e) < 0 ||
            time_parse(json_str(in, "now"), &now) < 0)
            return 2;
        schedule = json_get(in, "schedule");
        if (policy_open(argv[1], schedule, now / 1000000, &o, &e) < 0) {
            printf("%s\n", e.msg);
            continue;
        }
        time_format(o.next * 1000000, next);
        printf("%s %s\n", o.now ? "open" : "shut", o.next ? next : "-");
    }
    return 0;
}
