/*
 * Copyright (C) the IMS portal authors
 *
 * The SIP parser: sample messages whole and cut at every byte against a guarded
 * page, what RFC 4475 wants accepted and refused, framing of a stream, lists,
 * and the answers that invalid requests still get.
 */


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


static int
is_span(const ngx_ims_str_t *s, const char *expected, const char *name)
{
    return is_str(s->data, s->len, expected, name);
}


/* head lines of a request, one of them given by the test */

static int
parse_with(const char *start, const char *lines, const char *body,
    int datagram)
{
    char    text[8192];
    size_t  len;

    len = snprintf(text, sizeof(text), "%s\r\n%s\r\n%s", start, lines, body);

    static unsigned char  *copy;
    static size_t          copy_len;

    if (copy != NULL) {
        guarded_free(copy, copy_len);
    }

    copy = guarded_copy(text, len);
    copy_len = len;

    return ngx_ims_sip_parse(&m, copy, len, hdrs, NGX_IMS_SIP_MAX_HEADERS,
                             datagram);
}


#define START    "OPTIONS sip:b@example.org SIP/2.0"
#define VIA      "Via: SIP/2.0/UDP a.example.com;branch=z9hG4bK1\r\n"
#define FROM     "From: <sip:a@example.com>;tag=1\r\n"
#define TO       "To: <sip:b@example.org>\r\n"
#define CALL_ID  "Call-ID: 1@a.example.com\r\n"
#define CSEQ     "CSeq: 1 OPTIONS\r\n"
#define HEAD     VIA FROM TO CALL_ID CSEQ


