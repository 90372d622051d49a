
/* Copyright (C) the IMS portal authors */

/*
 * Control of the far end.  Commands, one a line; N is a call's number, 0 or
 * nothing the latest:
 *
 *     stats [N]  calls  messages       what there is
 *     reset [N]                        packet counters from zero
 *     call URI [echo|tone FREQ] [late] a new call (late: no SDP in INVITE)
 *     answer [N]  reject N STATUS  hangup [N]
 *     hold [N]  resume [N]             re-INVITE
 *     dtmf N DIGITS                    RFC 4733 events
 *     info N TEXT                      INFO, application/dtmf-relay
 *     play N echo|silent|tone FREQ     change what is sent
 *     message URI TEXT                 MESSAGE outside of a dialog
 *     service USER=echo|silent|busy|ring|tone:FREQ|callback:FREQ
 *     quit
 */

#define _GNU_SOURCE

#include "farend.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>


static void
quote(const char *s, char *out, size_t size)
{
    size_t  n;

    for (n = 0; *s && n + 7 < size; s++) {
        if (*s == '"' || *s == '\\') {
            out[n++] = '\\';
            out[n++] = *s;

        } else if ((unsigned char) *s < 0x20) {
            n += (size_t) snprintf(out + n, size - n, "\\u%04x", *s);

        } else {
            out[n++] = *s;
        }
    }

    out[n] = '\0';
}


static const char *
state_name(const struct fe_call *c)
{
    static const char *names[] = {
        "free", "incoming", "calling", "established", "ended"
    };

    return names[c->state];
}


static size_t
call_json(const struct fe_call *c, char *out, size_t size)
{
    int                   n;
    char                  addr[64], remote[2 * FE_STR], info[2 * FE_STR];
    char                  reason[2 * FE_STR];
    double                db, freq, share, now;
    const struct fe_rtp  *r;

    r = &c->rtp;
    now = fe_now();
    fe_rtp_measure(r, &db, &freq, &share);
    inet_ntop(AF_INET, &r->remote.sin_addr, addr, sizeof(addr));
    quote(c->remote, remote, sizeof(remote));
    quote(c->info, info, sizeof(info));
    quote(c->reason, reason, sizeof(reason));

    n = snprintf(out, size,
        "{\"call\":%d,\"state\":\"%s\",\"number\":\"%s\",\"remote\":\"%s\","
        "\"status\":%d,\"why\":\"%s\",\"reason\":\"%s\","
        "\"reinvites\":%d,\"info\":\"%s\","
        "\"pt\":%d,\"te_pt\":%d,\"send\":%s,\"receive\":%s,"
        "\"port\":%u,\"media\":\"%s:%u\",\"sent\":%u,"
        "\"packets\":%u,\"lost\":%u,\"reordered\":%u,\"dup\":%u,\"bad\":%u,"
        "\"rtcp\":%u,\"ssrcs\":%u,\"max_gap_ms\":%.1f,\"idle_ms\":%.1f,"
        "\"energy_db\":%.1f,\"freq\":%.2f,\"share\":%.3f,\"dtmf\":\"%s\"}",
        c->id, state_name(c), c->number, remote, c->status, c->why,
        reason, c->reinvites, info, r->pt, r->te_pt,
        r->send ? "true" : "false",
        r->receive ? "true" : "false", r->port, addr,
        ntohs(r->remote.sin_port), r->sent, r->packets, fe_rtp_lost(r),
        r->reordered, r->dup, r->bad, r->rtcp, r->ssrcs, r->max_gap,
        r->last != 0 ? now - r->last : -1, db, freq, share, r->dtmf);

    return n > 0 && (size_t) n < size ? (size_t) n : 0;
}


static void
calls_json(struct fe *fe, char *out, size_t size)
{
    int              id;
    size_t           len;
    struct fe_call  *c;

    out[0] = '[';
    len = 1;

    for (id = fe->last_id > 16 ? fe->last_id - 15 : 1; id <= fe->last_id;
         id++)
    {
        c = fe_call_find(fe, id);

        if (c && size - len > 2048) {
            len += len > 1 ? (size_t) sprintf(out + len, ",") : 0;
            len += call_json(c, out + len, size - len);
        }
    }

    snprintf(out + len, size - len, "]");
}


static void
messages_json(struct fe *fe, char *out, size_t size)
{
    int                 i;
    char                peer[2 * FE_STR], type[128], body[2048];
    size_t              len;
    struct fe_message  *m;

    out[0] = '[';
    len = 1;

    for (i = 0; i < fe->nmessages && size - len > 4096; i++) {
        m = &fe->messages[i];
        quote(m->peer, peer, sizeof(peer));
        quote(m->type, type, sizeof(type));
        quote(m->body, body, sizeof(body));
        len += (size_t) snprintf(out + len, size - len,
            "%s{\"sent\":%s,\"status\":%d,\"peer\":\"%s\",\"type\":\"%s\","
            "\"body\":\"%s\"}", i ? "," : "", m->sent ? "true" : "false",
            m->status, peer, type, body);
    }

    snprintf(out + len, size - len, "]");
}


static int
mode_of(const char *name, fe_mode_e *mode)
{
    static const struct { const char *name; fe_mode_e mode; } modes[] = {
        { "echo", FE_ECHO }, { "tone", FE_TONE }, { "silent", FE_SILENT },
        { "busy", FE_BUSY }, { "ring", FE_RING_ONLY },
        { "callback", FE_CALLBACK }
    };

    size_t  i;

    for (i = 0; name && i < sizeof(modes) / sizeof(modes[0]); i++) {
        if (strcmp(modes[i].name, name) == 0) {
            *mode = modes[i].mode;
            return 0;
        }
    }

    return -1;
}


