/*
 * Copyright (C) the IMS portal authors
 *
 * Digest with the examples of RFC 2617 and RFC 7616 and with AKA; which of
 * several challenges is answered; what is not.
 */


#include "tap.h"

#include "ngx_ims_digest.h"


#define NONCE  "I1U8vpY3qJ0hiuZNrke/NVXzKLQ1d7m5Sp/6w1Tfr7M="


static ngx_ims_sip_msg_t   msg;
static ngx_ims_sip_hdr_t   hdrs[64];
static unsigned char       text[8192], line[NGX_IMS_DIGEST_LINE];
static size_t              len;
static ngx_ims_digest_t    d;
static ngx_ims_aka_sqn_t   sqn;


static ngx_ims_str_t
str(const char *s)
{
    ngx_ims_str_t  v;

    v.data = (unsigned char *) s;
    v.len = strlen(s);

    return v;
}


/* a response with these lines */

static void
response(int status, const char *lines)
{
    int  n;

    n = snprintf((char *) text, sizeof(text),
                 "SIP/2.0 %d X\r\n"
                 "Via: SIP/2.0/UDP a;branch=z9hG4bK1\r\n"
                 "From: <sip:m@a>;tag=1\r\nTo: <sip:m@a>;tag=2\r\n"
                 "Call-ID: c\r\nCSeq: 1 REGISTER\r\n%s"
                 "Content-Length: 0\r\n\r\n", status, lines);

    if (ngx_ims_sip_parse(&msg, text, n, hdrs, 64, 1) != NGX_IMS_OK) {
        ok(0, "response: %s", msg.error);
    }
}


static ngx_ims_secret_t
password(const char *s)
{
    ngx_ims_secret_t  secret;

    memset(&secret, 0, sizeof(secret));
    secret.kind = NGX_IMS_SECRET_PASSWORD;
    secret.value = str(s);

    return secret;
}


static ngx_ims_digest_request_t
request(const char *method, const char *uri, const char *impi,
    const char *cnonce)
{
    ngx_ims_digest_request_t  r;

    r.method = str(method);
    r.uri = str(uri);
    r.impi = str(impi);
    r.cnonce = str(cnonce);

    return r;
}


/* one parameter of the line that was made */

static void
param(const char *name, const char *expected)
{
    ngx_ims_str_t  s, v;

    s.data = line;
    s.len = len;

    /* the parameters behind "Authorization: Digest" */

    s.data += strcspn((char *) line, ":") + 2;
    s.len -= s.data - line;

    if (!ngx_ims_sip_auth_param(&s, name, &v)) {
        ok(expected == NULL, "no %s", name);
        return;
    }

    if (v.len > 1 && v.data[0] == '"') {
        v.data++;
        v.len -= 2;
    }

    is_str(v.data, v.len, expected ? expected : "", name);
}


static int
answer(ngx_ims_secret_t secret, ngx_ims_digest_request_t r)
{
    int  rc;

    rc = ngx_ims_digest_answer(&d, &msg, &secret, NULL, &r, line,
                               sizeof(line) - 1, &len);
    line[rc == 0 ? len : 0] = '\0';

    return rc;
}