static void
test_samples(void)
{
    int                  rc;
    size_t               i, len;
    ngx_ims_str_t        value;
    unsigned char       *p;
    ngx_ims_sip_hdr_t   *h;

    for (i = 0; i < NSAMPLES; i++) {
        len = strlen(samples[i]);
        p = guarded_copy(samples[i], len);

        rc = ngx_ims_sip_parse(&m, p, len, hdrs, NGX_IMS_SIP_MAX_HEADERS, 0);

        if (!ok(rc == NGX_IMS_OK, "sample %zu is accepted", i)) {
            diag("%s at %u", m.error, m.error_pos);
        }

        is_mem(m.text.data, m.text.len, samples[i], len, "text is all of it");
        is_mem(m.body.data, m.body.len, samples[i] + m.head, len - m.head,
               "body is what follows the head");

        guarded_free(p, len);
    }

    p = guarded_copy(SIP_REGISTER, strlen(SIP_REGISTER));
    ngx_ims_sip_parse(&m, p, strlen(SIP_REGISTER), hdrs, 640, 0);

    is_int(m.status, 0, "a request");
    is_int(m.method, NGX_IMS_SIP_REGISTER, "REGISTER");
    is_span(&m.uri, "sip:ims.example.net", "request URI");
    is_span(&m.via.transport, "WSS", "transport of the Via");
    is_span(&m.via.host, "k3v9.invalid", "host of the Via");
    is_int(m.via.port, 0, "no port");
    is_span(&m.via.branch, "z9hG4bKb1", "branch");
    is_span(&m.via.params, "branch=z9hG4bKb1;keep", "params of the Via");
    is_span(&m.from.uri, "sip:desk-017@corp.example.com", "From URI");
    is_span(&m.from.tag, "f1", "From tag");
    is_span(&m.to.tag, "", "no To tag");
    is_span(&m.call_id, "r-5512@k3v9.invalid", "Call-ID");
    is_int(m.cseq, 1, "CSeq");
    is_int(m.max_forwards, 70, "Max-Forwards");
    is_int(m.expires, -1, "no Expires");
    is_int(m.content_length, 0, "Content-Length");
    is_int(m.nhdrs, 10, "ten headers");
    ok(ngx_ims_sip_has_token(&m, NGX_IMS_HDR_SUPPORTED, "outbound"),
       "outbound is supported");
    ok(!ngx_ims_sip_has_token(&m, NGX_IMS_HDR_SUPPORTED, "out"),
       "out is not");
    ok(ngx_ims_sip_hdr(&m, NGX_IMS_HDR_ROUTE) == NULL, "no Route");

    h = ngx_ims_sip_hdr(&m, NGX_IMS_HDR_AUTHORIZATION);
    is_span(&h->value, "Bearer eyJhbGciOiJFUzI1NiJ9.e30.c2ln", "credentials");

    h = ngx_ims_sip_hdr_name(&m, "MAX-forwards");
    is_span(&h->name, "Max-Forwards", "a header by its name");

    guarded_free(p, strlen(SIP_REGISTER));

    p = guarded_copy(SIP_REGISTER_200, strlen(SIP_REGISTER_200));
    ngx_ims_sip_parse(&m, p, strlen(SIP_REGISTER_200), hdrs, 640, 0);

    is_int(m.status, 200, "a response");
    is_span(&m.reason, "OK", "reason");
    is_int(m.method, NGX_IMS_SIP_REGISTER, "its method is the CSeq's");
    is_span(&m.to.tag, "s9", "To tag");

    guarded_free(p, strlen(SIP_REGISTER_200));

    p = guarded_copy(SIP_ODD, strlen(SIP_ODD));
    ngx_ims_sip_parse(&m, p, strlen(SIP_ODD), hdrs, 640, 0);

    is_span(&m.to.uri, "sip:vivekg@chair-dnrc.example.com", "folded To");
    is_span(&m.to.tag, "1918181833n", "its tag");
    is_span(&m.from.tag, "98asjd8", "tag of a folded From");
    is_span(&m.from.display, "\"J Rosenberg \\\\\\\"\"", "display name");
    is_span(&m.via.transport, "UDP", "folded Via");
    is_span(&m.via.branch, "390skdjuw", "its branch");
    is_int(m.cseq, 9, "CSeq with zeros");
    is_int(m.max_forwards, 68, "Max-Forwards with zeros");
    h = ngx_ims_sip_hdr(&m, NGX_IMS_HDR_SUBJECT);
    is_span(&h->value, "", "empty compact Subject");
    h = ngx_ims_sip_hdr(&m, NGX_IMS_HDR_CONTACT);
    ok(ngx_ims_sip_param(&(ngx_ims_str_t) { h->value.len, h->value.data },
                         "q", &value) == 0, "q is no parameter of the whole");

    guarded_free(p, strlen(SIP_ODD));
}


/* nothing is read behind the end, and no cut of a head is a message */

static void
test_cuts(void)
{
    int             rc;
    size_t          i, len, head, accepted;
    unsigned char  *p;

    for (i = 0; i < NSAMPLES; i++) {
        head = strstr(samples[i], "\r\n\r\n") + 4 - samples[i];
        accepted = 0;

        for (len = 0; len < head; len++) {
            p = guarded_copy(samples[i], len);

            rc = ngx_ims_sip_parse(&m, p, len, hdrs, NGX_IMS_SIP_MAX_HEADERS,
                                   len & 1);
            accepted += (rc != NGX_IMS_INVALID || m.error == NULL
                         || m.error_pos > len || m.code < 400);

            guarded_free(p, len);
        }

        ok(accepted == 0, "no cut of the head of sample %zu is accepted", i);
    }
}


/* each byte replaced by each awkward one: no crash, spans stay inside */

static int
inside(const ngx_ims_str_t *s, const unsigned char *p, size_t len)
{
    return s->len == 0 || (s->data >= p && s->data + s->len <= p + len);
}


