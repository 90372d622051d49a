
/*
 * Copyright (C) the IMS portal authors
 */


/*
 * The ICE-lite agent: requests are made with libre's encoder, replies read
 * with its decoder.  What RFC 8445 7.3 and RFC 8489 9.1.3 say about each
 * kind of request, consent and nomination, every truncation and every
 * flipped bit.
 */


#include <arpa/inet.h>

#include "tap.h"
#include "mh_ice.h"


#define CONTROLLING  STUN_ATTR_CONTROLLING
#define CONTROLLED   STUN_ATTR_CONTROLLED


static struct mh_ice        agent;
static struct sa            mary;
static struct sa            other;
static unsigned             finds;
static uint8_t              tid[12] = { 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12 };

static uint8_t              reply[MH_ICE_REPLY_MAX];
static size_t               replyn;
static struct mh_ice_event  ev;


static struct mh_ice *
find_agent(const struct pl *ufrag, void *arg)
{
    finds++;

    if (arg != &agent) {
        return NULL;
    }

    return pl_strcmp(ufrag, agent.ufrag) == 0 ? &agent : NULL;
}


/* a request; user and pwd may be NULL */

static struct mbuf *
request(const char *user, const char *pwd, uint16_t role, bool nominate,
    bool fingerprint)
{
    int          err;
    uint32_t     prio;
    uint64_t     tie;
    struct mbuf *mb;

    prio = 1853824767;
    tie = 0x1122334455667788ULL;
    mb = mbuf_alloc(256);

    /* no two checks are the same */

    tid[11]++;

    err = stun_msg_encode(mb, STUN_METHOD_BINDING, STUN_CLASS_REQUEST, tid,
                          NULL, (const uint8_t *) pwd,
                          pwd ? strlen(pwd) : 0, fingerprint, 0, 4,
                          STUN_ATTR_USERNAME, user,
                          STUN_ATTR_PRIORITY, &prio,
                          role, &tie,
                          STUN_ATTR_USE_CAND, nominate ? &prio : NULL);
    if (err) {
        diag("cannot encode: %d", err);
    }

    return mb;
}


static int
input(const uint8_t *p, size_t len, const struct sa *src, uint64_t now)
{
    return mh_ice_input(p, len, src, now, find_agent, &agent, reply,
                        sizeof(reply), &replyn, &ev);
}


static int
input_mb(struct mbuf *mb, const struct sa *src, uint64_t now)
{
    int  err;

    err = input(mb->buf, mb->end, src, now);
    mem_deref(mb);

    return err;
}


/* checks the reply: class, error code, integrity, fingerprint, address */

static void
is_reply(uint16_t class, uint16_t code, const char *pwd,
    const struct sa *mapped, const char *name)
{
    int                err, good;
    struct mbuf       *mb;
    struct stun_msg   *msg;
    struct stun_attr  *attr;

    msg = NULL;
    mb = mbuf_alloc(512);
    mbuf_write_mem(mb, reply, replyn);
    mb->pos = 0;

    err = stun_msg_decode(&msg, mb, NULL);
    good = (err == 0 && stun_msg_class(msg) == class
            && stun_msg_chk_fingerprint(msg) == 0
            && memcmp(stun_msg_tid(msg), tid, 12) == 0);

    attr = stun_msg_attr(msg, STUN_ATTR_ERR_CODE);
    good = good && (code ? (attr && attr->v.err_code.code == code)
                         : attr == NULL);

    if (pwd) {
        good = good && stun_msg_chk_mi(msg, (const uint8_t *) pwd,
                                       strlen(pwd)) == 0;

    } else {
        good = good && stun_msg_attr(msg, STUN_ATTR_MSG_INTEGRITY) == NULL;
    }

    if (mapped) {
        attr = stun_msg_attr(msg, STUN_ATTR_XOR_MAPPED_ADDR);
        good = good && attr && sa_cmp(&attr->v.sa, mapped, SA_ALL);
    }

    ok(good, "%s", name);

    mem_deref(msg);
    mem_deref(mb);
}


static char *
username(const char *remote)
{
    static char  buf[600];

    snprintf(buf, sizeof(buf), "%s:%s", agent.ufrag, remote);

    return buf;
}


/* unguessable, and new for each agent (SD-5, RFC 8839 5.4) */

