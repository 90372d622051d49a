
/*
 * Copyright (C) the IMS portal authors
 */


/*
 * RTCP on bytes.  Header of every packet (RFC 3550 6.4.1):
 *
 *     |V=2|P|  count  |     type      |   length in words - 1   |
 *     |                  SSRC of the sender                     |
 */


#include <errno.h>
#include <string.h>

#include "mh_rtcp.h"


static uint32_t mh_rtcp_get32(const uint8_t *p);
static void mh_rtcp_put32(uint8_t *p, uint32_t value);
static bool mh_rtcp_sane(const struct mh_rtcp_pkt *pkt);
static bool mh_rtcp_passes(const struct mh_rtcp_pkt *pkt, unsigned flags);
static void mh_rtcp_note(const struct mh_rtcp_pkt *pkt,
    struct mh_rtcp_seen *seen);
static unsigned mh_rtcp_swap(uint8_t *p, uint32_t from, uint32_t to);
static unsigned mh_rtcp_swap_packet(uint8_t *p,
    const struct mh_rtcp_pkt *pkt, uint32_t from, uint32_t to);
static unsigned mh_rtcp_swap_sdes(uint8_t *p, const struct mh_rtcp_pkt *pkt,
    uint32_t from, uint32_t to);


static uint32_t
mh_rtcp_get32(const uint8_t *p)
{
    return (uint32_t) p[0] << 24 | (uint32_t) p[1] << 16
           | (uint32_t) p[2] << 8 | p[3];
}


static void
mh_rtcp_put32(uint8_t *p, uint32_t value)
{
    p[0] = (uint8_t) (value >> 24);
    p[1] = (uint8_t) (value >> 16);
    p[2] = (uint8_t) (value >> 8);
    p[3] = (uint8_t) value;
}


int
mh_rtcp_next(const uint8_t *p, size_t len, size_t *pos,
    struct mh_rtcp_pkt *pkt)
{
    size_t          left;
    const uint8_t  *q;

    if (*pos >= len) {
        return ENOENT;
    }

    q = p + *pos;
    left = len - *pos;

    if (left < 4 || q[0] >> 6 != 2 || q[1] < 192 || q[1] > 223) {
        return EBADMSG;
    }

    pkt->p = q;
    pkt->len = 4 * ((size_t) (q[2] << 8 | q[3]) + 1);
    pkt->type = q[1];
    pkt->count = q[0] & 0x1f;

    if (pkt->len > left) {
        return EBADMSG;
    }

    pkt->ssrc = (pkt->len >= 8) ? mh_rtcp_get32(q + 4) : 0;
    pkt->media = 0;

    if ((pkt->type == MH_RTCP_RTPFB || pkt->type == MH_RTCP_PSFB)
        && pkt->len >= 12)
    {
        pkt->media = mh_rtcp_get32(q + 8);
    }

    *pos += pkt->len;

    return 0;
}


/* whether a packet is as long as its type and count say */

static bool
mh_rtcp_sane(const struct mh_rtcp_pkt *pkt)
{
    size_t   pad, need;

    pad = 0;

    if (pkt->p[0] & 0x20) {
        pad = pkt->p[pkt->len - 1];

        if (pad == 0 || pad % 4 || pad > pkt->len - 4) {
            return false;
        }
    }

    switch (pkt->type) {

    case MH_RTCP_SR:
        need = 28 + 24 * (size_t) pkt->count;
        break;

    case MH_RTCP_RR:
        need = 8 + 24 * (size_t) pkt->count;
        break;

    case MH_RTCP_SDES:
        need = 4 + 8 * (size_t) pkt->count;
        break;

    case MH_RTCP_BYE:
        need = 4 + 4 * (size_t) pkt->count;
        break;

    case MH_RTCP_APP:
    case MH_RTCP_RTPFB:
    case MH_RTCP_PSFB:
        need = 12;
        break;

    default:
        need = 4;
    }

    return pkt->len - pad >= need;
}


