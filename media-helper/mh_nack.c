
/*
 * Copyright (C) the IMS portal authors
 */


/*
 * Owns a ring of bytes and an index by sequence number.  A position counts
 * all bytes ever written; what is more than the ring's size behind the end
 * was overwritten.  No timer.
 */


#include <stdint.h>
#include <string.h>

#include <re.h>

#include "mh_nack.h"


struct mh_nack_entry {
    uint64_t  pos;
    uint64_t  at;               /* ms; when it was sent last */
    uint64_t  put;              /* ms; 0 = empty */
    uint32_t  ssrc;
    unsigned  keys;
    uint16_t  len;
    uint16_t  seq;
    uint8_t   times;
};


struct mh_nack {
    uint64_t              end;
    size_t                credit;
    struct mh_nack_entry  index[MH_NACK_PACKETS];
    uint8_t               ring[MH_NACK_BYTES];
};


struct mh_nack *
mh_nack_alloc(void)
{
    struct mh_nack  *n;

    n = mem_alloc(sizeof(*n), NULL);

    if (n != NULL) {

        /* the ring's pages are touched when they are written */

        n->end = 0;
        n->credit = MH_NACK_CREDIT;
        memset(n->index, 0, sizeof(n->index));
    }

    return n;
}


size_t
mh_nack_size(void)
{
    return sizeof(struct mh_nack);
}


void
mh_nack_put(struct mh_nack *n, const uint8_t *p, size_t len, unsigned keys,
    uint64_t now)
{
    size_t                 at;
    uint16_t               seq;
    struct mh_nack_entry  *e;

    if (len < 12 || len > MH_NACK_LONGEST) {
        return;
    }

    at = n->end % MH_NACK_BYTES;

    if (at + len > MH_NACK_BYTES) {
        n->end += MH_NACK_BYTES - at;
        at = 0;
    }

    seq = (uint16_t) (p[2] << 8 | p[3]);
    e = &n->index[seq % MH_NACK_PACKETS];

    e->pos = n->end;
    e->at = now;
    e->put = now ? now : 1;
    e->ssrc = (uint32_t) p[8] << 24 | (uint32_t) p[9] << 16
              | (uint32_t) p[10] << 8 | p[11];
    e->keys = keys;
    e->len = (uint16_t) len;
    e->seq = seq;
    e->times = 0;

    memcpy(n->ring + at, p, len);
    n->end += len;

    n->credit += len / 2;

    if (n->credit > MH_NACK_CREDIT) {
        n->credit = MH_NACK_CREDIT;
    }
}


enum mh_nack_result
mh_nack_get(struct mh_nack *n, uint32_t ssrc, uint16_t seq, unsigned keys,
    uint64_t now, const uint8_t **p, size_t *len)
{
    struct mh_nack_entry  *e;

    e = &n->index[seq % MH_NACK_PACKETS];

    if (e->put == 0 || e->seq != seq || e->ssrc != ssrc || e->keys != keys
        || n->end - e->pos > MH_NACK_BYTES || now > e->put + MH_NACK_AGE)
    {
        return MH_NACK_GONE;
    }

    if (e->times == MH_NACK_TIMES || n->credit < e->len
        || (e->times && now < e->at + MH_NACK_PAUSE))
    {
        return MH_NACK_HELD;
    }

    n->credit -= e->len;
    e->times++;
    e->at = now;

    *p = n->ring + e->pos % MH_NACK_BYTES;
    *len = e->len;

    return MH_NACK_GIVEN;
}
