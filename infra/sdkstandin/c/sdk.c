/* A stand-in for WeCom's libWeWorkFinanceSdk_C.so: the same functions (the vendor's
 * header is the source of their shapes), for tests. It speaks to the simulated corp
 * (shared/wecom/wecomtest) on 127.0.0.1.
 *
 * - proxy is the address of the simulator, http://127.0.0.1:port, and nothing else
 *   is ever connected to.
 * - DecryptData opens what the simulator sealed. Keys below 13 bytes abort, as in
 *   the vendor's library.
 * - An encrypt_msg or sdkfileid that begins with '!' is an order; see obey().
 *   A reply's header X-SDK-Order gives one for GetChatData.
 * - The sdkfileid !bytes:N is a file of N bytes, which fetches in slices. Those that
 *   begin otherwise are asked of the simulator.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/uio.h>
#include <unistd.h>

#include "crypt.h"

#define EXPORT __attribute__((visibility("default")))

typedef struct WeWorkFinanceSdk_t {
    char *corpid, *secret;
} WeWorkFinanceSdk_t;

typedef struct Slice_t {
    char *buf;
    int len;
} Slice_t;

typedef struct MediaData {
    char *outindexbuf;
    int out_len;
    char *data;
    int data_len;
    int is_finish;
} MediaData_t;

enum {
    bad_argument = 10000,
    network = 10001,
    unreadable = 10002,
    bad_file = 10005,
    bad_message = 10008,
};

EXPORT Slice_t *NewSlice(void) { return calloc(1, sizeof(Slice_t)); }
EXPORT char *GetContentFromSlice(Slice_t *s) { return s->buf; }
EXPORT int GetSliceLen(Slice_t *s) { return s->len; }
EXPORT void FreeSlice(Slice_t *s) {
    free(s->buf);
    free(s);
}

EXPORT MediaData_t *NewMediaData(void) { return calloc(1, sizeof(MediaData_t)); }
EXPORT char *GetOutIndexBuf(MediaData_t *m) { return m->outindexbuf; }
EXPORT char *GetData(MediaData_t *m) { return m->data; }
EXPORT int GetIndexLen(MediaData_t *m) { return m->out_len; }
EXPORT int GetDataLen(MediaData_t *m) { return m->data_len; }
EXPORT int IsMediaDataFinish(MediaData_t *m) { return m->is_finish; }
EXPORT void FreeMediaData(MediaData_t *m) {
    free(m->outindexbuf);
    free(m->data);
    free(m);
}

EXPORT WeWorkFinanceSdk_t *NewSdk(void) { return calloc(1, sizeof(WeWorkFinanceSdk_t)); }

EXPORT int Init(WeWorkFinanceSdk_t *sdk, const char *corpid, const char *secret) {
    sdk->corpid = strdup(corpid);
    sdk->secret = strdup(secret);
    return 0;
}

EXPORT void DestroySdk(WeWorkFinanceSdk_t *sdk) {
    free(sdk->corpid);
    free(sdk->secret);
    free(sdk);
}

static void fill(Slice_t *s, const char *content, size_t len) {
    s->buf = malloc(len + 1);
    memcpy(s->buf, content, len);
    s->buf[len] = 0;
    s->len = (int)len;
}

/* Tries all ways into the parent, and says what it could do. */
static void spy(Slice_t *out) {
    char path[64], said[512] = "";
    const char *files[] = {"mem", "environ", "maps"};
    int parent = getppid(), n = 0;
    for (int i = 0; i < 3; i++) {
        snprintf(path, sizeof path, "/proc/%d/%s", parent, files[i]);
        int fd = open(path, O_RDONLY);
        char byte;
        if (fd >= 0 && (i == 0 || read(fd, &byte, 1) > 0)) n += snprintf(said + n, sizeof said - n, "reads %s;", files[i]);
        if (fd >= 0) close(fd);
    }
    char byte;
    struct iovec here = {&byte, 1}, there = {(void *)&spy, 1};
    if (process_vm_readv(parent, &here, 1, &there, 1, 0) >= 0 || errno == EFAULT) n += snprintf(said + n, sizeof said - n, "reads memory;");
    if (ptrace(PTRACE_SEIZE, parent, 0, 0) == 0) {
        n += snprintf(said + n, sizeof said - n, "traces;");
        ptrace(PTRACE_DETACH, parent, 0, 0);
    }
    extern char **environ;
    for (char **e = environ; e && *e; e++) n += snprintf(said + n, sizeof said - n, "has variable;");
    fill(out, said, n);
}