int
mh_rtcp_check(const uint8_t *p, size_t len, bool reduced)
{
    int                 err;
    size_t              pos;
    unsigned            n;
    struct mh_rtcp_pkt  pkt;

    if (len == 0 || len % 4) {
        return EBADMSG;
    }

    pos = 0;

    for (n = 0; (err = mh_rtcp_next(p, len, &pos, &pkt)) == 0; n++) {

        if (n == MH_RTCP_MAX_PACKETS || !mh_rtcp_sane(&pkt)) {
            return EBADMSG;
        }

        if (n == 0 && !reduced && pkt.type != MH_RTCP_SR
            && pkt.type != MH_RTCP_RR)
        {
            return EBADMSG;
        }

        /* only the last one is padded (RFC 3550 6.4.1) */

        if ((pkt.p[0] & 0x20) && pos != len) {
            return EBADMSG;
        }
    }

    return (err == ENOENT) ? 0 : EBADMSG;
}


static bool
mh_rtcp_passes(const struct mh_rtcp_pkt *pkt, unsigned flags)
{
    switch (pkt->type) {

    case MH_RTCP_SR:
    case MH_RTCP_RR:
    case MH_RTCP_SDES:
    case MH_RTCP_BYE:
    case MH_RTCP_APP:
        return true;

    case MH_RTCP_RTPFB:
        return (flags & MH_RTCP_TO_AVPF) && pkt->count == MH_RTCP_FMT_NACK;

    case MH_RTCP_PSFB:
        return (flags & MH_RTCP_TO_AVPF)
               && (pkt->count == MH_RTCP_FMT_PLI
                   || pkt->count == MH_RTCP_FMT_FIR);

    default:
        return false;
    }
}


static void
mh_rtcp_note(const struct mh_rtcp_pkt *pkt, struct mh_rtcp_seen *seen)
{
    if (pkt->type == MH_RTCP_SR) {
        seen->sr = true;

    } else if (pkt->type == MH_RTCP_RR) {
        seen->rr = true;

    } else if (pkt->type == MH_RTCP_BYE) {
        seen->bye = true;

    } else if (pkt->type == MH_RTCP_RTPFB
               && pkt->count == MH_RTCP_FMT_NACK)
    {
        seen->nack = true;
        seen->media = pkt->media;

    } else if (pkt->type == MH_RTCP_PSFB && pkt->count == MH_RTCP_FMT_PLI) {
        seen->pli = true;
        seen->media = pkt->media;

    } else if (pkt->type == MH_RTCP_PSFB && pkt->count == MH_RTCP_FMT_FIR
               && pkt->len >= MH_RTCP_FIR_SIZE)
    {
        /* the header's media source is 0; the entry has it (RFC 5104) */

        seen->fir = true;
        seen->media = mh_rtcp_get32(pkt->p + 12);
        seen->fir_seq = pkt->p[16];
    }
}


int
mh_rtcp_filter(uint8_t *p, size_t *len, size_t size, unsigned flags,
    struct mh_rtcp_seen *seen)
{
    int                 err;
    size_t              pos, n;
    struct mh_rtcp_pkt  pkt;

    memset(seen, 0, sizeof(*seen));

    /* first look only, so that a bad datagram stays as it came */

    pos = 0;

    while ((err = mh_rtcp_next(p, *len, &pos, &pkt)) == 0) {

        if (!mh_rtcp_sane(&pkt)) {
            return EBADMSG;
        }
    }

    if (err != ENOENT) {
        return err;
    }

    pos = 0;
    n = 0;

    while (mh_rtcp_next(p, *len, &pos, &pkt) == 0) {

        if (pkt.p == p) {
            seen->ssrc = pkt.ssrc;
        }

        mh_rtcp_note(&pkt, seen);

        if (!mh_rtcp_passes(&pkt, flags)) {
            seen->dropped++;
            continue;
        }

        memmove(p + n, pkt.p, pkt.len);
        n += pkt.len;
    }

    if (n && !(flags & MH_RTCP_TO_RSIZE) && p[1] != MH_RTCP_SR
        && p[1] != MH_RTCP_RR)
    {
        if (n + MH_RTCP_RR_SIZE > size) {
            *len = 0;
            return EOVERFLOW;
        }

        memmove(p + MH_RTCP_RR_SIZE, p, n);
        n += mh_rtcp_rr_write(p, MH_RTCP_RR_SIZE, seen->ssrc);
    }

    *len = n;

    return 0;
}


