/*
 * Copyright (C) the IMS portal authors
 *
 * Edits and answers: what the portal does to a REGISTER and to calls on their
 * way up and down, edits in any order, and buffers of every size behind which a
 * guarded page lies.
 */


#define _GNU_SOURCE                      /* memmem() */
#include "ngx_ims_sip.h"
#include "sip_samples.h"
#include "tap.h"


static ngx_ims_sip_hdr_t    hdrs[NGX_IMS_SIP_MAX_HEADERS];
static ngx_ims_sip_msg_t    m;
static ngx_ims_sip_edit_t   edits[32];
static ngx_ims_sip_edits_t  e;
static unsigned char        arena[1024];


static ngx_ims_str_t
str(const char *s)
{
    ngx_ims_str_t  v;

    v.data = (unsigned char *) s;
    v.len = strlen(s);

    return v;
}


static void
begin(const char *text)
{
    if (ngx_ims_sip_parse(&m, (unsigned char *) text, strlen(text), hdrs,
                          NGX_IMS_SIP_MAX_HEADERS, 0) != NGX_IMS_OK)
    {
        ok(0, "the message is well formed: %s", m.error);
        exit(1);
    }

    ngx_ims_sip_edits_init(&e, edits, 32, arena, sizeof(arena));
}


/* the splice, tried with every buffer that is too small first */

static void
is_spliced(const char *expected, const char *name)
{
    int             rc;
    size_t          n, len, size;
    unsigned char  *out, room[8192];

    n = strlen(expected);
    memset(room, 0, sizeof(room));

    for (size = (n > 40) ? n - 40 : 0; size < n; size++) {
        out = guarded_copy(room, size);
        rc = ngx_ims_sip_splice(&e, &m, out, size, &len);
        guarded_free(out, size);

        if (rc != NGX_IMS_NOSPACE) {
            ok(0, "%zu bytes are too few for %s", size, name);
        }
    }

    out = guarded_copy(room, n);
    len = 0;
    rc = ngx_ims_sip_splice(&e, &m, out, n, &len);
    is_int(rc, NGX_IMS_OK, "spliced");
    is_mem(out, len, expected, n, name);
    guarded_free(out, n);
}


#define SMALL                                                                 \
    "OPTIONS sip:b@c SIP/2.0\r\n"                                             \
    "Via: SIP/2.0/UDP a;branch=z9hG4bK1, SIP/2.0/UDP b;branch=z9hG4bK2\r\n"   \
    "Route: <sip:one;lr>\r\n"                                                 \
    "Route: <sip:two;lr>\r\n"                                                 \
    "From: <sip:a@b>;tag=1\r\n"                                               \
    "To: <sip:b@c>\r\n"                                                       \
    "Call-ID: 1\r\n"                                                          \
    "CSeq: 1 OPTIONS\r\n"                                                     \
    "Max-Forwards: 70\r\n"                                                    \
    "\r\n"


static void
test_edits(void)
{
    ngx_ims_sip_hdr_t  *h;

    begin(SMALL);
    is_spliced(SMALL, "no edit at all");

    begin(SMALL);
    h = ngx_ims_sip_hdr(&m, NGX_IMS_HDR_MAX_FORWARDS);
    ngx_ims_sip_insert_end(&e, &m, str("Path: <sip:p;lr>\r\n"));
    ngx_ims_sip_replace(&e, &m, &h->value,
                        ngx_ims_sip_textf(&e, "%d", m.max_forwards - 1));
    ngx_ims_sip_insert_end(&e, &m, str("Require: path\r\n"));
    ngx_ims_sip_insert_top(&e, &m, str("Via: SIP/2.0/TCP p\r\n"));
    ngx_ims_sip_replace(&e, &m, &m.uri, str("sip:d@e"));
    ngx_ims_sip_remove_first(&e, &m, NGX_IMS_HDR_ROUTE);
    ngx_ims_sip_insert_top(&e, &m, str("X: second\r\n"));

    is_spliced("OPTIONS sip:d@e SIP/2.0\r\n"
               "Via: SIP/2.0/TCP p\r\n"
               "X: second\r\n"
               "Via: SIP/2.0/UDP a;branch=z9hG4bK1, "
                   "SIP/2.0/UDP b;branch=z9hG4bK2\r\n"
               "Route: <sip:two;lr>\r\n"
               "From: <sip:a@b>;tag=1\r\n"
               "To: <sip:b@c>\r\n"
               "Call-ID: 1\r\n"
               "CSeq: 1 OPTIONS\r\n"
               "Max-Forwards: 69\r\n"
               "Path: <sip:p;lr>\r\n"
               "Require: path\r\n"
               "\r\n", "edits made in any order");

    begin(SMALL);
    is_int(ngx_ims_sip_remove(&e, &m, NGX_IMS_HDR_ROUTE), 2, "two go");
    is_int(ngx_ims_sip_remove(&e, &m, NGX_IMS_HDR_PATH), 0, "none goes");
    ngx_ims_sip_remove_first(&e, &m, NGX_IMS_HDR_VIA);
    ngx_ims_sip_remove_first(&e, &m, NGX_IMS_HDR_PATH);

    is_spliced("OPTIONS sip:b@c SIP/2.0\r\n"
               "Via: SIP/2.0/UDP b;branch=z9hG4bK2\r\n"
               "From: <sip:a@b>;tag=1\r\n"
               "To: <sip:b@c>\r\n"
               "Call-ID: 1\r\n"
               "CSeq: 1 OPTIONS\r\n"
               "Max-Forwards: 70\r\n"
               "\r\n", "the first Via goes with its comma, all Routes go");

    begin(SMALL);
    ngx_ims_sip_edit(&e, 8, 7, str("<"));
    ngx_ims_sip_edit(&e, 10, 3, str("x"));
    ngx_ims_sip_edit(&e, 12, 3, str(">"));
    ngx_ims_sip_edit(&e, m.head, 0, str("body"));
    ngx_ims_sip_remove(&e, &m, NGX_IMS_HDR_ROUTE);
    ngx_ims_sip_remove(&e, &m, NGX_IMS_HDR_ROUTE);

    is_spliced("OPTIONS <x> SIP/2.0\r\n"
               "Via: SIP/2.0/UDP a;branch=z9hG4bK1, "
                   "SIP/2.0/UDP b;branch=z9hG4bK2\r\n"
               "From: <sip:a@b>;tag=1\r\n"
               "To: <sip:b@c>\r\n"
               "Call-ID: 1\r\n"
               "CSeq: 1 OPTIONS\r\n"
               "Max-Forwards: 70\r\n"
               "\r\nbody", "removals that overlap are merged");
}


