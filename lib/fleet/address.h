/* SPDX-License-Identifier: Apache-2.0 */
/* Names of things elsewhere: image references and URLs. Each function gives NULL for a good one,
 * else what is wrong with it, to stand behind "must be an image reference: ". */
#ifndef FC_FLEET_ADDRESS_H
#define FC_FLEET_ADDRESS_H

/* [HOST[:PORT]/]NAME[:TAG][@DIGEST] as registries take it. */
const char *image_fault(const char *s);
/* NAME[/NAME ...]: what is behind the host. */
const char *image_name_fault(const char *s);
/* HOST or HOST:PORT; an IPv6 address stands in brackets. */
const char *host_fault(const char *s);
/* schemes: those that are fine, ended by NULL. An http or https URL must not hold a password, since
 * URLs are shown to everybody. */
const char *url_fault(const char *s, const char *const *schemes);
/* The above, or USER@HOST:PATH as ssh takes it. */
const char *git_url_fault(const char *s);

#endif
