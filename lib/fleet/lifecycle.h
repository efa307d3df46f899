/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What people did with applications beside all specs: stopped, started, restarted. An overlay is
 * an object of what was said about each by name, {"web":{"at":US,"desiredState":"stopped",
 * "restartGeneration":2}}; a device and each of its fleets have one, as an annotation.
 */
#ifndef FC_FLEET_LIFECYCLE_H
#define FC_FLEET_LIFECYCLE_H

#include "base/json.h"
#include "fleet/kind.h"

enum app_action { APP_START, APP_STOP, APP_RESTART };

/* The overlay in the annotations (JSON object) of a device or fleet; empty when there is none. */
jv lifecycle_read(const struct kind *k, const char *annotations);
/* The same annotations with this overlay, consumed. */
jv lifecycle_write(const struct kind *k, const char *annotations, jv overlay);
/* What was said last about the state of an application counts. more: borrowed. */
void lifecycle_merge(jv *overlay, jv more);
/* Is this application of the overlay stopped? */
bool lifecycle_stopped(jv overlay, const char *app);
/* Notes an action of now (us). */
void lifecycle_note(jv *overlay, const char *app, enum app_action what, int64_t now);
/* Has the spec (borrowed) an application of this name? */
bool lifecycle_has(jv spec, const char *app);
/* Forgets applications that are not in the spec (borrowed). */
void lifecycle_prune(jv *overlay, jv spec);
/* Writes desiredState and restartGeneration to the spec's applications. */
void lifecycle_lay(jv *spec, jv overlay);

#endif
