/* SPDX-License-Identifier: Apache-2.0 */
#include "net/status.h"

#include <stddef.h>

#include "base/mem.h"

/* The first row of a code is what it becomes; the first of a status what that means. */
static const struct { int status; enum fc_code code; } rows[] = {
    {200, FC_OK},
    {400, FC_INVALID},
    {400, FC_USAGE},
    {403, FC_DENIED},
    {401, FC_DENIED},
    {404, FC_NOTFOUND},
    {409, FC_CONFLICT},
    {412, FC_CONFLICT},
    {413, FC_INVALID},
    {414, FC_INVALID},
    {415, FC_INVALID},
    {422, FC_INVALID},
    {500, FC_FAIL},
    {500, FC_DIFFER},
    {405, FC_FAIL},
    {501, FC_FAIL},
    {503, FC_AGAIN},
    {408, FC_AGAIN},
    {429, FC_AGAIN},
    {502, FC_AGAIN},
    {504, FC_AGAIN},
};

int status_of(enum fc_code code)
{
    for (size_t i = 0; i < LEN(rows); i++)
        if (rows[i].code == code)
            return rows[i].status;
    return 500;
}

enum fc_code status_code(int status)
{
    if (status >= 200 && status < 300)
        return FC_OK;
    for (size_t i = 0; i < LEN(rows); i++)
        if (rows[i].status == status)
            return rows[i].code;
    return status >= 400 && status < 500 ? FC_INVALID : FC_FAIL;
}
