/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Modules: shared objects with code that pulls in a large library (libyaml, libcrypto, libevent,
 * libcurl, libpq) and that a hot command loads only when it needs it. They stand in
 * the folder that was set at build time, or in ./modules beside the executable (a build tree).
 */
#ifndef FC_BASE_MOD_H
#define FC_BASE_MOD_H

#include "base/err.h"

/* Symbol `sym` of module NAME (fc_NAME.so). Loaded once and kept. The folder is never taken from
 * the environment. NULL: FC_FAIL, with the path that was tried. */
void *mod_symbol(const char *name, const char *sym, struct err *e);

/* The folder of those that are installed. */
const char *mod_folder(void);

#endif
