
/* Copyright (C) the IMS portal authors */

/*
 * Calls of the far end.  Timers, all in fe_call_tick(): a final response to
 * INVITE repeated until its ACK (G, H of RFC 3261 17), and the delays of
 * ringing, hanging up and calling back.
 */

#define _GNU_SOURCE

#include "farend.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>


static void
end_call(struct fe_call *c, const char *why)
{
    if (c->state != FE_ENDED) {
        c->state = FE_ENDED;
        snprintf(c->why, sizeof(c->why), "%s", why);
    }

    fe_rtp_close(&c->rtp);
    c->answer_at = c->hangup_at = 0;
}


static struct fe_call *
new_call(struct fe *fe)
{
    size_t           i;
    struct fe_call  *c, *old;

    old = NULL;

    for (i = 0; i < FE_MAX_CALLS; i++) {
        c = &fe->calls[i];

        if (c->state == FE_FREE) {
            old = c;
            break;
        }

        if (c->state == FE_ENDED && c->resp_len == 0 && c->callback_at == 0
            && (old == NULL || c->id < old->id))
        {
            old = c;
        }
    }

    if (old == NULL) {
        return NULL;
    }

    free(old->invite);
    memset(old, 0, sizeof(*old));
    old->rtp.fd = old->rtp.rtcp_fd = -1;

    if (fe_rtp_open(fe, &old->rtp) == -1) {
        return NULL;
    }

    old->id = ++fe->last_id;

    return old;
}


struct fe_call *
fe_call_find(struct fe *fe, int id)
{
    size_t  i;

    if (id == 0) {
        id = fe->last_id;
    }

    for (i = 0; i < FE_MAX_CALLS; i++) {
        if (fe->calls[i].state != FE_FREE && fe->calls[i].id == id) {
            return &fe->calls[i];
        }
    }

    return NULL;
}


static struct fe_call *
dialog(struct fe *fe, const struct fe_msg *m)
{
    size_t           i;
    struct fe_call  *c;

    for (i = 0; i < FE_MAX_CALLS; i++) {
        c = &fe->calls[i];

        if (c->state != FE_FREE && strcmp(c->call_id, m->call_id) == 0) {
            return c;
        }
    }

    return NULL;
}


int
fe_call_answer(struct fe *fe, struct fe_call *c)
{
    int   late;
    char  sdp[1024];

    if (c->state != FE_INCOMING || c->invite == NULL) {
        return -1;
    }

    c->answer_at = 0;
    late = c->invite->body[0] == '\0';

    if (!late && fe_rtp_remote(&c->rtp, c->invite->body) == -1) {
        return fe_call_reject(fe, c, 488);
    }

    fe_rtp_sdp(fe, c, late, sdp, sizeof(sdp));
    c->state = FE_ESTABLISHED;
    fe_tx_final(fe, c, 200, sdp);

    return 0;
}


int
fe_call_reject(struct fe *fe, struct fe_call *c, int status)
{
    if (c->state != FE_INCOMING || c->invite == NULL) {
        return -1;
    }

    fe_tx_final(fe, c, status, "");
    end_call(c, "rejected");

    return 0;
}


int
fe_call_hangup(struct fe *fe, struct fe_call *c, const char *why)
{
    switch (c->state) {
    case FE_INCOMING:
        return fe_call_reject(fe, c, 480);

    case FE_CALLING:
        c->cancelled = 1;
        fe_tx_request(fe, c, "CANCEL", c->invite_cseq, "", "", "");
        return 0;

    case FE_ESTABLISHED:
        fe_tx_request(fe, c, "BYE", ++c->cseq, "", "", "");
        end_call(c, why);
        return 0;

    default:
        return -1;
    }
}


int
fe_call_request(struct fe *fe, struct fe_call *c, const char *method,
    const char *type, const char *body)
{
    if (c->state != FE_ESTABLISHED) {
        return -1;
    }

    return fe_tx_request(fe, c, method, ++c->cseq, "", type, body) ? 0 : -1;
}


int
fe_call_reinvite(struct fe *fe, struct fe_call *c, int send, int receive)
{
    char           sdp[1024];
    struct fe_tx  *t;

    if (c->state != FE_ESTABLISHED) {
        return -1;
    }

    c->rtp.send = send;
    c->rtp.receive = receive;
    fe_rtp_sdp(fe, c, 1, sdp, sizeof(sdp));
    c->invite_cseq = ++c->cseq;
    t = fe_tx_request(fe, c, "INVITE", c->cseq, "", "application/sdp", sdp);

    if (t == NULL) {
        return -1;
    }

    snprintf(c->branch, sizeof(c->branch), "%s", t->branch);

    return 0;
}