static void
test_rfc(void)
{
    ngx_ims_digest_request_t  r;

    response(401, "WWW-Authenticate: Digest realm=\"testrealm@host.com\", "
             "qop=\"auth,auth-int\", "
             "nonce=\"dcd98b7102dd2f0e8b11d0f600bfb0c093\", "
             "opaque=\"5ccc069c403ebaf9f0171e9517f40e41\"\r\n");
    r = request("GET", "/dir/index.html", "Mufasa", "0a4f113b");

    is_int(answer(password("Circle Of Life"), r), 0, "RFC 2617 3.5");
    param("response", "6629fae49393a05397450978507c4ef1");
    param("username", "Mufasa");
    param("realm", "testrealm@host.com");
    param("uri", "/dir/index.html");
    param("qop", "auth");
    param("nc", "00000001");
    param("cnonce", "0a4f113b");
    param("opaque", "5ccc069c403ebaf9f0171e9517f40e41");
    param("algorithm", NULL);
    is_str(line, 15, "Authorization: ", "Authorization");
    is_str(line + len - 2, 2, "\r\n", "a whole line");

    response(401, "WWW-Authenticate: Digest "
             "realm=\"http-auth@example.org\", qop=\"auth, auth-int\", "
             "algorithm=SHA-256, "
             "nonce=\"7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v\", "
             "opaque=\"FQhe/qaU925kfnzjCev0ciny7QMkPqMAFRtzCUYo5tdS\"\r\n"
             "WWW-Authenticate: Digest "
             "realm=\"http-auth@example.org\", qop=\"auth, auth-int\", "
             "algorithm=MD5, "
             "nonce=\"7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v\", "
             "opaque=\"FQhe/qaU925kfnzjCev0ciny7QMkPqMAFRtzCUYo5tdS\"\r\n");
    r.cnonce = str("f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ");

    is_int(answer(password("Circle of Life"), r), 0, "RFC 7616 3.9.1");
    param("response", "753927fa0e85d155564e2e272a28d180"
                      "2ca10daf4496794697cf8db5856cb6c1");
    param("algorithm", "SHA-256");

    /* the first of the two is hidden */

    memcpy(strstr((char *) text, "SHA-256"), "SHA-999", 7);
    is_int(answer(password("Circle of Life"), r), 0, "the same, MD5");
    param("response", "8ca523f5e9506fed4657c9700eebdbec");
    param("algorithm", "MD5");

    memcpy(strstr((char *) text, "SHA-999, "), "\"MD5\"    ", 9);
    memcpy(strstr((char *) text, "algorithm=MD5,"), "xlgorithm=MD5,", 14);
    is_int(answer(password("Circle of Life"), r), 0, "quoted algorithm");
    param("response", "8ca523f5e9506fed4657c9700eebdbec");

    response(407, "Proxy-Authenticate: Digest "
             "realm=\"http-auth@example.org\", qop=\"auth\", "
             "algorithm=SHA-512-256, "
             "nonce=\"7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v\"\r\n");
    is_int(answer(password("Circle of Life"), r), 0, "SHA-512-256");
    param("response", "430d05014cecc49cab6fbe03176d41a1"
                      "da86cbfe24a16580e22aaad928d960d0");
    is_str(line, 21, "Proxy-Authorization: ", "Proxy-Authorization");
    param("opaque", NULL);
}


static void
test_choice(void)
{
    ngx_ims_str_t             realm;
    ngx_ims_secret_t          secret, ha1;
    ngx_ims_digest_request_t  r;

    secret = password("zanzibar");
    r = request("REGISTER", "sip:ims.example", "mary@ims.example",
                "0a4f113b");

    response(401, "WWW-Authenticate: Digest realm=\"ims.example\", "
             "nonce=\"n1\", algorithm=MD5\r\n");
    is_int(answer(secret, r), 0, "no qop");
    param("response", "3252aaae8651e54951891ba06197e794");
    param("nc", NULL);
    param("cnonce", NULL);

    response(401, "WWW-Authenticate: DIGEST realm=\"ims.example\",\r\n"
             " nonce=\"n1\",algorithm=md5,QOP=auth,stale=TRUE,opaque=\"\"\r\n");
    is_int(answer(secret, r), 0, "folded, another case");
    param("response", "28155ed52c94e6c931cd036755b2f46c");
    param("opaque", "");
    is_int(d.stale, 1, "stale");

    ha1 = secret;
    ha1.kind = NGX_IMS_SECRET_HA1;
    ha1.value = str("b6468b3e803eebed54bda32f8b77f820");
    is_int(answer(ha1, r), 0, "by HA1");
    param("response", "28155ed52c94e6c931cd036755b2f46c");
    ha1.value = str("3bd6ff85e7d16cc0bc439ff96d824115"
                    "b5631752701deb8b68b9715cbeb0ce58");
    is_int(answer(ha1, r), NGX_IMS_DIGEST_DECLINED, "HA1 of another hash");
    is_int(ngx_ims_digest_credentials(&d, &ha1, &r, line, sizeof(line), &len),
           NGX_IMS_DIGEST_DECLINED, "and nothing is kept");

    response(401, "WWW-Authenticate: Digest realm=\"ims.example\", "
             "nonce=\"n1\", algorithm=MD5, qop=\"auth\"\r\n"
             "WWW-Authenticate: Digest realm=\"ims.example\", "
             "nonce=\"n1\", algorithm=SHA-256, qop=\"auth\"\r\n");
    is_int(answer(ha1, r), 0, "HA1 for the one that it fits");
    param("response", "0864850460222624950b60ed42c8d449"
                      "170ed7a01d3ed5599918861685bcf289");
    ha1.value = str("b6468b3e803eebed54bda32f8b77f820");
    is_int(answer(ha1, r), 0, "the weaker");
    param("response", "28155ed52c94e6c931cd036755b2f46c");

    /* what is not answered */

    response(401, "WWW-Authenticate: Basic realm=\"ims.example\"\r\n"
             "WWW-Authenticate: Digest\r\n"
             "WWW-Authenticate: Digest realm=\"ims.example\"\r\n"
             "WWW-Authenticate: Digest nonce=\"n1\"\r\n"
             "WWW-Authenticate: Digest realm=\"ims.example\", nonce=\"\"\r\n"
             "WWW-Authenticate: Digest realm=\"x\", nonce=\"n\r\n 1\"\r\n"
             "WWW-Authenticate: Digest realm=\"x\", nonce=\"n1\", "
             "qop=\"auth-int\"\r\n"
             "WWW-Authenticate: Digest realm=\"x\", nonce=\"n1\", "
             "algorithm=MD5-sess\r\n"
             "WWW-Authenticate: Digest realm=\"x\", nonce=\"n1\", "
             "algorithm=AKAv1-MD5\r\n");
    is_int(answer(secret, r), NGX_IMS_DIGEST_DECLINED, "none is known");
    response(401, "");
    is_int(answer(secret, r), NGX_IMS_DIGEST_DECLINED, "there is none");

    response(401, "Proxy-Authenticate: Digest realm=\"a\", nonce=\"n1\"\r\n"
             "Proxy-Authenticate: Digest realm=\"b\", nonce=\"n2\"\r\n");
    realm = str("b");
    is_int(ngx_ims_digest_challenge(&d, &msg, &secret, &realm), 0,
           "of the realm");
    is_str(d.text, d.realm_len, "b", "which is b");
    is_int(d.proxy, 1, "the other header");
    realm = str("c");
    is_int(ngx_ims_digest_challenge(&d, &msg, &secret, &realm),
           NGX_IMS_DIGEST_DECLINED, "of no other realm");
}


