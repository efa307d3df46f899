/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the running spec asks to be watched: its resource monitors and patterns of systemd units. A
 * run with nothing to do must not read the whole spec for that: watch.json in the run folder is
 * {"sha256" of the spec, "resources", "patterns"}, an array each, absent when there is none.
 */
#ifndef FC_AGENT_WATCH_H
#define FC_AGENT_WATCH_H

#include "state.h"

#define WATCH_CACHE "watch.json" /* in the run folder */

/* An object with these members; empty when nothing runs. The caller frees. */
jv watch_load(const struct agent *a, const struct state *st);

#endif
