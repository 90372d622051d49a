/*
 * Copyright (C) the IMS portal authors
 *
 * Any answer means that a server is alive, but 503 and 408, with which it says
 * itself that it is not of use.
 *
 * Timers: one that looks who is due, at most a second apart, in the worker that
 * leads; one for each probe under way, its timeout.  All are cancelable.
 */


#include "ngx_ims_probe.h"


enum {
    NGX_IMS_PROBE_TICK = 1000,           /* ms, or the shortest interval */
    NGX_IMS_PROBE_DOWN = 2000,           /* ms between probes of one down */
    NGX_IMS_PROBE_SIZE = 2048            /* bytes */
};


typedef struct {
    ngx_array_t              *cores;          /* ngx_ims_core_t * */
    ngx_ims_txns_t           *txns;
    ngx_ims_leader_t         *leader;
    ngx_event_t               event;
    ngx_msec_t                tick;           /* ms */
} ngx_ims_probes_t;


typedef struct {
    ngx_ims_core_t           *core;
    ngx_ims_flow_t            flow;
    ngx_ims_txn_t            *txn;
    ngx_event_t               timer;
    ngx_msec_t                start;          /* ms */
    unsigned                  done:1;
} ngx_ims_probe_t;


static void ngx_ims_probe_lead(void *data, ngx_uint_t became);
static void ngx_ims_probe_tick(ngx_event_t *ev);
static void ngx_ims_probe_core(ngx_ims_probes_t *probes,
    ngx_ims_core_t *core);
static void ngx_ims_probe_send(ngx_ims_probes_t *probes,
    ngx_ims_core_t *core, ngx_ims_core_server_t *s);
static size_t ngx_ims_probe_request(ngx_ims_probe_t *probe,
    ngx_ims_core_server_t *s, u_char *branch, u_char *buf);
static void ngx_ims_probe_response(ngx_ims_txn_t *t, ngx_int_t rc,
    ngx_ims_sip_msg_t *m);
static void ngx_ims_probe_timeout(ngx_event_t *ev);
static void ngx_ims_probe_done(ngx_ims_probe_t *probe, ngx_uint_t ok);


ngx_int_t
ngx_ims_probe_init(ngx_cycle_t *cycle, ngx_array_t *cores,
    ngx_ims_txns_t *txns, ngx_ims_leader_t *leader)
{
    ngx_uint_t          i;
    ngx_ims_core_t    **core;
    ngx_ims_probes_t   *probes;

    probes = ngx_pcalloc(cycle->pool, sizeof(ngx_ims_probes_t));
    if (probes == NULL) {
        return NGX_ERROR;
    }

    probes->cores = cores;
    probes->txns = txns;
    probes->leader = leader;
    probes->tick = NGX_IMS_PROBE_TICK;

    probes->event.handler = ngx_ims_probe_tick;
    probes->event.data = probes;
    probes->event.log = cycle->log;
    probes->event.cancelable = 1;

    core = cores->elts;

    for (i = 0; i < cores->nelts; i++) {
        if (core[i]->probe) {
            probes->tick = ngx_min(probes->tick, core[i]->probe);
        }
    }

    return ngx_ims_leader_add(leader, ngx_ims_probe_lead, probes);
}


static void
ngx_ims_probe_lead(void *data, ngx_uint_t became)
{
    ngx_uint_t               i, k;
    ngx_ims_core_t         **core;
    ngx_ims_probes_t        *probes;
    ngx_ims_core_server_t   *s;

    probes = data;

    if (!probes->event.timer_set) {
        ngx_add_timer(&probes->event, 1);
    }

    /* who is configured keeps its place in the zone */

    core = probes->cores->elts;

    for (i = 0; i < probes->cores->nelts; i++) {
        s = core[i]->servers.elts;

        for (k = 0; k < core[i]->servers.nelts; k++) {
            if (s[k].health != NULL && !s[k].off) {
                s[k].health->touched = ngx_time();
            }
        }
    }
}


static void
ngx_ims_probe_tick(ngx_event_t *ev)
{
    ngx_uint_t          i;
    ngx_ims_core_t    **core;
    ngx_ims_probes_t   *probes;

    probes = ev->data;

    /* begins again when this worker leads again */

    if (!ngx_ims_leader_is(probes->leader)) {
        return;
    }

    core = probes->cores->elts;

    for (i = 0; i < probes->cores->nelts; i++) {
        if (core[i]->probe) {
            ngx_ims_probe_core(probes, core[i]);
        }
    }

    ngx_add_timer(ev, probes->tick);
}


static void
ngx_ims_probe_core(ngx_ims_probes_t *probes, ngx_ims_core_t *core)
{
    ngx_msec_t              interval;
    ngx_uint_t              i;
    ngx_ims_core_server_t  *s;

    s = core->servers.elts;

    for (i = 0; i < core->servers.nelts; i++) {

        if (s[i].off || s[i].probing) {
            continue;
        }

        interval = core->probe;

        if (ngx_ims_core_down(core, &s[i], ngx_time())) {
            interval = ngx_min(interval, NGX_IMS_PROBE_DOWN);
        }

        if (s[i].probed == 0 || ngx_current_msec - s[i].probed >= interval) {
            ngx_ims_probe_send(probes, core, &s[i]);
        }
    }
}


