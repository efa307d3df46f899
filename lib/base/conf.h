/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Configuration: `key = value` lines with [sections]; /etc/fc/fc.conf, then ~/.config/fc/fc.conf
 * (XDG_CONFIG_HOME), or only FC_CONF / -C FILE when given; then the environment, then options.
 * An unknown section or key is an error with file and line.
 */
#ifndef FC_BASE_CONF_H
#define FC_BASE_CONF_H

#include <stdint.h>

#include "base/err.h"

/* Every setting there is: section, key, default, environment variable (or NULL), and what it is
 * for. fc.conf(5) and conf_get read the same table (conf.c). */
struct conf_key {
    const char *section; /* "" before the first [section] */
    const char *key;
    const char *env;
    const char *dflt; /* NULL: none; what begins with "STATE/" is below the state folder */
    const char *values; /* "a|b": no other value is taken; NULL: any */
    const char *help;
};
extern const struct conf_key conf_keys[];
extern const unsigned conf_nkeys;

struct conf;
int conf_load(struct conf **out, const char *file, struct err *e); /* file NULL: the usual places */
void conf_free(struct conf *c);
/* Value or default or NULL. An unknown (section, key) is a broken invariant. */
const char *conf_get(const struct conf *c, const char *section, const char *key);

/* Where state lives: /var/lib/fc for root, else $XDG_DATA_HOME/fc or ~/.local/share/fc; setting
 * `state`, FC_STATE. */
const char *conf_state_dir(const struct conf *c);

#endif
