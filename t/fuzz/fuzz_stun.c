/* Copyright (C) the IMS portal authors */
/* FUZZ_CFLAGS: -DHAVE_STDBOOL_H -DHAVE_INET6 -I/usr/include/re */
/* FUZZ_LIBS: -lre -lz */


/*
 * Feeds the ICE-lite agent.  As random bytes have no valid FINGERPRINT, each
 * input is also tried with its length and checksum put right, and with a
 * MESSAGE-INTEGRITY of the agent's own key, so that what stands behind the
 * checks is reached.
 */


#include <stdlib.h>

#include "../../media-helper/mh_ice.c"


int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);


static struct mh_ice  agent;


static struct mh_ice *
find_agent(const struct pl *ufrag, void *arg)
{
    (void) arg;

    return pl_strcmp(ufrag, "portalXY") == 0 ? &agent : NULL;
}


static void
put16(uint8_t *p, size_t n)
{
    p[0] = (uint8_t) (n >> 8);
    p[1] = (uint8_t) n;
}


static void
feed(const uint8_t *p, size_t len)
{
    size_t               n;
    uint8_t              reply[MH_ICE_REPLY_MAX], *copy;
    struct sa            src;
    struct mh_ice_event  ev;

    sa_set_str(&src, "192.0.2.7", 50000);
    copy = malloc(len ? len : 1);

    if (len) {
        memcpy(copy, p, len);
    }

    if (mh_ice_input(copy, len, &src, 1000, find_agent, NULL, reply,
                     sizeof(reply), &n, &ev) == 0)
    {
        if (n < 28 || n > sizeof(reply) || reply[0] != 1) {
            abort();
        }

        if ((ev.error == 0) != ev.authentic) {
            abort();
        }

    } else if (n != 0 || ev.authentic) {
        abort();
    }

    free(copy);
}


int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    uint8_t   buf[1600];
    uint32_t  crc;

    memset(&agent, 0, sizeof(agent));
    memcpy(agent.ufrag, "portalXY", 9);
    memcpy(agent.pwd, "abcdefghijklmnopqrstuvwxyz", 27);

    feed(data, size);

    if (size < 20 || size > 1400) {
        return 0;
    }

    size &= ~(size_t) 3;

    memcpy(buf, data, size);
    memcpy(buf, "\x00\x01", 2);
    memcpy(buf + 4, "\x21\x12\xa4\x42", 4);

    if (data[0] & 1) {
        put16(buf + 2, size - 20 + 24);
        memcpy(buf + size, "\x00\x08\x00\x14", 4);
        hmac_sha1((const uint8_t *) agent.pwd, 26, buf, size, buf + size + 4,
                  20);
        size += 24;
    }

    put16(buf + 2, size - 20 + 8);
    crc = (uint32_t) crc32(0, buf, (unsigned) size) ^ 0x5354554e;
    memcpy(buf + size, "\x80\x28\x00\x04", 4);
    buf[size + 4] = (uint8_t) (crc >> 24);
    buf[size + 5] = (uint8_t) (crc >> 16);
    buf[size + 6] = (uint8_t) (crc >> 8);
    buf[size + 7] = (uint8_t) crc;

    feed(buf, size + 8);

    return 0;
}