static void
test_mutations(void)
{
    size_t                      i, k, len, bad;
    unsigned                    n;
    unsigned char               c, *p;
    static const unsigned char  awkward[] = "\0\r\n\t \"<>,;:@=\\[%\x7f\xff/";

    for (i = 0; i < NSAMPLES; i++) {
        len = strlen(samples[i]);
        p = guarded_copy(samples[i], len);
        bad = 0;

        for (k = 0; k < len; k++) {
            c = p[k];

            for (n = 0; n < sizeof(awkward) - 1; n++) {
                p[k] = awkward[n];

                (void) ngx_ims_sip_parse(&m, p, len, hdrs, 640, n & 1);

                bad += !inside(&m.uri, p, len) + !inside(&m.via.branch, p, len)
                       + !inside(&m.via.host, p, len)
                       + !inside(&m.from.uri, p, len)
                       + !inside(&m.from.tag, p, len)
                       + !inside(&m.to.params, p, len)
                       + !inside(&m.call_id, p, len)
                       + !inside(&m.body, p, len);
            }

            p[k] = c;
        }

        ok(bad == 0, "sample %zu with each byte changed", i);
        guarded_free(p, len);
    }
}


static void
test_accepted(void)
{
    size_t  i;

    static const struct {
        const char  *start;
        const char  *lines;
        const char  *body;
        const char  *name;
    } t[] = {
        { START, HEAD, "", "the least" },
        { START, HEAD, "v=0\r\n", "a body without Content-Length" },
        { "OPTIONS sip:user;par=u%40example.net@example.com SIP/2.0", HEAD,
          "", "params in a user part" },
        { "OPTIONS sip:sips%3Auser%40example.com@example.net SIP/2.0", HEAD,
          "", "escapes in a user part" },
        { "OPTIONS sip:null-%00-null@example.com SIP/2.0", HEAD, "",
          "an escaped NUL" },
        { "OPTIONS sip:1_u.URI~(to-be!sure)&isn't+it$/crazy?,/;;*:&it+has=1,"
          "w!*pas$wo~d_too.(doesn't-it)@example.com SIP/2.0", HEAD, "",
          "all characters of a user part" },
        { "OPTIONS sip:[2001:db8::10]:5070;lr SIP/2.0", HEAD, "", "IPv6" },
        { "OPTIONS urn:service:sos SIP/2.0", HEAD, "", "a service URN" },
        { "OPTIONS tel:+1-212-555-0101;isub=1 SIP/2.0", HEAD, "", "tel" },
        { START, "Via: SIP/2.0/UNKNOWN a.example.com;branch=z9hG4bK1\r\n"
          FROM TO CALL_ID CSEQ, "", "an unknown transport" },
        { START, "Via: SIP/2.0/UDP [2001:db8::9:1];received=[2001:db8::1];"
          "branch=z9hG4bKas3-111\r\n" FROM TO CALL_ID CSEQ, "",
          "IPv6 in a Via" },
        { START, "Via: SIP/2.0/UDP a.example.com\r\n" FROM TO CALL_ID CSEQ, "",
          "a Via of RFC 2543, without branch" },
        { START, VIA "From: caller<sip:a@example.com>;tag=1\r\n" TO CALL_ID
          CSEQ, "", "no space behind a display name" },
        { START, VIA "From: sip:a@example.com;tag=1\r\n" TO CALL_ID CSEQ, "",
          "no <> and a tag" },
        { START, VIA "From: sip:a@example.com\r\n" TO CALL_ID CSEQ, "",
          "no tag (RFC 2543)" },
        { START, VIA "From: \"\xe2\x98\x8e\" <sip:a@example.com>;tag=1\r\n" TO
          CALL_ID CSEQ, "", "UTF-8" },
        { START, VIA FROM "To: <nosuch:thing>\r\n" CALL_ID CSEQ, "",
          "any scheme in To" },
        { START, HEAD "Content-Length: 2\r\nl: 2\r\n", "ab",
          "Content-Length repeated with the same value" },
        { START, HEAD "X:\r\n", "", "an empty header" },
        { START, HEAD "X: a\tb\r\n", "", "a tab" },
        { START, HEAD "Max-Forwards: 0\r\n", "", "Max-Forwards 0" },
        { START, HEAD "Max-Forwards: 255\r\n", "", "Max-Forwards 255" },
        { START, HEAD "Expires: 4294967295\r\n", "", "the longest Expires" },
        { "SIP/2.0 200 ", HEAD, "", "an empty reason" },
        { "SIP/2.0 200", HEAD, "", "no reason and no space" },
        { "SIP/2.0 100 \xd0\x9d\xd0\xb5", HEAD, "", "a reason in UTF-8" },
        { "SIP/2.0 200 = 2**3 * 5**2 ", HEAD, "", "an odd reason" },
        { "!interesting-Method0123456789_*+`.%indeed'~ sip:a@b SIP/2.0",
          VIA FROM TO CALL_ID
          "CSeq: 139122385 !interesting-Method0123456789_*+`.%indeed'~\r\n",
          "", "an odd method" }
    };

    for (i = 0; i < sizeof(t) / sizeof(t[0]); i++) {

        if (!ok(parse_with(t[i].start, t[i].lines, t[i].body, 0) == NGX_IMS_OK,
                "accepted: %s", t[i].name))
        {
            diag("%s at %u", m.error, m.error_pos);
        }
    }

    is_int(parse_with(START, HEAD "l: 2\r\n", "abcd", 1), NGX_IMS_OK,
           "bytes behind Content-Length on a datagram");
    is_str(m.body.data, m.body.len, "ab", "are cut off");

    is_int(parse_with("\r\n\r\n" START, HEAD, "", 0), NGX_IMS_OK,
           "CRLFs before the start line");
    is_int(m.text.data[0], 'O', "are not part of the text");
}