struct fe_call *
fe_call_start(struct fe *fe, const char *uri, const char *from,
    fe_mode_e mode, double freq, int late)
{
    char             sdp[1024];
    struct fe_tx    *t;
    struct fe_call  *c;

    c = new_call(fe);

    if (c == NULL) {
        return NULL;
    }

    c->uac = 1;
    c->late = late;
    c->state = FE_CALLING;
    c->rtp.mode = mode;
    c->rtp.freq = freq;
    fe_sip_user(uri, c->number, sizeof(c->number));
    snprintf(c->target, sizeof(c->target), "%s", uri);
    snprintf(c->call_id, sizeof(c->call_id), "fe%u.%lx@%s", ++fe->serial,
             random(), fe->host);
    snprintf(c->local, sizeof(c->local), "<%.200s>;tag=fe%d", from, c->id);
    snprintf(c->remote, sizeof(c->remote), "<%.200s>", uri);
    fe_rtp_sdp(fe, c, 1, sdp, sizeof(sdp));
    c->invite_cseq = ++c->cseq;
    t = fe_tx_request(fe, c, "INVITE", c->cseq, "", "application/sdp",
                     late ? "" : sdp);

    if (t == NULL) {
        end_call(c, "too big");
        return NULL;
    }

    snprintf(c->branch, sizeof(c->branch), "%s", t->branch);

    return c;
}


int
fe_call_message(struct fe *fe, const char *uri, const char *text)
{
    struct fe_tx             *t;
    static struct fe_call     c;
    struct fe_message        *msg;

    if (fe->nmessages == FE_MAX_MESSAGES) {
        return -1;
    }

    memset(&c, 0, sizeof(c));
    c.state = FE_CALLING;
    snprintf(c.target, sizeof(c.target), "%s", uri);
    snprintf(c.call_id, sizeof(c.call_id), "fem%u.%lx@%s", ++fe->serial,
             random(), fe->host);
    snprintf(c.local, sizeof(c.local), "<%.200s>;tag=m%u", fe->me,
             fe->serial);
    snprintf(c.remote, sizeof(c.remote), "<%.200s>", uri);
    t = fe_tx_request(fe, &c, "MESSAGE", 1, "", "text/plain", text);

    if (t == NULL) {
        return -1;
    }

    t->message = fe->nmessages;
    msg = &fe->messages[fe->nmessages++];
    memset(msg, 0, sizeof(*msg));
    msg->sent = 1;
    snprintf(msg->peer, sizeof(msg->peer), "%s", uri);
    snprintf(msg->body, sizeof(msg->body), "%s", text);

    return t->message;
}


/* requests received */

static void
take_routes(struct fe_call *c, const struct fe_msg *m, int reversed)
{
    int    i, j, n;
    char   value[1024], *p, *save, all[FE_MAX_ROUTES][FE_STR];

    n = 0;

    for (i = 0; fe_sip_header(m, "Record-Route", i, value, sizeof(value));
         i++)
    {
        for (p = strtok_r(value, ",", &save); p && n < FE_MAX_ROUTES;
             p = strtok_r(NULL, ",", &save))
        {
            p += strspn(p, " \t");
            snprintf(all[n++], FE_STR, "%s", p);
        }
    }

    c->nroutes = n;

    for (j = 0; j < n; j++) {
        memcpy(c->routes[j], all[reversed ? n - 1 - j : j], FE_STR);
    }
}


static void
on_invite(struct fe *fe, const struct fe_msg *m)
{
    char                value[FE_STR], user[64];
    struct fe_call     *c;
    struct fe_service  *s;

    c = new_call(fe);

    if (c == NULL) {
        fe_tx_reply(fe, m, 503, "");
        return;
    }

    c->invite = malloc(sizeof(*c->invite));

    if (c->invite == NULL) {
        abort();
    }

    *c->invite = *m;
    c->invite->body = c->invite->buf + (m->body - m->buf);
    c->state = FE_INCOMING;
    c->rcseq = c->invite_cseq = m->cseq;
    snprintf(c->call_id, sizeof(c->call_id), "%s", m->call_id);
    fe_sip_header(m, "From", 0, c->remote, sizeof(c->remote));
    fe_sip_param(c->remote, "tag", c->remote_tag, sizeof(c->remote_tag));
    fe_sip_header(m, "To", 0, value, sizeof(value));
    snprintf(c->local, sizeof(c->local), "%.220s;tag=fe%d", value, c->id);
    fe_sip_header(m, "Contact", 0, value, sizeof(value));
    fe_sip_uri(value, c->target, sizeof(c->target));
    take_routes(c, m, 0);

    fe_sip_user(m->uri, user, sizeof(user));
    snprintf(c->number, sizeof(c->number), "%s", user);
    fe_tx_provisional(fe, c, 100);
    s = fe_ctl_find_service(fe, user);

    if (s == NULL) {
        fe_call_reject(fe, c, 404);
        return;
    }

    c->rtp.mode = s->mode;
    c->rtp.freq = s->freq;

    if (s->mode == FE_BUSY) {
        fe_call_reject(fe, c, 486);
        return;
    }

    fe_tx_provisional(fe, c, 180);

    if (s->mode == FE_RING_ONLY) {
        c->rtp.mode = FE_TONE;
        return;
    }

    c->answer_at = fe_now() + fe->answer_delay;

    if (s->mode == FE_CALLBACK) {
        c->hangup_at = c->answer_at + 1500;
        c->callback_at = c->hangup_at + 2500;
    }
}