static void
test_reuse(void)
{
    int                       first;
    char                      cnonce[2][64];
    ngx_ims_str_t             v, s;
    ngx_ims_secret_t          secret;
    ngx_ims_digest_t          copy;
    ngx_ims_digest_request_t  r;

    secret = password("zanzibar");
    r = request("REGISTER", "sip:ims.example", "mary@ims.example",
                "0a4f113b");
    response(401, "WWW-Authenticate: Digest realm=\"ims.example\", "
             "nonce=\"n1\", algorithm=MD5, qop=\"auth\", opaque=\"o\"\r\n");
    is_int(answer(secret, r), 0, "answered");

    memset(&copy, 0xff, sizeof(copy));
    memcpy(&copy, &d, ngx_ims_digest_size(&d));

    is_int(ngx_ims_digest_credentials(&copy, &secret, &r, line, sizeof(line),
                                      &len), 0, "once more, of a copy");
    param("nc", "00000002");
    param("nonce", "n1");
    param("opaque", "o");

    response(200, "Authentication-Info: qop=auth, rspauth=\"x\", "
             "nextnonce=\"n2\"\r\n");
    ngx_ims_digest_next(&d, &msg);
    is_int(ngx_ims_digest_credentials(&d, &secret, &r, line, sizeof(line),
                                      &len), 0, "with the next nonce");
    param("nonce", "n2");
    param("nc", "00000001");
    param("response", "1b4e8aa5331438447ab2803c81bd8308");
    param("opaque", "o");

    response(200, "");
    ngx_ims_digest_next(&d, &msg);
    response(200, "Authentication-Info: nextnonce\r\n");
    ngx_ims_digest_next(&d, &msg);
    (void) ngx_ims_digest_credentials(&d, &secret, &r, line, sizeof(line),
                                      &len);
    param("nc", "00000002");

    r.cnonce.len = 0;

    for (first = 0; first < 2; first++) {
        (void) ngx_ims_digest_credentials(&d, &secret, &r, line, sizeof(line),
                                          &len);
        s.data = line + 15;
        s.len = len - 15;
        v.len = 0;
        (void) ngx_ims_sip_auth_param(&s, "cnonce", &v);
        is_int(v.len, NGX_IMS_DIGEST_CNONCE + 2, "a cnonce of 32");
        snprintf(cnonce[first], sizeof(cnonce[first]), "%.*s", (int) v.len,
                 v.data);
    }

    ok(strcmp(cnonce[0], cnonce[1]) != 0, "another each time");
}