static void
test_refused(void)
{
    size_t  i;

    static const struct {
        const char  *start;
        const char  *lines;
        const char  *body;
        unsigned     code;
        const char  *name;
    } t[] = {
        { START, FROM TO CALL_ID CSEQ, "", 400, "no Via" },
        { START, VIA TO CALL_ID CSEQ, "", 400, "no From" },
        { START, VIA FROM CALL_ID CSEQ, "", 400, "no To" },
        { START, VIA FROM TO CSEQ, "", 400, "no Call-ID" },
        { START, VIA FROM TO CALL_ID, "", 400, "no CSeq" },
        { START, HEAD FROM, "", 400, "From twice" },
        { START, HEAD "f: <sip:a@example.com>;tag=1\r\n", "", 400,
          "From twice, once compact" },
        { START, HEAD TO, "", 400, "To twice" },
        { START, HEAD CALL_ID, "", 400, "Call-ID twice" },
        { START, HEAD CSEQ, "", 400, "CSeq twice" },
        { START, HEAD "Max-Forwards: 1\r\nMax-Forwards: 1\r\n", "", 400,
          "Max-Forwards twice" },
        { START, HEAD "Max-Forwards: 256\r\n", "", 400, "Max-Forwards 256" },
        { START, HEAD "Max-Forwards: -1\r\n", "", 400, "Max-Forwards -1" },
        { START, HEAD "Max-Forwards: 5, 6\r\n", "", 400,
          "two values of Max-Forwards" },
        { START, HEAD "Content-Length: -5\r\n", "", 400,
          "negative Content-Length" },
        { START, HEAD "Content-Length: 9999\r\n", "x", 400,
          "Content-Length beyond the message" },
        { START, HEAD "Content-Length: 1\r\n", "xy", 400,
          "Content-Length below the message" },
        { START, HEAD "Content-Length: 2\r\nContent-Length: 3\r\n", "xyz",
          400, "Content-Length twice with two values" },
        { START, HEAD "Content-Length: 99999999999999999999\r\n", "", 400,
          "Content-Length without end" },
        { START, HEAD "Content-Length: 0x1\r\n", "x", 400,
          "Content-Length in hexadecimal" },
        { START, HEAD "Content-Length:\r\n", "", 400,
          "empty Content-Length" },
        { START, HEAD "Expires: 4294967296\r\n", "", 400, "Expires over 2^32" },
        { START, HEAD "Expires: soon\r\n", "", 400, "Expires in words" },
        { START, VIA FROM TO CALL_ID "CSeq: 4294967296 OPTIONS\r\n", "", 400,
          "CSeq over 2^32" },
        { START, VIA FROM TO CALL_ID "CSeq: 2147483648 OPTIONS\r\n", "", 400,
          "CSeq 2^31" },
        { START, VIA FROM TO CALL_ID "CSeq: 1 INVITE\r\n", "", 400,
          "CSeq of another method" },
        { START, VIA FROM TO CALL_ID "CSeq: 1 options\r\n", "", 400,
          "CSeq method in small letters" },
        { START, VIA FROM TO CALL_ID "CSeq: 1\r\n", "", 400,
          "CSeq without a method" },
        { START, VIA FROM TO CALL_ID "CSeq: OPTIONS\r\n", "", 400,
          "CSeq without a number" },
        { START, VIA FROM TO CALL_ID "CSeq: 1OPTIONS\r\n", "", 400,
          "CSeq without a space" },
        { START, VIA "From: \"Mr. J <sip:a@example.com>;tag=1\r\n" TO CALL_ID
          CSEQ, "", 400, "unterminated quote" },
        { START, VIA "From: Bell, Alexander <sip:a@example.com>;tag=1\r\n" TO
          CALL_ID CSEQ, "", 400, "a comma in a display name" },
        { START, VIA FROM "To: \"W, T\" < sip:b@example.org >\r\n" CALL_ID CSEQ,
          "", 400, "spaces in <>" },
        { START, VIA FROM "To: <sip:b@example.org\r\n" CALL_ID CSEQ, "", 400,
          "no closing >" },
        { START, VIA FROM "To: sip:b@example.org?Route=%3Csip:c%3E\r\n" CALL_ID
          CSEQ, "", 400, "headers of a URI without <>" },
        { START, VIA FROM "To: <sip:b@example.org>, <sip:c@d>\r\n" CALL_ID
          CSEQ, "", 400, "two values of To" },
        { START, VIA FROM "To: <sip:b@example.org>;;;;\r\n" CALL_ID CSEQ, "",
          400, "empty parameters" },
        { START, VIA FROM "To: <sip:b@example.org>;tag=1;tag=2\r\n" CALL_ID
          CSEQ, "", 400, "two tags" },
        { START, VIA FROM "To: <sip:b@example.org>;tag\r\n" CALL_ID CSEQ, "",
          400, "a tag without a value" },
        { START, VIA FROM "To: b\r\n" CALL_ID CSEQ, "", 400, "no URI" },
        { START, VIA FROM "To:\r\n" CALL_ID CSEQ, "", 400, "empty To" },
        { START, VIA FROM TO "Call-ID:\r\n" CSEQ, "", 400, "empty Call-ID" },
        { START, VIA FROM TO "Call-ID: a b\r\n" CSEQ, "", 400,
          "a space in a Call-ID" },
        { START, "Via: SIP/2.0/UDP 192.0.2.15;;,;,,\r\n" FROM TO CALL_ID CSEQ,
          "", 400, "empty parameters of a Via" },
        { START, "Via: SIP/2.0 a.example.com\r\n" FROM TO CALL_ID CSEQ, "",
          400, "a Via without transport" },
        { START, "Via: SIP/2.0/UDP a.example.com:0\r\n" FROM TO CALL_ID CSEQ,
          "", 400, "port 0" },
        { START, "Via: SIP/2.0/UDP a.example.com:65536\r\n" FROM TO CALL_ID
          CSEQ, "", 400, "port 65536" },
        { START, HEAD "X y: z\r\n", "", 400, "a space in a name" },
        { START, HEAD "X\r\n", "", 400, "no colon" },
        { START, HEAD ": z\r\n", "", 400, "no name" },
        { START, HEAD "X: a\x01\r\n", "", 400, "a control character" },
        { START, HEAD "X: a\x7f\r\n", "", 400, "DEL" },
        { START, HEAD "X: a\nY: b\r\n", "", 400, "a bare LF" },
        { START, HEAD "X: a\rY: b\r\n", "", 400, "a bare CR" },
        { START, HEAD "X: a\r\r\n", "", 400, "CR CR LF" },
        { "OPTIONS  sip:b@example.org SIP/2.0", HEAD, "", 400,
          "two spaces" },
        { START " ", HEAD, "", 400, "a space behind the version" },
        { " " START, HEAD, "", 400, "a space in front" },
        { "OPTIONS <sip:b@example.org> SIP/2.0", HEAD, "", 400,
          "<> around the request URI" },
        { "OPTIONS sip:b@example.org; lr SIP/2.0", HEAD, "", 400,
          "a space in the request URI" },
        { "OPTIONS sip:b@e@example.org SIP/2.0", HEAD, "", 400, "two @" },
        { "OPTIONS sip:b%4@example.org SIP/2.0", HEAD, "", 400,
          "half an escape" },
        { "OPTIONS sip:@example.org SIP/2.0", HEAD, "", 400, "empty user" },
        { "OPTIONS sip: SIP/2.0", HEAD, "", 400, "empty URI" },
        { "OPTIONS tel:+1-x SIP/2.0", HEAD, "", 400, "letters in a number" },
        { "OPTIONS b SIP/2.0", HEAD, "", 400, "no scheme" },
        { "OPTIONS", HEAD, "", 400, "no URI" },
        { "OPTIONS nosuch:thing SIP/2.0", HEAD, "", 416, "unknown scheme" },
        { "OPTIONS http://example.com/ SIP/2.0", HEAD, "", 416, "http" },
        { "OPTIONS sip:b@example.org SIP/7.0", HEAD, "", 505, "SIP/7.0" },
        { "OPTIONS sip:b@example.org SIP/2.00", HEAD, "", 505, "SIP/2.00" },
        { "OPTIONS sip:b@example.org HTTP/1.1", HEAD, "", 400, "HTTP" },
        { "SIP/3.0 200 OK", HEAD, "", 505, "response of SIP/3.0" },
        { "SIP/2.0 700 x", HEAD, "", 400, "status 700" },
        { "SIP/2.0 99 x", HEAD, "", 400, "status 99" },
        { "SIP/2.0 2000 x", HEAD, "", 400, "status 2000" },
        { "SIP/2.0 4294967301 better not", HEAD, "", 400, "status 2^32 + 5" }
    };

    for (i = 0; i < sizeof(t) / sizeof(t[0]); i++) {

        if (!ok(parse_with(t[i].start, t[i].lines, t[i].body, 0)
                == NGX_IMS_INVALID && m.code == t[i].code && m.error != NULL,
                "%u: %s", t[i].code, t[i].name))
        {
            diag("code %u, %s at %u", m.code, m.error ? m.error : "accepted",
                 m.error_pos);
        }
    }

    parse_with("SIP/2.0 700 x", HEAD, "", 0);
    is_int(m.status, 999, "a bad status is still a response");
}


