/*
 * Copyright (C) the IMS portal authors
 *
 * Milenage with the test sets of TS 35.208 4.3, and the checks of a challenge.
 */


#include "tap.h"

#include "ngx_ims_aka.h"


typedef struct {
    const char  *name;
    const char  *k;
    const char  *rand;
    const char  *sqn;
    const char  *amf;
    const char  *op;
    const char  *opc;
    const char  *f1;
    const char  *f1_star;
    const char  *f2;
    const char  *f3;
    const char  *f4;
    const char  *f5;
    const char  *f5_star;
} set_t;


/* set 2 is set 1 once more */

static const set_t  sets[] = {
    { "set 1",
      "465b5ce8b199b49faa5f0a2ee238a6bc", "23553cbe9637a89d218ae64dae47bf35",
      "ff9bb4d0b607", "b9b9",
      "cdc202d5123e20f62b6d676ac72cb318", "cd63cb71954a9f4e48a5994e37a02baf",
      "4a9ffac354dfafb3", "01cfaf9ec4e871e9", "a54211d5e3ba50bf",
      "b40ba9a3c58b2a05bbf0d987b21bf8cb", "f769bcd751044604127672711c6d3441",
      "aa689c648370", "451e8beca43b" },
    { "set 3",
      "fec86ba6eb707ed08905757b1bb44b8f", "9f7c8d021accf4db213ccff0c7f71a6a",
      "9d0277595ffc", "725c",
      "dbc59adcb6f9a0ef735477b7fadf8374", "1006020f0a478bf6b699f15c062e42b3",
      "9cabc3e99baf7281", "95814ba2b3044324", "8011c48c0c214ed2",
      "5dbdbb2954e8f3cde665b046179a5098", "59a92d3b476a0443487055cf88b2307b",
      "33484dc2136b", "deacdd848cc6" },
    { "set 4",
      "9e5944aea94b81165c82fbf9f32db751", "ce83dbc54ac0274a157c17f80d017bd6",
      "0b604a81eca8", "9e09",
      "223014c5806694c007ca1eeef57f004f", "a64a507ae1a2a98bb88eb4210135dc87",
      "74a58220cba84c49", "ac2cc74a96871837", "f365cd683cd92e96",
      "e203edb3971574f5a94b0d61b816345d", "0c4524adeac041c4dd830d20854fc46b",
      "f0b9c08ad02e", "6085a86c6f63" },
    { "set 5",
      "4ab1deb05ca6ceb051fc98e77d026a84", "74b0cd6031a1c8339b2b6ce2b8c4a186",
      "e880a1b580b6", "9f07",
      "2d16c5cd1fdf6b22383584e3bef2a8d8", "dcf07cbd51855290b92a07a9891e523e",
      "49e785dd12626ef2", "9e85790336bb3fa2", "5860fc1bce351e7e",
      "7657766b373d1c2138f307e3de9242f9", "1c42e960d89b8fa99f2744e0708ccb53",
      "31e11a609118", "fe2555e54aa9" },
    { "set 6",
      "6c38a116ac280c454f59332ee35c8c4f", "ee6466bc96202c5a557abbeff8babf63",
      "414b98222181", "4464",
      "1ba00a1a7c6700ac8c3ff3e96ad08725", "3803ef5363b947c6aaa225e58fae3934",
      "078adfb488241a57", "80246b8d0186bcf1", "16c8233f05a0ac28",
      "3f8c7587fe8e4b233af676aede30ba3b", "a7466cc1e6b2a1337d49d3b66e95d7b4",
      "45b0f69ab06c", "1f53cd2b1113" },
    { "set 19",
      "5122250214c33e723a5dd523fc145fc0", "81e92b6c0ee0e12ebceba8d92a99dfa5",
      "16f3b3f70fc2", "c3ab",
      "c9e8763286b5b9ffbdf56e1297d0887b", "981d464c7c52eb6e5036234984ad0bcf",
      "2a5c23d15ee351d5", "62dae3853f3af9d2", "28d7b0f2a2ec3de5",
      "5349fbe098649f948f5d2e973a81c00f", "9744871ad32bf9bbd1dd5ce54e3e2e5a",
      "ada15aeb7bb8", "d461bc15475d" },
};


static void
unhex(const char *s, unsigned char *out)
{
    unsigned  c;

    while (sscanf(s, "%2x", &c) == 1) {
        *out++ = (unsigned char) c;
        s += 2;
    }
}


static void
is_hex(const unsigned char *got, size_t len, const char *expected,
    const char *set, const char *what)
{
    size_t  i;
    char    hex[65];

    for (i = 0; i < len; i++) {
        snprintf(hex + 2 * i, 3, "%02x", got[i]);
    }

    ok(strcmp(hex, expected) == 0, "%s: %s is %s", set, what, hex);
}


