/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Rendering: which spec one device gets. A pure function of layers (fleets from the oldest to the
 * newest, each at its assigned version, then the device's own spec) and of the device's metadata.
 */
#ifndef FC_FLEET_RENDER_H
#define FC_FLEET_RENDER_H

#include <stddef.h>

#include "base/json.h"
#include "base/mem.h"

struct layer {
    const char *origin; /* "Fleet/shops@v3", "Device/x": for messages and origins */
    jv spec;            /* a DeviceSpec, borrowed; templates in a fleet's layer are filled */
    int is_template;    /* parameters are filled (fleets), or text is taken as it is (the device) */
};

/* Turns a config provider that refers elsewhere (gitRef, httpRef, secretRef; borrowed) into an
 * array of FileSpec. NULL stands for a system without sources: such a provider is FC_INVALID
 * with the message that says so. */
typedef int (*resolve_fn)(void *ctx, jv provider, const char *path, jv *files, struct err *e);

struct rendered {
    jv spec;    /* as a device gets it: config is [] or one provider {"name":"","inline":[...]} with
                 * files sorted by path, each with contentEncoding and mode; consoles always there
                 * (empty); os only when it has an image; the rest only when not empty */
    jv origins; /* {"os":"Fleet/a@v1","config./etc/motd":"Device/x","applications.web":...,
                 * "systemd.matchPatterns.sshd.service":...,"resources.Disk./var":...,
                 * "updatePolicy":...}; parts that several layers made have them all, in order:
                 * "Fleet/a@v1, Device/x". A member with a dot in its name is quoted. */
    char hash[SHA256_HEX]; /* of the canonical spec */
};

/* metadata: {"name":..., "labels":{...}} of the device, borrowed. Merge rules: a later os wins;
 * files append, a later one with the same path wins; applications merge by name, else image (later
 * members win, envVars merge, a later image or inline replaces either, another appType replaces
 * the whole), in order of first appearance; systemd.matchPatterns unite; resources by monitorType
 * and path; the lists of hooks append; updatePolicy and all other members: the later one wins. null
 * is as if absent.
 * FC_INVALID: "Fleet/a@v1: spec.config[0]...: why"; what resolve returns keeps its code. The
 * caller frees with rendered_free, which is fine after a failure, too. */
int render(const struct layer *layers, size_t n, jv metadata, resolve_fn resolve, void *ctx,
    struct rendered *out, struct err *e);
void rendered_free(struct rendered *r);

/* Fills the parameters in all places of a DeviceSpec where a fleet's template may have them:
 * os.image; paths and contents of inline files, base64 ones decoded in between unless they are
 * binary; gitRef's targetRevision and path, httpRef's suffix and filePath, secretRef's name,
 * namespace and mountPath; image, envVars and volumes' image references of applications. */
int params_fill(jv *spec, jv metadata, struct err *e);

enum {
    TEMPLATE_DEPTH = 16,           /* nested parentheses */
    TEMPLATE_VALUE = 64 << 10,     /* bytes of one value: replace can multiply */
    TEMPLATE_WORK = JSON_MAX,      /* bytes of all values on the way to a result */
    TEMPLATE_OUT = JSON_MAX,       /* bytes of a result */
};

/* Fills the parameters of one text ({{ .metadata.name }}, {{ .metadata.labels.site }},
 * {{ index .metadata.labels "a/b" }}, string literals, the functions upper, lower, replace OLD NEW
 * TEXT and getOrDefault LABELS KEY DEFAULT, pipelines, parentheses, {{- -}} trimming, comments) as
 * Go's text/template with missingkey=error would: a label that is missing is an error, but
 * index gives "" for it. FC_INVALID quotes the parameter. What was appended before stays. */
int template_filln(const char *text, size_t n, jv metadata, struct buf *out, struct err *e);
/* Checks the syntax alone: what can be said before a device is known. */
int template_check(const char *text, struct err *e);
/* The same for text that may hold NUL bytes, as template_filln takes it: a file's content. */
int template_checkn(const char *text, size_t n, struct err *e);

#endif
