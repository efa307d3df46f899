/* SPDX-License-Identifier: Apache-2.0 */
/* The least that a CGI program of this kind can do: takes the device's name from the path, parses the
 * client's certificate and compares its subject, opens the SQLite file DB, reads the device's row,
 * and says whether there is news. */
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int fail(const char *why)
{
    printf("Status: 500 Internal Server Error\r\n\r\n%s\n", why);
    return 1;
}

/* "device:NAME". */
static int is_subject(X509 *cert, const char *name)
{
    char cn[256] = "";

    X509_NAME_get_text_by_NID(X509_get_subject_name(cert), NID_commonName, cn, sizeof cn);
    return strncmp(cn, "device:", 7) == 0 && strcmp(cn + 7, name) == 0;
}

int main(void)
{
    const char *pem = getenv("SSL_CLIENT_CERT"), *file = getenv("DB"), *path = getenv("PATH_INFO");
    const char *method = getenv("REQUEST_METHOD"), *query = getenv("QUERY_STRING");
    const char *known = query ? strstr(query, "knownRenderedVersion=") : NULL;
    BIO *bio = BIO_new_mem_buf(pem ? pem : "", -1);
    X509 *cert = PEM_read_bio_X509(bio, NULL, NULL, NULL);
    sqlite3_stmt *st = NULL;
    sqlite3 *db = NULL;
    int rc = 0;

    if (!file || !path || !method || strcmp(method, "GET") != 0 || !known)
        rc = fail("no request");
    else if (!cert || !is_subject(cert, path + 1))
        rc = fail("no certificate");
    else if (sqlite3_open_v2(file, &db, SQLITE_OPEN_READWRITE, NULL) != SQLITE_OK ||
        sqlite3_prepare_v2(db, "SELECT rendered FROM device WHERE org = 1 AND name = ?1", -1, &st,
            NULL) != SQLITE_OK ||
        sqlite3_bind_text(st, 1, path + 1, -1, SQLITE_STATIC) != SQLITE_OK ||
        sqlite3_step(st) != SQLITE_ROW)
        rc = fail(sqlite3_errmsg(db));
    else
        printf("Status: %s\r\n\r\n", sqlite3_column_int64(st, 0) == strtoll(known + 21, NULL, 10) ?
            "204 No Content" : "200 OK");
    sqlite3_finalize(st);
    sqlite3_close(db);
    X509_free(cert);
    BIO_free(bio);
    return rc || fflush(stdout) ? 1 : 0;
}
