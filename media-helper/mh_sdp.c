
/*
 * Copyright (C) the IMS portal authors
 */


/*
 * Reads SDP (RFC 8866) into spans.  Every line goes once through one table
 * of attributes; what stands before the first m-line is collected in a media
 * description of its own ("session") and merged into the others at the end,
 * so that one set of handlers (mh_sdp_attr.c) serves both levels.
 */


#include <errno.h>
#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include "mh_sdp.h"
#include "mh_sdp_text.h"
#include "mh_sdp_plan.h"


struct mh_sdp_static {
    unsigned              pt;
    const char           *name;
    uint32_t              clock;
};


static int mh_sdp_line(struct mh_sdp_reader *r, const struct pl *line);
static int mh_sdp_origin(struct mh_sdp_reader *r, struct pl value);
static int mh_sdp_connection(struct mh_sdp_reader *r, struct pl value);
static int mh_sdp_bandwidth(struct mh_sdp_reader *r, struct pl value);
static int mh_sdp_m(struct mh_sdp_reader *r, struct pl value);
static int mh_sdp_formats(struct mh_sdp_reader *r, struct mh_sdp_media *m);
static int mh_sdp_merge(struct mh_sdp_reader *r);
static void mh_sdp_inherit(struct mh_sdp_media *m,
    const struct mh_sdp_media *s);


/* SD-3: all spellings that are around */

static const struct {
    const char           *name;
    enum mh_sdp_proto     proto;
}  mh_sdp_protos[] = {
    { "RTP/AVP", MH_SDP_AVP },
    { "RTP/AVPF", MH_SDP_AVPF },
    { "RTP/SAVP", MH_SDP_SAVP },
    { "RTP/SAVPF", MH_SDP_SAVPF },
    { "UDP/TLS/RTP/SAVP", MH_SDP_SAVP },
    { "UDP/TLS/RTP/SAVPF", MH_SDP_SAVPF },
    { NULL, MH_SDP_PROTO_OTHER }
};


/* RFC 3551 6: what a number means where no rtpmap says so */

static const struct mh_sdp_static  mh_sdp_statics[] = {
    { 0, "PCMU", 8000 },
    { 3, "GSM", 8000 },
    { 4, "G723", 8000 },
    { 8, "PCMA", 8000 },
    { 9, "G722", 8000 },
    { 13, "CN", 8000 },
    { 18, "G729", 8000 },
    { 31, "H261", 90000 },
    { 34, "H263", 90000 },
    { 0, NULL, 0 }
};


int
mh_sdp_parse(struct mh_sdp *sdp, const char *p, size_t len)
{
    int                   err;
    struct pl             text, line;
    struct mh_sdp_reader  r;

    memset(sdp, 0, sizeof(*sdp));
    memset(&r, 0, sizeof(r));

    if (len > MH_SDP_MAX_SIZE) {
        return EBADMSG;
    }

    sdp->text.p = p;
    sdp->text.l = len;

    r.sdp = sdp;
    r.m = &r.session;
    r.session.dir = MH_SDP_DIR_UNSET;

    text = sdp->text;

    /* an empty line or two behind the last one are seen in the wild */

    while (text.l && (text.p[text.l - 1] == '\n'
                      || text.p[text.l - 1] == '\r'))
    {
        text.l--;
    }

    while (mh_pl_line(&text, &line)) {

        if (++r.lines > MH_SDP_MAX_LINES) {
            return EBADMSG;
        }

        err = mh_sdp_surplus(sdp, &line);

        if (err == ENOENT) {
            err = mh_sdp_line(&r, &line);
        }

        if (err) {
            return err;
        }

        if (sdp->mediac && sdp->surplusc == 0) {
            r.m->lines.l = (size_t) (line.p + line.l - r.m->lines.p);
        }
    }

    if (!r.version || sdp->origin.l == 0 || sdp->mediac == 0) {
        return ENODATA;
    }

    return mh_sdp_merge(&r);
}


static int
mh_sdp_line(struct mh_sdp_reader *r, const struct pl *line)
{
    struct pl  value;

    if (!mh_pl_is_clean(line) || line->l < 2 || line->p[1] != '='
        || line->p[0] < 'a' || line->p[0] > 'z')
    {
        return EBADMSG;
    }

    value.p = line->p + 2;
    value.l = line->l - 2;

    if (!r->version) {
        r->version = true;
        return (line->p[0] == 'v' && mh_pl_is(&value, "0")) ? 0 : EBADMSG;
    }

    switch (line->p[0]) {

    case 'v':
        return EBADMSG;

    case 'o':
        return mh_sdp_origin(r, value);

    case 'c':
        return mh_sdp_connection(r, value);

    case 'b':
        return mh_sdp_bandwidth(r, value);

    case 'm':
        return mh_sdp_m(r, value);

    case 'a':
        return mh_sdp_attribute(r, value);

    default:
        return 0;
    }
}


