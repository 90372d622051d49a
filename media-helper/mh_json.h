
/*
 * Copyright (C) the IMS portal authors
 */


/*
 * The ng protocol's other wire form: JSON (RFC 8259) where others send
 * bencode.  A request is read into the same flat array of nodes, so that
 * nobody else has to know which of the two came; a reply is written as
 * bencode and told again here.  Pure: no allocation, no clock, no socket.
 */


#ifndef MH_JSON_H
#define MH_JSON_H


#include <stddef.h>
#include <stdint.h>

#include "../ngx_ims_portal_module/ngx_ims_ng.h"


/*
 * Reads one JSON value from the start of buf.
 *
 * Strings point into buf, or into room where escapes were undone (never more
 * bytes than buf has).  true and false are the integers 1 and 0, null is an
 * empty string, a fraction is cut off, as other servers do.  Refused:
 * what RFC 8259 does not allow, a lone surrogate, a NUL in a string, a number
 * beyond 64 bits.  A name given twice is accepted: look-ups find the first.
 *
 * @param buf    the bytes received so far
 * @param len    their number
 * @param nodes  the caller's array; nodes[0] is the value
 * @param max    its size
 * @param room   at least len bytes, which must outlive the nodes
 * @param used   out: on OK the bytes that the value took; on INVALID and
 *               LIMIT the offset of the offending byte; on AGAIN len
 *
 * @return NGX_IMS_NG_OK, _AGAIN, _INVALID or _LIMIT
 */
int mh_json_parse(const uint8_t *buf, size_t len, ngx_ims_ng_node_t *nodes,
    size_t max, uint8_t *room, size_t *used);

/*
 * Writes what a bencoded value says as JSON.  Bytes that are not UTF-8
 * become U+FFFD: JSON cannot carry them.
 *
 * @param ben   one whole value, as ngx_ims_ng_write_*() makes it
 * @param len   its bytes
 * @param out   room
 * @param size  its bytes
 *
 * @return bytes written, or 0 if they did not fit or ben is no such value
 */
size_t mh_json_write(const uint8_t *ben, size_t len, uint8_t *out,
    size_t size);


#endif /* MH_JSON_H */
