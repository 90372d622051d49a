/* FUZZ_LIBS: -lcrypto */
/* Copyright (C) the IMS portal authors */


/*
 * Feeds challenges of a core to the digest codec: a 401 or 407 whose header
 * values are the input.  A line that is made is one header line, can be read
 * back, names the nonce that was asked, and does not hold the secret.
 */


#ifndef _GNU_SOURCE
#define _GNU_SOURCE                      /* memmem() */
#endif

#include <stdio.h>
#include <stdlib.h>

#include "../../ngx_ims_portal_module/ngx_ims_str.c"
#include "../../ngx_ims_portal_module/ngx_ims_sip.c"
#include "../../ngx_ims_portal_module/ngx_ims_sip_addr.c"
#include "../../ngx_ims_portal_module/ngx_ims_sip_start.c"
#include "../../ngx_ims_portal_module/ngx_ims_sip_text.c"
#include "../../ngx_ims_portal_module/ngx_ims_sip_uri.c"
#include "../../ngx_ims_portal_module/ngx_ims_aka.c"
#include "../../ngx_ims_portal_module/ngx_ims_digest.c"
#include "../../ngx_ims_portal_module/ngx_ims_digest_answer.c"


#define need(cond)  do { if (!(cond)) { abort(); } } while (0)

#define S(text)     { sizeof(text) - 1, (unsigned char *) text }


int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);


static ngx_ims_sip_hdr_t  hdrs[NGX_IMS_SIP_MAX_HEADERS];


static void
answer(const ngx_ims_sip_msg_t *m, const ngx_ims_secret_t *secret)
{
    int                       i;
    size_t                    len;
    unsigned char             out[NGX_IMS_DIGEST_LINE];
    ngx_ims_str_t             line, nonce;
    ngx_ims_digest_t          d;
    ngx_ims_digest_request_t  r = { S("INVITE"), S("sip:bob@example.org"),
                                    S("u001@example.org"), S("") };

    memset(&d, 0, sizeof(d));

    if (ngx_ims_digest_answer(&d, m, secret, NULL, &r, out, sizeof(out), &len)
        != NGX_IMS_DIGEST_OK)
    {
        return;
    }

    for (i = 0; i < 3; i++) {
        need(len > 2 && len <= sizeof(out));
        need(memcmp(out + len - 2, "\r\n", 2) == 0);
        need(memchr(out, '\r', len) == out + len - 2);
        need(memchr(out, '\n', len) == out + len - 1);
        need(memchr(out, '\0', len) == NULL);
        need(secret->kind == NGX_IMS_SECRET_AKA
             || memmem(out, len, secret->value.data, secret->value.len)
                == NULL);

        line.data = memchr(out, ' ', len);
        need(line.data != NULL);
        line.data++;
        line.len = out + len - 2 - line.data;

        need(ngx_ims_sip_auth_param(&line, "nonce", &nonce));
        need(memmem(nonce.data, nonce.len, d.text + d.realm_len, d.nonce_len)
             != NULL);

        if (ngx_ims_digest_credentials(&d, secret, &r, out, sizeof(out), &len)
            != NGX_IMS_DIGEST_OK)
        {
            return;
        }
    }

    ngx_ims_digest_next(&d, m);
}


int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    int                n;
    char               text[8192];
    ngx_ims_sip_msg_t  m;
    ngx_ims_aka_sqn_t  sqn;
    ngx_ims_secret_t   password = { .kind = NGX_IMS_SECRET_PASSWORD,
                                    .value = S("the secret of a fuzzer") };
    ngx_ims_secret_t   aka = { .kind = NGX_IMS_SECRET_AKA };

    static const unsigned char  key[16] = { 0x46, 0x5b, 0x5c, 0xe8 };

    if (size < 1 || size > 7000) {
        return 0;
    }

    n = snprintf(text, sizeof(text),
                 "SIP/2.0 %s Unauthorized\r\n"
                 "Via: SIP/2.0/UDP 192.0.2.1;branch=z9hG4bK1\r\n"
                 "From: <sip:a@example.org>;tag=1\r\n"
                 "To: <sip:a@example.org>;tag=2\r\n"
                 "Call-ID: 1\r\n"
                 "CSeq: 1 INVITE\r\n"
                 "%s-Authenticate: %.*s\r\n"
                 "Content-Length: 0\r\n\r\n",
                 data[0] & 1 ? "407" : "401", data[0] & 2 ? "Proxy" : "WWW",
                 (int) size - 1, (const char *) data + 1);

    if (ngx_ims_sip_parse(&m, (unsigned char *) text, n, hdrs,
                          NGX_IMS_SIP_MAX_HEADERS, 1)
        != NGX_IMS_OK)
    {
        return 0;
    }

    memset(&sqn, 0, sizeof(sqn));
    aka.k = key;
    aka.opc = key;
    aka.sqn = &sqn;

    answer(&m, &password);
    answer(&m, &aka);

    return 0;
}