static void
test_limits(void)
{
    size_t          i, len;
    unsigned char  *text, *p;

    text = malloc(80000);

    len = sprintf((char *) text, START "\r\n" HEAD);

    for (i = 0; i < 640 - 5; i++) {
        len += sprintf((char *) text + len, "Z: y\r\n");
    }

    sprintf((char *) text + len, "\r\n");
    if (!ok(ngx_ims_sip_parse(&m, text, len + 2, hdrs, 640, 0) == NGX_IMS_OK,
            "640 headers"))
    {
        diag("%s at %u", m.error, m.error_pos);
    }

    len += sprintf((char *) text + len, "Z: y\r\n\r\n");
    ok(ngx_ims_sip_parse(&m, text, len, hdrs, 640, 0) == NGX_IMS_INVALID
       && m.code == 513 && m.nhdrs == 640, "641 headers get 513");
    ok(ngx_ims_sip_parse(&m, text, len, hdrs, 3, 0) == NGX_IMS_INVALID
       && m.code == 513 && m.nhdrs == 3, "the caller's array is the limit");

    len = sprintf((char *) text, START "\r\n" HEAD "X: ");
    memset(text + len, 'x', 20000);
    sprintf((char *) text + len + 20000, "\r\n\r\n");
    p = guarded_copy(text, len + 20004);
    ok(ngx_ims_sip_parse(&m, p, len + 20004, hdrs, 640, 0) == NGX_IMS_INVALID
       && m.code == 513, "a line of 20,000 bytes gets 513");
    guarded_free(p, len + 20004);

    len = sprintf((char *) text, START "\r\n" HEAD "\r\n");
    memset(text + len, 'x', 70000);
    ok(ngx_ims_sip_parse(&m, text, 65535, hdrs, 640, 0) == NGX_IMS_OK,
       "65,535 bytes");
    ok(ngx_ims_sip_parse(&m, text, 65536, hdrs, 640, 0) == NGX_IMS_INVALID
       && m.code == 513 && m.via.branch.len, "65,536 bytes get 513");

    free(text);
}