static void
test_body(void)
{
    begin("OPTIONS sip:b@c SIP/2.0\r\nv: SIP/2.0/UDP a\r\nf: sip:a@b\r\n"
          "t: sip:b@c\r\ni: 1\r\nCSeq: 1 OPTIONS\r\nl: 3\r\nX: y\r\n"
          "Content-Length: 3\r\n\r\nold");
    ngx_ims_sip_body(&e, &m, str("a new body"));
    is_spliced("OPTIONS sip:b@c SIP/2.0\r\nv: SIP/2.0/UDP a\r\nf: sip:a@b\r\n"
               "t: sip:b@c\r\ni: 1\r\nCSeq: 1 OPTIONS\r\nl: 10\r\nX: y\r\n"
               "\r\na new body", "another body, one Content-Length");

    begin("OPTIONS sip:b@c SIP/2.0\r\nv: SIP/2.0/UDP a\r\nf: sip:a@b\r\n"
          "t: sip:b@c\r\ni: 1\r\nCSeq: 1 OPTIONS\r\n\r\nold");
    ngx_ims_sip_body(&e, &m, str(""));
    ngx_ims_sip_insert_end(&e, &m, str("X: y\r\n"));
    is_spliced("OPTIONS sip:b@c SIP/2.0\r\nv: SIP/2.0/UDP a\r\nf: sip:a@b\r\n"
               "t: sip:b@c\r\ni: 1\r\nCSeq: 1 OPTIONS\r\n"
               "Content-Length: 0\r\nX: y\r\n\r\n",
               "the body goes, Content-Length comes");

    /* what is behind Content-Length on a datagram does not come along */

    ngx_ims_sip_parse(&m, (unsigned char *)
                      "OPTIONS sip:b@c SIP/2.0\r\nv: SIP/2.0/UDP a\r\n"
                      "f: sip:a@b\r\nt: sip:b@c\r\ni: 1\r\nl: 1\r\n"
                      "CSeq: 1 OPTIONS\r\n\r\nabc", 101, hdrs, 640, 1);
    ngx_ims_sip_edits_init(&e, edits, 32, arena, sizeof(arena));
    is_spliced("OPTIONS sip:b@c SIP/2.0\r\nv: SIP/2.0/UDP a\r\nf: sip:a@b\r\n"
               "t: sip:b@c\r\ni: 1\r\nl: 1\r\nCSeq: 1 OPTIONS\r\n\r\na",
               "only the message of a datagram");
}


