/*
 * Copyright (C) the IMS portal authors
 *
 * One request to all browsers of a user.  Each branch goes by the loop to the
 * edge with the flow token of its browser, so the worker that has the browser
 * takes it as it takes any request of the core; this file only counts answers.
 *
 * No timers: each browser's side has its own (timer C, F).
 */


#include "ngx_ims_fork.h"
#include "ngx_ims_loop.h"


typedef struct {
    ngx_ims_worker_t         *worker;
    ngx_ims_txn_t            *server;         /* NULL: it is over */
    ngx_ims_txn_t            *clients[NGX_IMS_FORK_MAX];
    ngx_uint_t                nclients;
    ngx_uint_t                waiting;        /* without a final answer */
    ngx_uint_t                refs;           /* transactions alive */
    ngx_uint_t                best;           /* status; 0: none yet */
    ngx_str_t                 text;           /* of it, owned */
    unsigned                  answered:1;
} ngx_ims_fork_t;


static ngx_ims_health_fork_t *ngx_ims_fork_place(ngx_ims_core_t *core,
    ngx_ims_sip_msg_t *m, uint32_t *key);
static void ngx_ims_fork_note(ngx_ims_worker_t *w, ngx_ims_core_t *core,
    ngx_ims_sip_msg_t *m);
static void ngx_ims_fork_request(ngx_ims_worker_t *w, ngx_ims_core_t *core,
    ngx_ims_flow_t *flow, ngx_ims_sip_msg_t *m, ngx_ims_pool_t *pool,
    ngx_ims_ref_t *refs, ngx_uint_t n);
static ngx_int_t ngx_ims_fork_branch(ngx_ims_fork_t *fork,
    ngx_ims_core_t *core, ngx_ims_sip_msg_t *m, ngx_ims_pool_t *pool,
    ngx_ims_ref_t *ref, ngx_uint_t local);
static void ngx_ims_fork_server(ngx_ims_txn_t *t, ngx_int_t rc,
    ngx_ims_sip_msg_t *m);
static void ngx_ims_fork_client(ngx_ims_txn_t *t, ngx_int_t rc,
    ngx_ims_sip_msg_t *m);
static void ngx_ims_fork_final(ngx_ims_fork_t *fork, ngx_ims_txn_t *t,
    ngx_ims_sip_msg_t *m);
static void ngx_ims_fork_keep(ngx_ims_fork_t *fork, ngx_ims_sip_msg_t *m);
static ngx_uint_t ngx_ims_fork_rank(ngx_uint_t status);
static void ngx_ims_fork_pass(ngx_ims_fork_t *fork, ngx_ims_sip_msg_t *m);
static void ngx_ims_fork_local(ngx_ims_fork_t *fork, ngx_uint_t status);
static void ngx_ims_fork_cancel(ngx_ims_fork_t *fork, ngx_ims_txn_t *but,
    const char *reason);
static void ngx_ims_fork_unref(ngx_ims_fork_t *fork);


ngx_int_t
ngx_ims_fork_target(ngx_ims_worker_t *w, ngx_ims_core_t *core,
    ngx_ims_str_t *uri, ngx_ims_pool_t **found, uint32_t *lease)
{
    ngx_uint_t        i;
    ngx_ims_ref_t     ref;
    ngx_ims_pool_t  **pool;

    pool = w->pools->elts;

    for (i = 0; i < w->pools->nelts; i++) {

        if (pool[i]->core != core
            || ngx_ims_pool_identity(pool[i], uri, lease) != NGX_OK)
        {
            continue;
        }

        *found = pool[i];

        return ngx_ims_binding_list(pool[i], *lease, &ref, 1) ? NGX_OK
                                                              : NGX_BUSY;
    }

    return NGX_DECLINED;
}


/*
 * A repetition, a CANCEL or an ACK may come to any worker, and says neither
 * whom it is for nor who has the browsers of then: the worker that forked the
 * request has left word in the zone.  What the portal sends itself does not
 * leave its worker.
 */

ngx_uint_t
ngx_ims_fork_known(ngx_ims_worker_t *w, ngx_ims_core_t *core,
    ngx_ims_flow_t *flow, ngx_ims_sip_msg_t *m, ngx_uint_t handed)
{
    uint32_t                key;
    ngx_ims_owner_t         owner;
    ngx_ims_health_fork_t  *place;

    if (ngx_ims_txn_request(w->txns, m, flow, 0) == NGX_OK) {
        return 1;
    }

    if (handed || flow->transport == NGX_IMS_LOCAL) {
        return 0;
    }

    place = ngx_ims_fork_place(core, m, &key);

    owner.instance = w->self.instance;
    owner.pid = place->pid;

    if (place->key != key || owner.pid == 0 || owner.pid == w->self.pid) {
        return 0;
    }

    /* with too many on their way the core sends it again */

    return ngx_ims_handover_send(w, core, &owner, flow, &m->text)
           != NGX_DECLINED;
}


