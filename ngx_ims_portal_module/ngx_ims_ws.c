/*
 * Copyright (C) the IMS portal authors
 *
 * WebSocket frames (RFC 6455 5) and the handshake's accept value (4.2.2).  Each
 * function looks at one frame: loops over frames and the joining of fragments
 * are the caller's.
 */


#include <openssl/evp.h>

#include "ngx_ims_ws.h"


#define NGX_IMS_WS_GUID  "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"

#define NGX_IMS_WS_KEY_LEN  24           /* base64 of 16 bytes */


static uint64_t ngx_ims_ws_be(const unsigned char *p, unsigned n);
static int ngx_ims_ws_check(const ngx_ims_ws_frame_t *f,
    const unsigned char *p, unsigned short_length);


int
ngx_ims_ws_read(const unsigned char *p, size_t len, uint64_t max,
    ngx_ims_ws_frame_t *f, unsigned *code)
{
    unsigned  extra, n;

    if (len < 2) {
        return NGX_IMS_MORE;
    }

    n = p[1] & 0x7f;
    extra = (n == 126) ? 2 : (n == 127) ? 8 : 0;

    f->fin = p[0] >> 7;
    f->opcode = p[0] & 0x0f;
    f->header = 2 + extra + 4;

    if (!ngx_ims_ws_check(f, p, n)) {
        *code = NGX_IMS_WS_PROTOCOL_ERROR;
        return NGX_IMS_INVALID;
    }

    if (len < 2 + extra) {
        return NGX_IMS_MORE;
    }

    f->length = extra ? ngx_ims_ws_be(p + 2, extra) : n;

    /* 5.2: the shortest form, and 63 bits at most */

    if ((extra == 2 && f->length < 126)
        || (extra == 8 && (f->length <= 0xffff || (f->length >> 63))))
    {
        *code = NGX_IMS_WS_PROTOCOL_ERROR;
        return NGX_IMS_INVALID;
    }

    if (f->opcode < NGX_IMS_WS_CLOSE && f->length > max) {
        *code = NGX_IMS_WS_TOO_BIG;
        return NGX_IMS_INVALID;
    }

    if (len < f->header) {
        return NGX_IMS_MORE;
    }

    memcpy(f->mask, p + 2 + extra, 4);

    return NGX_IMS_OK;
}


/* what the first two bytes tell: 1 when a client may send them */

static int
ngx_ims_ws_check(const ngx_ims_ws_frame_t *f, const unsigned char *p,
    unsigned short_length)
{
    if ((p[0] & 0x70) != 0 || (p[1] & 0x80) == 0) {
        return 0;
    }

    switch (f->opcode) {

    case NGX_IMS_WS_CONTINUATION:
    case NGX_IMS_WS_TEXT:
    case NGX_IMS_WS_BINARY:
        return 1;

    case NGX_IMS_WS_CLOSE:
    case NGX_IMS_WS_PING:
    case NGX_IMS_WS_PONG:
        return f->fin && short_length <= NGX_IMS_WS_MAX_CONTROL;

    default:
        return 0;
    }
}


static uint64_t
ngx_ims_ws_be(const unsigned char *p, unsigned n)
{
    uint64_t  v;

    for (v = 0; n; n--) {
        v = v << 8 | *p++;
    }

    return v;
}


void
ngx_ims_ws_unmask(unsigned char *p, size_t len, const unsigned char mask[4],
    size_t offset)
{
    size_t         i;
    uint64_t       x, m;
    unsigned char  turned[8];

    for (i = 0; i < 8; i++) {
        turned[i] = mask[(offset + i) & 3];
    }

    memcpy(&m, turned, 8);

    for ( /* void */ ; len >= 8; p += 8, len -= 8) {
        memcpy(&x, p, 8);
        x ^= m;
        memcpy(p, &x, 8);
    }

    for (i = 0; i < len; i++) {
        p[i] ^= turned[i];
    }
}


size_t
ngx_ims_ws_header(unsigned char *out, unsigned opcode, uint64_t length)
{
    unsigned  i, n;

    out[0] = 0x80 | opcode;

    if (length < 126) {
        out[1] = length;
        return 2;
    }

    n = (length <= 0xffff) ? 2 : 8;
    out[1] = (n == 2) ? 126 : 127;

    for (i = 0; i < n; i++) {
        out[2 + i] = length >> (8 * (n - 1 - i));
    }

    return 2 + n;
}


size_t
ngx_ims_ws_close(unsigned char *out, unsigned code, const char *reason)
{
    size_t  n;

    n = reason ? strlen(reason) : 0;

    if (n > NGX_IMS_WS_MAX_CONTROL - 2) {
        n = NGX_IMS_WS_MAX_CONTROL - 2;
    }

    ngx_ims_ws_header(out, NGX_IMS_WS_CLOSE, 2 + n);

    out[2] = code >> 8;
    out[3] = code;

    if (n) {
        memcpy(out + 4, reason, n);
    }

    return 4 + n;
}


int
ngx_ims_ws_close_code(const unsigned char *p, size_t len, unsigned *code)
{
    unsigned  c;

    if (len == 0) {
        *code = 1005;
        return NGX_IMS_OK;
    }

    c = (len >= 2) ? p[0] << 8 | p[1] : 0;

    /* 7.4.2: 1004..1006 and 1015 are never sent, 1016..2999 are not assigned */

    if (c < 1000 || c > 4999 || (c >= 1004 && c <= 1006)
        || (c >= 1015 && c <= 2999))
    {
        *code = NGX_IMS_WS_PROTOCOL_ERROR;
        return NGX_IMS_INVALID;
    }

    if (!ngx_ims_utf8(p + 2, len - 2)) {
        *code = NGX_IMS_WS_BAD_DATA;
        return NGX_IMS_INVALID;
    }

    *code = c;

    return NGX_IMS_OK;
}


int
ngx_ims_ws_key_valid(const ngx_ims_str_t *key)
{
    size_t         i;
    unsigned char  c;

    if (key->len != NGX_IMS_WS_KEY_LEN
        || key->data[22] != '=' || key->data[23] != '=')
    {
        return 0;
    }

    for (i = 0; i < 22; i++) {
        c = key->data[i];

        if (!((c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z')
              || (c >= '0' && c <= '9') || c == '+' || c == '/'))
        {
            return 0;
        }
    }

    /* 16 bytes leave two bits in the last character, the rest are zero */

    return strchr("AQgw", key->data[21]) != NULL;
}


void
ngx_ims_ws_accept(const ngx_ims_str_t *key, unsigned char out[28])
{
    size_t         n;
    unsigned char  text[NGX_IMS_WS_KEY_LEN + sizeof(NGX_IMS_WS_GUID)];
    unsigned char  digest[EVP_MAX_MD_SIZE], encoded[29];

    n = (key->len < NGX_IMS_WS_KEY_LEN) ? key->len : NGX_IMS_WS_KEY_LEN;

    if (n) {
        memcpy(text, key->data, n);
    }

    memcpy(text + n, NGX_IMS_WS_GUID, sizeof(NGX_IMS_WS_GUID) - 1);
    memset(digest, 0, sizeof(digest));

    EVP_Digest(text, n + sizeof(NGX_IMS_WS_GUID) - 1, digest, NULL,
               EVP_sha1(), NULL);

    EVP_EncodeBlock(encoded, digest, 20);

    memcpy(out, encoded, 28);
}