static void
on_reinvite(struct fe *fe, struct fe_call *c, const struct fe_msg *m)
{
    int   late;
    char  sdp[1024];

    if (c->state != FE_ESTABLISHED) {
        fe_tx_reply(fe, m, 481, "");
        return;
    }

    late = m->body[0] == '\0';

    if (!late && fe_rtp_remote(&c->rtp, m->body) == -1) {
        fe_tx_reply(fe, m, 488, "");
        return;
    }

    c->reinvites++;
    c->rcseq = m->cseq;
    fe_rtp_sdp(fe, c, late, sdp, sizeof(sdp));

    if (strcmp(m->method, "INVITE") != 0) {
        fe_tx_reply(fe, m, 200, sdp);
        return;
    }

    free(c->invite);
    c->invite = malloc(sizeof(*c->invite));

    if (c->invite == NULL) {
        abort();
    }

    *c->invite = *m;
    c->invite->body = c->invite->buf + (m->body - m->buf);
    fe_tx_final(fe, c, 200, sdp);
}


static void
on_ack(struct fe_call *c, const struct fe_msg *m)
{
    c->resp_len = 0;

    if (m->body[0] && c->state == FE_ESTABLISHED) {
        (void) fe_rtp_remote(&c->rtp, m->body);
    }
}


static void
on_message(struct fe *fe, const struct fe_msg *m)
{
    char                value[FE_STR];
    struct fe_message  *msg;

    if (fe->nmessages == FE_MAX_MESSAGES) {
        fe_tx_reply(fe, m, 503, "");
        return;
    }

    msg = &fe->messages[fe->nmessages++];
    memset(msg, 0, sizeof(*msg));
    fe_sip_header(m, "From", 0, value, sizeof(value));
    fe_sip_uri(value, msg->peer, sizeof(msg->peer));
    fe_sip_header(m, "Content-Type", 0, msg->type, sizeof(msg->type));
    snprintf(msg->body, sizeof(msg->body), "%s", m->body);
    fe_tx_reply(fe, m, 200, "");
}


static void
on_request(struct fe *fe, const struct fe_msg *m)
{
    struct fe_call  *c;

    if (fe_tx_repeat(fe, m)) {
        return;
    }

    c = dialog(fe, m);

    if (strcmp(m->method, "INVITE") == 0) {
        if (c == NULL) {
            on_invite(fe, m);

        } else if (c->invite && strcmp(c->invite->branch, m->branch) == 0) {
            fe_tx_send(fe, &m->from, c->resp, c->resp_len);

        } else {
            on_reinvite(fe, c, m);
        }

    } else if (strcmp(m->method, "ACK") == 0) {
        if (c) {
            on_ack(c, m);
        }

    } else if (strcmp(m->method, "OPTIONS") == 0) {
        fe_tx_reply(fe, m, 200, "");

    } else if (strcmp(m->method, "MESSAGE") == 0) {
        on_message(fe, m);

    } else if (c == NULL || c->state == FE_ENDED) {
        fe_tx_reply(fe, m, 481, "");

    } else if (strcmp(m->method, "BYE") == 0) {
        fe_tx_reply(fe, m, 200, "");
        fe_sip_header(m, "Reason", 0, c->reason, sizeof(c->reason));
        c->resp_len = 0;
        end_call(c, "bye received");

    } else if (strcmp(m->method, "CANCEL") == 0) {
        fe_tx_reply(fe, m, 200, "");

        if (c->state == FE_INCOMING) {
            c->callback_at = 0;
            fe_tx_final(fe, c, 487, "");
            end_call(c, "cancelled");
        }

    } else if (strcmp(m->method, "INFO") == 0) {
        snprintf(c->info, sizeof(c->info), "%s", m->body);
        fe_tx_reply(fe, m, 200, "");

    } else if (strcmp(m->method, "UPDATE") == 0) {
        if (m->body[0]) {
            on_reinvite(fe, c, m);

        } else {
            fe_tx_reply(fe, m, 200, "");
        }

    } else {
        fe_tx_reply(fe, m, 501, "");
    }
}


