/*
 * Copyright (C) the IMS portal authors
 *
 * The registration of a pool's block.  Its record is in the zone, so every
 * worker serves users from it; when to renew it and how long to wait after a
 * failure is the leading worker's own knowledge.
 *
 * No timers: the leader's beat of one second drives it.
 */


#include "ngx_ims_trunk.h"


enum {
    NGX_IMS_TRUNK_EXPIRES = 3600,        /* s, asked of the core */
    NGX_IMS_TRUNK_AGAIN = 5,             /* s after a failure, doubling */
    NGX_IMS_TRUNK_AGAIN_MAX = 300,
    NGX_IMS_TRUNK_NAME = 2 * NGX_IMS_MAX_IMPU + 8
};


typedef struct {
    ngx_ims_pool_t           *pool;
    time_t                    due;            /* the next REGISTER */
    time_t                    again;          /* s to wait after a failure */
    time_t                    since;          /* s, registered; 0: not yet */
    unsigned                  busy:1;
} ngx_ims_trunk_t;


static ngx_int_t ngx_ims_trunk_init(ngx_ims_worker_t *w);
static void ngx_ims_trunk_took_over(ngx_ims_worker_t *w,
    ngx_ims_trunk_t *trunk);
static void ngx_ims_trunk_name(ngx_ims_pool_t *pool, u_char *buf,
    ngx_str_t *name);
static time_t ngx_ims_trunk_margin(time_t life);
static void ngx_ims_trunk_register(ngx_ims_worker_t *w,
    ngx_ims_trunk_t *trunk);
static void ngx_ims_trunk_done(void *data, ngx_ims_uac_result_t *result);
static ngx_ims_str_t ngx_ims_trunk_number(ngx_ims_pool_t *pool,
    ngx_ims_sip_msg_t *m, u_char *tel);


static ngx_ims_trunk_t  *ngx_ims_trunks;      /* of this worker, by pool */


void
ngx_ims_trunk_tick(void *data, ngx_uint_t became)
{
    ngx_uint_t         i;
    ngx_ims_trunk_t   *trunk;
    ngx_ims_worker_t  *w;

    w = data;

    if (ngx_ims_trunks == NULL && ngx_ims_trunk_init(w) != NGX_OK) {
        return;
    }

    for (i = 0; i < w->pools->nelts; i++) {
        trunk = &ngx_ims_trunks[i];

        if (trunk->pool->block.impu.len == 0) {
            continue;
        }

        if (became) {
            ngx_ims_trunk_took_over(w, trunk);
        }

        if (trunk->since && trunk->pool->core->reregister
            && trunk->since < ngx_ims_core_back(trunk->pool->core))
        {
            /* it was down, and may have lost what it had */

            trunk->since = 0;
            trunk->due = 0;
        }

        if (!trunk->busy && trunk->due <= ngx_time()) {
            ngx_ims_trunk_register(w, trunk);
        }
    }
}


static ngx_int_t
ngx_ims_trunk_init(ngx_ims_worker_t *w)
{
    ngx_uint_t        i;
    ngx_ims_pool_t  **pool;

    ngx_ims_trunks = ngx_pcalloc(w->cycle->pool,
                                 w->pools->nelts * sizeof(ngx_ims_trunk_t));
    if (ngx_ims_trunks == NULL) {
        return NGX_ERROR;
    }

    pool = w->pools->elts;

    for (i = 0; i < w->pools->nelts; i++) {
        ngx_ims_trunks[i].pool = pool[i];
        ngx_ims_trunks[i].again = NGX_IMS_TRUNK_AGAIN;
    }

    return NGX_OK;
}


/*
 * What the leader before has registered is renewed in its time, unless the
 * configuration has another identity now: the record is not of that.
 */

static void
ngx_ims_trunk_took_over(ngx_ims_worker_t *w, ngx_ims_trunk_t *trunk)
{
    u_char              buf[NGX_IMS_TRUNK_NAME];
    time_t              left;
    ngx_str_t           name;
    ngx_ims_ref_t       ref;
    ngx_ims_binding_t   b;

    trunk->due = 0;

    if (ngx_ims_binding_block(trunk->pool, &ref) != NGX_OK
        || ngx_ims_binding_load(trunk->pool, &ref, &b, w->record) != NGX_OK
        || b.state != NGX_IMS_BINDING_REGISTERED)
    {
        return;
    }

    ngx_ims_trunk_name(trunk->pool, buf, &name);

    if (b.contact.len != name.len
        || ngx_memcmp(b.contact.data, name.data, name.len) != 0)
    {
        ngx_ims_binding_idle(trunk->pool, &ref);
        return;
    }

    left = b.expires - ngx_time();
    trunk->since = b.registered;
    trunk->due = b.expires - ngx_ims_trunk_margin(left);
}


/* what its record says instead of a browser's Contact */

static void
ngx_ims_trunk_name(ngx_ims_pool_t *pool, u_char *buf, ngx_str_t *name)
{
    name->data = buf;
    name->len = ngx_sprintf(buf, "%V %V%s", &pool->block.impu,
                            &pool->block.impi, pool->block.gin ? " gin" : "")
                - buf;
}


/* RG-13: half of a short life, else 600 s before its end */

static time_t
ngx_ims_trunk_margin(time_t life)
{
    return life < 1200 ? life / 2 : 600;
}