static void
test_failures(void)
{
    size_t          len;
    unsigned        i;
    unsigned char   out[2048];
    ngx_ims_str_t   s;

    begin(SMALL);

    for (i = 0; i < 33; i++) {
        ngx_ims_sip_edit(&e, 0, 0, str("x"));
    }

    is_int(e.failed, 1, "the 33rd edit finds no room");
    is_int(ngx_ims_sip_splice(&e, &m, out, sizeof(out), &len),
           NGX_IMS_NOSPACE, "and nothing is written");

    begin(SMALL);
    s = ngx_ims_sip_textf(&e, "%0*d", (int) sizeof(arena) - 1, 7);
    is_int(s.len, sizeof(arena) - 1, "text that fills the arena");
    is_int(e.failed, 0, "is not too much");
    s = ngx_ims_sip_textf(&e, "%s", "x");
    is_int(s.len, 0, "one character more");
    is_int(e.failed, 1, "is");

    begin(SMALL);
    s = str("elsewhere");
    ngx_ims_sip_replace(&e, &m, &s, str("x"));
    is_int(e.failed, 1, "a span that is not of the message");

    begin(SMALL);
    ngx_ims_sip_edit(&e, m.text.len, 1, str(""));
    is_int(ngx_ims_sip_splice(&e, &m, out, sizeof(out), &len),
           NGX_IMS_NOSPACE, "an edit behind the end");

    begin(SMALL);
    ngx_ims_sip_edit(&e, 0xffffffff, 0xffffffff, str(""));
    is_int(ngx_ims_sip_splice(&e, &m, out, sizeof(out), &len),
           NGX_IMS_NOSPACE, "an edit far away");
}


#define ANSWER_HEAD                                                           \
    "Via: SIP/2.0/TCP portal.corp.example.com:5060;branch=z9hG4bKp1\r\n"      \
    "Via: SIP/2.0/WSS k3v9.invalid;branch=z9hG4bKb1;keep\r\n"                 \
    "From: <sip:desk-017@corp.example.com>;tag=f1\r\n"

#define ANSWER_TAIL                                                           \
    "Call-ID: r-5512@k3v9.invalid\r\n"                                        \
    "CSeq: 1 REGISTER\r\n"


static void
test_reply(void)
{
    size_t          len, n, size;
    ngx_ims_str_t   tag, body;
    unsigned char  *p, out[2048];
    const char     *expected;

    tag = str("t1");
    body = str("hello");

    begin(SIP_REGISTER_UP);
    ngx_ims_sip_reply(&m, 200, NULL, &tag, "Expires: 600\r\n", NULL, out,
                      sizeof(out), &len);
    is_str(out, len, "SIP/2.0 200 OK\r\n" ANSWER_HEAD
           "To: <sip:desk-017@corp.example.com>;tag=t1\r\n" ANSWER_TAIL
           "Expires: 600\r\nContent-Length: 0\r\n\r\n", "200 with a tag");

    ngx_ims_sip_reply(&m, 100, NULL, NULL, NULL, NULL, out, sizeof(out), &len);
    is_str(out, len, "SIP/2.0 100 Trying\r\n" ANSWER_HEAD
           "To: <sip:desk-017@corp.example.com>\r\n" ANSWER_TAIL
           "Content-Length: 0\r\n\r\n", "100 without one");

    expected = "SIP/2.0 403 Go away\r\n" ANSWER_HEAD
               "To: <sip:desk-017@corp.example.com>;tag=t1\r\n" ANSWER_TAIL
               "Content-Type: text/plain\r\nContent-Length: 5\r\n\r\nhello";
    n = strlen(expected);
    memset(out, 0, sizeof(out));

    for (size = 0; size <= n; size++) {
        p = guarded_copy(out, size);

        if (ngx_ims_sip_reply(&m, 403, "Go away", &tag,
                              "Content-Type: text/plain\r\n", &body, p, size,
                              &len)
            != (size == n ? NGX_IMS_OK : NGX_IMS_NOSPACE))
        {
            ok(0, "a reply into %zu bytes", size);
        }

        if (size == n) {
            is_mem(p, len, expected, n, "403 with a reason and a body");
        }

        guarded_free(p, size);
    }

    begin(SIP_REGISTER_200);
    ngx_ims_sip_reply(&m, 481, NULL, &tag, NULL, NULL, out, sizeof(out), &len);
    ok(len > 0 && memmem(out, len, ";tag=s9\r\n", 9)
       && !memmem(out, len, "tag=t1", 6), "a tag that is there stays");

    begin(SIP_ODD);
    ngx_ims_sip_reply(&m, 486, NULL, &tag, NULL, NULL, out, sizeof(out), &len);
    ok(ngx_ims_sip_parse(&m, out, len, hdrs, 640, 0) == NGX_IMS_OK
       && m.status == 486 && m.cseq == 9 && m.method == NGX_IMS_SIP_INVITE,
       "a reply to folded headers is well formed");

    is_str(ngx_ims_sip_reason(183), strlen(ngx_ims_sip_reason(183)),
           "Session Progress", "a reason phrase");
    is_str(ngx_ims_sip_reason(608), strlen(ngx_ims_sip_reason(608)),
           "Rejected", "the last one");
    is_str(ngx_ims_sip_reason(100), strlen(ngx_ims_sip_reason(100)),
           "Trying", "the first one");
    is_str(ngx_ims_sip_reason(299), strlen(ngx_ims_sip_reason(299)),
           "Unknown", "none");
}


int
main(void)
{
    test_edits();
    test_body();
    test_failures();
    test_reply();

    return done_testing();
}