/* responses received */

static void
on_invite_success(struct fe *fe, struct fe_call *c, const struct fe_msg *m)
{
    char  value[FE_STR], sdp[1024];

    if (c->state == FE_CALLING) {
        fe_sip_header(m, "To", 0, c->remote, sizeof(c->remote));
        fe_sip_header(m, "Contact", 0, value, sizeof(value));
        fe_sip_uri(value, c->target, sizeof(c->target));
        take_routes(c, m, 1);
        c->state = FE_ESTABLISHED;
    }

    sdp[0] = '\0';

    if (fe_rtp_remote(&c->rtp, m->body) == -1) {
        snprintf(c->why, sizeof(c->why), "no usable SDP");
    }

    if (c->late) {
        fe_rtp_sdp(fe, c, 0, sdp, sizeof(sdp));
        c->late = 0;
    }

    fe_tx_ack(fe, c, NULL, m->cseq, sdp);

    if (c->cancelled) {
        fe_call_hangup(fe, c, "cancelled");
    }
}


static void
on_response(struct fe *fe, const struct fe_msg *m)
{
    size_t           i;
    struct fe_tx    *t;
    struct fe_call  *c;

    t = NULL;

    for (i = 0; i < FE_MAX_TXS; i++) {
        if (fe->txs[i].used && strcmp(fe->txs[i].branch, m->branch) == 0
            && strcmp(fe->txs[i].method, m->method) == 0)
        {
            t = &fe->txs[i];
        }
    }

    if (t == NULL) {
        /* a 200 repeated: its ACK was lost */
        c = dialog(fe, m);

        if (c && m->status / 100 == 2 && strcmp(m->method, "INVITE") == 0) {
            fe_tx_ack(fe, c, NULL, m->cseq, "");
        }

        return;
    }

    if (m->status < 200) {
        t->provisional = 1;
        t->end = fe_now() + 180000;
        return;
    }

    t->used = 0;

    if (t->message >= 0) {
        fe->messages[t->message].status = m->status;
    }

    if (t->call < 0 || strcmp(m->method, "INVITE") != 0) {
        return;
    }

    c = &fe->calls[t->call];
    c->status = m->status;

    if (m->status < 300) {
        on_invite_success(fe, c, m);
        return;
    }

    if (c->state == FE_CALLING) {
        fe_sip_header(m, "To", 0, c->remote, sizeof(c->remote));
        fe_tx_ack(fe, c, t->branch, m->cseq, "");
        end_call(c, "refused");
        return;
    }

    fe_tx_ack(fe, c, t->branch, m->cseq, "");
}


void
fe_call_input(struct fe *fe, struct fe_msg *m)
{
    if (fe_sip_parse(m) == -1) {
        return;
    }

    if (m->status) {
        on_response(fe, m);

    } else {
        on_request(fe, m);
    }
}


static void
call_back(struct fe *fe, struct fe_call *c)
{
    char    uri[FE_STR];
    double  freq;

    c->callback_at = 0;
    freq = c->rtp.freq;
    fe_sip_uri(c->remote, uri, sizeof(uri));
    fe_call_start(fe, uri, fe->me, FE_TONE, freq, 0);
}


void
fe_call_tick(struct fe *fe, double now)
{
    size_t           i;
    struct fe_call  *c;

    fe_tx_tick(fe, now);

    for (i = 0; i < FE_MAX_CALLS; i++) {
        c = &fe->calls[i];

        if (c->timed_out && c->state == FE_CALLING) {
            c->status = 408;
            end_call(c, "timed out");
        }

        if (c->resp_len && now >= c->resp_next) {
            c->resp_wait = c->resp_wait * 2 > FE_T2 ? FE_T2
                                                    : c->resp_wait * 2;
            c->resp_next = now + c->resp_wait;
            fe_tx_send(fe, &c->invite->from, c->resp, c->resp_len);

            if (now >= c->resp_end) {
                c->resp_len = 0;
                fe_call_hangup(fe, c, "no ack");
            }
        }

        if (c->answer_at != 0 && now >= c->answer_at) {
            fe_call_answer(fe, c);
        }

        if (c->hangup_at != 0 && now >= c->hangup_at) {
            c->hangup_at = 0;
            fe_call_hangup(fe, c, "hung up");
        }

        if (c->callback_at != 0 && now >= c->callback_at) {
            call_back(fe, c);
        }

        if (c->state == FE_ESTABLISHED) {
            fe_rtp_tick(&c->rtp, now);
        }
    }
}