/* o=<username> <sess-id> <sess-version> <nettype> <addrtype> <address> */

static int
mh_sdp_origin(struct mh_sdp_reader *r, struct pl value)
{
    unsigned   i;
    struct pl  rest, word[6];

    if (r->sdp->origin.l || r->sdp->mediac) {
        return EBADMSG;
    }

    rest = value;

    for (i = 0; i < 6; i++) {

        if (!mh_pl_word(&rest, &word[i])) {
            return EBADMSG;
        }
    }

    r->sdp->origin = value;

    (void) mh_pl_number(&word[1], UINT64_MAX, &r->sdp->sess_id);
    (void) mh_pl_number(&word[2], UINT64_MAX, &r->sdp->sess_ver);

    return 0;
}


/* c=IN IP4 <address>[/<ttl>[/<number>]] */

static int
mh_sdp_connection(struct mh_sdp_reader *r, struct pl value)
{
    char                  buf[INET6_ADDRSTRLEN];
    struct pl             net, type, addr, host;
    struct in_addr        in;
    struct in6_addr       in6;
    struct mh_sdp_media  *m;

    m = r->m;

    if (m->addr.l) {
        return 0;
    }

    if (!mh_pl_word(&value, &net) || !mh_pl_word(&value, &type)
        || !mh_pl_word(&value, &addr) || !mh_pl_is_nocase(&net, "IN")
        || !mh_pl_part(&addr, '/', &host) || host.l == 0)
    {
        return EBADMSG;
    }

    m->addr = host;

    if (host.l >= sizeof(buf)) {
        return 0;
    }

    memcpy(buf, host.p, host.l);
    buf[host.l] = '\0';

    if (mh_pl_is_nocase(&type, "IP4") && inet_pton(AF_INET, buf, &in) == 1) {
        m->af = AF_INET;
        m->zero_addr = (in.s_addr == INADDR_ANY);

    } else if (mh_pl_is_nocase(&type, "IP6")
               && inet_pton(AF_INET6, buf, &in6) == 1)
    {
        m->af = AF_INET6;
        m->zero_addr = IN6_IS_ADDR_UNSPECIFIED(&in6);
    }

    return 0;
}


/* b=AS:80, b=TIAS:64000 (RFC 3890); others are nobody's business here */

static int
mh_sdp_bandwidth(struct mh_sdp_reader *r, struct pl value)
{
    uint64_t   n;
    struct pl  type;

    mh_pl_part(&value, ':', &type);
    mh_pl_trim(&value);

    if (!mh_pl_number(&value, UINT32_MAX, &n)) {
        return 0;
    }

    if (mh_pl_is(&type, "AS")) {
        r->m->as = (uint32_t) n;

    } else if (mh_pl_is(&type, "TIAS")) {
        r->m->tias = (uint32_t) n;
    }

    return 0;
}


/* m=<media> <port>[/<number>] <proto> <fmt> ... */

static int
mh_sdp_m(struct mh_sdp_reader *r, struct pl value)
{
    unsigned              i;
    uint64_t              n;
    struct pl             rest, word, port;
    struct mh_sdp_media  *m;

    m = &r->sdp->media[r->sdp->mediac++];

    m->line = value;
    m->lines.p = value.p + value.l;
    m->dir = MH_SDP_DIR_UNSET;
    m->format = r->sdp->formatc;

    r->m = m;
    rest = value;

    if (!mh_pl_word(&rest, &m->kind_text) || !mh_pl_word(&rest, &word)
        || !mh_pl_part(&word, '/', &port) || !mh_pl_number(&port, 65535, &n)
        || !mh_pl_word(&rest, &m->proto_text))
    {
        return EBADMSG;
    }

    m->port = (uint16_t) n;

    mh_pl_trim(&rest);
    m->formats = rest;

    if (mh_pl_is(&m->kind_text, "audio")) {
        m->kind = MH_SDP_AUDIO;

    } else if (mh_pl_is(&m->kind_text, "video")) {
        m->kind = MH_SDP_VIDEO;
    }

    for (i = 0; mh_sdp_protos[i].name; i++) {

        if (mh_pl_is_nocase(&m->proto_text, mh_sdp_protos[i].name)) {
            m->proto = mh_sdp_protos[i].proto;
            m->tls = (mh_sdp_protos[i].name[0] == 'U');
        }
    }

    if (rest.l == 0) {
        return m->port ? EBADMSG : 0;
    }

    if (m->kind == MH_SDP_OTHER || m->proto == MH_SDP_PROTO_OTHER) {
        return 0;
    }

    return mh_sdp_formats(r, m);
}


