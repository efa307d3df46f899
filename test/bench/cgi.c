/* SPDX-License-Identifier: Apache-2.0 */
/* The least that a CGI program of this kind can do: parses the client's certificate, opens a SQLite
 * file, reads one row by its key, and says that there is nothing new. The file is named by DB. */
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>

int main(void)
{
    const char *pem = getenv("SSL_CLIENT_CERT"), *file = getenv("DB"), *key = getenv("KEY");
    BIO *bio = BIO_new_mem_buf(pem ? pem : "", -1);
    X509 *cert = PEM_read_bio_X509(bio, NULL, NULL, NULL);
    sqlite3_stmt *st = NULL;
    sqlite3 *db = NULL;
    int rc = 1;

    if (!cert || sqlite3_open_v2(file, &db, SQLITE_OPEN_READWRITE, NULL) != SQLITE_OK ||
        sqlite3_prepare_v2(db, "SELECT rendered FROM device WHERE org = 1 AND name = ?1", -1, &st,
            NULL) != SQLITE_OK ||
        sqlite3_bind_text(st, 1, key, -1, SQLITE_STATIC) != SQLITE_OK ||
        sqlite3_step(st) != SQLITE_ROW)
        fprintf(stderr, "cgi: %s\n", db ? sqlite3_errmsg(db) : "no certificate");
    else if (printf("Status: 204 No Content\r\n\r\n") > 0 && fflush(stdout) == 0)
        rc = 0;
    sqlite3_finalize(st);
    sqlite3_close(db);
    X509_free(cert);
    BIO_free(bio);
    return rc;
}
