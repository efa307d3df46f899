/* SPDX-License-Identifier: Apache-2.0 */
#include "net/http1.h"

#include <stdint.h>
#include <string.h>
#include <strings.h>

#include "base/mem.h"

enum {
    METHOD_MAX = 16,         /* bytes of a method: longer than any that we know is 501 */
    VERSION_LEN = 8,         /* "HTTP/1.1" */
    LINE_MAX_REQUEST = METHOD_MAX + 1 + HTTP_TARGET_MAX + 1 + VERSION_LEN + 2,
    KEEP_CAP = 4 << 10,      /* an idle connection keeps no more memory than this per buffer */
};

enum state { START, HEAD, BODY, CHUNK_SIZE, CHUNK_DATA, CHUNK_END, TRAILER, DONE, FAILED };

/* Input stands in `in`; a complete head moves to a buffer of its own, so that its pointers stay
 * while the body grows. A chunked body is joined in place: in[start, joined) is data,
 * in[joined, pos) a hole, in[pos, len) not looked at. */
struct http1 {
    enum state state;
    size_t body_max;
    struct buf in;
    size_t start;            /* of the current head, later of its body */
    size_t line;             /* start of the current line of the head */
    size_t first;            /* length of its first line */
    size_t scan;             /* no line end in [line or pos, scan) */
    size_t pos, joined;
    size_t left;             /* of the body by Content-Length, or of the current chunk */
    size_t trailer;          /* bytes of trailer lines so far */
    bool blank;              /* an empty line before the request was skipped */
    bool chunked;
    bool continued;          /* 100 Continue was asked for */
    int status;              /* when FAILED, with */
    const char *why;
    struct buf head;
    struct http_request req;
};

/* Headers that may come once only: two of them are read differently by different hops. */
enum single { HOST, CONTENT_LENGTH, CONTENT_TYPE, AUTHORIZATION, TRANSFER_ENCODING, EXPECT,
    CLIENT_CERT, X_SSL_CLIENT_CERT, SINGLES };

static const char *const singles[SINGLES] = {
    [HOST] = "host",
    [CONTENT_LENGTH] = "content-length",
    [CONTENT_TYPE] = "content-type",
    [AUTHORIZATION] = "authorization",
    [TRANSFER_ENCODING] = "transfer-encoding",
    [EXPECT] = "expect",
    [CLIENT_CERT] = "client-cert",
    [X_SSL_CLIENT_CERT] = "x-ssl-client-cert",
};

/* Bytes of a token (RFC 9110 5.6.2) in lower case; 0 for others. */
static const char token[256] = {
    ['!'] = '!', ['#'] = '#', ['$'] = '$', ['%'] = '%', ['&'] = '&', ['\''] = '\'', ['*'] = '*',
    ['+'] = '+', ['-'] = '-', ['.'] = '.', ['^'] = '^', ['_'] = '_', ['`'] = '`', ['|'] = '|',
    ['~'] = '~', ['0'] = '0', ['1'] = '1', ['2'] = '2', ['3'] = '3', ['4'] = '4', ['5'] = '5',
    ['6'] = '6', ['7'] = '7', ['8'] = '8', ['9'] = '9', ['a'] = 'a', ['b'] = 'b', ['c'] = 'c',
    ['d'] = 'd', ['e'] = 'e', ['f'] = 'f', ['g'] = 'g', ['h'] = 'h', ['i'] = 'i', ['j'] = 'j',
    ['k'] = 'k', ['l'] = 'l', ['m'] = 'm', ['n'] = 'n', ['o'] = 'o', ['p'] = 'p', ['q'] = 'q',
    ['r'] = 'r', ['s'] = 's', ['t'] = 't', ['u'] = 'u', ['v'] = 'v', ['w'] = 'w', ['x'] = 'x',
    ['y'] = 'y', ['z'] = 'z', ['A'] = 'a', ['B'] = 'b', ['C'] = 'c', ['D'] = 'd', ['E'] = 'e',
    ['F'] = 'f', ['G'] = 'g', ['H'] = 'h', ['I'] = 'i', ['J'] = 'j', ['K'] = 'k', ['L'] = 'l',
    ['M'] = 'm', ['N'] = 'n', ['O'] = 'o', ['P'] = 'p', ['Q'] = 'q', ['R'] = 'r', ['S'] = 's',
    ['T'] = 't', ['U'] = 'u', ['V'] = 'v', ['W'] = 'w', ['X'] = 'x', ['Y'] = 'y', ['Z'] = 'z',
};

