/* SPDX-License-Identifier: Apache-2.0 */
/* Time: microseconds since the epoch, UTC, in an int64_t; RFC 3339 with Z outside. */
#ifndef FC_BASE_CLOCK_H
#define FC_BASE_CLOCK_H

#include <stdint.h>

enum { TIME_LEN = 32 };

int64_t now_us(void);
/* "2026-05-04T03:02:01Z", with a fraction of six digits only when there is one. */
void time_format(int64_t us, char out[TIME_LEN]);
/* Any RFC 3339 time with offset or Z. -1 when it is none, and *out stays. */
int time_parse(const char *s, int64_t *out);
/* A time that is over, as a person names it: RFC 3339; a day, "2026-05-04", when it begins in UTC;
 * now, today, yesterday; "-2h", "1d12h ago" (s, m, h, d, w). -1 when it is none, or after now. */
int time_past(const char *s, int64_t now, int64_t *out);
/* "5s", "3m", "4h", "12d": how long ago, for tables. */
void time_ago(int64_t us, int64_t now, char out[TIME_LEN]);

#endif