static int
mh_sdp_formats(struct mh_sdp_reader *r, struct mh_sdp_media *m)
{
    bool                         seen[128];
    uint64_t                     pt;
    struct pl                    rest, word;
    struct mh_sdp_format        *f;
    const struct mh_sdp_static  *s;

    memset(seen, 0, sizeof(seen));
    rest = m->formats;

    while (mh_pl_word(&rest, &word)) {

        if (!mh_pl_number(&word, 127, &pt)) {
            return EBADMSG;
        }

        if (seen[pt]) {
            continue;
        }

        if (r->sdp->formatc == MH_SDP_MAX_FORMATS) {
            return EBADMSG;
        }

        seen[pt] = true;

        f = &r->sdp->formats[r->sdp->formatc++];
        f->text = word;
        f->pt = (uint8_t) pt;
        f->channels = 1;

        m->formatc++;

        for (s = mh_sdp_statics; s->name; s++) {

            if (s->pt == pt) {
                f->name.p = s->name;
                f->name.l = strlen(s->name);
                f->clock = s->clock;
                mh_sdp_codec_set(f);
            }
        }
    }

    return 0;
}


/* a name is a codec of ours only with the clock that its RFC gives it */

void
mh_sdp_codec_set(struct mh_sdp_format *f)
{
    unsigned                 i;
    static const struct {
        const char          *name;
        uint32_t             clock;     /* 0 = see below */
        uint8_t              channels;
        enum mh_sdp_codec    codec;
    }  codecs[] = {
        { "PCMU", 8000, 1, MH_SDP_PCMU },
        { "PCMA", 8000, 1, MH_SDP_PCMA },
        { "G722", 8000, 1, MH_SDP_G722 },
        { "AMR", 8000, 1, MH_SDP_AMR },
        { "AMR-WB", 16000, 1, MH_SDP_AMR_WB },
        { "opus", 48000, 2, MH_SDP_OPUS },
        { "telephone-event", 0, 1, MH_SDP_TELEPHONE_EVENT },
        { "CN", 0, 1, MH_SDP_CN },
        { "H264", 90000, 1, MH_SDP_H264 },
        { "VP8", 90000, 1, MH_SDP_VP8 }
    };

    f->codec = MH_SDP_UNKNOWN;

    for (i = 0; i < sizeof(codecs) / sizeof(codecs[0]); i++) {

        if (!mh_pl_is_nocase(&f->name, codecs[i].name)
            || f->channels != codecs[i].channels)
        {
            continue;
        }

        if (codecs[i].clock == f->clock
            || (codecs[i].clock == 0
                && (f->clock == 8000 || f->clock == 16000
                    || f->clock == 48000)))
        {
            f->codec = codecs[i].codec;
        }
    }
}


/* gives every m-line what stood at session level only */

static int
mh_sdp_merge(struct mh_sdp_reader *r)
{
    unsigned                    i;
    struct pl                   group, word;
    struct mh_sdp_media        *m;
    const struct mh_sdp_media  *s;

    s = &r->session;

    for (i = 0; i < r->sdp->mediac; i++) {
        m = &r->sdp->media[i];

        group = r->sdp->group;

        while (m->mid.l && mh_pl_word(&group, &word)) {

            if (mh_pl_same(&word, &m->mid)) {
                m->bundled = true;
            }
        }

        m->refused = (m->port == 0 && !(m->bundle_only && m->bundled));

        if (m->addr.l == 0) {
            m->addr = s->addr;
            m->af = s->af;
            m->zero_addr = s->zero_addr;
        }

        if (m->addr.l == 0 && !m->refused) {
            return ENODATA;
        }

        if (m->rtcp_port == 0 && m->port && m->port < 65535) {
            m->rtcp_port = (uint16_t) (m->port + 1);
        }

        mh_sdp_inherit(m, s);
    }

    return 0;
}


/* what an m-line does not say itself is what the session says */