static unsigned
mh_rtcp_swap(uint8_t *p, uint32_t from, uint32_t to)
{
    if (mh_rtcp_get32(p) != from) {
        return 0;
    }

    mh_rtcp_put32(p, to);

    return 1;
}


unsigned
mh_rtcp_ssrc_rewrite(uint8_t *p, size_t len, uint32_t from, uint32_t to)
{
    size_t              pos;
    unsigned            n;
    struct mh_rtcp_pkt  pkt;

    pos = 0;
    n = 0;

    while (mh_rtcp_next(p, len, &pos, &pkt) == 0) {

        if (mh_rtcp_sane(&pkt)) {
            n += mh_rtcp_swap_packet(p + (pkt.p - p), &pkt, from, to);
        }
    }

    return n;
}


static unsigned
mh_rtcp_swap_packet(uint8_t *p, const struct mh_rtcp_pkt *pkt, uint32_t from,
    uint32_t to)
{
    size_t    off, end;
    unsigned  i, n;

    n = 0;
    end = pkt->len - ((p[0] & 0x20) ? p[pkt->len - 1] : 0);

    switch (pkt->type) {

    case MH_RTCP_SR:
    case MH_RTCP_RR:
        n += mh_rtcp_swap(p + 4, from, to);
        off = (pkt->type == MH_RTCP_SR) ? 28 : 8;

        for (i = 0; i < pkt->count; i++) {
            n += mh_rtcp_swap(p + off + 24 * i, from, to);
        }

        break;

    case MH_RTCP_SDES:
        n += mh_rtcp_swap_sdes(p, pkt, from, to);
        break;

    case MH_RTCP_BYE:
        for (i = 0; i < pkt->count; i++) {
            n += mh_rtcp_swap(p + 4 + 4 * i, from, to);
        }

        break;

    case MH_RTCP_APP:
        n += mh_rtcp_swap(p + 4, from, to);
        break;

    case MH_RTCP_RTPFB:
    case MH_RTCP_PSFB:
        n += mh_rtcp_swap(p + 4, from, to);
        n += mh_rtcp_swap(p + 8, from, to);

        if (pkt->type == MH_RTCP_PSFB && pkt->count == MH_RTCP_FMT_FIR) {

            for (off = 12; off + 8 <= end; off += 8) {
                n += mh_rtcp_swap(p + off, from, to);
            }
        }

        break;

    default:
        break;
    }

    return n;
}


/*
 * SDES chunks: an SSRC, then items of type, length, text, ended by a zero
 * byte and filled to a word (RFC 3550 6.5).
 */

static unsigned
mh_rtcp_swap_sdes(uint8_t *p, const struct mh_rtcp_pkt *pkt, uint32_t from,
    uint32_t to)
{
    size_t    off, end;
    unsigned  i, n;

    n = 0;
    off = 4;
    end = pkt->len - ((p[0] & 0x20) ? p[pkt->len - 1] : 0);

    for (i = 0; i < pkt->count && off + 8 <= end; i++) {
        n += mh_rtcp_swap(p + off, from, to);
        off += 4;

        while (off < end && p[off] != 0) {

            if (off + 2 > end) {
                return n;
            }

            off += 2 + (size_t) p[off + 1];
        }

        off = (off + 4) & ~(size_t) 3;
    }

    return n;
}


size_t
mh_rtcp_rr_write(uint8_t *buf, size_t size, uint32_t sender)
{
    if (size < MH_RTCP_RR_SIZE) {
        return 0;
    }

    buf[0] = 0x80;
    buf[1] = MH_RTCP_RR;
    buf[2] = 0;
    buf[3] = 1;
    mh_rtcp_put32(buf + 4, sender);

    return MH_RTCP_RR_SIZE;
}


size_t
mh_rtcp_pli_write(uint8_t *buf, size_t size, uint32_t sender, uint32_t media)
{
    if (size < MH_RTCP_PLI_SIZE) {
        return 0;
    }

    buf[0] = 0x80 | MH_RTCP_FMT_PLI;
    buf[1] = MH_RTCP_PSFB;
    buf[2] = 0;
    buf[3] = 2;
    mh_rtcp_put32(buf + 4, sender);
    mh_rtcp_put32(buf + 8, media);

    return MH_RTCP_PLI_SIZE;
}


