/* SPDX-License-Identifier: Apache-2.0 */
/* The least that a command can do: opens a SQLite file, reads one row by its key, prints it.
 *   minimal FILE STATEMENT KEY */
#include <sqlite3.h>
#include <stdio.h>

int main(int argc, char **argv)
{
    sqlite3_stmt *st = NULL;
    sqlite3 *db = NULL;
    int rc = 1;

    if (argc != 4) {
        fprintf(stderr, "usage: minimal FILE STATEMENT KEY\n");
        return 2;
    }
    if (sqlite3_open_v2(argv[1], &db, SQLITE_OPEN_READONLY, NULL) != SQLITE_OK ||
        sqlite3_prepare_v2(db, argv[2], -1, &st, NULL) != SQLITE_OK ||
        sqlite3_bind_text(st, 1, argv[3], -1, SQLITE_STATIC) != SQLITE_OK ||
        sqlite3_step(st) != SQLITE_ROW)
        fprintf(stderr, "minimal: %s\n", sqlite3_errmsg(db));
    else if (puts((const char *)sqlite3_column_text(st, 0)) >= 0 && fflush(stdout) == 0)
        rc = 0;
    sqlite3_finalize(st);
    sqlite3_close(db);
    return rc;
}
