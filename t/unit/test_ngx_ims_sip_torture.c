/*
 * Copyright (C) the IMS portal authors
 *
 * The messages of RFC 4475 and RFC 5118, from t/data, as a datagram and as a
 * WebSocket message, against a guarded page; and header names and rules that
 * have no message there.
 */


#include "ngx_ims_sip.h"
#include "tap.h"


static ngx_ims_sip_hdr_t  hdrs[NGX_IMS_SIP_MAX_HEADERS];
static ngx_ims_sip_msg_t  m;


/* the code, or 0 for what is accepted, as a datagram and over WebSocket */

static const struct {
    const char  *name;
    unsigned     udp;
    unsigned     ws;
    const char  *what;
} cases[] = {
    { "rfc4475/wsinv", 0, 0, "3.1.1.1 a short tortuous INVITE" },
    { "rfc4475/intmeth", 400, 400, "3.1.1.2 control characters in quotes" },
    { "rfc4475/esc01", 0, 0, "3.1.1.3 valid escapes" },
    { "rfc4475/escnull", 0, 0, "3.1.1.4 escaped NUL" },
    { "rfc4475/esc02", 0, 0, "3.1.1.5 % where it is no escape" },
    { "rfc4475/lwsdisp", 0, 0, "3.1.1.6 no space before <" },
    { "rfc4475/longreq", 0, 0, "3.1.1.7 long values" },
    { "rfc4475/dblreq", 0, 400, "3.1.1.8 more behind Content-Length" },
    { "rfc4475/semiuri", 0, 0, "3.1.1.9 semicolons in a user part" },
    { "rfc4475/transports", 0, 0, "3.1.1.10 transports of all kinds" },
    { "rfc4475/mpart01", 0, 0, "3.1.1.11 multipart MESSAGE" },
    { "rfc4475/unreason", 0, 0, "3.1.1.12 unusual reason phrase" },
    { "rfc4475/noreason", 0, 0, "3.1.1.13 empty reason phrase" },
    { "rfc4475/badinv01", 400, 400, "3.1.2.1 separators too many" },
    { "rfc4475/clerr", 400, 400, "3.1.2.2 Content-Length too large" },
    { "rfc4475/ncl", 400, 400, "3.1.2.3 negative Content-Length" },
    { "rfc4475/scalar02", 400, 400, "3.1.2.4 numbers too large" },
    { "rfc4475/scalarlg", 400, 400, "3.1.2.5 the same in a response" },
    { "rfc4475/quotbal", 400, 400, "3.1.2.6 unterminated quote" },
    { "rfc4475/ltgtruri", 400, 400, "3.1.2.7 <> around the Request-URI" },
    { "rfc4475/lwsruri", 400, 400, "3.1.2.8 space in the Request-URI" },
    { "rfc4475/lwsstart", 400, 400, "3.1.2.9 spaces in the start line" },
    { "rfc4475/trws", 400, 400, "3.1.2.10 space behind the start line" },
    { "rfc4475/escruri", 400, 400, "3.1.2.11 headers in the Request-URI" },
    { "rfc4475/baddate", 0, 0, "3.1.2.12 a Date in another time zone" },
    { "rfc4475/regbadct", 400, 400, "3.1.2.13 Contact without <>" },
    { "rfc4475/badaspec", 400, 400, "3.1.2.14 spaces within <>" },
    { "rfc4475/baddn", 400, 400, "3.1.2.15 comma in a display name" },
    { "rfc4475/badvers", 505, 505, "3.1.2.16 unknown version" },
    { "rfc4475/mismatch01", 400, 400, "3.1.2.17 CSeq of another method" },
    { "rfc4475/mismatch02", 400, 400, "3.1.2.18 unknown method, CSeq INVITE" },
    { "rfc4475/bigcode", 400, 400, "3.1.2.19 status too large" },
    { "rfc4475/badbranch", 0, 0, "3.2.1 branch of nothing but the cookie" },
    { "rfc4475/insuf", 400, 400, "3.3.1 headers missing" },
    { "rfc4475/unkscm", 416, 416, "3.3.2 unknown scheme" },
    { "rfc4475/novelsc", 416, 416, "3.3.3 known but odd scheme" },
    { "rfc4475/unksm2", 0, 0, "3.3.4 unknown schemes in headers" },
    { "rfc4475/bext01", 0, 0, "3.3.5 Proxy-Require and Require" },
    { "rfc4475/invut", 0, 0, "3.3.6 unknown Content-Type" },
    { "rfc4475/regaut01", 0, 0, "3.3.7 unknown scheme of credentials" },
    { "rfc4475/multi01", 400, 400, "3.3.8 single values repeated" },
    { "rfc4475/mcl01", 400, 400, "3.3.9 two Content-Lengths" },
    { "rfc4475/bcast", 0, 0, "3.3.10 response with a broadcast Via" },
    { "rfc4475/zeromf", 0, 0, "3.3.11 Max-Forwards 0" },
    { "rfc4475/cparam01", 0, 0, "3.3.12 params of a Contact" },
    { "rfc4475/cparam02", 0, 0, "3.3.13 params of a Contact's URI" },
    { "rfc4475/regescrt", 0, 0, "3.3.14 headers in a Contact's URI" },
    { "rfc4475/sdp01", 0, 0, "3.3.15 Accept of the unknown" },
    { "rfc4475/inv2543", 0, 0, "3.4.1 INVITE of RFC 2543" },

    { "rfc5118/ipv6-good", 0, 0, "4.1 IPv6 reference" },
    { "rfc5118/ipv6-bad", 400, 400, "4.2 IPv6 without brackets" },
    { "rfc5118/port-ambiguous", 0, 0, "4.3 a port within the brackets" },
    { "rfc5118/port-unambiguous", 0, 0, "4.4 a port behind them" },
    { "rfc5118/via-received-param-with-delim", 0, 0, "4.5 received=[...]" },
    { "rfc5118/via-received-param-no-delim", 0, 0, "4.5 received, bare" },
    { "rfc5118/ipv6-in-sdp", 0, 0, "4.6 IPv6 in SDP" },
    { "rfc5118/mult-ip-in-header", 0, 0, "4.7 both in the headers" },
    { "rfc5118/mult-ip-in-sdp", 0, 0, "4.8 both in SDP" },
    { "rfc5118/ipv4-mapped-ipv6", 0, 0, "4.9 IPv4-mapped" },
    { "rfc5118/ipv6-bug-abnf-3-colons", 0, 0, "4.10 three colons" },
    { "rfc5118/ipv6-correct-abnf-2-colons", 0, 0, "4.10 two colons" }
};