/* Carries out an order (without its '!') and returns the code of the call.
 *   abort, segv, exit:N           the process ends
 *   hang, hang:PATH               the call does not; PATH is made when it begins
 *   once:PATH                     abort, unless PATH exists; it is made
 *   code:N                        the call returns N
 *   leak:N                        N bytes are taken and never given back
 *   print                         something goes to stdout and stderr
 *   nul                           the content has NUL bytes
 *   negative                      the content has a negative length
 *   echo:TEXT                     the content is TEXT
 *   spy                           the content says what the process can do to its parent
 */
static int obey(const char *order, Slice_t *out) {
    const char *colon = strchr(order, ':');
    const char *value = colon ? colon + 1 : "";
    size_t len = colon ? (size_t)(colon - order) : strlen(order);
#define IS(word) (len == sizeof word - 1 && memcmp(order, word, len) == 0)
    if (IS("abort")) abort();
    if (IS("segv")) {
        volatile int *volatile nowhere = NULL;
        *nowhere = 0;
    }
    if (IS("exit")) _exit(atoi(value));
    if (IS("hang")) {
        if (*value) close(open(value, O_CREAT | O_WRONLY, 0600));
        for (;;) pause();
    }
    if (IS("once")) {
        if (access(value, F_OK) == 0) return fill(out, "again", 5), 0;
        close(open(value, O_CREAT | O_WRONLY, 0600));
        abort();
    }
    if (IS("code")) return atoi(value);
    if (IS("leak")) {
        size_t n = strtoul(value, NULL, 10);
        volatile char *lost = malloc(n);
        for (size_t i = 0; i < n; i += 1024) lost[i] = 1;
        return fill(out, "leaked", 6), 0;
    }
    if (IS("print")) {
        puts("content on stdout"), fflush(stdout);
        fputs("content on stderr", stderr);
        return fill(out, "printed", 7), 0;
    }
    if (IS("nul")) return fill(out, "a\0b\0", 4), 0;
    if (IS("negative")) return fill(out, "", 0), out->len = -1, 0;
    if (IS("echo")) return fill(out, value, strlen(value)), 0;
    if (IS("spy")) return spy(out), 0;
    return bad_argument;
}

static uint8_t *unbase64(const char *text, size_t *len) {
    uint8_t *out = malloc(strlen(text) / 4 * 3 + 3);
    uint32_t bits = 0;
    int have = 0;
    *len = 0;
    for (; *text && *text != '='; text++) {
        const char *all = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
        const char *at = strchr(all, *text);
        if (*text == '\n' || *text == '\r') continue;
        if (!at) {
            free(out);
            return NULL;
        }
        bits = bits << 6 | (uint32_t)(at - all);
        if ((have += 6) >= 8) out[(*len)++] = (uint8_t)(bits >> (have -= 8));
    }
    return out;
}

EXPORT int DecryptData(const char *key, const char *message, Slice_t *out) {
    if (strlen(key) < 13) abort();
    if (message[0] == '!') return obey(message + 1, out);
    size_t len;
    uint8_t *body = unbase64(message, &len), hash[32];
    if (!body || len < 12 + 16) {
        free(body);
        return bad_message;
    }
    sha256((const uint8_t *)key, strlen(key), hash);
    out->len = (int)(len - 12 - 16);
    out->buf = calloc(1, out->len + 1);
    int differs = aes256_gcm_open(hash, body, body + 12, out->len, body + len - 16, (uint8_t *)out->buf);
    free(body);
    return differs ? bad_message : 0;
}

static void escape(char *to, const char *from) {
    for (; *from; from++) to += sprintf(to, "%%%02X", (unsigned char)*from);
    *to = 0;
}

/* Posts a form to the simulator; *reply is the whole answer, to be freed. */
static int post(const char *proxy, int timeout, const char *path, const char *form, char **reply, size_t *size) {
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    const char *prefix = "http://127.0.0.1:";
    if (strncmp(proxy, prefix, strlen(prefix)) != 0) return network;
    to.sin_port = htons((uint16_t)atoi(proxy + strlen(prefix)));
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    struct timeval patience = {.tv_sec = timeout};
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    int failed = connect(fd, (struct sockaddr *)&to, sizeof to);
    if (!failed) failed = dprintf(fd, "POST %s HTTP/1.0\r\nHost: simulator\r\nContent-Type: application/x-www-form-urlencoded\r\nContent-Length: %zu\r\n\r\n%s", path, strlen(form), form) < 0;
    size_t room = 64 << 10;
    *size = 0;
    *reply = malloc(room);
    while (!failed) {
        ssize_t n = read(fd, *reply + *size, room - *size - 1);
        if (n == 0) break;
        failed = n < 0;
        if (n > 0 && (*size += (size_t)n) == room - 1) *reply = realloc(*reply, room *= 2);
    }
    close(fd);
    (*reply)[*size] = 0;
    if (failed || *size == 0) {
        free(*reply);
        return network;
    }
    return 0;
}

