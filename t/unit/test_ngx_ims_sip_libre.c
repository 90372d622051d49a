/*
 * Copyright (C) the IMS portal authors
 *
 * libre's SIP decoder as a second opinion: what both accept they read alike,
 * over samples and many changed ones.  Where libre 1.1.0 is more lenient than
 * RFC 3261 the differences are listed and expected.
 */


#include <stdbool.h>
#include <stdint.h>
#include <re.h>

#include "ngx_ims_sip.h"
#include "sip_samples.h"
#include "tap.h"


static ngx_ims_sip_hdr_t  hdrs[NGX_IMS_SIP_MAX_HEADERS];
static ngx_ims_sip_msg_t  m;


static const char *const  samples[] = {
    SIP_REGISTER, SIP_REGISTER_UP, SIP_REGISTER_200, SIP_INVITE,
    SIP_INVITE_DOWN, SIP_ODD
};

#define NSAMPLES  (sizeof(samples) / sizeof(samples[0]))


static struct sip_msg *
decode(const unsigned char *p, size_t len)
{
    struct mbuf     *mb;
    struct sip_msg  *msg;

    msg = NULL;
    mb = mbuf_alloc(len + 1);

    if (mb == NULL) {
        return NULL;
    }

    mbuf_write_mem(mb, p, len);
    mb->pos = 0;

    if (sip_msg_decode(&msg, mb) != 0) {
        msg = NULL;
    }

    mem_deref(mb);

    return msg;
}


static int
differs(const ngx_ims_str_t *s, const struct pl *pl)
{
    return s->len != pl->l || (s->len && memcmp(s->data, pl->p, s->len) != 0);
}


/* libre keeps the white space behind an address without "<>" */

static int
addr_differs(const ngx_ims_str_t *s, struct pl pl)
{
    while (pl.l && strchr(" \t\r\n", pl.p[pl.l - 1]) != NULL) {
        pl.l--;
    }

    return differs(s, &pl);
}


/* the name of the first part that the two read differently, or NULL */

static const char *
compare(const struct sip_msg *msg)
{
    if (msg->req != (m.status == 0)) {
        return "kind";
    }

    if (m.status ? msg->scode != m.status
                 : (differs(&m.method_name, &msg->met)
                    || differs(&m.uri, &msg->ruri)))
    {
        return "start line";
    }

    if (differs(&m.from.tag, &msg->from.tag)) {
        return "From tag";
    }

    if (differs(&m.to.tag, &msg->to.tag)) {
        return "To tag";
    }

    if (addr_differs(&m.from.uri, msg->from.auri)
        || addr_differs(&m.to.uri, msg->to.auri))
    {
        return "address";
    }

    if (differs(&m.call_id, &msg->callid)) {
        return "Call-ID";
    }

    if (m.cseq != msg->cseq.num
        || (m.status && differs(&m.method_name, &msg->cseq.met)))
    {
        return "CSeq";
    }

    if (differs(&m.via.branch, &msg->via.branch)) {
        return "branch";
    }

    return NULL;
}


static void
test_samples(void)
{
    size_t           i, len;
    const char      *part;
    struct sip_msg  *msg;

    for (i = 0; i < NSAMPLES; i++) {
        len = strlen(samples[i]);
        msg = decode((const unsigned char *) samples[i], len);

        if (!ok(msg != NULL
                && ngx_ims_sip_parse(&m, (unsigned char *) samples[i], len,
                                     hdrs, NGX_IMS_SIP_MAX_HEADERS, 0)
                   == NGX_IMS_OK,
                "both accept sample %zu", i))
        {
            mem_deref(msg);
            continue;
        }

        part = compare(msg);
        ok(part == NULL, "and read it alike%s%s", part ? ", but not " : "",
           part ? part : "");

        mem_deref(msg);
    }
}


/* each byte of each sample becomes each of these */

static void
test_mutations(void)
{
    char                        c;
    char                       *text;
    size_t                      i, k, n, len;
    unsigned                    both, ours, theirs, apart;
    const char                 *part;
    struct sip_msg             *msg;
    static const char           change[] = "a0 \t\r\n:;,<>@\"=";

    both = ours = theirs = apart = 0;

    for (i = 0; i < NSAMPLES; i++) {
        text = strdup(samples[i]);
        len = strlen(text);

        for (k = 0; k < len; k++) {
            c = text[k];

            for (n = 0; n < sizeof(change) - 1; n++) {
                text[k] = change[n];

                msg = decode((unsigned char *) text, len);

                if (ngx_ims_sip_parse(&m, (unsigned char *) text, len, hdrs,
                                      NGX_IMS_SIP_MAX_HEADERS, 0)
                    != NGX_IMS_OK)
                {
                    theirs += (msg != NULL);

                } else if (msg == NULL) {
                    ours++;

                } else {
                    both++;
                    part = compare(msg);

                    if (part != NULL) {
                        apart++;
                        diag("sample %zu, %02x at %zu: %s", i,
                             (unsigned char) change[n], k, part);
                    }
                }

                mem_deref(msg);
            }

            text[k] = c;
        }

        free(text);
    }

    diag("both accept %u, only we %u, only libre %u", both, ours, theirs);

    ok(both > 10000, "many changed messages are accepted by both");
    is_int(apart, 0, "and read alike");
}


static void
test_lenient(void)
{
    size_t           i;
    struct sip_msg  *msg;

#define START  "OPTIONS sip:b@c SIP/2.0\r\n"
#define PARTS  "Via: SIP/2.0/UDP a;branch=z9hG4bK1\r\n"                       \
               "From: <sip:a@b>;tag=1\r\nTo: <sip:b@c>\r\n"

    static const struct {
        const char  *text;
        const char  *name;
    } t[] = {
        { "OPTIONS sip:b@c SIP/2.0\nVia: SIP/2.0/UDP a;branch=z9hG4bK1\n"
          "From: <sip:a@b>;tag=1\nTo: <sip:b@c>\nCall-ID: 1\n"
          "CSeq: 1 OPTIONS\n\n", "bare LF" },
        { START PARTS "Call-ID: 1\r\nCall-ID: 2\r\nCSeq: 1 OPTIONS\r\n\r\n",
          "Call-ID twice" },
        { START PARTS "Call-ID: 1\r\nCSeq: 4294967296 OPTIONS\r\n\r\n",
          "CSeq over 2^32" },
        { START PARTS "Call-ID: 1\r\nCSeq: 1 INVITE\r\n\r\n",
          "CSeq of another method" },
        { START PARTS "Call-ID: 1\r\nCSeq: 1 OPTIONS\r\n"
          "Content-Length: -5\r\n\r\n", "Content-Length -5" }
    };

    for (i = 0; i < sizeof(t) / sizeof(t[0]); i++) {
        msg = decode((const unsigned char *) t[i].text, strlen(t[i].text));

        ok(ngx_ims_sip_parse(&m, (unsigned char *) t[i].text,
                             strlen(t[i].text), hdrs, 640, 0)
           == NGX_IMS_INVALID, "we refuse: %s", t[i].name);

        diag("libre %s it", msg ? "accepts" : "refuses");
        mem_deref(msg);
    }
}


int
main(void)
{
    test_samples();
    test_mutations();
    test_lenient();

    return done_testing();
}