static void
test_frame(void)
{
    int             rc;
    size_t          i, len, size, all, bad;
    unsigned char  *p;

    static const struct {
        const char  *text;
        int          rc;
        size_t       size;
        const char  *name;
    } t[] = {
        { "A b\r\nContent-Length: 3\r\n\r\nabcX", NGX_IMS_OK, 29, "plain" },
        { "A b\r\nl:0\r\n\r\nX", NGX_IMS_OK, 12, "compact" },
        { "A b\r\nCONTENT-length \t:\r\n 1\r\n\r\nX", NGX_IMS_OK, 31,
          "folded and spaced" },
        { "A b\r\nl: 1\r\nContent-Length: 1\r\n\r\nX", NGX_IMS_OK, 33,
          "twice the same" },
        { "A b\r\nl: 1\r\nContent-Length: 2\r\n\r\nXY", NGX_IMS_INVALID, 0,
          "twice and different" },
        { "A b\r\n\r\n", NGX_IMS_INVALID, 0, "none" },
        { "A b\r\nX: y\r\n l: 3\r\n\r\n", NGX_IMS_INVALID, 0,
          "only in a folded line" },
        { "A b\r\nl: -1\r\n\r\n", NGX_IMS_INVALID, 0, "negative" },
        { "A b\r\nl: 1 2\r\n\r\n", NGX_IMS_INVALID, 0, "two numbers" },
        { "A b\r\nl: 99999\r\n\r\n", NGX_IMS_INVALID, 0, "over the limit" },
        { "A b\r\nl: 18446744073709551616\r\n\r\n", NGX_IMS_INVALID, 0,
          "2^64" },
        { "A b\r\nl 5\r\n\r\n", NGX_IMS_INVALID, 0, "no colon" },
        { "A b\r\nl: 4\r\n\r\nabc", NGX_IMS_MORE, 0, "one byte short" },
        { "A b\nl: 0\n\n", NGX_IMS_MORE, 0, "bare LF is no end" }
    };

    for (i = 0; i < sizeof(t) / sizeof(t[0]); i++) {
        len = strlen(t[i].text);
        p = guarded_copy(t[i].text, len);
        size = 0;
        rc = ngx_ims_sip_frame(p, len, 1000, &size);
        guarded_free(p, len);

        if (!ok(rc == t[i].rc && size == t[i].size, "frame: %s", t[i].name)) {
            diag("rc %d, size %zu", rc, size);
        }
    }

    all = strlen(SIP_INVITE);
    bad = 0;

    for (len = 0; len <= all; len++) {
        p = guarded_copy(SIP_INVITE, len);
        rc = ngx_ims_sip_frame(p, len, 65535, &size);
        bad += (rc != (len == all ? NGX_IMS_OK : NGX_IMS_MORE));
        guarded_free(p, len);
    }

    is_int(bad, 0, "every cut of a message wants more");
    is_int(ngx_ims_sip_frame((unsigned char *) SIP_INVITE, all, all - 1,
                             &size),
           NGX_IMS_INVALID, "a message over the limit");
    is_int(ngx_ims_sip_frame((unsigned char *) SIP_INVITE, 100, 100, &size),
           NGX_IMS_INVALID, "a head over the limit");
}


