/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Serial number and end of the device's certificate. The network half, which has a library for such
 * things, may write this file, so that what is read here is as strange as it likes: DER is taken
 * apart just so far, and what does not fit is passed over.
 */
#include <ctype.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/mem.h"
#include "place.h"
#include "sysinfo.h"

enum { /* tags of DER */
    INTEGER = 0x02, SEQUENCE = 0x30, UTC_TIME = 0x17, GENERAL_TIME = 0x18, VERSION = 0xa0,
    SERIAL_MAX = 32, /* bytes; RFC 5280 allows 20 */
};

struct der {
    const unsigned char *p;
    size_t n;
};

/* Takes the next value off `in`: its tag, or -1; *out is its content. */
static int take(struct der *in, struct der *out)
{
    size_t head = 2, n, i;
    int tag;

    if (in->n < 2)
        return -1;
    tag = in->p[0];
    n = in->p[1];
    if (n & 0x80) {
        size_t bytes = n & 0x7f;

        if (bytes < 1 || bytes > 3 || in->n < 2 + bytes)
            return -1;
        for (n = 0, i = 0; i < bytes; i++)
            n = n << 8 | in->p[2 + i];
        head += bytes;
    }
    if (in->n - head < n)
        return -1;
    *out = (struct der){in->p + head, n};
    in->p += head + n;
    in->n -= head + n;
    return tag;
}

/* YYMMDDHHMMSSZ, or with four digits of the year, as RFC 3339. */
static void set_time(jv *o, int tag, struct der t)
{
    const char *century = "", *p = (const char *)t.p;
    size_t year = tag == GENERAL_TIME ? 4 : 2, i;
    char text[32];

    if ((tag != UTC_TIME && tag != GENERAL_TIME) || t.n != year + 11 || p[t.n - 1] != 'Z')
        return;
    for (i = 0; i + 1 < t.n; i++)
        if (!isdigit((unsigned char)p[i]))
            return;
    if (tag == UTC_TIME) /* RFC 5280, 4.1.2.5.1 */
        century = *p < '5' ? "20" : "19";
    snprintf(text, sizeof text, "%s%.*s-%.2s-%.2sT%.2s:%.2s:%.2sZ", century, (int)year, p, p + year,
        p + year + 2, p + year + 4, p + year + 6, p + year + 8);
    json_sets(o, "managementCertNotAfter", text);
}

/* Pairs of digits with colons, as existing agents show it. */
static void set_serial(jv *o, struct der serial)
{
    char text[3 * SERIAL_MAX + 1] = "";
    size_t i;

    while (serial.n > 1 && *serial.p == 0) {
        serial.p++;
        serial.n--;
    }
    if (serial.n == 0 || serial.n > SERIAL_MAX)
        return;
    for (i = 0; i < serial.n; i++)
        snprintf(text + 3 * i, 4, "%02X:", serial.p[i]);
    sysinfo_set(o, "managementCertSerial", text, 3 * serial.n - 1);
}

/* Certificate ::= SEQUENCE { tbsCertificate SEQUENCE { [0] version, serialNumber, signature, issuer,
 * validity SEQUENCE { notBefore, notAfter }, ... }, ... } (RFC 5280, 4.1) */
void sysinfo_cert_parse(const void *p, size_t n, jv *o)
{
    struct der in = {p, n};
    struct der cert, tbs, serial, part, validity;
    int tag;

    if (take(&in, &cert) != SEQUENCE || take(&cert, &tbs) != SEQUENCE ||
        take(&tbs, &part) != VERSION || take(&tbs, &serial) != INTEGER ||
        take(&tbs, &part) != SEQUENCE || take(&tbs, &part) != SEQUENCE ||
        take(&tbs, &validity) != SEQUENCE || take(&validity, &part) < 0)
        return;
    tag = take(&validity, &part);
    set_time(o, tag, part);
    set_serial(o, serial);
}

void sysinfo_cert(const struct agent *a, jv *o)
{
    static const char begin[] = "-----BEGIN CERTIFICATE-----", end[] = "-----END";
    int dir AUTO_CLOSE = a->data_fd < 0 ? -1 : place_open(a->data_fd, "certs",
        O_RDONLY | O_DIRECTORY, 0);
    struct buf pem AUTO_BUF = BUF_INIT, der AUTO_BUF = BUF_INIT;
    const char *p, *q;

    if (dir < 0 || place_read(dir, "agent.crt", "", CONFIG_MAX, &pem, NULL) < 0 || !pem.len)
        return;
    p = strstr(pem.p, begin);
    q = p ? strstr(p, end) : NULL;
    if (!q)
        return;
    p += sizeof begin - 1;
    if (base64_decode(&der, p, (size_t)(q - p)) == 0 && der.len)
        sysinfo_cert_parse(der.p, der.len, o);
}
