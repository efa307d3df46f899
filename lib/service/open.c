/* SPDX-License-Identifier: Apache-2.0 */
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "service/secret.h"
#include "service/service.h"

const char *service_url(const struct conf *conf, const char *url, char buf[4096])
{
    if (!url)
        url = conf_get(conf, "", "store");
    if (url)
        return url;
    snprintf(buf, 4096, "sqlite:%s/fc.db", conf_state_dir(conf));
    return buf;
}

bool service_is_api(const char *url)
{
    return strncmp(url, "https://", 8) == 0;
}

static int open_by(int (*open)(struct store *, const char *, struct err *), struct store *s,
    const struct conf *conf, const char *url, const char *org, struct err *e)
{
    char buf[4096];

    url = service_url(conf, url, buf);
    if (open(s, url, e) < 0)
        return -1;
    if (strncmp(url, "sqlite:", 7)) /* a file has nothing beside it */
        store_beside(s, conf_get(conf, "", "store-read"), conf_get(conf, "", "store-listen"));
    secret_source(s, conf);
    if (!org)
        org = conf_get(conf, "", "org");
    if (store_org(s, org ? org : ORG_DEFAULT, &s->org, e) < 0) {
        store_close(s);
        return -1;
    }
    return 0;
}

int service_open(struct store *s, const struct conf *conf, const char *url, const char *org,
    struct err *e)
{
    return open_by(store_open, s, conf, url, org, e);
}

int service_open_once(struct store *s, const struct conf *conf, const char *url, const char *org,
    struct err *e)
{
    return open_by(store_open_once, s, conf, url, org, e);
}

int service_org_uid(const struct conf *conf, const char *org, char uid[UUID_LEN], struct err *e)
{
    struct arena *a AUTO_ARENA = arena_new();
    struct store s;
    const char *found;
    int rc;

    if (!org && !(org = conf_get(conf, "", "org")))
        org = ORG_DEFAULT;
    if (is_uuid(org)) {
        uuid_lower(uid, org);
        return 0;
    }
    if (service_open(&s, conf, NULL, org, e) < 0)
        return err_wrap(e, "organization \"%.64s\"", org);
    rc = org_uid(&s, a, s.org, &found, e);
    if (rc == 0)
        snprintf(uid, UUID_LEN, "%s", found);
    store_close(&s);
    return rc;
}

/* Only root may say who it acts for (sudo); others are who they are. */
const char *service_user(char buf[64])
{
    const char *sudo = getuid() == 0 ? getenv("SUDO_USER") : NULL;
    struct passwd *pw = sudo && *sudo ? NULL : getpwuid(getuid());

    if (sudo && *sudo)
        snprintf(buf, 64, "user:%s", sudo);
    else if (pw)
        snprintf(buf, 64, "user:%s", pw->pw_name);
    else
        snprintf(buf, 64, "user:%u", (unsigned)getuid());
    return buf;
}

int service_ca(const struct conf *conf, struct ca **ca, struct err *e)
{
    const char *key = conf_get(conf, "ca", "key-file"), *cert = conf_get(conf, "ca",
        "certificate-file");
    char *k AUTO_FREE = NULL, *c AUTO_FREE = NULL;

    if (!key)
        key = k = xasprintf("%s/ca/ca.key", conf_state_dir(conf));
    if (!cert)
        cert = c = xasprintf("%s/ca/ca.crt", conf_state_dir(conf));
    return ca_open(ca, key, cert, e);
}