static void
test_random(void)
{
    char           buf[257];
    struct mh_ice  a, b;

    is_int(mh_ice_start(&a, 1), 0, "an agent starts");
    is_int(mh_ice_start(&b, 1), 0, "another");
    is_int(strlen(a.ufrag), MH_ICE_UFRAG_LEN, "length of the ufrag");
    is_int(strlen(a.pwd), MH_ICE_PWD_LEN, "length of the password");
    ok(strcmp(a.pwd, b.pwd) != 0 && strcmp(a.ufrag, b.ufrag) != 0,
       "they are not the same");
    is_int(mh_ice_random(buf, 0), EINVAL, "no characters");
    is_int(mh_ice_random(buf, 257), EINVAL, "too many");
    is_int(mh_ice_random(buf, 256), 0, "the most");
    is_int(strspn(buf, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
                  "0123456789+/"), 256, "all of the alphabet of ICE");
}


static void
test_success(void)
{
    struct sa  six;

    mh_ice_start(&agent, 1000);
    finds = 0;

    is_int(input_mb(request(username("Br0w"), agent.pwd, CONTROLLING, false,
                            true), &mary, 1500), 0, "a check");
    is_reply(STUN_CLASS_SUCCESS_RESP, 0, agent.pwd, &mary, "is answered");
    is_int(finds, 1, "one look for the agent");
    ok(ev.ice == &agent && ev.authentic && !ev.nominated && !ev.selected,
       "authentic, not nominated");
    is_int(ev.priority, 1853824767, "its priority");
    ok(!agent.selected, "nothing selected");
    is_int(agent.heard, 1500, "consent before a selection");

    is_int(input_mb(request(username("Br0w"), agent.pwd, CONTROLLING, true,
                            true), &mary, 2000), 0, "USE-CANDIDATE");
    ok(ev.nominated && ev.selected && agent.selected
       && sa_cmp(&agent.peer, &mary, SA_ALL), "selects the source");

    input_mb(request(username("Br0w"), agent.pwd, CONTROLLING, true, true),
             &mary, 2500);
    ok(ev.nominated && !ev.selected, "again: no change");
    is_int(agent.heard, 2500, "but consent");

    input_mb(request(username("Br0w"), agent.pwd, CONTROLLING, false, true),
             &other, 2700);
    ok(ev.authentic && !ev.selected, "a check from another source");
    is_int(agent.heard, 2500, "is no consent for the selected one");

    input_mb(request(username("Br0w"), agent.pwd, CONTROLLING, true, true),
             &other, 2800);
    ok(ev.nominated && !ev.selected && sa_cmp(&agent.peer, &mary, SA_ALL),
       "a later nomination is told");
    is_int(agent.heard, 2500, "and no consent for the selected one");
    mh_ice_select(&agent, &other, 2800);
    ok(sa_cmp(&agent.peer, &other, SA_ALL) && agent.heard == 2800,
       "to be followed by the caller");

    sa_set_str(&six, "2001:db8::7", 54321);
    is_int(input_mb(request(username("Br0w"), agent.pwd, CONTROLLING, true,
                            true), &six, 2900), 0, "IPv6");
    is_reply(STUN_CLASS_SUCCESS_RESP, 0, agent.pwd, &six,
             "its address is XORed with the transaction");

    tid[11]--;
    is_int(input_mb(request(username("Br0w"), agent.pwd, CONTROLLING, true,
                            true), &mary, 2950), EALREADY,
           "the same check from elsewhere is a replay");
    ok(sa_cmp(&agent.peer, &other, SA_ALL) && agent.heard == 2800
       && !ev.authentic, "that changes nothing");
    tid[11]--;
    is_int(input_mb(request(username("Br0w"), agent.pwd, CONTROLLING, true,
                            true), &six, 3000), 0,
           "from where it came it is a retransmission");
}


/* ME-3 */

