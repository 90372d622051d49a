
/*
 * Copyright (C) the IMS portal authors
 */


/*
 * One ng request, however it came: cookie and payload in, the whole reply
 * out.  What a request means is the handler's business.
 */


#ifndef MH_REQUEST_H
#define MH_REQUEST_H


#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <re.h>

#include "../ngx_ims_portal_module/ngx_ims_ng.h"


struct mh_requests;


/*
 * Does one request.
 *
 * @param dict  the request, a dictionary; its bytes live until the return
 * @param w     for the reply: one dictionary, from its opening to its end
 * @param arg   of mh_requests_alloc()
 */
typedef void (mh_request_h)(const ngx_ims_ng_node_t *dict,
    ngx_ims_ng_writer_t *w, void *arg);


struct mh_request_stat {
    uint64_t  total;        /* done or answered from the cache */
    uint64_t  repeated;     /* of these, from the cache */
    uint64_t  broken;       /* could not be read */
};


/* @return 0 or ENOMEM; free it with mem_deref() */
int mh_requests_alloc(struct mh_requests **rp);

/* who does them, before the first one */
void mh_requests_handler(struct mh_requests *r, mh_request_h *handler,
    void *arg);

/*
 * Whether a message has a cookie.  Over UDP one without is dropped, as
 * rtpengine does: nothing would tell that it is repeated, nor what a reply
 * belongs to.
 *
 * @param p, len  a whole message; without a cookie it counts as broken
 */
bool mh_request_named(struct mh_requests *r, const uint8_t *p, size_t len);

/*
 * Does one.  A cookie that was seen before gets the reply of then, in the
 * encoding of then.
 *
 * @param p, len  "COOKIE PAYLOAD", or a payload alone
 * @param whole   there comes no more: what is not complete is an error
 * @param max     bytes that a reply may have
 * @param used    out: on NGX_IMS_NG_OK where the next message begins
 * @param reply   out: may be empty; valid until the next call
 *
 * @return what the codec said; NGX_IMS_NG_AGAIN only without whole
 */
int mh_request_do(struct mh_requests *r, const uint8_t *p, size_t len,
    bool whole, size_t max, size_t *used, struct pl *reply);

/* once a second; now in ms of mh_clock() */
void mh_requests_tick(struct mh_requests *r, uint64_t now);

const struct mh_request_stat *mh_requests_stat(const struct mh_requests *r);


#endif /* MH_REQUEST_H */
