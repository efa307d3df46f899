/* SPDX-License-Identifier: Apache-2.0 */
/* What podman and systemctl print, and files of applications that come in images. The first byte
 * says which; the rest is the text. */
#include <string.h>

#include "apps.h"
#include "base/mem.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static void check_ps(const char *p, size_t n)
{
    jv out AUTO_JV = jv_invalid();
    struct err e;
    int i, count;

    if (seen_parse_ps(p, n, &out, &e) < 0)
        return;
    count = jv_array_length(jv_copy(out));
    for (i = 0; i < count; i++) {
        jv c AUTO_JV = jv_array_get(jv_copy(out), i);
        const char *id = json_str(c, "id");

        if (!id || id[strspn(id, "0123456789abcdef")] || !json_str(c, "state"))
            die("a container that no command should name");
    }
}

static void check_quadlet(const char *text)
{
    static const char *const names[] = {"a.container", "a.pod", "a.kube", "a.image", "a.network",
        "a.volume", "a.build", "a@.container"};
    jv def AUTO_JV = jv_object(), images = jv_invalid();
    size_t i;

    json_set(&def, "units", jv_array());
    json_set(&def, "start", jv_array());
    json_set(&def, "networks", jv_array());
    json_set(&def, "images", jv_array());
    for (i = 0; i < LEN(names); i++)
        if (!quadlet_read(names[i], text, &def))
            die("%s is no quadlet", names[i]);
    images = json_get(def, "units");
    if (jv_array_length(images) != (int)LEN(names) - 1)
        die("units are missing");
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    char *text AUTO_FREE = n ? xstrndup((const char *)data + 1, n - 1) : NULL;
    jv out AUTO_JV = jv_invalid(), env AUTO_JV = jv_object(), images = jv_array();
    jv services = jv_object();
    struct err e;

    if (n) {
        json_sets(&env, "TAG", "1");
        switch (data[0] % 4) {
        case 0:
            check_ps((const char *)data + 1, n - 1);
            break;
        case 1:
            seen_parse_units((const char *)data + 1, n - 1, &out, &e);
            break;
        case 2:
            compose_read("compose.yaml", text, strlen(text), env, &images, &services, &e);
            kube_images("pod.yaml", text, strlen(text), &images, &e);
            break;
        case 3:
            check_quadlet(text);
            break;
        }
    }
    jv_free(images);
    jv_free(services);
    return 0;
}
