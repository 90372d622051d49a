/*
 * Copyright (C) the IMS portal authors
 *
 * SRTP: the vectors of RFC 3711 appendix B and of RFC 7714 16 and 17, which
 * are about session keys, so mh_srtp_evp.c is included; the replay window.
 */

#include "../../media-helper/mh_srtp_evp.c"
#include "tap.h"


enum {
    PACKET_MAX = 1600
};


static size_t
unhex(uint8_t *out, const char *hex)
{
    size_t  n;

    for (n = 0; hex[0] != '\0'; hex += 2) {
        while (*hex == ' ') {
            hex++;
        }

        out[n++] = (uint8_t) (ch_hex(hex[0]) << 4 | ch_hex(hex[1]));
    }

    return n;
}


/* RFC 3711 B.2, B.3 */

static void
test_rfc3711(void)
{
    uint8_t         key[16], salt[16], out[112], want[128];
    size_t          n;
    EVP_CIPHER_CTX *c;
    struct session  ses;

    memset(salt, 0, sizeof(salt));
    unhex(key, "2B7E151628AED2A6ABF7158809CF4F3C");
    unhex(salt, "F0F1F2F3F4F5F6F7F8F9FAFBFCFD");
    n = unhex(want, "E03EAD0935C95E80E166B16DD92B4EB4"
                    "D23513162B02D0F72A43A2FE4A5F97AB"
                    "41E95B3BB0A2E8DD477901E4FCA894C0");

    memset(&ses, 0, sizeof(ses));
    memset(out, 0, sizeof(out));
    (void) session_key(&ses, &(struct mh_srtp_suite) { 1, 16, 14, 10, 10, 0 },
                       1, key);
    memcpy(ses.salt, salt, 14);
    (void) cm_crypt(&ses, 0, 0, out, n);
    is_mem(out, n, want, n, "RFC 3711 B.2: key stream");
    EVP_CIPHER_CTX_free(ses.cipher);

    unhex(key, "E1F97A0D3E018BE0D64FA32C06DE4139");
    unhex(salt, "0EC675AD498AFEEBB6960B3AABE6");
    c = EVP_CIPHER_CTX_new();
    (void) EVP_CipherInit_ex2(c, EVP_aes_128_ctr(), key, NULL, 1, NULL);

    n = unhex(want, "C61E7A93744F39EE10734AFE3FF7A087");
    (void) kdf(c, salt, 0, out, n);
    is_mem(out, n, want, n, "RFC 3711 B.3: cipher key");

    n = unhex(want, "30CBBC08863D8C85D49DB34A9AE1");
    (void) kdf(c, salt, 2, out, n);
    is_mem(out, n, want, n, "RFC 3711 B.3: cipher salt");

    n = unhex(want, "CEBE321F6FF7716B6FD4AB49AF256A156D38BAA48F0A0ACF"
                    "3C34E2359E6CDBCEE049646C43D9327AD175578EF7227098"
                    "6371C10C9A369AC2F94A8C5FBCDDDC256D6E919A48B610EF"
                    "17C2041E474035766B68642C59BBFC2F34DB60DBDFB2");
    (void) kdf(c, salt, 1, out, n);
    is_mem(out, n, want, n, "RFC 3711 B.3: auth key");

    EVP_CIPHER_CTX_free(c);
}


/* RFC 7714 16 and 17, which give session keys, not master keys */

static void
vector_gcm(size_t key_len, const char *rtp, const char *rtcp)
{
    int             protect;
    size_t          plain, sealed, len;
    uint8_t         key[32], salt[16], buf[PACKET_MAX], in[256], out[256];
    unsigned        i;
    struct evp      e;
    const char     *name;

    static struct mh_srtp_suite  suite = { 7, 16, 12, 16, 16, 1 };

    suite.key_len = key_len;
    name = (key_len == 16) ? "RFC 7714 16.1, 17.1" : "RFC 7714 16.2, 17.2";

    for (i = 0; i < sizeof(key); i++) {
        key[i] = (uint8_t) i;
    }

    unhex(salt, "517569642070726f2071756f");

    for (protect = 0; protect < 2; protect++) {
        memset(&e, 0, sizeof(e));
        e.suite = &suite;
        e.protect = protect;
        (void) mh_srtp_table_init(&e.streams);
        (void) session_key(&e.rtp, &suite, protect, key);
        (void) session_key(&e.rtcp, &suite, protect, key);
        memcpy(e.rtp.salt, salt, 12);
        memcpy(e.rtcp.salt, salt, 12);
        e.rtcp_index = 0x5d3;

        plain = unhex(in, "8040f17b8041f8d35501a0b247616c6c696120657374206f"
                          "6d6e69732064697669736120696e20706172746573207472"
                          "6573");
        sealed = unhex(out, rtp);
        memcpy(buf, protect ? in : out, sealed);
        len = protect ? plain : sealed;

        is_int(evp_rtp(&e, buf, 12, &len), 0, name);
        is_mem(buf, len, protect ? out : in, protect ? sealed : plain, name);

        plain = unhex(in, "81c8000d4d6172734e5450314e5450325254502000000"
                          "42a0000e9304c756e61deadbeefdeadbeefdeadbeefde"
                          "adbeefdeadbeef");
        sealed = unhex(out, rtcp);
        memcpy(buf, protect ? in : out, sealed);
        len = protect ? plain : sealed;

        is_int(evp_rtcp(&e, buf, &len), 0, name);
        is_mem(buf, len, protect ? out : in, protect ? sealed : plain, name);

        evp_destructor(&e);
    }
}