static void
mh_sdp_inherit(struct mh_sdp_media *m, const struct mh_sdp_media *s)
{
    if ((int) m->dir == MH_SDP_DIR_UNSET) {
        m->dir = ((int) s->dir == MH_SDP_DIR_UNSET) ? MH_SDP_SENDRECV
                                                    : s->dir;
    }

    if (m->ufrag.l == 0 && m->pwd.l == 0) {
        m->ufrag = s->ufrag;
        m->pwd = s->pwd;
    }

    if (m->fingerprintc == 0) {
        memcpy(m->fingerprints, s->fingerprints, sizeof(m->fingerprints));
        m->fingerprintc = s->fingerprintc;
    }

    if (m->setup == MH_SDP_SETUP_NONE) {
        m->setup = s->setup;
    }

    if (m->tls_id.l == 0) {
        m->tls_id = s->tls_id;
    }
}


int
mh_sdp_check_web(const struct mh_sdp *sdp)
{
    unsigned                    i;
    const struct mh_sdp_media  *m, *t;

    if (sdp->ice_lite) {
        return EPROTONOSUPPORT;
    }

    for (i = 0; i < sdp->mediac; i++) {
        m = &sdp->media[i];

        if (m->refused || m->kind == MH_SDP_OTHER) {
            continue;
        }

        if (m->proto != MH_SDP_SAVP && m->proto != MH_SDP_SAVPF) {
            return EPROTONOSUPPORT;
        }

        t = mh_sdp_transport(sdp, m);

        if (t->fingerprintc == 0) {
            return EKEYREJECTED;
        }

        if (t->ufrag.l == 0 || t->pwd.l == 0) {
            return ENOKEY;
        }
    }

    return 0;
}


const struct mh_sdp_media *
mh_sdp_transport(const struct mh_sdp *sdp, const struct mh_sdp_media *m)
{
    unsigned   i;
    struct pl  group, word;

    if (!m->bundled) {
        return m;
    }

    group = sdp->group;

    while (mh_pl_word(&group, &word)) {

        for (i = 0; i < sdp->mediac; i++) {

            if (!sdp->media[i].refused
                && mh_pl_same(&sdp->media[i].mid, &word))
            {
                return &sdp->media[i];
            }
        }
    }

    return m;
}


enum mh_sdp_dir
mh_sdp_direction(const struct mh_sdp_media *m, enum mh_sdp_leg leg)
{
    if (leg == MH_SDP_IMS && m->zero_addr) {
        return (enum mh_sdp_dir) (m->dir & ~MH_SDP_RECVONLY);
    }

    return m->dir;
}


int
mh_sdp_fingerprint_bytes(const struct mh_sdp_fingerprint *fp, uint8_t *out,
    size_t size, size_t *n)
{
    int         hi, lo;
    size_t      i, count;
    const char *p;

    if (fp->value.l % 3 != 2) {
        return EBADMSG;
    }

    count = fp->value.l / 3 + 1;

    if (count > size) {
        return EBADMSG;
    }

    for (i = 0; i < count; i++) {
        p = fp->value.p + 3 * i;

        hi = mh_hex_digit(p[0]);
        lo = mh_hex_digit(p[1]);

        if (hi < 0 || lo < 0 || (i + 1 < count && p[2] != ':')) {
            return EBADMSG;
        }

        out[i] = (uint8_t) (hi << 4 | lo);
    }

    *n = count;

    return 0;
}


const char *
mh_sdp_error(int err)
{
    switch (err) {

    case EBADMSG:
        return "Failed to parse SDP";

    case ENODATA:
        return "Incomplete SDP specification";

    case EPROTONOSUPPORT:
        return "SDP without DTLS-SRTP and full ICE";

    case EKEYREJECTED:
        return "SDP without DTLS fingerprint";

    case ENOKEY:
        return "SDP without ICE credentials";

    case EPROTO:
        return "SDP answer does not match the offer";

    default:
        return "Error rewriting SDP";
    }
}


/* finds the o= line; empty if there is none */

static void
mh_sdp_origin_line(const char *p, size_t len, struct pl *origin)
{
    struct pl  text;

    text.p = p;
    text.l = len;

    while (mh_pl_line(&text, origin)) {

        if (origin->l >= 2 && memcmp(origin->p, "o=", 2) == 0) {
            return;
        }
    }

    origin->p = p + len;
    origin->l = 0;
}


bool
mh_sdp_same(const char *a, size_t alen, const char *b, size_t blen)
{
    size_t     ahead, atail, bhead, btail;
    struct pl  ao, bo;

    mh_sdp_origin_line(a, alen, &ao);
    mh_sdp_origin_line(b, blen, &bo);

    ahead = (size_t) (ao.p - a);
    bhead = (size_t) (bo.p - b);
    atail = alen - ahead - ao.l;
    btail = blen - bhead - bo.l;

    return ahead == bhead && atail == btail && memcmp(a, b, ahead) == 0
           && memcmp(ao.p + ao.l, bo.p + bo.l, atail) == 0;
}