static int fail(struct http1 *p, int status, const char *why)
{
    p->state = FAILED;
    p->status = status;
    p->why = why;
    return -1;
}

static size_t token_len(const char *s, size_t n)
{
    size_t i = 0;

    while (i < n && token[(unsigned char)s[i]])
        i++;
    return i;
}

/* Is every byte one of a field value: HTAB, SP, VCHAR, obs-text? */
static bool value_ok(const char *s, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (((unsigned char)s[i] < 0x20 && s[i] != '\t') || s[i] == 0x7f)
            return false;
    return true;
}

/* Splits "name: value" in place, NUL-terminated; s[n] is the CR behind the line. */
static int parse_field(struct http1 *p, char *s, size_t n, struct http_header *h)
{
    size_t i, name = token_len(s, n), end = n, from;

    if (s[0] == ' ' || s[0] == '\t')
        return fail(p, 400, "a header is folded over several lines");
    if (name == 0 || name == n || s[name] != ':')
        return fail(p, 400, "a header line is not \"name: value\"");
    for (i = 0; i < name; i++)
        s[i] = token[(unsigned char)s[i]];
    s[name] = '\0';
    for (from = name + 1; from < n && (s[from] == ' ' || s[from] == '\t'); from++)
        ;
    while (end > from && (s[end - 1] == ' ' || s[end - 1] == '\t'))
        end--;
    if (!value_ok(s + from, end - from))
        return fail(p, 400, "a header value has control bytes");
    s[end] = '\0';
    h->name = s;
    h->value = s + from;
    return 0;
}

/* METHOD SP TARGET SP HTTP/1.x in place; s[n] is the CR behind the line. */
static int parse_request_line(struct http1 *p, char *s, size_t n)
{
    struct http_request *q = &p->req;
    size_t method = token_len(s, n), i;
    char *target = s + method + 1, *version;

    if (method == 0 || method == n || s[method] != ' ')
        return fail(p, 400, "no request line");
    if (method > METHOD_MAX)
        return fail(p, 501, "unknown method");
    version = memchr(target, ' ', n - method - 1);
    if (!version || s + n - (version + 1) != VERSION_LEN || memcmp(version + 1, "HTTP/", 5) != 0
        || version[6] < '0' || version[6] > '9' || version[7] != '.' || version[8] < '0'
        || version[8] > '9')
        return fail(p, 400, "the request line does not end with an HTTP version");
    if (version[6] != '1' || version[8] > '1')
        return fail(p, 505, "only HTTP/1.0 and HTTP/1.1 are spoken here");
    if (version - target > HTTP_TARGET_MAX)
        return fail(p, 414, "the request target is too long");
    if (version == target)
        return fail(p, 400, "no request target");
    for (i = 0; target + i < version; i++)
        if (target[i] <= 0x20 || target[i] >= 0x7f || target[i] == '#')
            return fail(p, 400, "the request target has bytes that no target has");
    q->minor = version[8] - '0';
    s[method] = '\0';
    *version = '\0';
    q->method = s;
    q->target = target;
    return 0;
}

/* host [":" port]: what RFC 3986 allows in reg-name and IP-literal. */
static bool host_ok(const char *s)
{
    for (; *s; s++)
        if (token[(unsigned char)*s] ? strchr("#^`|", *s) != NULL : !strchr("()[]:,;=", *s))
            return false;
    return true;
}

/* Path and query. An absolute URI, which is for proxies, is refused: what is between might go by the
 * host that it names and we by another. `head` has room for a copy of the path. */
static int parse_target(struct http1 *p)
{
    struct http_request *q = &p->req;
    const char *t = q->target, *mark;

    if (strcmp(t, "*") == 0) {
        if (strcmp(q->method, "OPTIONS") != 0)
            return fail(p, 400, "the request target * belongs to OPTIONS");
    } else if (*t != '/')
        return fail(p, 400, "the request target is not a path");

    mark = strchr(t, '?');
    if (mark) {
        q->path = p->head.p + p->head.len;
        buf_add(&p->head, t, (size_t)(mark - t));
        q->query = mark + 1;
    } else {
        q->path = t;
        q->query = "";
    }
    return 0;
}

/* Does a list of tokens have this one? */
static bool list_has(const char *s, const char *word)
{
    size_t n = strlen(word);

    for (;;) {
        size_t len;

        s += strspn(s, " \t,");
        if (!*s)
            return false;
        len = strcspn(s, " \t,");
        if (len == n && strncasecmp(s, word, n) == 0)
            return true;
        s += len;
    }
}