struct fe_service *
fe_ctl_find_service(struct fe *fe, const char *user)
{
    int  i;

    for (i = 0; i < fe->nservices; i++) {
        if (strcmp(fe->services[i].user, user) == 0) {
            return &fe->services[i];
        }
    }

    return NULL;
}


int
fe_ctl_service(struct fe *fe, const char *spec)
{
    char                user[64], name[32];
    double              freq;
    fe_mode_e           mode;
    struct fe_service  *s;

    freq = 440;

    if (sscanf(spec, "%63[^=]=%31[a-z]:%lf", user, name, &freq) < 2
        || mode_of(name, &mode) == -1)
    {
        return -1;
    }

    s = fe_ctl_find_service(fe, user);

    if (s == NULL) {
        if (fe->nservices == FE_MAX_SERVICES) {
            return -1;
        }

        s = &fe->services[fe->nservices++];
        snprintf(s->user, sizeof(s->user), "%s", user);
    }

    s->mode = mode;
    s->freq = freq;

    return 0;
}


static int
do_call(struct fe *fe, char *arg, char *out, size_t size)
{
    int              late;
    char            *uri, *word, *save;
    double           freq;
    fe_mode_e        mode;
    struct fe_call  *c;

    late = 0;
    freq = 440;
    mode = FE_TONE;
    uri = strtok_r(arg, " ", &save);

    if (uri == NULL) {
        return -1;
    }

    while ((word = strtok_r(NULL, " ", &save)) != NULL) {
        if (strcmp(word, "late") == 0) {
            late = 1;

        } else if (mode_of(word, &mode) == -1) {
            freq = atof(word);
        }
    }

    c = fe_call_start(fe, uri, fe->me, mode, freq, late);

    if (c == NULL) {
        return -1;
    }

    snprintf(out, size, "{\"call\":%d}", c->id);

    return 0;
}


static int
play(struct fe_call *c, char *arg)
{
    char  *word, *save;

    word = strtok_r(arg, " ", &save);

    if (mode_of(word, &c->rtp.mode) == -1) {
        return -1;
    }

    word = strtok_r(NULL, " ", &save);

    if (word) {
        c->rtp.freq = atof(word);
    }

    return 0;
}


static int
call_command(struct fe *fe, struct fe_call *c, const char *verb, char *arg)
{
    if (strcmp(verb, "reset") == 0) {
        fe_rtp_reset(&c->rtp);
        return 0;
    }

    if (strcmp(verb, "answer") == 0) {
        return fe_call_answer(fe, c);
    }

    if (strcmp(verb, "reject") == 0) {
        return fe_call_reject(fe, c, atoi(arg) >= 300 ? atoi(arg) : 486);
    }

    if (strcmp(verb, "hangup") == 0) {
        return fe_call_hangup(fe, c, "hung up");
    }

    if (strcmp(verb, "hold") == 0) {
        return fe_call_reinvite(fe, c, 1, 0);
    }

    if (strcmp(verb, "resume") == 0) {
        return fe_call_reinvite(fe, c, 1, 1);
    }

    if (strcmp(verb, "dtmf") == 0) {
        if (c->rtp.te_pt < 0) {
            return -1;
        }

        c->rtp.out_step = 0;
        snprintf(c->rtp.out, sizeof(c->rtp.out), "%s", arg);
        return 0;
    }

    if (strcmp(verb, "info") == 0) {
        return fe_call_request(fe, c, "INFO", "application/dtmf-relay", arg);
    }

    if (strcmp(verb, "play") == 0) {
        return play(c, arg);
    }

    return -1;
}


void
fe_ctl(struct fe *fe, char *line, char *out, size_t size)
{
    int              rc;
    char            *verb, *arg, *rest;
    struct fe_call  *c;

    line[strcspn(line, "\r\n")] = '\0';
    verb = line;
    arg = strchr(line, ' ');

    if (arg) {
        *arg++ = '\0';

    } else {
        arg = line + strlen(line);
    }

    rc = 0;
    snprintf(out, size, "{\"ok\":true}");

    if (strcmp(verb, "quit") == 0) {
        exit(0);

    } else if (strcmp(verb, "calls") == 0) {
        calls_json(fe, out, size);

    } else if (strcmp(verb, "messages") == 0) {
        messages_json(fe, out, size);

    } else if (strcmp(verb, "call") == 0) {
        rc = do_call(fe, arg, out, size);

    } else if (strcmp(verb, "message") == 0) {
        rest = strchr(arg, ' ');

        if (rest) {
            *rest++ = '\0';
        }

        rc = rest && fe_call_message(fe, arg, rest) >= 0 ? 0 : -1;

    } else if (strcmp(verb, "service") == 0) {
        rc = fe_ctl_service(fe, arg);

    } else {
        c = fe_call_find(fe, (int) strtol(arg, &rest, 10));
        rest += strspn(rest, " ");

        if (c == NULL) {
            snprintf(out, size, "{\"error\":\"no such call\"}");
            return;
        }

        if (strcmp(verb, "stats") == 0) {
            call_json(c, out, size);
            return;
        }

        rc = call_command(fe, c, verb, rest);
    }

    if (rc != 0) {
        snprintf(out, size, "{\"error\":\"cannot do that\"}");
    }
}
