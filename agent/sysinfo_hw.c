/* SPDX-License-Identifier: Apache-2.0 */
/* The machine: firmware, processors, memory, graphics, TPM. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "base/mem.h"
#include "place.h"
#include "sysinfo.h"

enum {
    IDS_MAX = 8 << 20,   /* bytes of pci.ids */
    GPUS_MAX = 16,       /* reported */
    TPM_TIMEOUT = 2000,  /* ms for an answer of the TPM */
};

/* --- firmware ------------------------------------------------------------------------------ */

/* The first of these files that says something. */
static void set_file(jv *o, const char *key, const char *first, const char *second)
{
    struct buf b AUTO_BUF = BUF_INIT;

    if (sysinfo_read(first, &b) || (second && sysinfo_read(second, &b)))
        sysinfo_set(o, key, b.p, strlen(b.p)); /* a device tree ends its texts with NUL */
}

#define DMI "/sys/class/dmi/id/"
#define TREE "/sys/firmware/devicetree/base/"

void sysinfo_product(const struct agent *a, jv *o)
{
    (void)a;
    set_file(o, "productName", DMI "product_name", TREE "model");
    set_file(o, "productSerial", DMI "product_serial", TREE "serial-number");
    set_file(o, "productUuid", DMI "product_uuid", NULL);
}

void sysinfo_bios(const struct agent *a, jv *o)
{
    (void)a;
    set_file(o, "biosVendor", DMI "bios_vendor", NULL);
    set_file(o, "biosVersion", DMI "bios_version", NULL);
}

/* --- processors and memory ----------------------------------------------------------------- */

static void set_number(jv *o, const char *key, size_t n)
{
    char text[32];

    snprintf(text, sizeof text, "%zu", n);
    if (n)
        json_sets(o, key, text);
}

/* The number behind NAME in the block of one processor; -1: none. */
static long number_in(const char *block, size_t len, const char *name)
{
    size_t n;
    const char *p = sysinfo_line(block, name, ':', &n);

    return p && p < block + len ? strtol(p, NULL, 10) : -1;
}

struct cpus {
    size_t processors, cores;
    long (*core)[2]; /* package and number of each */
};

static void count_core(struct cpus *c, long package, long number)
{
    size_t i;

    for (i = 0; i < c->cores; i++)
        if (c->core[i][0] == package && c->core[i][1] == number)
            return;
    c->core = xrealloc(c->core, (c->cores + 1) * sizeof *c->core);
    c->core[c->cores][0] = package;
    c->core[c->cores++][1] = number;
}

/* What names the processors: x86, RISC-V, POWER; ARM has numbers alone. */
static void set_model(jv *o, const char *text)
{
    static const char *const names[] = {"model name", "uarch", "cpu model", "cpu"};
    const char *p = NULL, *part;
    char value[64];
    size_t i, n = 0, m;

    for (i = 0; i < LEN(names) && !p; i++)
        p = sysinfo_line(text, names[i], ':', &n);
    if (p) {
        sysinfo_set(o, "cpuModel", p, n);
        return;
    }
    p = sysinfo_line(text, "CPU implementer", ':', &n);
    part = sysinfo_line(text, "CPU part", ':', &m);
    if (p && part && n < 16 && m < 16) {
        snprintf(value, sizeof value, "implementer %.*s, part %.*s", (int)n, p, (int)m, part);
        sysinfo_set(o, "cpuModel", value, strlen(value));
    }
}

void sysinfo_cpu(const struct agent *a, jv *o)
{
    struct buf b AUTO_BUF = BUF_INIT;
    struct cpus c = {0};
    const char *block, *end;

    (void)a;
    if (!sysinfo_read("/proc/cpuinfo", &b))
        return;
    for (block = b.p; *block; block = end + strspn(end, "\n")) {
        end = strstr(block, "\n\n");
        if (!end)
            end = block + strlen(block);
        if (number_in(block, (size_t)(end - block), "processor") < 0)
            continue;
        c.processors++;
        count_core(&c, number_in(block, (size_t)(end - block), "physical id"),
            number_in(block, (size_t)(end - block), "core id"));
    }
    /* Where no cores are named, each processor is one. */
    if (c.cores == 1 && c.core[0][1] < 0)
        c.cores = c.processors;
    set_number(o, "cpuProcessors", c.processors);
    set_number(o, "cpuCores", c.cores);
    set_model(o, b.p);
    free(c.core);
}

void sysinfo_memory(const struct agent *a, jv *o)
{
    struct buf b AUTO_BUF = BUF_INIT;
    const char *p;
    size_t n;

    (void)a;
    if (sysinfo_read("/proc/meminfo", &b) && (p = sysinfo_line(b.p, "MemTotal", ':', &n)))
        sysinfo_set(o, "memoryTotalKb", p, strspn(p, "0123456789"));
}

/* --- graphics ------------------------------------------------------------------------------ */

/* The name behind four digits at the start of a line of pci.ids, indented by tabs, from *at on but
 * not past a line of a lower indent. Empty if there is none. */
