/* SPDX-License-Identifier: Apache-2.0 */
#include "journal.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "base/log.h"
#include "place.h"

#define JOURNAL "journal"
enum { SUM = 16 }; /* hex digits in front of a record, then a space */

int journal_create(int data, struct journal *j, struct err *e)
{
    *j = (struct journal){.out = BUF_INIT};
    j->fd = openat(data, JOURNAL, O_WRONLY | O_CREAT | O_EXCL | O_APPEND | O_CLOEXEC, 0600);
    if (j->fd < 0)
        return err_errno(e, JOURNAL);
    if (fsync(data) == 0)
        return 0;
    err_errno(e, JOURNAL);
    journal_close(j);
    unlinkat(data, JOURNAL, 0);
    return -1;
}

int journal_reopen(int data, struct journal *j, struct err *e)
{
    struct buf b AUTO_BUF = BUF_INIT;
    const char *nl;

    *j = (struct journal){.fd = -1};
    if (place_read(data, JOURNAL, JOURNAL, RECORDS_MAX, &b, e) < 0)
        return -1;
    nl = b.len ? memrchr(b.p, '\n', b.len) : NULL;
    j->size = nl ? nl + 1 - b.p : 0;
    j->fd = openat(data, JOURNAL, O_WRONLY | O_APPEND | O_NOFOLLOW | O_CLOEXEC);
    if (j->fd < 0)
        return err_errno(e, JOURNAL);
    if ((off_t)b.len == j->size || ftruncate(j->fd, j->size) == 0)
        return 0;
    err_errno(e, JOURNAL);
    journal_close(j);
    return -1;
}

void journal_add(struct journal *j, jv record)
{
    struct buf line AUTO_BUF = BUF_INIT;
    char hash[SHA256_HEX];

    json_canon(&line, record);
    sha256_hex(line.p, line.len, hash);
    buf_add(&j->out, hash, SUM);
    buf_addc(&j->out, ' ');
    buf_add(&j->out, line.p, line.len);
    buf_addc(&j->out, '\n');
}

int journal_sync(struct journal *j, struct err *e)
{
    int rc = fd_write(j->fd, j->out.p, j->out.len, JOURNAL, e);

    if (rc == 0 && fdatasync(j->fd) < 0)
        rc = err_errno(e, JOURNAL);
    if (rc == 0)
        j->size += (off_t)j->out.len;
    else if (ftruncate(j->fd, j->size) < 0 || fdatasync(j->fd) < 0)
        j->doubtful = true;
    buf_reset(&j->out);
    return rc;
}

void journal_close(struct journal *j)
{
    if (j->fd >= 0)
        close(j->fd);
    j->fd = -1;
    buf_free(&j->out);
}

int journal_remove(int data, struct err *e)
{
    if (unlinkat(data, JOURNAL, 0) < 0 && errno != ENOENT)
        return err_errno(e, JOURNAL);
    return fsync(data) < 0 ? err_errno(e, JOURNAL) : 0;
}

bool journal_exists(int data)
{
    return faccessat(data, JOURNAL, F_OK, 0) == 0;
}

static int parse_line(const char *line, size_t n, jv *out, struct err *e)
{
    char hash[SHA256_HEX];

    if (n <= SUM + 1 || line[SUM] != ' ')
        return err_set(e, FC_INVALID, "not a record");
    sha256_hex(line + SUM + 1, n - SUM - 1, hash);
    if (memcmp(hash, line, SUM) != 0)
        return err_set(e, FC_INVALID, "wrong checksum");
    if (json_parse(line + SUM + 1, n - SUM - 1, out, e) < 0)
        return -1;
    if (jv_get_kind(*out) == JV_KIND_OBJECT && json_str(*out, "t"))
        return 0;
    jv_free(*out);
    return err_set(e, FC_INVALID, "not a record");
}

int journal_read(int data, jv *out, struct err *e)
{
    struct buf b AUTO_BUF = BUF_INIT;
    struct err why = {0};
    const char *p, *end, *nl;
    bool damaged = false, cut = false;
    int line = 0;

    *out = jv_invalid();
    if (place_read(data, JOURNAL, JOURNAL, RECORDS_MAX, &b, e) < 0)
        return e->code == FC_NOTFOUND ? 0 : -1;
    *out = jv_array();
    for (p = b.p, end = b.p ? b.p + b.len : NULL; p < end; p = nl + 1) {
        jv record;

        line++;
        damaged |= cut; /* there is something behind the bad line */
        nl = memchr(p, '\n', (size_t)(end - p));
        if (!nl)
            break;
        if (parse_line(p, (size_t)(nl - p), &record, &why) == 0)
            *out = jv_array_append(*out, record);
        else
            cut = true;
    }
    if (!damaged)
        return 0;
    log_warn("%s:%d: %s: a copy is in %s.broken", JOURNAL, line, why.msg, JOURNAL);
    return place_write(data, JOURNAL ".broken", b.p, b.len, 0600, PLACE_DURABLE, e);
}
