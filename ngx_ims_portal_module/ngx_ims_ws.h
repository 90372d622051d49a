/*
 * Copyright (C) the IMS portal authors
 *
 * WebSocket frames and the handshake's accept value (RFC 6455).  Pure: bytes
 * in, frames out; no allocation, nothing of nginx.
 */


#ifndef _NGX_IMS_WS_H_INCLUDED_
#define _NGX_IMS_WS_H_INCLUDED_


#include "ngx_ims_str.h"


enum {
    NGX_IMS_WS_CONTINUATION = 0x0,
    NGX_IMS_WS_TEXT = 0x1,
    NGX_IMS_WS_BINARY = 0x2,
    NGX_IMS_WS_CLOSE = 0x8,
    NGX_IMS_WS_PING = 0x9,
    NGX_IMS_WS_PONG = 0xa
};


enum {
    NGX_IMS_WS_MAX_HEADER = 14,          /* of any frame, masked */
    NGX_IMS_WS_MAX_SERVER_HEADER = 10,   /* of a frame that we send */
    NGX_IMS_WS_MAX_CONTROL = 125         /* payload of a control frame */
};


/* close codes (RFC 6455 7.4.1, the IANA registry, and ours from 4000) */

enum {
    NGX_IMS_WS_NORMAL = 1000,
    NGX_IMS_WS_GOING_AWAY = 1001,
    NGX_IMS_WS_PROTOCOL_ERROR = 1002,
    NGX_IMS_WS_UNSUPPORTED = 1003,
    NGX_IMS_WS_BAD_DATA = 1007,
    NGX_IMS_WS_POLICY = 1008,
    NGX_IMS_WS_TOO_BIG = 1009,
    NGX_IMS_WS_INTERNAL = 1011,
    NGX_IMS_WS_SERVICE_RESTART = 1012,
    NGX_IMS_WS_TRY_AGAIN = 1013,
    NGX_IMS_WS_TOKEN_ENDED = 4401,
    NGX_IMS_WS_FORBIDDEN = 4403,
    NGX_IMS_WS_AGAIN = 4408,             /* a page's: another one follows */
    NGX_IMS_WS_REPLACED = 4409,
    NGX_IMS_WS_LOST = 4410,              /* another host's user has the
                                            identity */
    NGX_IMS_WS_ENDED = 4411              /* by an administrator */
};


typedef struct {
    unsigned             fin;            /* 0 or 1 */
    unsigned             opcode;
    unsigned char        mask[4];
    size_t               header;         /* bytes of the header */
    uint64_t             length;         /* bytes of the payload */
} ngx_ims_ws_frame_t;


/*
 * Reads a client's frame header (RFC 6455 5.2).
 *
 * max       longest payload allowed for a data frame, compared before anything
 *           is added to the length
 * *code     set on NGX_IMS_INVALID: 1002 (unmasked, RSV bits, unknown opcode,
 *           control frame fragmented or over 125 bytes, length not minimal or
 *           with its top bit set) or 1009 (over max)
 *
 * Returns NGX_IMS_OK, NGX_IMS_MORE, or NGX_IMS_INVALID.
 */
int ngx_ims_ws_read(const unsigned char *p, size_t len, uint64_t max,
    ngx_ims_ws_frame_t *f, unsigned *code);

/*
 * Removes the mask in place (5.3); offset is how many payload bytes of this
 * frame were unmasked before, so that a payload may come in pieces.
 */
void ngx_ims_ws_unmask(unsigned char *p, size_t len,
    const unsigned char mask[4], size_t offset);

/* writes the header of an unmasked final frame; returns its length, 2..10 */
size_t ngx_ims_ws_header(unsigned char *out, unsigned opcode, uint64_t length);

/*
 * Writes a whole close frame; reason is ASCII and cut at 123 bytes, may be
 * NULL.  out has room for 2 + 125 bytes.  Returns its length.
 */
size_t ngx_ims_ws_close(unsigned char *out, unsigned code, const char *reason);

/*
 * The payload of a close frame (5.5.1, 7.4).  Returns NGX_IMS_OK with *code set
 * (1005 for an empty payload), or NGX_IMS_INVALID (1 byte, a code that may not
 * be sent, bad UTF-8 in the reason) with *code set to the answer, 1002 or 1007.
 */
int ngx_ims_ws_close_code(const unsigned char *p, size_t len, unsigned *code);

/* 1 when it is base64 of exactly 16 bytes (4.1), else 0 */
int ngx_ims_ws_key_valid(const ngx_ims_str_t *key);

/* Sec-WebSocket-Accept of a key (4.2.2): 28 characters, SHA-1 by OpenSSL */
void ngx_ims_ws_accept(const ngx_ims_str_t *key, unsigned char out[28]);


#endif /* _NGX_IMS_WS_H_INCLUDED_ */