/* How long the body is: sets chunked and left. */
static int parse_length(struct http1 *p, const char *const *once)
{
    const char *s = once[CONTENT_LENGTH];
    size_t n = 0;

    p->chunked = false;
    p->left = 0;
    if (once[TRANSFER_ENCODING]) {
        if (s)
            return fail(p, 400, "both Content-Length and Transfer-Encoding");
        if (p->req.minor == 0)
            return fail(p, 400, "Transfer-Encoding in HTTP/1.0");
        if (strcasecmp(once[TRANSFER_ENCODING], "chunked") != 0)
            return fail(p, 501, "a transfer coding other than chunked");
        p->chunked = true;
        return 0;
    }
    if (!s)
        return 0;
    if (!*s || s[strspn(s, "0123456789")])
        return fail(p, 400, "Content-Length is not a number");
    for (; *s; s++) {
        n = n * 10 + (size_t)(*s - '0');
        if (n > p->body_max)
            return fail(p, 413, "the body is too large");
    }
    p->left = n;
    return 0;
}

/* The whole head stands in p->head, its last line empty. */
static int parse_head(struct http1 *p)
{
    struct http_request *q = &p->req;
    const char *once[SINGLES] = {NULL};
    char *s = p->head.p, *end = p->head.p + p->head.len - 2, *cr;
    bool close = false, keep = false;
    size_t i, k;

    cr = (char *)memchr(s, '\n', (size_t)(end - s)) - 1;
    if (parse_request_line(p, s, (size_t)(cr - s)) < 0)
        return -1;
    q->nheaders = 0;
    for (s = cr + 2; s < end; s = cr + 2) {
        struct http_header *h = &q->header[q->nheaders];

        cr = (char *)memchr(s, '\n', (size_t)(end - s)) - 1;
        if (q->nheaders == HTTP_HEADERS_MAX)
            return fail(p, 431, "too many headers");
        if (parse_field(p, s, (size_t)(cr - s), h) < 0)
            return -1;
        q->nheaders++;
    }
    for (i = 0; i < q->nheaders; i++) {
        const struct http_header *h = &q->header[i];

        for (k = 0; k < SINGLES; k++)
            if (strcmp(h->name, singles[k]) == 0) {
                if (once[k])
                    return fail(p, 400, "a header that may come once came twice");
                once[k] = h->value;
                break;
            }
        if (k == SINGLES && strcmp(h->name, "connection") == 0) {
            close |= list_has(h->value, "close");
            keep |= list_has(h->value, "keep-alive");
        }
    }
    if (once[HOST] ? !host_ok(once[HOST]) : q->minor == 1)
        return fail(p, 400, once[HOST] ? "Host is not a host" : "no Host");
    if (once[EXPECT] && strcasecmp(once[EXPECT], "100-continue") != 0)
        return fail(p, 417, "an expectation other than 100-continue");
    if (parse_target(p) < 0 || parse_length(p, once) < 0)
        return -1;
    q->keep_alive = !close && (q->minor == 1 || keep);
    q->expect_continue = once[EXPECT] && q->minor == 1 && (p->chunked || p->left > 0);
    q->body = "";
    q->body_len = 0;
    return 0;
}

/* Skips one empty line. 1: a request begins; 0: more bytes; -1: failed. */
static int find_start(struct http1 *p)
{
    const char *s = p->in.p + p->start;
    size_t n = p->in.len - p->start;

    if (n > 0 && s[0] == '\r' && !p->blank) {
        if (n == 1)
            return 0;
        if (s[1] != '\n')
            return fail(p, 400, "a line does not end with CR LF");
        p->blank = true;
        p->start += 2;
        s += 2;
        n -= 2;
    }
    if (n == 0)
        return 0;
    if (!token[(unsigned char)s[0]])
        return fail(p, 400, "this is not HTTP");
    p->line = p->scan = p->start;
    p->state = HEAD;
    return 1;
}

/* Looks for the empty line after the head, and moves the head out. As find_start. */
static int find_head(struct http1 *p)
{
    for (;;) {
        char *lf = memchr(p->in.p + p->scan, '\n', p->in.len - p->scan);
        size_t end = lf ? (size_t)(lf + 1 - p->in.p) : p->in.len;

        if (p->line == p->start && end - p->start > LINE_MAX_REQUEST)
            return fail(p, 414, "the request line is too long");
        if (end - p->start > HTTP_HEAD_MAX)
            return fail(p, 431, "the headers are too long");
        p->scan = end;
        if (!lf)
            return 0;
        if (end - p->line < 2 || lf[-1] != '\r')
            return fail(p, 400, "a line does not end with CR LF");
        if (end - p->line == 2)
            break;
        if (p->line == p->start)
            p->first = end - p->start;
        p->line = end;
    }
    buf_reset(&p->head);
    buf_reserve(&p->head, p->scan - p->start + p->first); /* with the path's copy */
    buf_add(&p->head, p->in.p + p->start, p->scan - p->start);
    p->start = p->pos = p->joined = p->scan;
    if (parse_head(p) < 0)
        return -1;
    p->state = p->chunked ? CHUNK_SIZE : BODY;
    p->trailer = 0;
    return 1;
}