size_t
mh_rtcp_fir_write(uint8_t *buf, size_t size, uint32_t sender, uint32_t media,
    uint8_t seq)
{
    if (size < MH_RTCP_FIR_SIZE) {
        return 0;
    }

    memset(buf, 0, MH_RTCP_FIR_SIZE);

    buf[0] = 0x80 | MH_RTCP_FMT_FIR;
    buf[1] = MH_RTCP_PSFB;
    buf[3] = 4;
    mh_rtcp_put32(buf + 4, sender);
    mh_rtcp_put32(buf + 12, media);
    buf[16] = seq;

    return MH_RTCP_FIR_SIZE;
}


size_t
mh_rtcp_remb_write(uint8_t *buf, size_t size, uint32_t sender,
    uint32_t media, uint32_t rate)
{
    unsigned  exp;

    if (size < MH_RTCP_REMB_SIZE) {
        return 0;
    }

    for (exp = 0; rate >> exp > 0x3ffff; exp++) { /* void */ }

    memset(buf, 0, MH_RTCP_REMB_SIZE);

    buf[0] = 0x80 | MH_RTCP_FMT_AFB;
    buf[1] = MH_RTCP_PSFB;
    buf[3] = 5;
    mh_rtcp_put32(buf + 4, sender);
    memcpy(buf + 12, "REMB", 4);
    mh_rtcp_put32(buf + 16, 1u << 24 | exp << 18 | rate >> exp);
    mh_rtcp_put32(buf + 20, media);

    return MH_RTCP_REMB_SIZE;
}


size_t
mh_rtcp_tmmbr_write(uint8_t *buf, size_t size, uint32_t sender,
    uint32_t media, uint32_t rate)
{
    unsigned  exp;

    if (size < MH_RTCP_TMMBR_SIZE) {
        return 0;
    }

    for (exp = 0; rate >> exp > 0x1ffff; exp++) { /* void */ }

    memset(buf, 0, MH_RTCP_TMMBR_SIZE);

    buf[0] = 0x80 | MH_RTCP_FMT_TMMBR;
    buf[1] = MH_RTCP_RTPFB;
    buf[3] = 4;
    mh_rtcp_put32(buf + 4, sender);
    mh_rtcp_put32(buf + 12, media);
    mh_rtcp_put32(buf + 16, exp << 26 | (rate >> exp) << 9
                            | MH_RTCP_TMMBR_OVERHEAD);

    return MH_RTCP_TMMBR_SIZE;
}


void
mh_rtcp_nack_init(struct mh_rtcp_nack *nack, uint8_t *buf, size_t size,
    uint32_t sender, uint32_t media)
{
    nack->p = buf;
    nack->size = size;
    nack->len = 0;

    if (size < 16) {
        return;
    }

    buf[0] = 0x80 | MH_RTCP_FMT_NACK;
    buf[1] = MH_RTCP_RTPFB;
    mh_rtcp_put32(buf + 4, sender);
    mh_rtcp_put32(buf + 8, media);
    nack->len = 12;
}


void
mh_rtcp_nack_add(struct mh_rtcp_nack *nack, uint16_t seq)
{
    uint8_t   *p;
    uint16_t   step, blp;

    if (nack->len > 12) {
        p = nack->p + nack->len - 4;
        step = (uint16_t) (seq - (uint16_t) (p[0] << 8 | p[1]));

        if (step == 0) {
            return;
        }

        if (step <= 16) {
            blp = (uint16_t) (p[2] << 8 | p[3] | 1 << (step - 1));
            p[2] = (uint8_t) (blp >> 8);
            p[3] = (uint8_t) blp;
            return;
        }
    }

    if (nack->len == 0 || nack->len + 4 > nack->size) {
        return;
    }

    mh_rtcp_put32(nack->p + nack->len, (uint32_t) seq << 16);
    nack->len += 4;
}


size_t
mh_rtcp_nack_end(struct mh_rtcp_nack *nack)
{
    size_t  words;

    if (nack->len <= 12) {
        return 0;
    }

    words = nack->len / 4 - 1;
    nack->p[2] = (uint8_t) (words >> 8);
    nack->p[3] = (uint8_t) words;

    return nack->len;
}