static void
test_set(const set_t *s)
{
    unsigned char       k[16], rand[16], sqn[6], amf[2], op[16], opc[16];
    unsigned char       mac_a[8], mac_s[8];
    ngx_ims_aka_keys_t  keys;

    unhex(s->k, k);
    unhex(s->rand, rand);
    unhex(s->sqn, sqn);
    unhex(s->amf, amf);
    unhex(s->op, op);

    is_int(ngx_ims_aka_opc(k, op, opc), NGX_IMS_OK, s->name);
    is_hex(opc, 16, s->opc, s->name, "OPc");

    is_int(ngx_ims_aka_f1(k, opc, rand, sqn, amf, mac_a, mac_s), NGX_IMS_OK,
           s->name);
    is_hex(mac_a, 8, s->f1, s->name, "f1");
    is_hex(mac_s, 8, s->f1_star, s->name, "f1*");

    is_int(ngx_ims_aka_f2345(k, opc, rand, &keys), NGX_IMS_OK, s->name);
    is_hex(keys.res, 8, s->f2, s->name, "f2");
    is_hex(keys.ck, 16, s->f3, s->name, "f3");
    is_hex(keys.ik, 16, s->f4, s->name, "f4");
    is_hex(keys.ak, 6, s->f5, s->name, "f5");
    is_hex(keys.ak_star, 6, s->f5_star, s->name, "f5*");
}


/* an AUTN of the network's for some SQN, with the keys of set 1 */

static unsigned char  k[16], opc[16], rand1[16], amf[2] = { 0x80, 0x00 };


static void
autn_of(uint64_t sqn, unsigned char *autn)
{
    int                 i;
    unsigned char       bytes[6], mac_s[8];
    ngx_ims_aka_keys_t  keys;

    for (i = 5; i >= 0; i--, sqn >>= 8) {
        bytes[i] = (unsigned char) sqn;
    }

    (void) ngx_ims_aka_f2345(k, opc, rand1, &keys);
    (void) ngx_ims_aka_f1(k, opc, rand1, bytes, amf, autn + 8, mac_s);

    for (i = 0; i < 6; i++) {
        autn[i] = bytes[i] ^ keys.ak[i];
    }

    memcpy(autn + 6, amf, 2);
}


static int
check(uint64_t offered, ngx_ims_aka_sqn_t *sqn, unsigned char *auts)
{
    unsigned char  autn[16];

    autn_of(offered, autn);

    return ngx_ims_aka_check(k, opc, rand1, autn, sqn, auts);
}


/* what the network reads from AUTS; 0: its MAC is wrong */

static uint64_t
sqn_of(const unsigned char *auts)
{
    int                 i;
    uint64_t            n;
    unsigned char       bytes[6], zero[2] = { 0, 0 }, mac_a[8], mac_s[8];
    ngx_ims_aka_keys_t  keys;

    (void) ngx_ims_aka_f2345(k, opc, rand1, &keys);

    for (n = 0, i = 0; i < 6; i++) {
        bytes[i] = auts[i] ^ keys.ak_star[i];
        n = n << 8 | bytes[i];
    }

    (void) ngx_ims_aka_f1(k, opc, rand1, bytes, zero, mac_a, mac_s);

    return memcmp(mac_s, auts + 6, 8) == 0 ? n : 0;
}


static void
test_check(void)
{
    unsigned char      auts[NGX_IMS_AKA_AUTS], autn[16];
    ngx_ims_aka_sqn_t  sqn;

    unhex(sets[0].k, k);
    unhex(sets[0].opc, opc);
    unhex(sets[0].rand, rand1);

    sqn = 0;
    is_int(check(0xff0000000000, &sqn, auts), NGX_IMS_OK, "the first: any");
    is_int(sqn == 0xff0000000000, 1, "kept");

    sqn = 0x1000;
    is_int(check(0x1001, &sqn, auts), NGX_IMS_OK, "the next");
    is_int(sqn, 0x1001, "kept");
    is_int(check(0x1001, &sqn, auts), NGX_IMS_MORE, "replayed");
    is_int(sqn, 0x1001, "nothing changed");
    is_int(sqn_of(auts), 0x1001, "AUTS tells the network");
    is_int(check(0x0fff, &sqn, auts), NGX_IMS_MORE, "older");
    is_int(check(0x1001 + ((uint64_t) 1 << 33), &sqn, auts), NGX_IMS_OK,
           "a jump ahead");
    sqn = 0x1001;
    is_int(check(0x1002 + ((uint64_t) 1 << 33), &sqn, auts), NGX_IMS_MORE,
           "one too far");
    is_int(sqn_of(auts), 0x1001, "AUTS tells that");

    autn_of(0x2000, autn);
    autn[15] ^= 1;
    is_int(ngx_ims_aka_check(k, opc, rand1, autn, &sqn, auts),
           NGX_IMS_INVALID, "another MAC");
    autn_of(0x0001, autn);
    autn[8] ^= 1;
    is_int(ngx_ims_aka_check(k, opc, rand1, autn, &sqn, auts),
           NGX_IMS_INVALID, "another MAC, older: no AUTS for a stranger");
    is_int(sqn, 0x1001, "nothing changed");
}


int
main(void)
{
    unsigned  i;

    for (i = 0; i < sizeof(sets) / sizeof(sets[0]); i++) {
        test_set(&sets[i]);
    }

    test_check();

    return done_testing();
}
