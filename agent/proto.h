/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the two halves of a run say to each other over a socket pair: messages of a type byte, a
 * length (32 bits, big-endian) and a body of fixed layout. The privileged half believes nothing:
 * each body has a maximum by its type and must fit its layout to the byte.
 *
 * The network half says MSG_NAME first, then one of MSG_PENDING, MSG_LOST, MSG_NOTHING,
 * MSG_DESIRED, MSG_REFUSED or MSG_ERROR. After MSG_NOTHING, MSG_DESIRED and MSG_REFUSED it takes
 * MSG_REPORTs, answers each by MSG_SENT or MSG_ERROR, and ends when the socket is closed.
 */
#ifndef FC_AGENT_PROTO_H
#define FC_AGENT_PROTO_H

#include "agent.h"
#include "base/buf.h"
#include "base/text.h"
#include "crypto/crypto.h"

enum msg_type {
    MSG_NAME = 1,    /* the device's name; fresh: it was enrolled in this run */
    MSG_PENDING,     /* enrollment was asked for and is not approved yet */
    MSG_LOST,        /* the server does not know the device any more: the certificate is gone */
    MSG_NOTHING,     /* the server has no newer version; resend: it wants a report */
    MSG_DESIRED,     /* a newer version: its number, SHA-256 and canonical JSON */
    MSG_REFUSED,     /* a newer version that is not valid: its number, and why */
    MSG_REPORT,      /* to the network half: a status, canonical JSON */
    MSG_SENT,        /* the server took it */
    MSG_ERROR,       /* it did not work: exit status, s to wait before the next try, message */
    MSG_TYPES,
};

struct msg {
    enum msg_type type;
    char name[DEVICE_NAME_LEN]; /* MSG_NAME */
    bool fresh;                 /* MSG_NAME */
    bool resend;                /* MSG_NOTHING */
    int64_t version;            /* MSG_DESIRED, MSG_REFUSED */
    char hash[SHA256_HEX];      /* MSG_DESIRED */
    uint32_t after;             /* MSG_ERROR; 0: the server did not say */
    struct err err;             /* MSG_ERROR; MSG_REFUSED, whose code is FC_INVALID */
    const char *json;           /* MSG_DESIRED, MSG_REPORT: stands in the receiver's buffer */
    size_t json_len;
};

/* Bytes of the largest body of a type; 0 for no such type. */
size_t proto_max(unsigned type);
/* Reads a body into *m, whose json points into it. FC_INVALID. Pure. */
int proto_decode(unsigned type, const void *body, size_t n, struct msg *m, struct err *e);
/* Appends the whole message to out. */
void proto_encode(const struct msg *m, struct buf *out);

int proto_send(int fd, const struct msg *m, struct err *e);
/* Takes the next message within timeout ms (-1: any time). keep holds what m->json points to.
 * FC_AGAIN: out of time; FC_NOTFOUND: the other half closed its end. */
int proto_recv(int fd, int timeout, struct buf *keep, struct msg *m, struct err *e);

#endif