static void
ngx_ims_trunk_register(ngx_ims_worker_t *w, ngx_ims_trunk_t *trunk)
{
    ngx_ims_ref_t  ref;

    trunk->due = ngx_time() + trunk->again;

    if (ngx_ims_binding_block(trunk->pool, &ref) != NGX_OK) {
        ngx_log_error(NGX_LOG_ERR, w->log, 0,
                      "zone of pool \"%V\" has no room for its registration",
                      &trunk->pool->name);
        return;
    }

    trunk->busy = 1;

    if (ngx_ims_uac_register(w, trunk->pool, &ref, NGX_IMS_LEASE_BLOCK,
                             NGX_IMS_TRUNK_EXPIRES, ngx_ims_trunk_done, trunk)
        == NULL)
    {
        trunk->busy = 0;
    }
}


void
ngx_ims_trunk_quit(ngx_ims_worker_t *w)
{
    ngx_uint_t          i;
    ngx_ims_ref_t       ref;
    ngx_ims_pool_t    **pool;
    ngx_ims_binding_t   b;

    pool = w->pools->elts;

    for (i = 0; i < w->pools->nelts; i++) {

        if (pool[i]->block.impu.len == 0
            || !ngx_ims_workers_orphan(w->workers, pool[i])
            || (ngx_ims_workers_alone(w->workers)
                && (pool[i]->store.len
                    || !ngx_ims_workers_last(w->workers)))
            || ngx_ims_binding_block(pool[i], &ref) != NGX_OK
            || ngx_ims_binding_load(pool[i], &ref, &b, w->record) != NGX_OK
            || b.state != NGX_IMS_BINDING_REGISTERED)
        {
            continue;
        }

        ngx_ims_binding_idle(pool[i], &ref);

        (void) ngx_ims_uac_register(w, pool[i], &ref, NGX_IMS_LEASE_BLOCK, 0,
                                    NULL, NULL);
    }
}


static void
ngx_ims_trunk_done(void *data, ngx_ims_uac_result_t *result)
{
    u_char            buf[NGX_IMS_TRUNK_NAME];
    ngx_str_t         name;
    ngx_ims_ref_t     ref;
    ngx_ims_trunk_t  *trunk;

    trunk = data;
    trunk->busy = 0;

    if (result->status == 200) {

        /* without room in the zone the next leader registers once more */

        ngx_ims_trunk_name(trunk->pool, buf, &name);

        if (ngx_ims_binding_block(trunk->pool, &ref) == NGX_OK) {
            (void) ngx_ims_binding_contact(trunk->pool, &ref, &name);
        }

        trunk->again = NGX_IMS_TRUNK_AGAIN;
        trunk->since = ngx_time();
        trunk->due = ngx_time() + result->granted
                     - ngx_ims_trunk_margin(result->granted);
        return;
    }

    /* the reason was logged where it came in */

    trunk->due = ngx_time() + trunk->again;
    trunk->again = ngx_min(2 * trunk->again, NGX_IMS_TRUNK_AGAIN_MAX);
}


/*
 * The Request-URI; of GIN, "sip:+number@edge" names the number and the Contact
 * at once (RFC 6140 7.1.1)
 */

static ngx_ims_str_t
ngx_ims_trunk_number(ngx_ims_pool_t *pool, ngx_ims_sip_msg_t *m, u_char *tel)
{
    ngx_ims_str_t      uri;
    ngx_ims_sip_uri_t  u;

    uri = m->uri;

    if (pool->block.gin
        && ngx_ims_sip_parse_uri(&m->uri, &u) == NGX_IMS_OK
        && u.user.len > 1 && u.user.len < NGX_IMS_MAX_IMPU - 4
        && u.user.data[0] == '+')
    {
        uri.data = tel;
        uri.len = ngx_sprintf(tel, "tel:%V", &u.user) - tel;
    }

    return uri;
}


ngx_int_t
ngx_ims_trunk_called(ngx_ims_worker_t *w, ngx_ims_core_t *core,
    ngx_ims_flow_t *flow, ngx_ims_sip_msg_t *m, ngx_ims_pool_t *pool,
    ngx_uint_t handed, ngx_ims_ref_t *ref)
{
    u_char               tel[NGX_IMS_MAX_IMPU];
    uint32_t             lease;
    ngx_int_t            rc;
    ngx_ims_str_t        uri, value;
    ngx_ims_ref_t        block;
    ngx_ims_pool_t      *found;
    ngx_ims_sip_addr_t   addr;
    ngx_ims_sip_iter_t   it;

    if (ngx_ims_binding_block(pool, &block) != NGX_OK
        || block.index != ref->index)
    {
        return NGX_OK;
    }

    if (m->method == NGX_IMS_SIP_CANCEL || m->method == NGX_IMS_SIP_ACK) {

        /* neither has a P-Called-Party-ID (RFC 3261 9.1, 17.1.1.3) */

        if (!ngx_ims_fork_known(w, core, flow, m, handed)) {
            ngx_ims_call_refuse(w, flow, m, 481, NULL);
        }

        return NGX_DONE;
    }

    ngx_memzero(&it, sizeof(ngx_ims_sip_iter_t));
    uri = ngx_ims_trunk_number(pool, m, tel);

    if (ngx_ims_sip_next(m, NGX_IMS_HDR_P_CALLED_PARTY_ID, &it, &value)
        && ngx_ims_sip_parse_addr(&value, &addr) == NGX_IMS_OK)
    {
        uri = addr.uri;
    }

    rc = ngx_ims_fork_target(w, core, &uri, &found, &lease);

    if (rc == NGX_OK) {
        return ngx_ims_fork_called(w, core, flow, m, found, lease, handed,
                                   ref);
    }

    ngx_ims_call_refuse(w, flow, m, rc == NGX_BUSY ? 480 : 404, NULL);

    return NGX_DONE;
}