EXPORT int GetChatData(WeWorkFinanceSdk_t *sdk, unsigned long long seq, unsigned int limit, const char *proxy,
                       const char *passwd, int timeout, Slice_t *out) {
    (void)passwd;
    if (limit < 1 || limit > 1000) return bad_argument;
    char *corpid = malloc(3 * strlen(sdk->corpid) + 1), *secret = malloc(3 * strlen(sdk->secret) + 1), *form, *reply;
    escape(corpid, sdk->corpid);
    escape(secret, sdk->secret);
    int n = asprintf(&form, "corpid=%s&secret=%s&seq=%llu&limit=%u", corpid, secret, seq, limit);
    free(corpid);
    free(secret);
    if (n < 0) return unreadable;
    size_t size;
    int code = post(proxy, timeout, "/sdk/chats", form, &reply, &size);
    free(form);
    if (code != 0) return code;

    char *body = strstr(reply, "\r\n\r\n"), *order = strcasestr(reply, "\r\nX-SDK-Order: ");
    if (!body || strncmp(reply + 8, " 200", 4) != 0) {
        code = unreadable;
    } else if (order && order < body) {
        order += strlen("\r\nX-SDK-Order: ");
        *strstr(order, "\r\n") = 0;
        code = obey(order, out);
    } else {
        body += 4;
        fill(out, body, size - (size_t)(body - reply));
    }
    free(reply);
    return code;
}

enum { slice_size = 512 << 10 };

/* The value of a header of a reply that ends at body, to be freed; NULL: none. */
static char *header(const char *reply, const char *body, const char *name) {
    const char *at = strcasestr(reply, name);
    if (!at || at >= body) return NULL;
    at += strlen(name);
    return strndup(at, strcspn(at, "\r"));
}

/* Asks the simulator for a slice. */
static int fetch(WeWorkFinanceSdk_t *sdk, const char *index, const char *file, const char *proxy, int timeout, MediaData_t *out) {
    const char *values[] = {sdk->corpid, sdk->secret, file, index};
    char *escaped[4], *form, *reply;
    for (int i = 0; i < 4; i++) escape(escaped[i] = malloc(3 * strlen(values[i]) + 1), values[i]);
    int n = asprintf(&form, "corpid=%s&secret=%s&fileid=%s&index=%s", escaped[0], escaped[1], escaped[2], escaped[3]);
    for (int i = 0; i < 4; i++) free(escaped[i]);
    if (n < 0) return unreadable;
    size_t size;
    int code = post(proxy, timeout, "/sdk/media", form, &reply, &size);
    free(form);
    if (code != 0) return code;

    char *body = strstr(reply, "\r\n\r\n"), *order = NULL;
    if (!body || strncmp(reply + 8, " 200", 4) != 0) {
        code = unreadable;
    } else if ((order = header(reply, body, "\r\nX-SDK-Order: "))) {
        Slice_t said = {0};
        code = obey(order, &said);
        out->data = said.buf, out->data_len = said.len, out->is_finish = 1;
    } else {
        body += 4;
        out->data_len = (int)(size - (size_t)(body - reply));
        out->data = malloc((size_t)out->data_len + 1);
        memcpy(out->data, body, (size_t)out->data_len);
        out->outindexbuf = header(reply, body, "\r\nX-SDK-Next: ");
        out->out_len = out->outindexbuf ? (int)strlen(out->outindexbuf) : 0;
        out->is_finish = !out->outindexbuf;
    }
    free(order);
    free(reply);
    return code;
}

EXPORT int GetMediaData(WeWorkFinanceSdk_t *sdk, const char *index, const char *file, const char *proxy,
                        const char *passwd, int timeout, MediaData_t *out) {
    (void)passwd;
    if (!*file) return bad_argument;
    if (*file != '!') return *proxy ? fetch(sdk, index, file, proxy, timeout, out) : bad_file;
    if (strncmp(file, "!bytes:", 7) != 0) {
        Slice_t said = {0};
        int code = obey(file + 1, &said);
        out->data = said.buf, out->data_len = said.len, out->is_finish = 1;
        return code;
    }
    unsigned long long size = strtoull(file + 7, NULL, 10), from = 0, to = slice_size - 1;
    if (*index && (sscanf(index, "Range:bytes=%llu-%llu", &from, &to) != 2 || from > to || from >= size)) return bad_argument;
    if (to + 1 >= size) to = size - 1, out->is_finish = 1;
    out->data_len = size == 0 ? 0 : (int)(to + 1 - from);
    out->data = malloc(out->data_len + 1);
    for (int i = 0; i < out->data_len; i++) out->data[i] = (char)((uint32_t)(from + i) * 2654435761u >> 24);
    if (!out->is_finish) out->out_len = asprintf(&out->outindexbuf, "Range:bytes=%llu-%llu", to + 1, to + slice_size);
    return 0;
}