static void
test_limits(void)
{
    size_t                    n;
    char                      lines[4096], big[2048];
    ngx_ims_secret_t          secret;
    ngx_ims_digest_request_t  r;

    secret = password("zanzibar");
    r = request("REGISTER", "sip:ims.example", "mary@ims.example", "c");

    memset(big, 'n', sizeof(big));

    snprintf(lines, sizeof(lines), "WWW-Authenticate: Digest realm=\"r\", "
             "nonce=\"%.*s\"\r\n", NGX_IMS_DIGEST_TEXT - 1, big);
    response(401, lines);
    is_int(answer(secret, r), 0, "a nonce that just fits");
    is_int(ngx_ims_digest_size(&d),
           offsetof(ngx_ims_digest_t, text) + NGX_IMS_DIGEST_TEXT,
           "fills the state");

    snprintf(lines, sizeof(lines), "WWW-Authenticate: Digest realm=\"r\", "
             "nonce=\"%.*s\"\r\n", NGX_IMS_DIGEST_TEXT, big);
    response(401, lines);
    is_int(answer(secret, r), NGX_IMS_DIGEST_DECLINED, "one byte more");

    response(401, "WWW-Authenticate: Digest realm=\"r\", nonce=\"n\", "
             "algorithm=MD5, qop=\"auth\", opaque=\"o\"\r\n");
    is_int(answer(secret, r), 0, "answered");

    for (n = 0; n <= len; n++) {
        unsigned char  *out;
        size_t          size;

        out = guarded_copy(line, n);

        if (ngx_ims_digest_credentials(&d, &secret, &r, out, n, &size)
            != NGX_IMS_DIGEST_ERROR)
        {
            ok(0, "no room in %zu bytes", n);
        }

        guarded_free(out, n);
    }

    ok(1, "cut at every byte");

    r.impi = str("a\"b");
    is_int(answer(secret, r), NGX_IMS_DIGEST_ERROR, "a quote in the IMPI");
    r.impi = str("a");
    r.uri = str("sip:a\r\nb");
    is_int(answer(secret, r), NGX_IMS_DIGEST_ERROR, "CRLF in the URI");
}


static void
test_aka(void)
{
    ngx_ims_secret_t          secret;
    ngx_ims_digest_request_t  r;

    static const unsigned char  k[] = {
        0x46, 0x5b, 0x5c, 0xe8, 0xb1, 0x99, 0xb4, 0x9f,
        0xaa, 0x5f, 0x0a, 0x2e, 0xe2, 0x38, 0xa6, 0xbc
    };
    static const unsigned char  opc[] = {
        0xcd, 0x63, 0xcb, 0x71, 0x95, 0x4a, 0x9f, 0x4e,
        0x48, 0xa5, 0x99, 0x4e, 0x37, 0xa0, 0x2b, 0xaf
    };

    memset(&secret, 0, sizeof(secret));
    secret.kind = NGX_IMS_SECRET_AKA;
    secret.k = k;
    secret.opc = opc;
    secret.sqn = &sqn;

    r = request("REGISTER", "sip:ims.example", "u1@ims.example", "0a4f113b");

    response(401, "WWW-Authenticate: Digest realm=\"ims.example\", "
             "nonce=\"" NONCE "\", algorithm=AKAv1-MD5, qop=\"auth\", "
             "ck=\"00\", ik=\"00\"\r\n"
             "WWW-Authenticate: Digest realm=\"ims.example\", "
             "nonce=\"n\", algorithm=MD5, qop=\"auth\"\r\n");
    is_int(answer(secret, r), 0, "AKAv1-MD5");
    param("response", "4aacfefa46296b2a6589f6a8a160be81");
    param("algorithm", "AKAv1-MD5");
    param("nonce", NONCE);
    param("auts", NULL);
    param("ck", NULL);
    is_int(sqn == 0xff9bb4d0b607, 1, "SQN taken");

    is_int(ngx_ims_digest_credentials(&d, &secret, &r, line, sizeof(line),
                                      &len), 0, "the nonce once more");
    param("response", "82df67e32ebd26bbae2bbf153ec6ce66");

    is_int(answer(secret, r), 0, "replayed");
    is_int(d.sync, 1, "not fresh");
    param("response", "13483167f2c35adb4b66d47b26c36809");
    is_int(strstr((char *) line, "auts=\"") != NULL, 1, "AUTS is sent");

    sqn = 0;
    memcpy(strstr((char *) text, "AKAv1"), "AKAv2", 5);
    is_int(answer(secret, r), 0, "AKAv2-MD5");
    param("response", "b3c442b6b2432e7eeaf94929cb95ad65");

    sqn = 0;
    *strstr((char *) text, "7M=\"") = '8';
    is_int(answer(secret, r), NGX_IMS_DIGEST_DECLINED, "another MAC");
    is_int(sqn, 0, "no SQN taken");

    memcpy(strstr((char *) text, "I1U8"), "!!!!", 4);
    is_int(answer(secret, r), NGX_IMS_DIGEST_DECLINED, "not base64");

    response(401, "WWW-Authenticate: Digest realm=\"a\", nonce=\"AAAA\", "
             "algorithm=AKAv1-MD5\r\n");
    is_int(answer(secret, r), NGX_IMS_DIGEST_DECLINED, "too short");
    response(401, "WWW-Authenticate: Digest realm=\"a\", nonce=\"AAAA\"\r\n");
    is_int(answer(secret, r), NGX_IMS_DIGEST_DECLINED, "not AKA");
}


int
main(void)
{
    test_rfc();
    test_choice();
    test_reuse();
    test_limits();
    test_aka();

    return done_testing();
}