static void
test_lists(void)
{
    size_t               i;
    ngx_ims_str_t        value;
    ngx_ims_sip_iter_t   it;

    static const char *const  routes[] = {
        "<sip:a,b@example.com;lr>", "\"x, \\\" y\" <sip:c@example.com>",
        "<sip:d@example.com>;p=\"1,2\"", "sip:e@example.com"
    };

    parse_with(START, HEAD
               "Route: <sip:a,b@example.com;lr> , "
               "\"x, \\\" y\" <sip:c@example.com>\r\n"
               "X: y\r\n"
               "route:,\r\n"
               "ROUTE: , <sip:d@example.com>;p=\"1,2\",,\r\n\tsip:e@example.com"
               "\r\n"
               "Require: path,\r\n gruu\r\n"
               "WWW-Authenticate: Digest realm=\"a\", nonce=\"b\"\r\n", "", 0);

    memset(&it, 0, sizeof(it));

    for (i = 0; ngx_ims_sip_next(&m, NGX_IMS_HDR_ROUTE, &it, &value); i++) {
        is_span(&value, i < 4 ? routes[i] : "", "a value of a list");
    }

    is_int(i, 4, "over commas and lines");
    is_int(ngx_ims_sip_next(&m, NGX_IMS_HDR_ROUTE, &it, &value), 0,
           "the end stays the end");

    memset(&it, 0, sizeof(it));
    is_int(ngx_ims_sip_next(&m, NGX_IMS_HDR_PATH, &it, &value), 0,
           "an absent list");

    memset(&it, 0, sizeof(it));
    ngx_ims_sip_next(&m, NGX_IMS_HDR_WWW_AUTHENTICATE, &it, &value);
    is_span(&value, "Digest realm=\"a\", nonce=\"b\"",
            "a challenge is not split");
    ok(ngx_ims_sip_auth_param(&value, "NONCE", &value) == 1, "nonce");
    is_span(&value, "\"b\"", "with its value");

    ok(ngx_ims_sip_has_token(&m, NGX_IMS_HDR_REQUIRE, "GRUU"), "a token");
    ok(!ngx_ims_sip_has_token(&m, NGX_IMS_HDR_REQUIRE, ""), "no empty token");
}


