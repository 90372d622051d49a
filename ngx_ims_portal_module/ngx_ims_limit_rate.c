/*
 * Copyright (C) the IMS portal authors
 *
 * Rates, the key of an address, and what the limits are called.  A rate is one
 * word: the time at which all that was taken is paid for (GCRA, ITU-T I.371);
 * workers change it by compare-and-set.  No timers.
 */


#include "ngx_ims_limit.h"


/* us that the time of a worker, as it was when it woke, may be behind others */
#define NGX_IMS_LIMIT_SKEW  1000000


static struct {
    const char               *name;
    const char               *words;
} ngx_ims_limit_names[NGX_IMS_LIMITED_N] = {
    { "address_sockets", "too many sockets" },
    { "address_unverified", "too many sockets without a token" },
    { "address_handshakes", "too many handshakes" },
    { "address_sessions", "too many requests" },
    { "user_sockets", "too many sockets" },
    { "user_handshakes", "too many handshakes" },
    { "user_sessions", "too many requests" },
    { "pool_sockets", "too many sockets of the pool" },
    { "messages", "too many messages" },
    { "registers", "too many registrations" },
    { "invites", "too many calls begun" },
    { "floods", "does not heed a limit" },
    { "frames", "too many frames" },
    { "message_size", "message too big" },
    { "message_timeout", "message too slow" },
    { "send_buffer", "reads too slowly" },
    { "send_timeout", "does not read" },
    { "requests", "too many requests under way" },
    { "waiting", "too many messages wait for the media helper" },
    { "dialogs", "too many dialogs" },
    { "transactions", "too many transactions" },
    { "core_requests", "too many requests at the core" },
    { "pool_zone", "no room in the zone of the pool" },
    { "zone", "no room to count" }
};


ngx_msec_t
ngx_ims_limit_take(ngx_atomic_t *word, ngx_ims_rate_t *rate)
{
    ngx_atomic_int_t   ahead, most;
    ngx_atomic_uint_t  now, full;

    if (rate->interval == 0) {
        return 0;
    }

    now = (ngx_atomic_uint_t) ngx_current_msec * 1000;
    most = rate->interval * rate->burst;

    for ( ;; ) {
        full = *word;
        ahead = (ngx_atomic_int_t) (full - now);

        /*
         * paid for; or from before the rate was changed, or the word has gone
         * round
         */

        if (ahead < 0
            || ahead > most + (ngx_atomic_int_t) rate->interval
                       + NGX_IMS_LIMIT_SKEW)
        {
            ahead = 0;
        }

        if (ahead > most) {
            return (ahead - most + 999) / 1000;
        }

        if (ngx_atomic_cmp_set(word, full, now + ahead + rate->interval)) {
            return 0;
        }
    }
}


ngx_int_t
ngx_ims_limit_address(struct sockaddr *sa, ngx_ims_limit_key_t *key)
{
    struct sockaddr_in   *sin;
#if (NGX_HAVE_INET6)
    struct sockaddr_in6  *sin6;
#endif

    ngx_memzero(key, sizeof(ngx_ims_limit_key_t));

    key->kind = NGX_IMS_LIMIT_ADDRESS;

    switch (sa->sa_family) {

    case AF_INET:
        sin = (struct sockaddr_in *) sa;
        ngx_memcpy(key->data + 12, &sin->sin_addr, 4);
        return NGX_OK;

#if (NGX_HAVE_INET6)
    case AF_INET6:
        sin6 = (struct sockaddr_in6 *) sa;

        if (IN6_IS_ADDR_V4MAPPED(&sin6->sin6_addr)) {
            ngx_memcpy(key->data + 12, &sin6->sin6_addr.s6_addr[12], 4);

        } else {
            ngx_memcpy(key->data, &sin6->sin6_addr, 8);
            key->data[8] = 64;
        }

        return NGX_OK;
#endif

    default:
        return NGX_DECLINED;
    }
}


const char *
ngx_ims_limit_name(ngx_uint_t what)
{
    return ngx_ims_limit_names[what].name;
}


const char *
ngx_ims_limit_words(ngx_uint_t what)
{
    return ngx_ims_limit_names[what].words;
}