static size_t
slurp(const char *name, unsigned char *text, size_t size)
{
    FILE    *f;
    char     path[256];
    size_t   len;

    snprintf(path, sizeof(path), "t/data/%s.sip", name);

    f = fopen(path, "rb");

    if (f == NULL) {
        perror(path);
        exit(2);
    }

    len = fread(text, 1, size, f);
    fclose(f);

    return len;
}


static unsigned
parse_guarded(const unsigned char *text, size_t len, int datagram)
{
    unsigned                code;
    static size_t           copy_len;
    static unsigned char   *copy;

    if (copy != NULL) {
        guarded_free(copy, copy_len);
    }

    copy = guarded_copy(text, len);
    copy_len = len;

    code = ngx_ims_sip_parse(&m, copy, len, hdrs, NGX_IMS_SIP_MAX_HEADERS,
                             datagram)
           == NGX_IMS_OK ? 0 : m.code;

    if ((code == 0) != (m.error == NULL)) {
        return 999;
    }

    return code;
}


static void
test_rfc(void)
{
    size_t                i, n, len, cut;
    unsigned              udp, ws;
    static unsigned char  text[8192];

    for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        len = slurp(cases[i].name, text, sizeof(text));

        udp = parse_guarded(text, len, 1);
        ws = parse_guarded(text, len, 0);

        if (!ok(len && udp == cases[i].udp && ws == cases[i].ws, "%s: %s",
                cases[i].name, cases[i].what))
        {
            diag("%u and %u, %s at %u", udp, ws, m.error ? m.error : "fine",
                 m.error_pos);
        }

        /* no cut of it reads on */

        n = 0;

        for (cut = 0; cut < len; cut++) {
            n += parse_guarded(text, cut, cut & 1) == 999;
        }

        ok(n == 0, "%s: cut at each byte", cases[i].name);
    }
}