/* an answer can be made for what was refused, as far as it was read */

static void
test_salvage(void)
{
    size_t         len;
    unsigned char  out[2048];

    parse_with(START, "X\x01: a\r\n" HEAD "Max-Forwards: x\r\n", "", 0);
    is_int(m.code, 400, "a broken line in front");
    is_span(&m.via.branch, "z9hG4bK1", "the Via is known");
    is_span(&m.from.tag, "1", "From too");
    is_span(&m.call_id, "1@a.example.com", "Call-ID too");
    is_int(m.cseq, 1, "CSeq too");

    is_int(ngx_ims_sip_reply(&m, m.code, NULL, NULL, NULL, NULL, out,
                             sizeof(out), &len), NGX_IMS_OK, "a reply");
    is_str(out, len, "SIP/2.0 400 Bad Request\r\n" HEAD
           "Content-Length: 0\r\n\r\n", "is made of it");

    parse_with("OPTIONS sip:b@example.org SIP/7.0", HEAD, "", 0);
    ngx_ims_sip_reply(&m, m.code, NULL, &(ngx_ims_str_t) ngx_ims_str("t"),
                      "X: 1\r\n", NULL, out, sizeof(out), &len);
    is_str(out, len, "SIP/2.0 505 Version Not Supported\r\n" VIA FROM
           "To: <sip:b@example.org>;tag=t\r\n" CALL_ID CSEQ "X: 1\r\n"
           "Content-Length: 0\r\n\r\n", "505 for another version");
}


int
main(void)
{
    test_samples();
    test_cuts();
    test_mutations();
    test_accepted();
    test_refused();
    test_limits();
    test_frame();
    test_lists();
    test_salvage();

    return done_testing();
}