static void
ngx_ims_probe_send(ngx_ims_probes_t *probes, ngx_ims_core_t *core,
    ngx_ims_core_server_t *s)
{
    u_char            buf[NGX_IMS_PROBE_SIZE], branch[NGX_IMS_BRANCH_LEN];
    size_t            len;
    ngx_ims_probe_t  *probe;

    probe = ngx_calloc(sizeof(ngx_ims_probe_t), core->log);
    if (probe == NULL) {
        return;
    }

    probe->core = core;
    probe->start = ngx_current_msec;

    if (ngx_ims_core_flow(core, s->transport, s->addr.sockaddr,
                          s->addr.socklen, &probe->flow)
        != NGX_OK)
    {
        ngx_free(probe);
        return;
    }

    ngx_ims_txn_branch(probes->txns, branch);

    len = ngx_ims_probe_request(probe, s, branch, buf);

    s->probed = ngx_current_msec ? ngx_current_msec : 1;
    s->probing = 1;

    probe->txn = ngx_ims_txn_client(probes->txns, &probe->flow,
                                    NGX_IMS_SIP_OPTIONS, branch, buf, len,
                                    ngx_ims_probe_response, probe);

    if (probe->txn == NULL) {
        ngx_ims_probe_done(probe, 0);
        ngx_free(probe);
        return;
    }

    probe->timer.handler = ngx_ims_probe_timeout;
    probe->timer.data = probe;
    probe->timer.log = core->log;
    probe->timer.cancelable = 1;

    ngx_add_timer(&probe->timer, core->probe_timeout);
}


static size_t
ngx_ims_probe_request(ngx_ims_probe_t *probe, ngx_ims_core_server_t *s,
    u_char *branch, u_char *buf)
{
    u_char                 *p, *last;
    ngx_ims_core_t         *core;
    ngx_ims_core_listen_t  *local;

    static const char *const  transports[] = {
        "", ";transport=tcp", ";transport=tls"
    };

    core = probe->core;
    last = buf + NGX_IMS_PROBE_SIZE;

    local = ngx_ims_core_local(core, s->transport,
                               s->addr.sockaddr->sa_family);
    if (local == NULL) {
        local = core->edge;
    }

    p = ngx_slprintf(buf, last,
                     "OPTIONS sip:%V%s SIP/2.0" CRLF
                     "Via: SIP/2.0/%V %V:%ui;branch=%*s;rport" CRLF
                     "Max-Forwards: 70" CRLF
                     "From: <sip:%V>;tag=%08xD%08xD" CRLF
                     "To: <sip:%V>" CRLF,
                     &s->addr.name, transports[s->transport],
                     ngx_ims_core_transport(s->transport), &local->host,
                     (ngx_uint_t) local->port, (size_t) NGX_IMS_BRANCH_LEN,
                     branch, &core->home_domain, (uint32_t) ngx_random(),
                     (uint32_t) ngx_random(), &core->home_domain);

    /* the branch is unique, so what follows from it is, too */

    p = ngx_slprintf(p, last,
                     "Call-ID: %*s@%V" CRLF
                     "CSeq: 1 OPTIONS" CRLF
                     "Contact: <sip:%V:%ui>" CRLF
                     "Content-Length: 0" CRLF CRLF,
                     (size_t) 16, branch + NGX_IMS_BRANCH_LEN - 16,
                     &local->host, &local->host, (ngx_uint_t) local->port);

    return p - buf;
}


static void
ngx_ims_probe_response(ngx_ims_txn_t *t, ngx_int_t rc, ngx_ims_sip_msg_t *m)
{
    ngx_ims_probe_t  *probe;

    probe = t->data;

    if (rc == NGX_DONE) {
        ngx_ims_probe_done(probe, 0);
        ngx_free(probe);
        return;
    }

    if (rc != NGX_OK) {
        ngx_ims_probe_done(probe, 0);
        return;
    }

    if (m->status >= 200) {
        ngx_ims_probe_done(probe, m->status != 503 && m->status != 408);
    }
}


static void
ngx_ims_probe_timeout(ngx_event_t *ev)
{
    ngx_ims_probe_t  *probe;

    probe = ev->data;

    ngx_ims_probe_done(probe, 0);
    ngx_ims_txn_detach(probe->txn);
}


/* its outcome, once; the transaction may go on */

static void
ngx_ims_probe_done(ngx_ims_probe_t *probe, ngx_uint_t ok)
{
    ngx_ims_core_t         *core;
    ngx_ims_health_hop_t   *h;
    ngx_ims_core_server_t  *s;

    if (probe->done) {
        return;
    }

    probe->done = 1;
    core = probe->core;

    if (probe->timer.timer_set) {
        ngx_del_timer(&probe->timer);
    }

    s = ngx_ims_core_server(core, probe->flow.transport,
                            &probe->flow.sockaddr.sockaddr,
                            probe->flow.socklen);
    if (s == NULL) {

        /* its name leads elsewhere by now */

        return;
    }

    s->probing = 0;
    h = s->health ? s->health : &s->own;
    h->probed = ngx_time();

    if (ok) {
        h->misses = 0;
        h->rtt = ngx_current_msec - probe->start;
        ngx_ims_core_result(core, &probe->flow, 1);
        return;
    }

    h->misses++;

    if (h->misses >= core->probe_fails
        || ngx_ims_core_down(core, s, ngx_time()))
    {
        ngx_ims_core_dead(core, &probe->flow);
    }
}