/* the place of a request, or the one that is the next to be given away */

static ngx_ims_health_fork_t *
ngx_ims_fork_place(ngx_ims_core_t *core, ngx_ims_sip_msg_t *m, uint32_t *key)
{
    ngx_uint_t              i;
    ngx_ims_health_fork_t  *place, *oldest;

    ngx_crc32_init(*key);
    ngx_crc32_update(key, m->call_id.data, m->call_id.len);
    ngx_crc32_update(key, m->via.branch.data, m->via.branch.len);
    ngx_crc32_final(*key);

    place = core->health->sh->forks[*key % NGX_IMS_HEALTH_FORKS];
    oldest = place;

    for (i = 0; i < NGX_IMS_HEALTH_WAYS; i++) {

        if (place[i].key == *key) {
            return &place[i];
        }

        if (place[i].since < oldest->since) {
            oldest = &place[i];
        }
    }

    return oldest;
}


/* two workers at once may lose one word of two, as after too many requests */

static void
ngx_ims_fork_note(ngx_ims_worker_t *w, ngx_ims_core_t *core,
    ngx_ims_sip_msg_t *m)
{
    uint32_t                key;
    ngx_ims_health_fork_t  *place;

    place = ngx_ims_fork_place(core, m, &key);

    place->pid = 0;
    ngx_memory_barrier();

    place->since = ngx_time();
    place->key = key;
    ngx_memory_barrier();

    place->pid = w->self.pid;
}


/*
 * An INVITE is forked to a single browser, too: another may come while that one
 * rings, and the CANCEL would not find it.
 */

ngx_int_t
ngx_ims_fork_called(ngx_ims_worker_t *w, ngx_ims_core_t *core,
    ngx_ims_flow_t *flow, ngx_ims_sip_msg_t *m, ngx_ims_pool_t *pool,
    uint32_t lease, ngx_uint_t handed, ngx_ims_ref_t *ref)
{
    ngx_uint_t     n;
    ngx_ims_ref_t  refs[NGX_IMS_FORK_MAX];

    if (ngx_ims_fork_known(w, core, flow, m, handed)
        || m->method == NGX_IMS_SIP_ACK)
    {
        return NGX_DONE;
    }

    if (m->method == NGX_IMS_SIP_CANCEL) {
        ngx_ims_call_refuse(w, flow, m, 481, NULL);
        return NGX_DONE;
    }

    n = ngx_ims_binding_list(pool, lease, refs, NGX_IMS_FORK_MAX);

    if (n == 0) {
        ngx_ims_call_refuse(w, flow, m, 480, NULL);
        return NGX_DONE;
    }

    if (n == 1 && m->method != NGX_IMS_SIP_INVITE) {
        *ref = refs[0];
        return NGX_OK;
    }

    ngx_ims_fork_request(w, core, flow, m, pool, refs, n);

    return NGX_DONE;
}


static void
ngx_ims_fork_request(ngx_ims_worker_t *w, ngx_ims_core_t *core,
    ngx_ims_flow_t *flow, ngx_ims_sip_msg_t *m, ngx_ims_pool_t *pool,
    ngx_ims_ref_t *refs, ngx_uint_t n)
{
    ngx_uint_t       i;
    ngx_ims_fork_t  *fork;

    fork = ngx_calloc(sizeof(ngx_ims_fork_t), w->log);
    if (fork == NULL) {
        ngx_ims_call_refuse(w, flow, m, 503, "Retry-After: 5" CRLF);
        return;
    }

    fork->worker = w;

    fork->server = ngx_ims_txn_server(w->txns, m, flow, 0,
                                      ngx_ims_fork_server, fork);
    if (fork->server == NULL) {
        ngx_free(fork);
        ngx_ims_call_refuse(w, flow, m, 503, "Retry-After: 5" CRLF);
        return;
    }

    fork->refs = 1;

    if (flow->transport != NGX_IMS_LOCAL) {
        ngx_ims_fork_note(w, core, m);
    }

    if (m->method == NGX_IMS_SIP_INVITE) {
        ngx_ims_fork_local(fork, 100);
    }

    for (i = 0; i < n; i++) {
        (void) ngx_ims_fork_branch(fork, core, m, pool, &refs[i],
                                   flow->transport == NGX_IMS_LOCAL);
    }

    if (fork->waiting == 0) {
        ngx_ims_fork_local(fork, 503);
    }
}


/*
 * One browser: its flow token is the Route, and ours is the top Via; local: the
 * call has no media helper
 */

