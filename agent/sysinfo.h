/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a device says of itself: the members of systemInfo, by the names that existing agents give
 * them. sysinfo.c chooses and caches; the other files of this name find things out. Only files are
 * read for that: this half opens no sockets and loads no cryptography.
 *
 * Volatile: sysinfo.json in the run folder, {"agent","boot","fixed":{SOURCE:{KEY:VALUE}},
 * "custom":{KEY:{"at","file","value"}}}: what cannot change before the next boot, and what programs
 * in custom-info.d said (at: s since boot).
 */
#ifndef FC_AGENT_SYSINFO_H
#define FC_AGENT_SYSINFO_H

#include "agent.h"
#include "base/json.h"

#define SYSINFO_CACHE "sysinfo.json" /* in the run folder */

/* systemInfo as the settings choose it. The caller frees. */
jv sysinfo_make(const struct agent *a);

/* --- between these files --------------------------------------------------------------------- */

/* A member, without white space at its end; none if it is empty, too long or no UTF-8. */
void sysinfo_set(jv *o, const char *key, const char *p, size_t n);
/* A file of the kernel, on the host; false when there is none. */
bool sysinfo_read(const char *path, struct buf *b);
/* The value behind "NAME<spaces>:" or "NAME=" at the start of a line of text; NULL: none. *n is its
 * length, without spaces around it. */
const char *sysinfo_line(const char *text, const char *name, char sep, size_t *n);

/* Sources: each adds those of its members that there are. */
void sysinfo_product(const struct agent *a, jv *o);
void sysinfo_bios(const struct agent *a, jv *o);
void sysinfo_cpu(const struct agent *a, jv *o);
void sysinfo_memory(const struct agent *a, jv *o);
void sysinfo_gpu(const struct agent *a, jv *o);
void sysinfo_tpm(const struct agent *a, jv *o);
void sysinfo_network(const struct agent *a, jv *o);
void sysinfo_cert(const struct agent *a, jv *o);
void sysinfo_cert_parse(const void *p, size_t n, jv *o); /* DER, of anything */

/* Brings custom (of the cache) up to date for these keys (an array, borrowed), running programs
 * whose turn it is, and returns customInfo; *changed is set when *custom was changed. */
jv sysinfo_custom(const struct agent *a, jv keys, jv *custom, bool *changed);

#endif
