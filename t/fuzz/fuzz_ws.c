/* Copyright (C) the IMS portal authors */
/* FUZZ_LIBS: -lcrypto */


/*
 * Feeds the WebSocket reader with a stream of frames, unmasks them in two
 * pieces, and takes payloads for close frames, keys and UTF-8; the last against
 * a decoder written the slow way.
 */


#include <stdlib.h>

#include "../../ngx_ims_portal_module/ngx_ims_str.c"
#include "../../ngx_ims_portal_module/ngx_ims_ws.c"


#define need(cond)  do { if (!(cond)) { abort(); } } while (0)


int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);


/* RFC 3629 by its numbers: decode, then judge the code point */

static int
slow_utf8(const unsigned char *p, size_t len)
{
    size_t    i, k, n;
    uint32_t  c;

    static const uint32_t  least[] = { 0, 0, 0x80, 0x800, 0x10000 };

    for (i = 0; i < len; i += n) {

        n = (p[i] < 0x80) ? 1 : (p[i] >> 5 == 6) ? 2 : (p[i] >> 4 == 14) ? 3
            : (p[i] >> 3 == 30) ? 4 : 0;

        if (n == 0 || n > len - i) {
            return 0;
        }

        c = (n == 1) ? p[i] : p[i] & (0x7f >> n);

        for (k = 1; k < n; k++) {

            if (p[i + k] >> 6 != 2) {
                return 0;
            }

            c = c << 6 | (p[i + k] & 0x3f);
        }

        if (c < least[n] || c > 0x10ffff || (c >= 0xd800 && c <= 0xdfff)) {
            return 0;
        }
    }

    return 1;
}


static void
payload(const ngx_ims_ws_frame_t *f, const unsigned char *p, size_t len)
{
    size_t          half;
    unsigned        code;
    ngx_ims_str_t   key;
    unsigned char  *a, *b, accept[28];

    a = malloc(len ? len : 1);
    b = malloc(len ? len : 1);
    need(a != NULL && b != NULL);

    if (len) {
        memcpy(a, p, len);
        memcpy(b, p, len);
    }

    half = len / 3;

    ngx_ims_ws_unmask(a, len, f->mask, 0);
    ngx_ims_ws_unmask(b, half, f->mask, 0);
    ngx_ims_ws_unmask(b + half, len - half, f->mask, half);
    need(memcmp(a, b, len) == 0);

    need(ngx_ims_utf8(a, len) == slow_utf8(a, len));

    code = 0;

    if (ngx_ims_ws_close_code(a, len, &code) == NGX_IMS_OK) {
        need(code >= 1000 && code <= 4999);

    } else {
        need(code == 1002 || code == 1007);
    }

    key.data = a;
    key.len = len;

    if (ngx_ims_ws_key_valid(&key)) {
        need(len == 24);
    }

    ngx_ims_ws_accept(&key, accept);

    free(a);
    free(b);
}


int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    int                 rc;
    size_t              n;
    unsigned            code;
    unsigned char       out[NGX_IMS_WS_MAX_SERVER_HEADER];
    ngx_ims_ws_frame_t  f;

    while (size) {
        code = 0;
        rc = ngx_ims_ws_read(data, size, 65536, &f, &code);

        if (rc != NGX_IMS_OK) {
            need(rc == NGX_IMS_MORE ? size < NGX_IMS_WS_MAX_HEADER
                                    : code == 1002 || code == 1009);
            break;
        }

        need(f.header <= size && f.length <= 65536);

        /* what we would write for the same length has the same form */

        n = ngx_ims_ws_header(out, f.opcode, f.length);
        need(n + 4 == f.header && (out[1] | 0x80) == data[1]
             && memcmp(out + 2, data + 2, n - 2) == 0);

        data += f.header;
        size -= f.header;

        n = (f.length < size) ? f.length : size;
        payload(&f, data, n);

        data += n;
        size -= n;
    }

    return 0;
}