static ngx_int_t
ngx_ims_fork_branch(ngx_ims_fork_t *fork, ngx_ims_core_t *core,
    ngx_ims_sip_msg_t *m, ngx_ims_pool_t *pool, ngx_ims_ref_t *ref,
    ngx_uint_t local)
{
    size_t                len;
    u_char                token[NGX_IMS_TOKEN_LEN];
    u_char                branch[NGX_IMS_BRANCH_LEN];
    ngx_ims_str_t         lines;
    ngx_ims_txn_t        *t;
    ngx_ims_flow_t        flow;
    ngx_ims_worker_t     *w;
    ngx_ims_sip_hdr_t    *h;
    ngx_ims_sip_edits_t   e;

    w = fork->worker;

    ngx_ims_loop_flow(core, &flow);
    ngx_ims_binding_token(pool, ref, token);
    ngx_ims_txn_branch(w->txns, branch);

    ngx_ims_sip_edits_init(&e, w->edits, w->nedits, w->text, w->text_size);

    (void) ngx_ims_sip_remove(&e, m, NGX_IMS_HDR_ROUTE);

    lines = ngx_ims_sip_textf(&e, "Via: SIP/2.0/LOCAL %.*s:%d;branch=%.*s\r\n"
                              "Route: <sip:%.*s@%.*s:%d;lr%s>\r\n",
                              (int) core->edge->host.len,
                              core->edge->host.data, (int) core->edge->port,
                              (int) NGX_IMS_BRANCH_LEN, branch,
                              (int) NGX_IMS_TOKEN_LEN, token,
                              (int) core->edge->host.len,
                              core->edge->host.data, (int) core->edge->port,
                              local ? ";local" : "");
    ngx_ims_sip_insert_top(&e, m, lines);

    h = ngx_ims_sip_hdr(m, NGX_IMS_HDR_MAX_FORWARDS);

    if (h != NULL && m->max_forwards > 0) {
        ngx_ims_sip_replace(&e, m, &h->value,
                            ngx_ims_sip_textf(&e, "%d", m->max_forwards - 1));
    }

    if (ngx_ims_sip_splice(&e, m, w->out, w->out_size, &len) != NGX_IMS_OK) {
        return NGX_ERROR;
    }

    t = ngx_ims_txn_client(w->txns, &flow, m->method, branch, w->out, len,
                           ngx_ims_fork_client, fork);
    if (t == NULL) {
        return NGX_ERROR;
    }

    fork->clients[fork->nclients++] = t;
    fork->waiting++;
    fork->refs++;

    return NGX_OK;
}


static void
ngx_ims_fork_server(ngx_ims_txn_t *t, ngx_int_t rc, ngx_ims_sip_msg_t *m)
{
    ngx_ims_fork_t  *fork;

    fork = t->data;

    if (rc == NGX_OK) {

        /* CANCEL: the 487 of each branch follows */

        ngx_ims_fork_cancel(fork, NULL, NULL);
        return;
    }

    if (rc == NGX_DONE) {
        fork->server = NULL;
        ngx_ims_fork_unref(fork);
    }
}


static void
ngx_ims_fork_client(ngx_ims_txn_t *t, ngx_int_t rc, ngx_ims_sip_msg_t *m)
{
    ngx_uint_t       i;
    ngx_ims_fork_t  *fork;

    fork = t->data;

    switch (rc) {

    case NGX_OK:

        if (m->status < 200) {
            if (!fork->answered) {
                ngx_ims_fork_pass(fork, m);
            }

            return;
        }

        ngx_ims_fork_final(fork, t, m);
        return;

    case NGX_DONE:

        for (i = 0; i < fork->nclients; i++) {
            if (fork->clients[i] == t) {
                fork->clients[i] = NULL;
            }
        }

        ngx_ims_fork_unref(fork);
        return;

    default:

        /* the browser's side did not answer, which is as 408 */

        ngx_ims_fork_final(fork, t, NULL);
        return;
    }
}