static void id_name(const char **at, const char *indent, const char *id, char *out, size_t size)
{
    const char *p;

    *out = '\0';
    for (p = *at; p && *p; p = strchr(p, '\n') ? strchr(p, '\n') + 1 : NULL) {
        size_t depth = strspn(p, "\t");

        if (depth < strlen(indent) && *p != '#' && *p != '\n' && p != *at)
            return;
        if (depth != strlen(indent) || strncasecmp(p + depth, id, 4) != 0 || p[depth + 4] != ' ')
            continue;
        p += depth + 4;
        p += strspn(p, " ");
        snprintf(out, size, "%.*s", (int)strcspn(p, "\n"), p);
        *at = p;
        return;
    }
}

/* Four hex digits of a file that has "0x10de\n"; false: it has not. */
static bool read_id(const char *dir, const char *name, char id[5])
{
    char *path AUTO_FREE = xasprintf("%s/%s", dir, name);
    struct buf b AUTO_BUF = BUF_INIT;

    if (!sysinfo_read(path, &b) || strncmp(b.p, "0x", 2) != 0 ||
        strspn(b.p + 2, "0123456789abcdef") < 4)
        return false;
    snprintf(id, 5, "%.4s", b.p + 2);
    return true;
}

static void load_ids(const struct agent *a, struct buf *ids)
{
    static const char *const paths[] = {"/usr/share/hwdata/pci.ids", "/usr/share/misc/pci.ids"};
    size_t i;

    for (i = 0; i < LEN(paths) && !ids->len; i++)
        place_read_path(a->root_fd, paths[i], paths[i], IDS_MAX, ids, NULL);
}

/* "[0] NVIDIA Corporation GA102GL", as existing agents have it; numbers where names are unknown. */
static void add_gpu(const struct agent *a, struct buf *out, struct buf *ids, size_t index,
    const char *vendor, const char *device)
{
    char vendor_name[128] = "", device_name[128] = "";
    const char *at;

    if (index == 0)
        load_ids(a, ids);
    at = ids->p;
    if (at) {
        id_name(&at, "", vendor, vendor_name, sizeof vendor_name);
        if (*vendor_name)
            id_name(&at, "\t", device, device_name, sizeof device_name);
    }
    buf_printf(out, "%s[%zu] %s%s ", index ? "." : "", index, *vendor_name ? vendor_name : "0x",
        *vendor_name ? "" : vendor);
    buf_printf(out, "%s%s", *device_name ? device_name : "0x", *device_name ? "" : device);
}

static int by_name(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

void sysinfo_gpu(const struct agent *a, jv *o)
{
    static const char where[] = "/sys/bus/pci/devices";
    struct buf out AUTO_BUF = BUF_INIT, ids AUTO_BUF = BUF_INIT;
    DIR *d = opendir(where);
    char *found[GPUS_MAX];
    struct dirent *ent;
    size_t i, n = 0, shown = 0;

    if (!d)
        return;
    while (n < GPUS_MAX && (ent = readdir(d))) {
        char *path = ent->d_name[0] == '.' ? NULL : xasprintf("%s/%s", where, ent->d_name);
        char class[5];

        if (path && read_id(path, "class", class) && strncmp(class, "03", 2) == 0)
            found[n++] = path;
        else
            free(path);
    }
    closedir(d);
    qsort(found, n, sizeof *found, by_name);
    for (i = 0; i < n; i++) {
        char vendor[5], device[5];

        if (read_id(found[i], "vendor", vendor) && read_id(found[i], "device", device))
            add_gpu(a, &out, &ids, shown++, vendor, device);
        free(found[i]);
    }
    if (out.len)
        sysinfo_set(o, "gpu", out.p, out.len);
}

/* --- TPM ----------------------------------------------------------------------------------- */

/* TPM2_GetCapability of TPM_PT_MANUFACTURER (Trusted Platform Module Library, Part 3, 30.2): four
 * letters, such as "INTC". */
void sysinfo_tpm(const struct agent *a, jv *o)
{
    static const unsigned char ask[22] = {0x80, 1, 0, 0, 0, 22, 0, 0, 1, 0x7a, 0, 0, 0, 6,
        0, 0, 1, 5, 0, 0, 0, 1};
    static const unsigned char is[23] = {0x80, 1, 0, 0, 0, 27, 0, 0, 0, 0, 0, 0, 0, 0, 6,
        0, 0, 0, 1, 0, 0, 1, 5};
    unsigned char said[32];
    const char *name;
    int fd AUTO_CLOSE = open("/dev/tpmrm0", O_RDWR | O_NONBLOCK | O_CLOEXEC);
    struct pollfd p;

    (void)a;
    if (fd < 0)
        fd = open("/dev/tpm0", O_RDWR | O_NONBLOCK | O_CLOEXEC);
    p = (struct pollfd){.fd = fd, .events = POLLIN};
    if (fd < 0 || write(fd, ask, sizeof ask) != sizeof ask || poll(&p, 1, TPM_TIMEOUT) != 1 ||
        read(fd, said, sizeof said) != 27)
        return;
    said[10] = 0; /* whether there are more properties */
    name = (char *)said + sizeof is;
    if (memcmp(said, is, sizeof is) == 0)
        sysinfo_set(o, "tpmVendorInfo", name, strnlen(name, 4));
}