/* what was read of those that are hard to read */

static void
test_parts(void)
{
    size_t                len;
    ngx_ims_str_t         value;
    ngx_ims_sip_iter_t    it;
    static unsigned char  text[8192];

    len = slurp("rfc4475/wsinv", text, sizeof(text));
    parse_guarded(text, len, 0);

    memset(&it, 0, sizeof(it));
    ngx_ims_sip_next(&m, NGX_IMS_HDR_VIA, &it, &value);
    ngx_ims_sip_next(&m, NGX_IMS_HDR_VIA, &it, &value);
    ngx_ims_sip_next(&m, NGX_IMS_HDR_VIA, &it, &value);
    is_str(value.data, value.len, "SIP  /    2.0   / UDP  192.168.255.111   ; "
           "branch=\r\n z9hG4bK30239", "the last Via of wsinv");
    is_int(m.body.len, 150, "its body");

    len = slurp("rfc4475/dblreq", text, sizeof(text));
    parse_guarded(text, len, 1);
    is_int(m.method, NGX_IMS_SIP_REGISTER, "the first message of dblreq");
    is_int(m.text.len, m.head, "and no more of it");

    len = slurp("rfc4475/esc02", text, sizeof(text));
    parse_guarded(text, len, 1);
    is_int(m.method, NGX_IMS_SIP_OTHER, "RE%47IST%45R is no REGISTER");
    is_int(m.hdrs[m.first[NGX_IMS_HDR_CONTACT] - 1].next,
           m.nhdrs - 1, "and C%6Fntact no Contact");

    len = slurp("rfc4475/longreq", text, sizeof(text));
    parse_guarded(text, len, 1);

    memset(&it, 0, sizeof(it));
    for (len = 0; ngx_ims_sip_next(&m, NGX_IMS_HDR_VIA, &it, &value); len++);
    is_int(len, 34, "the Vias of longreq");

    len = slurp("rfc5118/port-ambiguous", text, sizeof(text));
    parse_guarded(text, len, 1);
    is_str(m.uri.data, m.uri.len, "sip:[2001:db8::10:5070]",
           "no port is guessed");
}


/* each name that is known, as it stands, in capitals, and its neighbors */

