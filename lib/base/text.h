/* SPDX-License-Identifier: Apache-2.0 */
/* Encodings, numbers and identifiers. */
#ifndef FC_BASE_TEXT_H
#define FC_BASE_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"

/* Standard base64 (RFC 4648 section 4). Decoding is strict (padding, alphabet, zero tail bits)
 * but skips line breaks; returns -1 on bad input, leaving b as it was. */
void base64_encode(struct buf *b, const void *p, size_t n);
int base64_decode(struct buf *b, const char *s, size_t n);

/* base32hex (RFC 4648 section 7) in lower case without padding. */
void base32hex_encode(struct buf *b, const void *p, size_t n);

void hex_encode(struct buf *b, const void *p, size_t n); /* lower case */

/* %XX decoding (RFC 3986). plus: '+' is a space (query strings). -1: bad escape or NUL. */
int percent_decode(struct buf *b, const char *s, size_t n, bool plus);
void percent_encode(struct buf *b, const char *s, size_t n); /* all but unreserved */

/* A whole decimal number in [min, max]; what names it in the message ("-j", "limit"). */
int num_parse(const char *s, int64_t min, int64_t max, int64_t *out, const char *what,
    struct err *e);

/* A duration of the contract, "90s", "10m", "24h", in microseconds. -1: not one. */
int64_t duration_parse(const char *s);

/* Length and code point of the UTF-8 sequence that s begins with; 0: none, or n is 0. */
size_t utf8_next(const char *s, size_t n, uint32_t *cp);
/* Appends foreign text for a terminal: a '?' for each character that would move the cursor, hide or
 * reorder what follows, and for what is not UTF-8. */
void text_clean(struct buf *b, const char *s, size_t n);
bool utf8_valid(const char *s, size_t n); /* no surrogates, no overlong forms, NUL allowed */

/* DNS subdomain (RFC 1123), at most 253 bytes: names of resources. */
bool is_dns_subdomain(const char *s);
/* Label keys ("prefix/name") and values as Kubernetes defines them. */
bool is_label_key(const char *s);
bool is_label_value(const char *s);

enum { UUID_LEN = 37 };
void uuid_random(char out[UUID_LEN]); /* version 4, from getrandom(2) */
bool is_uuid(const char *s);          /* 8-4-4-4-12 lower- or upper-case hex digits */
const char *uuid_lower(char out[UUID_LEN], const char *uuid); /* as they are stored; returns out */

/* SHA-256 of p as 64 lower-case hex digits and a NUL (libmd). */
enum { SHA256_HEX = 65 };
void sha256_hex(const void *p, size_t n, char out[SHA256_HEX]);

#endif
