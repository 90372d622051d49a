
/* Copyright (C) the IMS portal authors */

/*
 * Transactions of the far end, RFC 3261 17: requests sent and repeated,
 * answers given and remembered.  Timers A, B, E, F are in fe_tx_tick(), G and
 * H (of a final response to INVITE, until its ACK) in fe_call_tick().
 */

#define _GNU_SOURCE

#include "farend.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>


void
fe_tx_send(struct fe *fe, const struct sockaddr_in *to, const char *buf,
    size_t len)
{
    if (len) {
        (void) sendto(fe->sip_fd, buf, len, 0,
                      (const struct sockaddr *) to, sizeof(*to));
    }
}


static const char *
reason(int status)
{
    switch (status) {
    case 100: return "Trying";
    case 180: return "Ringing";
    case 200: return "OK";
    case 404: return "Not Found";
    case 480: return "Temporarily Unavailable";
    case 481: return "Call/Transaction Does Not Exist";
    case 486: return "Busy Here";
    case 487: return "Request Terminated";
    case 488: return "Not Acceptable Here";
    case 501: return "Not Implemented";
    case 503: return "Service Unavailable";
    case 603: return "Decline";
    }

    return "Answer";
}


void
fe_tx_reply(struct fe *fe, const struct fe_msg *m, int status, const char *sdp)
{
    char               tag[32];
    struct fe_cached  *k;

    k = &fe->cache[fe->cache_next++ % FE_CACHE];
    snprintf(tag, sizeof(tag), "r%u", ++fe->serial);
    snprintf(k->branch, sizeof(k->branch), "%s", m->branch);
    snprintf(k->method, sizeof(k->method), "%s", m->method);
    k->len = fe_sip_response(fe, m, status, reason(status), tag, "", sdp,
                             k->buf, sizeof(k->buf));
    fe_tx_send(fe, &m->from, k->buf, k->len);
}


int
fe_tx_repeat(struct fe *fe, const struct fe_msg *m)
{
    size_t  i;

    for (i = 0; i < FE_CACHE; i++) {
        if (fe->cache[i].len && strcmp(fe->cache[i].branch, m->branch) == 0
            && strcmp(fe->cache[i].method, m->method) == 0)
        {
            fe_tx_send(fe, &m->from, fe->cache[i].buf, fe->cache[i].len);
            return 1;
        }
    }

    return 0;
}


/* client transactions */

static void
new_branch(struct fe *fe, char *branch, size_t size)
{
    snprintf(branch, size, "z9hG4bKfe%u.%lx", ++fe->serial, random());
}


static void
where_to(struct fe *fe, const struct fe_call *c, struct sockaddr_in *to)
{
    char  uri[FE_STR];

    if (c->nroutes) {
        fe_sip_uri(c->routes[0], uri, sizeof(uri));

        if (fe_sip_address(uri, to) == 0) {
            return;
        }

    } else if (c->state != FE_CALLING
               && fe_sip_address(c->target, to) == 0)
    {
        return;
    }

    *to = fe->core_addr;
}


struct fe_tx *
fe_tx_request(struct fe *fe, struct fe_call *c, const char *method,
    uint32_t cseq, const char *extra, const char *type, const char *body)
{
    size_t         i;
    struct fe_tx  *t;

    for (i = 0; i < FE_MAX_TXS && fe->txs[i].used; i++);

    if (i == FE_MAX_TXS) {
        return NULL;
    }

    t = &fe->txs[i];
    memset(t, 0, sizeof(*t));
    new_branch(fe, t->branch, sizeof(t->branch));

    if (strcmp(method, "CANCEL") == 0) {
        snprintf(t->branch, sizeof(t->branch), "%s", c->branch);
    }

    snprintf(t->method, sizeof(t->method), "%s", method);
    t->len = fe_sip_request(fe, c, method, cseq, t->branch, extra, type,
                            body, t->buf, sizeof(t->buf));

    if (t->len == 0) {
        return NULL;
    }

    where_to(fe, c, &t->to);
    t->used = 1;
    t->message = -1;
    t->call = c >= fe->calls && c < fe->calls + FE_MAX_CALLS
              ? (int) (c - fe->calls) : -1;
    t->wait = FE_T1;
    t->next = fe_now() + t->wait;
    t->end = fe_now() + FE_TIMEOUT;
    fe_tx_send(fe, &t->to, t->buf, t->len);

    return t;
}


void
fe_tx_ack(struct fe *fe, struct fe_call *c, const char *branch, uint32_t cseq,
    const char *sdp)
{
    char                buf[FE_MSG], fresh[FE_STR];
    struct sockaddr_in  to;

    if (branch == NULL) {
        new_branch(fe, fresh, sizeof(fresh));
        branch = fresh;
    }

    where_to(fe, c, &to);
    fe_tx_send(fe, &to, buf,
            fe_sip_request(fe, c, "ACK", cseq, branch, "",
                           "application/sdp", sdp, buf, sizeof(buf)));
}


void
fe_tx_final(struct fe *fe, struct fe_call *c, int status, const char *sdp)
{
    char  tag[32];

    snprintf(tag, sizeof(tag), "fe%d", c->id);
    c->resp_len = fe_sip_response(fe, c->invite, status, reason(status), tag,
                                  "", sdp, c->resp, sizeof(c->resp));
    c->resp_wait = FE_T1;
    c->resp_next = fe_now() + c->resp_wait;
    c->resp_end = fe_now() + FE_TIMEOUT;
    c->status = status;
    fe_tx_send(fe, &c->invite->from, c->resp, c->resp_len);
}


void
fe_tx_provisional(struct fe *fe, struct fe_call *c, int status)
{
    char    tag[32], buf[FE_MSG];
    size_t  len;

    snprintf(tag, sizeof(tag), "fe%d", c->id);
    len = fe_sip_response(fe, c->invite, status, reason(status), tag, "", "",
                          buf, sizeof(buf));
    fe_tx_send(fe, &c->invite->from, buf, len);
}


void
fe_tx_tick(struct fe *fe, double now)
{
    size_t         i;
    struct fe_tx  *t;

    for (i = 0; i < FE_MAX_TXS; i++) {
        t = &fe->txs[i];

        if (!t->used) {
            continue;
        }

        if (now >= t->end) {
            t->used = 0;

            if (t->message >= 0) {
                fe->messages[t->message].status = 408;
            }

            if (t->call >= 0 && strcmp(t->method, "INVITE") == 0) {
                fe->calls[t->call].timed_out = 1;
            }

            continue;
        }

        if (now >= t->next && !t->provisional) {
            t->wait = t->wait * 2 > FE_T2 ? FE_T2 : t->wait * 2;
            t->next = now + t->wait;
            fe_tx_send(fe, &t->to, t->buf, t->len);
        }
    }
}