static void
test_errors(void)
{
    struct mbuf  *mb;

    mh_ice_start(&agent, 1000);

    input_mb(request(NULL, agent.pwd, CONTROLLING, false, true), &mary, 2000);
    is_reply(STUN_CLASS_ERROR_RESP, 400, NULL, NULL, "no USERNAME: 400");
    input_mb(request(username("x"), NULL, CONTROLLING, false, true), &mary,
             2000);
    is_reply(STUN_CLASS_ERROR_RESP, 400, NULL, NULL, "no integrity: 400");
    input_mb(request(agent.ufrag, agent.pwd, CONTROLLING, false, true), &mary,
             2000);
    is_reply(STUN_CLASS_ERROR_RESP, 400, NULL, NULL, "no colon: 400");
    input_mb(request(":x", agent.pwd, CONTROLLING, false, true), &mary, 2000);
    is_reply(STUN_CLASS_ERROR_RESP, 401, NULL, NULL, "empty ufrag: 401");
    input_mb(request("nobody:x", agent.pwd, CONTROLLING, false, true), &mary,
             2000);
    is_reply(STUN_CLASS_ERROR_RESP, 401, NULL, NULL, "unknown ufrag: 401");
    input_mb(request(username("x"), "0123456789012345678901", CONTROLLING,
                     true, true), &mary, 2000);
    is_reply(STUN_CLASS_ERROR_RESP, 401, NULL, NULL, "wrong password: 401");
    ok(!agent.selected && ev.error == 401 && !ev.authentic,
       "and nothing is nominated");

    input_mb(request(username("x"), agent.pwd, CONTROLLED, true, true), &mary,
             2000);
    is_reply(STUN_CLASS_ERROR_RESP, 487, agent.pwd, NULL,
             "controlled, as we are: 487, signed");
    ok(!agent.selected && agent.heard == 1000, "no consent from an error");

    mh_ice_remote(&agent, &(struct pl) PL("Br0w"));
    input_mb(request(username("evil"), agent.pwd, CONTROLLING, true, true),
             &mary, 2000);
    is_reply(STUN_CLASS_ERROR_RESP, 401, NULL, NULL, "other ufrag: 401");
    input_mb(request(username("Br0w"), agent.pwd, CONTROLLING, true, true),
             &mary, 2000);
    is_int(ev.error, 0, "the right one");

    /* an attribute that must be understood and is not: type 0x0031 */

    mb = request(username("Br0w"), agent.pwd, CONTROLLING, false, false);
    {
        uint8_t      mi[20];
        uint32_t     crc;
        struct mbuf *m2;

        m2 = mbuf_alloc(256);
        mbuf_write_mem(m2, mb->buf, mb->end - 24);
        mbuf_write_mem(m2, (const uint8_t *) "\x00\x31\x00\x00", 4);
        m2->buf[3] = (uint8_t) (m2->end - 20 + 24);
        hmac_sha1((const uint8_t *) agent.pwd, strlen(agent.pwd), m2->buf,
                  m2->end, mi, sizeof(mi));
        mbuf_write_mem(m2, (const uint8_t *) "\x00\x08\x00\x14", 4);
        mbuf_write_mem(m2, mi, 20);
        m2->buf[3] = (uint8_t) (m2->end - 20 + 8);
        crc = (uint32_t) crc32(0, m2->buf, (unsigned) m2->end) ^ 0x5354554e;
        mbuf_write_mem(m2, (const uint8_t *) "\x80\x28\x00\x04", 4);
        mbuf_write_u32(m2, htonl(crc));
        mem_deref(mb);

        is_int(input_mb(m2, &mary, 3000), 0, "an unknown attribute");
    }
    is_reply(STUN_CLASS_ERROR_RESP, 420, agent.pwd, NULL, "420");
    ok(agent.refused == 4, "refusals are counted (%u)", agent.refused);
}


static void
test_dropped(void)
{
    struct mbuf  *mb;

    mh_ice_start(&agent, 1000);

    ok(input_mb(request(username("x"), agent.pwd, CONTROLLING, true, false),
                &mary, 2000) == EBADMSG && replyn == 0,
       "no fingerprint: dropped");

    mb = mbuf_alloc(64);
    stun_msg_encode(mb, STUN_METHOD_BINDING, STUN_CLASS_INDICATION, tid, NULL,
                    NULL, 0, true, 0, 0);
    ok(input_mb(mb, &mary, 2000) == ENOSYS && replyn == 0,
       "an indication: dropped");

    mb = mbuf_alloc(64);
    stun_msg_encode(mb, STUN_METHOD_ALLOCATE, STUN_CLASS_REQUEST, tid, NULL,
                    NULL, 0, true, 0, 0);
    ok(input_mb(mb, &mary, 2000) == ENOSYS && replyn == 0,
       "another method: dropped");

    mb = request(username("x"), agent.pwd, CONTROLLING, true, true);
    mb->pos = mb->end;
    mbuf_write_u32(mb, 0);
    ok(input_mb(mb, &mary, 2000) == EBADMSG && replyn == 0,
       "bytes behind the message: dropped");

    mb = request(username("x"), agent.pwd, CONTROLLING, true, true);
    ok(mh_ice_input(mb->buf, mb->end, &mary, 1, find_agent, &agent, reply, 10,
                    &replyn, &ev) == ENOMEM && replyn == 0,
       "no room for the reply");
    mem_deref(mb);
}