static void
test_names(void)
{
    size_t                     i, k, n;
    char                       line[512], name[64];
    static const struct {
        unsigned     id;
        const char  *name;
        const char  *compact;
    } t[] = {
        { NGX_IMS_HDR_EVENT, "Event", "o" },
        { NGX_IMS_HDR_CONTENT_TYPE, "Content-Type", "c" },
        { NGX_IMS_HDR_SUPPORTED, "Supported", "k" },
        { NGX_IMS_HDR_REFER_TO, "Refer-To", "r" },
        { NGX_IMS_HDR_REFERRED_BY, "Referred-By", "b" },
        { NGX_IMS_HDR_SESSION_EXPIRES, "Session-Expires", "x" },
        { NGX_IMS_HDR_SUBJECT, "Subject", "s" },
        { NGX_IMS_HDR_CONTENT_ENCODING, "Content-Encoding", "e" },
        { NGX_IMS_HDR_MIN_EXPIRES, "Min-Expires", NULL },
        { NGX_IMS_HDR_ROUTE, "Route", NULL },
        { NGX_IMS_HDR_RECORD_ROUTE, "Record-Route", NULL },
        { NGX_IMS_HDR_PATH, "Path", NULL },
        { NGX_IMS_HDR_SERVICE_ROUTE, "Service-Route", NULL },
        { NGX_IMS_HDR_REQUIRE, "Require", NULL },
        { NGX_IMS_HDR_PROXY_REQUIRE, "Proxy-Require", NULL },
        { NGX_IMS_HDR_UNSUPPORTED, "Unsupported", NULL },
        { NGX_IMS_HDR_ALLOW, "Allow", NULL },
        { NGX_IMS_HDR_AUTHORIZATION, "Authorization", NULL },
        { NGX_IMS_HDR_PROXY_AUTHORIZATION, "Proxy-Authorization", NULL },
        { NGX_IMS_HDR_WWW_AUTHENTICATE, "WWW-Authenticate", NULL },
        { NGX_IMS_HDR_PROXY_AUTHENTICATE, "Proxy-Authenticate", NULL },
        { NGX_IMS_HDR_P_ASSERTED_IDENTITY, "P-Asserted-Identity", NULL },
        { NGX_IMS_HDR_P_PREFERRED_IDENTITY, "P-Preferred-Identity", NULL },
        { NGX_IMS_HDR_P_ASSOCIATED_URI, "P-Associated-URI", NULL },
        { NGX_IMS_HDR_P_CALLED_PARTY_ID, "P-Called-Party-ID", NULL },
        { NGX_IMS_HDR_P_CHARGING_VECTOR, "P-Charging-Vector", NULL },
        { NGX_IMS_HDR_P_CHARGING_FUNCTION_ADDRESSES,
          "P-Charging-Function-Addresses", NULL },
        { NGX_IMS_HDR_P_VISITED_NETWORK_ID, "P-Visited-Network-ID", NULL },
        { NGX_IMS_HDR_P_ACCESS_NETWORK_INFO, "P-Access-Network-Info", NULL },
        { NGX_IMS_HDR_P_PREFERRED_SERVICE, "P-Preferred-Service", NULL },
        { NGX_IMS_HDR_P_EARLY_MEDIA, "P-Early-Media", NULL },
        { NGX_IMS_HDR_SECURITY_CLIENT, "Security-Client", NULL },
        { NGX_IMS_HDR_SECURITY_SERVER, "Security-Server", NULL },
        { NGX_IMS_HDR_SECURITY_VERIFY, "Security-Verify", NULL },
        { NGX_IMS_HDR_PRIVACY, "Privacy", NULL },
        { NGX_IMS_HDR_REASON, "Reason", NULL },
        { NGX_IMS_HDR_RETRY_AFTER, "Retry-After", NULL },
        { NGX_IMS_HDR_WARNING, "Warning", NULL },
        { NGX_IMS_HDR_RACK, "RAck", NULL },
        { NGX_IMS_HDR_RSEQ, "RSeq", NULL },
        { NGX_IMS_HDR_REPLACES, "Replaces", NULL },
        { NGX_IMS_HDR_MIN_SE, "Min-SE", NULL },
        { NGX_IMS_HDR_FLOW_TIMER, "Flow-Timer", NULL },
        { NGX_IMS_HDR_P_OTHER, "P-Profile-Key", NULL },
        { NGX_IMS_HDR_P_OTHER, "P-Asserted-Identitx", NULL },
        { NGX_IMS_HDR_P_OTHER, "p-x", NULL },
        { NGX_IMS_HDR_OTHER, "P-", NULL },
        { NGX_IMS_HDR_OTHER, "Routf", NULL },
        { NGX_IMS_HDR_OTHER, "Raute", NULL },
        { NGX_IMS_HDR_OTHER, "Content-Dype", NULL },
        { NGX_IMS_HDR_OTHER, "Content~Type", NULL },
        { NGX_IMS_HDR_OTHER, "User-Agent", NULL },
        { NGX_IMS_HDR_OTHER, "a", "z" }
    };

    for (i = 0; i < sizeof(t) / sizeof(t[0]); i++) {

        for (k = 0; k < 3; k++) {

            if (k == 2 && t[i].compact == NULL) {
                continue;
            }

            snprintf(name, sizeof(name), "%s", k == 2 ? t[i].compact
                                                      : t[i].name);

            for (n = 0; k == 1 && name[n]; n++) {
                name[n] &= (name[n] >= 'a' && name[n] <= 'z') ? 0x5f : 0x7f;
            }

            n = snprintf(line, sizeof(line), "ACK sip:b SIP/2.0\r\n"
                         "%s: 1\r\n\r\n", name);
            parse_guarded((unsigned char *) line, n, 1);

            if (!ok(m.nhdrs == 1 && hdrs[0].id == t[i].id
                    && m.first[t[i].id] == 1, "name %s", name))
            {
                diag("id %u, not %u", hdrs[0].id, t[i].id);
            }
        }
    }
}


