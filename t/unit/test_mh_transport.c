
/*
 * Copyright (C) the IMS portal authors
 */


/*
 * A browser's transport that gets its keys, and no memory for their SRTP: it
 * has failed, nothing passes, and its DTLS is released all the same.
 */


#include <stdlib.h>

#include "mh_srtp.h"

static int fails(struct mh_srtp **sp, enum mh_srtp_direction direction,
    unsigned profile, const uint8_t *key, const uint8_t *salt);

#define mh_srtp_alloc  fails

#include "mh_transport.c"

#undef mh_srtp_alloc

#include "tap.h"


static int  countdown;              /* allocations that still succeed */
static int  told;                   /* by the state handler */


static int
fails(struct mh_srtp **sp, enum mh_srtp_direction direction, unsigned profile,
    const uint8_t *key, const uint8_t *salt)
{
    if (countdown-- <= 0) {
        return ENOMEM;
    }

    return mh_srtp_alloc(sp, direction, profile, key, salt);
}


static void
media_h(uint8_t *buf, size_t len, bool rtcp, void *arg)
{
    (void) buf;
    (void) len;
    (void) rtcp;
    (void) arg;
}


static void
state_h(int err, const char *reason, void *arg)
{
    (void) reason;
    (void) arg;

    told = err;
}


/* keys for the first time, or for another association; n allocations go well */

static void
test(struct mh_web *web, bool again, int n)
{
    struct mh_dtls       *dtls;
    struct mh_dtls_keys   keys;
    struct mh_transport  *t;

    memset(&keys, 0x5a, sizeof(keys));
    keys.profile = MH_SRTP_AEAD_AES_128_GCM;
    t = NULL;
    dtls = NULL;

    if (mh_transport_alloc(&t, web, media_h, state_h, NULL) != 0
        || mh_dtls_alloc(&dtls, web->dtls, MH_DTLS_PASSIVE,
                         &mh_transport_dtls_handlers, t) != 0)
    {
        exit(1);
    }

    mh_transport_dtls_set(t, MH_DTLS_PASSIVE, dtls);
    ok(list_head(&web->busy) != NULL, "DTLS is on its way");

    if (again) {
        countdown = 2;
        mh_transport_estab_h(&keys, t);
        ok(t->state == MH_TRANSPORT_UP && t->rx && t->tx && told == 0,
           "keys");
    }

    told = 0;
    countdown = n;
    mh_transport_estab_h(&keys, t);

    is_int(told, ENOMEM, "no memory for keys");
    ok(t->state == MH_TRANSPORT_FAILED && t->rx == NULL && t->tx == NULL,
       "nothing passes");
    ok(list_head(&web->busy) != NULL, "DTLS may be asked to repeat itself");

    mh_transport_tick(t, mh_clock() + MH_WEB_RELEASE_MS + 1);
    ok(list_head(&web->busy) == NULL, "and is released");

    mem_deref(t);
}


static void
web_destroy(void *data)
{
    struct mh_web  *web = data;

    mem_deref(web->ufrags);
    mem_deref(web->paths);
    mem_deref(web->dtls);
}


int
main(void)
{
    struct mh_web  *web;

    web = mem_zalloc(sizeof(*web), web_destroy);

    if (web == NULL || hash_alloc(&web->ufrags, 16) != 0
        || hash_alloc(&web->paths, 16) != 0
        || mh_dtls_ctx_alloc(&web->dtls) != 0)
    {
        return 1;
    }

    test(web, false, 0);
    test(web, false, 1);
    test(web, true, 0);
    test(web, true, 1);

    mem_deref(web);

    return done_testing();
}