static int done(struct http1 *p)
{
    p->req.body_len = p->joined - p->start;
    p->req.body = p->req.body_len ? p->in.p + p->start : "";
    p->state = DONE;
    return 1;
}

/* The complete line at pos without its end, which it skips. 1, 0 or -1 as find_start; a line of
 * more than max bytes fails with `status`. */
static int take_line(struct http1 *p, size_t max, int status, char **line, size_t *n)
{
    char *lf = memchr(p->in.p + p->scan, '\n', p->in.len - p->scan);
    size_t end = lf ? (size_t)(lf + 1 - p->in.p) : p->in.len;

    if (end - p->pos > max)
        return fail(p, status, "a line of the chunked body is too long");
    p->scan = end;
    if (!lf)
        return 0;
    if (end - p->pos < 2 || lf[-1] != '\r')
        return fail(p, 400, "a line does not end with CR LF");
    *line = p->in.p + p->pos;
    *n = end - p->pos - 2;
    p->pos = end;
    return 1;
}

static int hex_digit(char c)
{
    return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 :
        c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

static int chunk_size(struct http1 *p)
{
    char *s;
    size_t n, i, size = 0;
    int got = take_line(p, HTTP_CHUNK_LINE_MAX, 400, &s, &n);

    if (got <= 0)
        return got;
    for (i = 0; i < n && hex_digit(s[i]) >= 0; i++) {
        size = size * 16 + (size_t)hex_digit(s[i]);
        if (size > p->body_max - (p->joined - p->start))
            return fail(p, 413, "the body is too large");
    }
    if (i == 0 || (i < n && s[i] != ';') || !value_ok(s + i, n - i))
        return fail(p, 400, "a chunk has no size");
    p->left = size;
    p->state = size ? CHUNK_DATA : TRAILER;
    return 1;
}

static int chunk_data(struct http1 *p)
{
    size_t n = p->in.len - p->pos < p->left ? p->in.len - p->pos : p->left;

    if (n && p->joined != p->pos)
        memmove(p->in.p + p->joined, p->in.p + p->pos, n);
    p->joined += n;
    p->pos += n;
    p->left -= n;
    if (p->left)
        return 0;
    p->state = CHUNK_END;
    return 1;
}

static int chunk_end(struct http1 *p)
{
    size_t n = p->in.len - p->pos;

    if ((n > 0 && p->in.p[p->pos] != '\r') || (n > 1 && p->in.p[p->pos + 1] != '\n'))
        return fail(p, 400, "a chunk is longer than its size");
    if (n < 2)
        return 0;
    p->pos += 2;
    p->scan = p->pos;
    p->state = CHUNK_SIZE;
    return 1;
}

/* Trailers are checked like headers and dropped. */
static int trailer(struct http1 *p)
{
    struct http_header h;
    size_t from = p->pos, n;
    char *s;
    int got = take_line(p, HTTP_HEAD_MAX - p->trailer, 431, &s, &n);

    if (got <= 0)
        return got;
    p->trailer += p->pos - from;
    if (n == 0)
        return done(p);
    return parse_field(p, s, n, &h) < 0 ? -1 : 1;
}

static int body(struct http1 *p)
{
    if (p->in.len - p->start < p->left)
        return 0;
    p->joined = p->pos = p->start + p->left;
    return done(p);
}

/* Bytes of chunk lines that were read need no memory any more: input moves over them. */
static void close_hole(struct http1 *p)
{
    size_t hole = p->pos - p->joined;

    if (hole == 0)
        return;
    memmove(p->in.p + p->joined, p->in.p + p->pos, p->in.len - p->pos);
    p->in.len -= hole;
    p->scan = p->scan > p->pos ? p->scan - hole : p->joined;
    p->pos = p->joined;
}

static void append(struct http1 *p, const char *data, size_t n)
{
    if (p->start > 0) {
        memmove(p->in.p, p->in.p + p->start, p->in.len - p->start);
        p->in.len -= p->start;
        if (p->state != START) {
            p->scan -= p->start;
            if (p->state == HEAD)
                p->line -= p->start;
            else {
                p->pos -= p->start;
                p->joined -= p->start;
            }
        }
        p->start = 0;
    }
    buf_add(&p->in, data, n);
}

static int step(struct http1 *p)
{
    switch (p->state) {
    case START: return find_start(p);
    case HEAD: return find_head(p);
    case BODY: return body(p);
    case CHUNK_SIZE: return chunk_size(p);
    case CHUNK_DATA: return chunk_data(p);
    case CHUNK_END: return chunk_end(p);
    case TRAILER: return trailer(p);
    case DONE:
    case FAILED: break;
    }
    die("http1: no step from state %d", p->state);
}

enum http1_result http1_feed(struct http1 *p, const char *data, size_t n, struct http_request **req,
    int *status, struct err *e)
{
    if (n > 0 && p->state == DONE)
        die("http1: bytes while a request is in use");
    if (n > 0 && p->state != FAILED)
        append(p, data, n);
    while (p->state != DONE && p->state != FAILED && p->in.len > 0) {
        if (step(p) == 0) {
            if (p->state >= CHUNK_SIZE && p->state <= TRAILER)
                close_hole(p);
            break;
        }
    }
    if (p->state == FAILED) {
        *status = p->status;
        err_set(e, FC_INVALID, "%s", p->why);
        return HTTP1_ERROR;
    }
    *req = &p->req;
    if (p->state == DONE)
        return HTTP1_REQUEST;
    if (http1_in_body(p) && p->req.expect_continue && !p->continued) {
        p->continued = true;
        if (p->in.len == p->start) /* else the client did not wait */
            return HTTP1_CONTINUE;
    }
    return HTTP1_MORE;
}

void http1_next(struct http1 *p)
{
    if (p->state != DONE)
        return;
    p->state = START;
    p->start = p->pos;
    p->blank = p->continued = false;
    if (p->start == p->in.len) {
        p->start = 0;
        buf_reset(&p->in);
        if (p->in.cap > KEEP_CAP)
            buf_free(&p->in);
    }
    buf_reset(&p->head);
    if (p->head.cap > KEEP_CAP)
        buf_free(&p->head);
}

void http1_hold(struct http1 *p)
{
    if (p->state == DONE && p->req.body_len == 0 && p->pos == p->in.len) {
        p->start = p->pos = 0;
        buf_free(&p->in);
    }
}

struct http1 *http1_new(size_t body_max)
{
    struct http1 *p = xcalloc(1, sizeof *p);

    p->body_max = body_max;
    return p;
}

void http1_free(struct http1 *p)
{
    if (!p)
        return;
    buf_free(&p->in);
    buf_free(&p->head);
    free(p);
}

bool http1_in_body(const struct http1 *p)
{
    return p->state >= BODY && p->state < DONE;
}

bool http1_busy(const struct http1 *p)
{
    return http1_in_body(p) || (p->state < BODY && p->in.len > p->start);
}

size_t http1_held(const struct http1 *p)
{
    return p->in.len - p->start + p->head.len;
}

const char *http_header(const struct http_request *r, const char *name)
{
    for (size_t i = 0; i < r->nheaders; i++)
        if (strcmp(r->header[i].name, name) == 0)
            return r->header[i].value;
    return NULL;
}

const char *http_reason(int status)
{
    switch (status) {
    case 100: return "Continue";
    case 101: return "Switching Protocols";
    case 200: return "OK";
    case 201: return "Created";
    case 202: return "Accepted";
    case 204: return "No Content";
    case 304: return "Not Modified";
    case 400: return "Bad Request";
    case 401: return "Unauthorized";
    case 403: return "Forbidden";
    case 404: return "Not Found";
    case 405: return "Method Not Allowed";
    case 406: return "Not Acceptable";
    case 408: return "Request Timeout";
    case 409: return "Conflict";
    case 410: return "Gone";
    case 411: return "Length Required";
    case 412: return "Precondition Failed";
    case 413: return "Request Entity Too Large"; /* as existing clients print it */
    case 414: return "Request URI Too Long";
    case 415: return "Unsupported Media Type";
    case 417: return "Expectation Failed";
    case 422: return "Unprocessable Entity";
    case 426: return "Upgrade Required";
    case 429: return "Too Many Requests";
    case 431: return "Request Header Fields Too Large";
    case 500: return "Internal Server Error";
    case 501: return "Not Implemented";
    case 502: return "Bad Gateway";
    case 503: return "Service Unavailable";
    case 504: return "Gateway Timeout";
    case 505: return "HTTP Version Not Supported";
    default: return "Unknown";
    }
}
