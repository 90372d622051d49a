
/*
 * Copyright (C) the IMS portal authors
 */


/*
 * As much of HTTP/1.1 (RFC 9112) as the control socket needs: the head of a
 * request, the head of a response.  Pure: no sockets, no state, no memory.
 */


#ifndef MH_HTTP_H
#define MH_HTTP_H


#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <re.h>


enum mh_http_limits {
    MH_HTTP_HEAD = 8192,        /* bytes of a request's head */
    MH_HTTP_RESPONSE = 512      /* of a response's head */
};


struct mh_http {
    struct pl  method;
    struct pl  path;            /* without query and authority */
    struct pl  type;            /* of the body, without parameters */
    size_t     size;            /* bytes of the head */
    size_t     body;            /* bytes of the body, which come next */
    bool       length;          /* a length was given */
    bool       v11;             /* not HTTP/1.0 */
    bool       keep;            /* the connection stays */
    bool       wait;            /* for "100 Continue" */
};


/*
 * Reads the head of a request.
 *
 * @param h    out; spans of p
 * @param max  bytes that a body may have
 *
 * @return 0; -1 if it is not complete yet; or the status of an error: 400,
 *         413, 431, 501 (any transfer-coding), 505.  Where the next request
 *         begins is not known after an error.
 */
int mh_http_parse(struct mh_http *h, const char *p, size_t len, size_t max);

/*
 * Writes the head of a response.
 *
 * @param buf     MH_HTTP_RESPONSE bytes
 * @param status  one of those that this file knows
 * @param type    of the body
 * @param body    its bytes
 * @param allow   methods for the header field Allow, or NULL
 *
 * @return bytes
 */
size_t mh_http_response(char *buf, int status, const char *type, size_t body,
    bool keep, const char *allow);

/* @return the words for a status */
const char *mh_http_reason(int status);


#endif /* MH_HTTP_H */