static void
test_rules(void)
{
    size_t       i, len;
    unsigned     code;
    char         text[1024];

    static const struct {
        unsigned     code;
        const char  *start;
        const char  *line;
        const char  *name;
    } t[] = {
        { 0, "MESSAGE sip:b@c", "Contact: <sip:a@b>", "Contact" },
        { 0, "MESSAGE sip:b@c", "Contact: \"a,b>\" <sip:a@b>, <sip:c@d>;q=1",
          "two Contacts, comma and > in quotes" },
        { 0, "MESSAGE sip:b@c", "m:<sip:a@b>;x=\"a,\\\"b\"\r\nM: sip:c@d;q=1",
          "compact ones in two lines" },
        { 0, "MESSAGE sip:b@c", "Contact:", "empty Contact" },
        { 0, "REGISTER sip:c", "Contact: *", "Contact *" },
        { 400, "MESSAGE sip:b@c", "Contact: *", "Contact * of another" },
        { 400, "REGISTER sip:c", "Contact: **", "Contact **" },
        { 400, "MESSAGE sip:b@c", "Contact: <sip:a@b>, sip:c@d?e=f",
          "? without <> in the second Contact" },
        { 400, "MESSAGE sip:b@c", "Contact: <sip:a@b>\r\nm: \"c <sip:c@d>",
          "unterminated quote in the second line" },
        { 400, "MESSAGE sip:b@c", "Contact: <<sip:a@b>>", "nested brackets" },
        { 400, "MESSAGE sip:b@c?d=e", "X: y", "header in a Request-URI" },
        { 400, "MESSAGE sip:b@c;d?", "X: y", "empty one" },
        { 400, "MESSAGE sips:c?Route=%3Csip:x%3E", "X: y", "sips with one" },
        { 0, "MESSAGE sip:b?d=e@c", "X: y", "? in a user part" },
        { 0, "MESSAGE urn:service:sos?x", "X: y", "? in a URN" },
        { 400, "MESSAGE sip:b@c", "Content Type: x", "space in a name" },
        { 400, "MESSAGE sip:b@c", "Content@Type: x", "@ in a name" },
        { 400, "MESSAGE sip:b@c", "P-\xc3\xa4: x", "UTF-8 in a name" },
        { 400, "MESSAGE sip:b@c", "Contact\r\n : x", "fold before a colon" },
        { 400, "MESSAGE sip:b@c", "VeryLongNameThatHasNoColonAtAllInItsLine",
          "no colon" },
        { 0, "MESSAGE sip:b@c", "VeryLongNameThatHasItsColonFarAway\t :x",
          "white space before a colon" },
        { 0, "MESSAGE sip:b@c", "X: a\tb\tc\t", "tabs" }
    };

    for (i = 0; i < sizeof(t) / sizeof(t[0]); i++) {
        len = snprintf(text, sizeof(text), "%s SIP/2.0\r\n"
                       "Via: SIP/2.0/UDP a\r\nFrom: <sip:a@b>;tag=1\r\n"
                       "To: <sip:c@d>\r\nCall-ID: 1\r\nCSeq: 1 %.*s\r\n%s\r\n"
                       "\r\n", t[i].start, (int) strcspn(t[i].start, " "),
                       t[i].start, t[i].line);

        code = parse_guarded((unsigned char *) text, len, 0);

        if (!ok(code == t[i].code, "%u: %s", t[i].code, t[i].name)) {
            diag("%u, %s at %u", code, m.error ? m.error : "", m.error_pos);
        }
    }

    /* a response is not refused for what only some look at */

    len = snprintf(text, sizeof(text), "SIP/2.0 302 Moved\r\n"
                   "Via: SIP/2.0/UDP a\r\nFrom: <sip:a@b>;tag=1\r\n"
                   "To: <sip:c@d>\r\nCall-ID: 1\r\nCSeq: 1 INVITE\r\n"
                   "Contact: sip:a@b?c=d\r\n\r\n");
    is_int(parse_guarded((unsigned char *) text, len, 0), 0,
           "a bad Contact in a response");
}


int
main(void)
{
    test_rfc();
    test_parts();
    test_names();
    test_rules();

    return done_testing();
}