static void
ngx_ims_fork_final(ngx_ims_fork_t *fork, ngx_ims_txn_t *t,
    ngx_ims_sip_msg_t *m)
{
    ngx_str_t           text;
    ngx_ims_parsed_t   *saved;
    ngx_ims_worker_t   *w;

    w = fork->worker;
    saved = w->saved;

    if (m != NULL && m->status < 300) {

        if (!fork->answered) {
            fork->answered = 1;
            fork->waiting--;

            /* RFC 3326: the others see that it was answered */

            ngx_ims_fork_cancel(fork, t, "Reason: SIP;cause=200;"
                                "text=\"call completed elsewhere\"" CRLF);
        }

        /* another 2xx of an INVITE is for the caller to end (16.7, 5) */

        if (fork->server != NULL && (fork->server->invite
                                     || fork->server->status < 200))
        {
            ngx_ims_fork_pass(fork, m);
        }

        return;
    }

    if (fork->answered) {
        return;
    }

    if (m != NULL) {
        ngx_ims_fork_keep(fork, m);

        if (m->status >= 600) {
            ngx_ims_fork_cancel(fork, t, NULL);
        }
    }

    if (--fork->waiting) {
        return;
    }

    fork->answered = 1;
    text = fork->text;

    if (fork->best == 0
        || ngx_ims_sip_parse(&saved->msg, text.data, text.len, saved->hdrs,
                             NGX_IMS_SIP_MAX_HEADERS, 1)
           != NGX_IMS_OK)
    {
        ngx_ims_fork_local(fork, 408);
        return;
    }

    ngx_ims_fork_pass(fork, &saved->msg);
}


/* the better of two refusals stays (RFC 3261 16.7, 6) */

static void
ngx_ims_fork_keep(ngx_ims_fork_t *fork, ngx_ims_sip_msg_t *m)
{
    u_char  *p;

    if (fork->best
        && ngx_ims_fork_rank(fork->best) <= ngx_ims_fork_rank(m->status))
    {
        return;
    }

    p = ngx_alloc(m->text.len, fork->worker->log);
    if (p == NULL) {
        return;
    }

    ngx_memcpy(p, m->text.data, m->text.len);

    if (fork->text.data != NULL) {
        ngx_free(fork->text.data);
    }

    fork->text.data = p;
    fork->text.len = m->text.len;
    fork->best = m->status;
}


/*
 * 6xx before all, else the lowest class; within one, an answer of a person or
 * a browser (486) says more than one of ours (480, 487, 408).
 */

static ngx_uint_t
ngx_ims_fork_rank(ngx_uint_t status)
{
    if (status >= 600) {
        return 0;
    }

    switch (status) {

    case 408:
    case 430:
    case 480:
    case 487:
        return 499;

    default:
        return status;
    }
}


static void
ngx_ims_fork_pass(ngx_ims_fork_t *fork, ngx_ims_sip_msg_t *m)
{
    size_t                len;
    ngx_ims_worker_t     *w;
    ngx_ims_sip_edits_t   e;

    w = fork->worker;

    if (fork->server == NULL || m->status == 100) {
        return;
    }

    ngx_ims_sip_edits_init(&e, w->edits, w->nedits, w->text, w->text_size);
    ngx_ims_sip_remove_first(&e, m, NGX_IMS_HDR_VIA);

    if (ngx_ims_sip_splice(&e, m, w->out, w->out_size, &len) == NGX_IMS_OK) {
        (void) ngx_ims_txn_reply(fork->server, m->status, w->out, len);
    }
}


static void
ngx_ims_fork_local(ngx_ims_fork_t *fork, ngx_uint_t status)
{
    size_t             len;
    u_char             tag[16];
    ngx_str_t          text;
    ngx_ims_str_t      to_tag;
    ngx_ims_worker_t  *w;

    w = fork->worker;

    if (fork->server == NULL) {
        return;
    }

    text = fork->server->request;

    if (ngx_ims_sip_parse(&w->saved->msg, text.data, text.len,
                          w->saved->hdrs, NGX_IMS_SIP_MAX_HEADERS, 1)
        != NGX_IMS_OK)
    {
        return;
    }

    ngx_ims_call_tag(w, tag);
    to_tag.data = tag;
    to_tag.len = sizeof(tag);

    if (ngx_ims_sip_reply(&w->saved->msg, status, NULL,
                          status > 100 ? &to_tag : NULL,
                          status == 503 ? "Retry-After: 5" CRLF : NULL, NULL,
                          w->out, w->out_size, &len)
        == NGX_IMS_OK)
    {
        (void) ngx_ims_txn_reply(fork->server, status, w->out, len);
    }
}


static void
ngx_ims_fork_cancel(ngx_ims_fork_t *fork, ngx_ims_txn_t *but,
    const char *reason)
{
    ngx_uint_t  i;
    ngx_str_t   line;

    line.data = (u_char *) reason;
    line.len = reason ? ngx_strlen(reason) : 0;

    for (i = 0; i < fork->nclients; i++) {

        if (fork->clients[i] != NULL && fork->clients[i] != but
            && fork->clients[i]->invite)
        {
            ngx_ims_txn_cancel(fork->clients[i], reason ? &line : NULL);
        }
    }
}


static void
ngx_ims_fork_unref(ngx_ims_fork_t *fork)
{
    if (--fork->refs) {
        return;
    }

    if (fork->text.data != NULL) {
        ngx_free(fork->text.data);
    }

    ngx_free(fork);
}
