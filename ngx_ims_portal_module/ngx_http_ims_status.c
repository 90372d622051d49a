/*
 * Copyright (C) the IMS portal authors
 *
 * The status location: what the pools hold, as JSON.  Counters are of the zone,
 * so they are of all workers and survive a reload; "worker" is the one that
 * answers.
 */


#include "ngx_http_ims_portal_module.h"
#include "ngx_ims_lease.h"
#include "ngx_ims_order.h"


static size_t ngx_http_ims_status_size(ngx_http_ims_main_conf_t *imcf);
static u_char *ngx_http_ims_status_text(u_char *p, u_char *last,
    ngx_http_ims_main_conf_t *imcf);
static u_char *ngx_http_ims_status_core(u_char *p, u_char *last,
    ngx_ims_core_t *core);
static u_char *ngx_http_ims_status_pool(u_char *p, u_char *last,
    ngx_ims_pool_t *pool);


ngx_int_t
ngx_http_ims_status(ngx_http_request_t *r, ngx_http_ims_main_conf_t *imcf)
{
    ngx_int_t    rc;
    ngx_buf_t   *b;
    ngx_chain_t  out;

    if (!(r->method & (NGX_HTTP_GET|NGX_HTTP_HEAD))) {
        return NGX_HTTP_NOT_ALLOWED;
    }

    rc = ngx_http_discard_request_body(r);

    if (rc != NGX_OK) {
        return rc;
    }

    if (imcf->worker == NULL) {
        return NGX_HTTP_SERVICE_UNAVAILABLE;
    }

    b = ngx_create_temp_buf(r->pool, ngx_http_ims_status_size(imcf));
    if (b == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    b->last = ngx_http_ims_status_text(b->pos, b->end, imcf);

    r->headers_out.status = NGX_HTTP_OK;
    r->headers_out.content_length_n = b->last - b->pos;
    ngx_str_set(&r->headers_out.content_type, "application/json");
    r->headers_out.content_type_len = r->headers_out.content_type.len;

    rc = ngx_http_send_header(r);

    if (rc == NGX_ERROR || rc > NGX_OK || r->header_only) {
        return rc;
    }

    b->last_buf = (r == r->main);
    b->last_in_chain = 1;

    out.buf = b;
    out.next = NULL;

    return ngx_http_output_filter(r, &out);
}


static size_t
ngx_http_ims_status_size(ngx_http_ims_main_conf_t *imcf)
{
    size_t            size;
    ngx_uint_t        i;
    ngx_ims_pool_t  **pool;
    ngx_ims_core_t  **core;

    pool = imcf->pools.elts;
    size = 512 + NGX_HTTP_IMS_LIMIT_STATUS;

    for (i = 0; i < imcf->pools.nelts; i++) {
        size += 2048 + pool[i]->name.len;
    }

    core = imcf->cores.elts;

    for (i = 0; i < imcf->cores.nelts; i++) {
        size += 160 + core[i]->name.len + core[i]->servers.nelts * 384;
    }

    return size;
}


static u_char *
ngx_http_ims_status_text(u_char *p, u_char *last,
    ngx_http_ims_main_conf_t *imcf)
{
    ngx_uint_t         i, up, all;
    ngx_ims_pool_t   **pool;
    ngx_ims_core_t   **core;
    ngx_ims_worker_t  *w;

    w = imcf->worker;
    pool = imcf->pools.elts;
    core = imcf->cores.elts;
    up = all = 0;

    if (w->media != NULL) {
        ngx_ims_media_state(w->media, &up, &all);
    }

    p = ngx_slprintf(p, last, "{\"worker\":{\"pid\":%P,\"sessions\":%ui,"
                     "\"transactions\":%ui},"
                     "\"media\":{\"helpers\":%ui,\"up\":%ui},\"pools\":[",
                     ngx_pid, w->nsessions, ngx_ims_txns_count(w->txns), all,
                     up);

    for (i = 0; i < imcf->pools.nelts; i++) {

        if (i) {
            *p++ = ',';
        }

        p = ngx_http_ims_status_pool(p, last, pool[i]);
    }

    p = ngx_slprintf(p, last, "],\"cores\":[");

    for (i = 0; i < imcf->cores.nelts; i++) {

        if (i) {
            *p++ = ',';
        }

        p = ngx_http_ims_status_core(p, last, core[i]);
    }

    p = ngx_slprintf(p, last, "],");
    p = ngx_http_ims_limit_status(p, last, imcf->limit);

    return ngx_slprintf(p, last, "}\n");
}


/* its servers, as all workers see them */

static u_char *
ngx_http_ims_status_core(u_char *p, u_char *last, ngx_ims_core_t *core)
{
    ngx_uint_t              i, n;
    ngx_ims_health_hop_t   *h;
    ngx_ims_core_server_t  *s;

    p = ngx_slprintf(p, last, "{\"name\":\"%V\",\"refused\":%uA,"
                     "\"overflows\":%uA,\"requests\":%ui,\"servers\":[",
                     &core->name, core->counts->refused,
                     core->counts->overflows, core->requests);

    s = core->servers.elts;
    n = 0;

    for (i = 0; i < core->servers.nelts; i++) {

        if (s[i].off) {
            continue;
        }

        h = s[i].health ? s[i].health : &s[i].own;

        p = ngx_slprintf(p, last, "%s{\"address\":\"%V\","
                         "\"transport\":\"%V\",\"backup\":%s,\"up\":%s,"
                         "\"since\":%uA,\"fails\":%uA,\"probed\":%uA,"
                         "\"misses\":%uA,\"rtt\":%uA}",
                         n++ ? "," : "", &s[i].addr.name,
                         ngx_ims_core_transport(s[i].transport),
                         s[i].backup ? "true" : "false",
                         ngx_ims_core_down(core, &s[i], ngx_time())
                         ? "false" : "true",
                         h->since, h->fails, h->probed, h->misses, h->rtt);
    }

    return ngx_slprintf(p, last, "]}");
}


static u_char *
ngx_http_ims_status_pool(u_char *p, u_char *last, ngx_ims_pool_t *pool)
{
    ngx_ims_drain_e         drain;
    ngx_ims_zone_sh_t      *sh;
    ngx_ims_counters_sh_t  *n;

    sh = pool->zone.sh;
    drain = ngx_ims_order_drained(pool, NULL);
    n = &sh->counters;

    p = ngx_slprintf(p, last, "{\"name\":\"%V\",\"identities\":%ui,"
                     "\"leased\":%uD,\"bindings\":%uD,\"dialogs\":%uD,"
                     "\"sockets\":%ui,\"calls\":%uA,\"registers\":%uA,"
                     "\"messages\":%uA,\"exhausted\":%uA,\"refused\":%uA,"
                     "\"handed_over\":%uA,\"not_handed\":%uA,"
                     "\"texts_used\":%uD,\"texts\":%uD",
                     &pool->name, pool->total, sh->leased,
                     sh->bindings_used, sh->dialogs_used,
                     ngx_ims_workers_sockets(pool),
                     n->calls, n->registers, n->messages, n->exhausted,
                     n->refused, n->handed_over, n->not_handed,
                     sh->chunks_used, sh->nchunks);

    p = ngx_slprintf(p, last, ",\"entries\":%uD,\"claimed\":%uD,"
                     "\"guests\":%uD,\"guests_max\":%ui,"
                     "\"room\":{\"entries\":%uD,\"bindings\":%uD,"
                     "\"dialogs\":%uD,\"texts\":%uD,\"denied\":%uD},"
                     "\"drain\":\"%s\",\"rebuilt\":%uA,\"media_ended\":%uA",
                     sh->leases_used, sh->claimed, sh->guests,
                     pool->guests ? pool->guest_max : 0, sh->nleases,
                     sh->nbindings, sh->ndialogs, sh->nchunks, sh->ndeny,
                     drain == NGX_IMS_DRAIN_OFF ? "off"
                     : drain == NGX_IMS_DRAIN_NEW ? "new" : "close",
                     sh->rebuilt, sh->media_ended);

    if (pool->share != NULL) {
        p = ngx_slprintf(p, last, ",\"share\":{\"connected\":%s,"
                         "\"asked\":%uA,\"failed\":%uA,"
                         "\"asserted\":%uA,\"won\":%uA,\"lost\":%uA}",
                         ngx_ims_lease_connected(pool) ? "true" : "false",
                         sh->share.asked, sh->share.failed,
                         sh->share.asserted, sh->share.won, sh->share.lost);
    }

    return ngx_slprintf(p, last, "}");
}
