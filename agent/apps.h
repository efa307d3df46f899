/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Applications. This header is shared by the parts of their controller: apps_spec.c (what the spec
 * says, as definitions), apps_content.c (what files of compose and quadlets ask for), apps_fetch.c
 * (images and packages), apps_seen.c (what podman and systemd say), apps_run.c (up and down),
 * apps_plan.c, apps_status.c, and apps.c, which puts them together.
 *
 * A definition is all that is needed to bring an application up or down without its spec, since it
 * also stands in the journal: {"name", "type", "id" (of its container or compose project), "user",
 * "uid", "gid" (unless root runs it), "run" (whether it should), "restart" (the generation of its
 * last restart), "hash" (of what it is made of), "package" (the image that its files come from),
 * "volumes": [{"name", "volume" (podman's name), "image", "policy"}], "images": [{"image",
 * "policy"}], "paths": [its files]; of a container "args" (of podman run), of a compose project
 * "compose": [its files] and "services" (as compose_read has them), of quadlets "units", "start" and
 * "networks"}.
 *
 * Its files are files of the device like those of spec.config (files_want.c), so that they are
 * staged, kept and taken back with them.
 *
 * A step of the journal: "app" is a definition, "path" its name, "do" is
 *   stop, remove  it goes down; taking it back brings it up again
 *   start         it comes up; taking it back brings it down
 *   restart       down and up
 *   reload        systemd, or that of "user", reads its units anew; "back": only when it is taken
 *                 back
 *
 * apps.json, the registry: {"apps": [definitions, in the order of the spec], "images": those that
 * came for them, or for a version that failed, and were not removed yet, as apps_images gives them}.
 */
#ifndef FC_AGENT_APPS_H
#define FC_AGENT_APPS_H

#include "files.h"
#include "tool.h"
#include "txn.h"

#define APPS_STATE "apps.json"
#define APPS_PACKAGES "packages"
#define APP_LABEL "io.flightctl.app"
#define APP_LABEL_HASH "io.flightctl.hash"
#define APP_LABEL_IMAGE "io.flightctl.image"

enum {
    PACKAGE_MAX = 8 << 20,   /* bytes of an application's files that come in an image */
    PACKAGE_FILES = 1000,
    STOP_S = 10,             /* s that a container has to end by itself */
    ACCOUNT_WAIT = 500,      /* times 20 ms that an account takes to linger */
};

/* --- the spec ------------------------------------------------------------------------------- */

/* The applications of a spec (borrowed): an array of {"def", "files": [FileSpec with absolute
 * paths]}, for the caller to free. An error begins with the field and name of the application:
 * FC_INVALID, or FC_AGAIN when its package was not fetched yet. */
int apps_read(const struct agent *a, jv spec, jv *out, struct err *e);

/* Field and name of the i-th application, for messages. The caller frees. */
char *apps_where(jv spec, int i);

/* --- what files ask for --------------------------------------------------------------------- */

/* The images and services of a compose project. text: one of its files. env: an object of what
 * "${NAME}" stands for. Appends {"image","policy"} to *images, and sets in *services, an object,
 * whether a service always has a container. */
int compose_read(const char *path, const char *text, size_t n, jv env, jv *images, jv *services,
    struct err *e);

/* A quadlet file (its name without folders): adds its service to units, to start if it is something
 * that runs, its network to networks, its images to images, all arrays. false: it is no quadlet. */
bool quadlet_read(const char *name, const char *text, jv *def);

/* Image names in the documents of a Kubernetes file. */
int kube_images(const char *path, const char *text, size_t n, jv *images, struct err *e);

/* --- images --------------------------------------------------------------------------------- */

/* Removes the registry's images that are not among needed, as apps_images gives them, and takes them
 * out of it; true if any. What cannot be removed, since a container of somebody else's has it, stays
 * in it, to be tried another time. */
bool images_prune(const struct agent *a, jv *registry, jv needed);

int apps_prefetch(const struct agent *a, jv spec, struct err *e);

/* The files of a package: an array of {"path" (relative), "content", "contentEncoding"}. FC_AGAIN
 * when it was not fetched yet. */
int package_files(const struct agent *a, const char *image, jv *files, struct err *e);

/* Drops the packages that none of the definitions (an array) needs. */
void packages_prune(const struct agent *a, jv defs);

/* --- what podman and systemd say ------------------------------------------------------------- */

/* Two kinds of foreign bytes, as compact values for the caller to free. FC_FAIL when they are
 * something else.
 * podman ps --format json: [{"id","app","hash","project","service","pod","state","exit",
 * "restarts"}], with those members that are there. */
int seen_parse_ps(const char *p, size_t n, jv *out, struct err *e);
/* systemctl show: {UNIT: {"load","active","sub","result","restarts","exit"}} */
int seen_parse_units(const char *p, size_t n, jv *out, struct err *e);

/* What there is of an application; the first look of a run is kept for the others until
 * seen_forget. */
struct app_seen {
    int total, running; /* containers, or units that run something */
    int waiting;        /* made or starting, not running yet */
    int done, failed;   /* ended with 0, or otherwise */
    int missing;        /* services without a container, and units that systemd does not know */
    int exit;           /* status of one that failed */
    int64_t restarts;
    bool other;         /* what is there was not made from this definition */
    jv ids, pods;       /* of its containers */
};
int seen_app(const struct agent *a, jv def, struct app_seen *s, struct err *e);
void seen_app_free(struct app_seen *s);
void seen_forget(const struct agent *a);
struct apps_cache *apps_cache_new(void);
void apps_cache_free(struct apps_cache *c); /* NULL is fine */

/* --- up and down ---------------------------------------------------------------------------- */

struct app_limits { /* s */
    int pull, command, ready;
    bool prune;
};
struct app_limits app_limits(const struct agent *a);

/* podman or another program, in the account that def (borrowed) names; argv[0] is the program. */
int app_tool(const struct agent *a, jv def, const char *const *argv, int timeout, struct buf *out,
    struct err *e);

/* Brings what def describes up, or makes sure that nothing of it is left but its volumes. Either
 * may be done again and again. */
int app_up(const struct agent *a, jv def, struct err *e);
/* networks: also those that its quadlets name. */
int app_down(const struct agent *a, jv def, bool networks, struct err *e);
int app_restart(const struct agent *a, jv def, struct err *e);
/* Has systemd, or that of the account that def names, read its units anew. */
int app_reload(const struct agent *a, jv def, struct err *e);
/* Has its account what it needs to run something? Else nothing of it runs. */
bool app_account_up(const struct agent *a, jv def);
/* Sees to it that it has, and lingers. */
int app_account(const struct agent *a, jv def, struct err *e);

/* --- plan, registry, status ------------------------------------------------------------------ */

/* A damaged one is set aside; then, or where there is none, the applications of the running spec are
 * taken for it, with "lost": true. The caller frees. */
int apps_registry(const struct agent *a, jv *out, struct err *e);
int apps_store(const struct agent *a, jv registry, struct err *e);
/* The definition of that name among an array of them; invalid when there is none. */
jv apps_find(jv defs, const char *name);
bool apps_same(jv def, jv other, const char *member);
/* The images that definitions need: {IMAGE: null}, or of an account's own
 * {"IMAGE USER": {"user","uid","gid","image"}}. */
jv apps_images(jv defs);
/* Those of images (of the same shape, or invalid) and of definitions. */
jv apps_images_and(jv images, jv defs);
/* Does something not run as it should? The first time after a boot that all do, that is noted. */
bool apps_drifted(const struct agent *a);
int apps_plan(const struct agent *a, jv spec, struct plan *p, struct err *e);
void apps_status(const struct agent *a, jv *status);

/* /run: whether applications were started since the machine was, and whether an update has not
 * touched any yet. */
#define APPS_STARTED "apps.started"
#define APPS_UNTOUCHED "apps.untouched"
bool apps_flag(const struct agent *a, const char *name);
int apps_flag_set(const struct agent *a, const char *name, bool on, struct err *e);

#endif