/* whatever is cut off or changed on the way: it never counts as authentic */

static void
test_damage(void)
{
    size_t          i, len;
    unsigned        cut, flipped;
    uint8_t        *copy;
    struct mbuf    *mb;

    mh_ice_start(&agent, 1000);
    mb = request(username("Br0w"), agent.pwd, CONTROLLING, true, true);
    len = mb->end;

    for (cut = 0, i = 0; i < len; i++) {
        copy = guarded_copy(mb->buf, i);
        cut += (input(copy, i, &mary, 2000) == 0);
        guarded_free(copy, i);
    }

    is_int(cut, 0, "every truncation is dropped");

    for (flipped = 0, i = 0; i < len * 8; i++) {
        copy = guarded_copy(mb->buf, len);
        copy[i / 8] ^= (uint8_t) (1 << i % 8);
        (void) input(copy, len, &mary, 2000);
        flipped += ev.authentic;
        guarded_free(copy, len);
    }

    is_int(flipped, 0, "every flipped bit is noticed");
    ok(!agent.selected && agent.heard == 1000, "the agent is as before");

    copy = guarded_copy(mb->buf, len);
    is_int(input(copy, len, &mary, 2000), 0, "undamaged it works");
    guarded_free(copy, len);
    mem_deref(mb);
}


static void
test_life(void)
{
    char           pwd[MH_ICE_PWD_LEN + 1], longer[300];
    struct pl      pl;
    struct mh_ice  a;

    mh_ice_start(&a, 1000);
    ok(!mh_ice_expired(&a, 1000), "fresh");
    ok(!mh_ice_expired(&a, 500), "a clock that went back");
    ok(!mh_ice_expired(&a, 1000 + MH_ICE_CONSENT_MS), "just in time");
    ok(mh_ice_expired(&a, 1001 + MH_ICE_CONSENT_MS), "30 s of silence");

    a.selected = true;
    mh_ice_remote(&a, &(struct pl) PL("abcd"));
    memcpy(pwd, a.pwd, sizeof(pwd));
    is_int(mh_ice_restart(&a), 0, "restart");
    ok(strcmp(pwd, a.pwd) != 0, "has new credentials");
    ok(a.selected && a.rufrag[0] == '\0' && !mh_ice_expired(&a, 1000),
       "keeps the peer, wants a new remote ufrag");
    ok(mh_ice_expired(&a, 90000), "is no consent");

    memset(longer, 'u', sizeof(longer));
    pl.p = longer;
    pl.l = 257;
    is_int(mh_ice_remote(&a, &pl), EINVAL, "a remote ufrag too long");
    pl.l = 0;
    is_int(mh_ice_remote(&a, &pl), EINVAL, "none");
    pl.l = 256;
    is_int(mh_ice_remote(&a, &pl), 0, "the longest");
    is_int(strlen(a.rufrag), 256, "whole");
}


/* RFC 8489 14.5: what stands behind MESSAGE-INTEGRITY is anybody's */

static void
test_appended(void)
{
    char          user[64];
    uint32_t      crc;
    struct mbuf  *mb;

    mh_ice_start(&agent, 0);
    (void) re_snprintf(user, sizeof(user), "%s:mary", agent.ufrag);

    mb = request(user, agent.pwd, CONTROLLING, false, false);
    mb->pos = mb->end;

    mbuf_write_u16(mb, htons(STUN_ATTR_USE_CAND));
    mbuf_write_u16(mb, 0);

    mb->pos = 2;
    mbuf_write_u16(mb, htons((uint16_t) (mb->end - 20 + 8)));

    crc = crc32(0, mb->buf, (uint32_t) mb->end) ^ 0x5354554e;

    mb->pos = mb->end;
    mbuf_write_u16(mb, htons(STUN_ATTR_FINGERPRINT));
    mbuf_write_u16(mb, htons(4));
    mbuf_write_u32(mb, htonl(crc));

    is_int(input_mb(mb, &other, 1), EBADMSG,
           "a nomination behind the integrity is refused");
    ok(!ev.nominated && !agent.selected && replyn == 0, "and has no effect");
}


int
main(void)
{
    sa_set_str(&mary, "192.0.2.7", 50000);
    sa_set_str(&other, "192.0.2.7", 50001);

    test_random();
    test_success();
    test_errors();
    test_dropped();
    test_appended();
    test_damage();
    test_life();

    return done_testing();
}