static void
test_rfc7714(void)
{
    vector_gcm(16, "8040f17b8041f8d35501a0b2f24de3a3fb34de6cacba861c9d7e4bcab"
                   "e633bd50d294e6f42a5f47a51c7d19b36de3adf8833899d7f27beb16a"
                   "9152cf765ee4390cce",
               "81c8000d4d61727363e94885dcdab67ca727d7662f6b7e997ff5c0f76c06"
               "f32dc676a5f1730d6fda4ce09b4686303ded0bb9275bc84aa45896cf4d2f"
               "c5abf87245d9eade800005d4");
    vector_gcm(32, "8040f17b8041f8d35501a0b232b1de78a822fe12ef9f78fa332e33aab"
                   "18012389a58e2f3b50b2a0276ffae0f1ba63799b87b7aa3db36dfffd6"
                   "b0f9bb7878d7a76c13",
               "81c8000d4d617273d50ae4d1f5ce5d304ba297e47d470c282c3ece5dbffe"
               "0a50a2eaa5c1110555be8415f658c61de0476f1b6fad1d1eb30c4446839f"
               "57ff6f6cb26ac3be800005d4");
}


static void
test_window(void)
{
    uint64_t               index;
    struct mh_srtp_window  w;

    memset(&w, 0, sizeof(w));
    mh_srtp_window_take(&w, 1000);

    ok(mh_srtp_window_check(&w, 1000) == EALREADY
       && mh_srtp_window_check(&w, 999) == 0
       && mh_srtp_window_check(&w, 873) == 0
       && mh_srtp_window_check(&w, 872) == EALREADY,
       "the window is 128 wide");

    mh_srtp_window_take(&w, 873);
    mh_srtp_window_take(&w, 937);
    mh_srtp_window_take(&w, 936);
    ok(mh_srtp_window_check(&w, 873) == EALREADY
       && mh_srtp_window_check(&w, 937) == EALREADY
       && mh_srtp_window_check(&w, 936) == EALREADY
       && mh_srtp_window_check(&w, 935) == 0,
       "late ones are noted on both halves of it");

    mh_srtp_window_take(&w, 1063);
    ok(mh_srtp_window_check(&w, 1000) == EALREADY
       && mh_srtp_window_check(&w, 937) == EALREADY
       && mh_srtp_window_check(&w, 936) == EALREADY
       && mh_srtp_window_check(&w, 1001) == 0,
       "and move with it by 63");

    mh_srtp_window_take(&w, 1127);
    ok(mh_srtp_window_check(&w, 1063) == EALREADY
       && mh_srtp_window_check(&w, 1000) == EALREADY
       && mh_srtp_window_check(&w, 1064) == 0,
       "and by 64");

    mh_srtp_window_take(&w, 5000);
    ok(mh_srtp_window_check(&w, 4999) == 0
       && mh_srtp_window_check(&w, 1127) == EALREADY,
       "and are gone after a jump");

    w.top = RTCP_INDEX_MAX << 17 | 0xffff;
    ok(mh_srtp_index_estimate(&w, 0xffff, &index) == 0 && index == w.top,
       "the last index there is");
    w.top = (uint64_t) 0xffffffff << 16 | 0xffff;
    ok(mh_srtp_index_estimate(&w, 0, &index) == EOVERFLOW,
       "after 2^48 packets it is over");
}


int
main(void)
{
    test_rfc3711();
    test_rfc7714();
    test_window();

    return done_testing();
}
