/*
 * Copyright (C) the IMS portal authors
 *
 * A grant for longer than its token.  No timers.
 */


#include "ngx_ims_grant.h"


/* each text that a grant has: what is not here a copy would share */

static size_t  ngx_ims_grant_texts[] = {
    offsetof(ngx_ims_grant_t, subject),
    offsetof(ngx_ims_grant_t, issuer),
    offsetof(ngx_ims_grant_t, identity),
    offsetof(ngx_ims_grant_t, name)
};

#define NGX_IMS_GRANT_NTEXTS                                                  \
    (sizeof(ngx_ims_grant_texts) / sizeof(ngx_ims_grant_texts[0]))

#define ngx_ims_grant_text(g, i)                                              \
    ((ngx_str_t *) ((u_char *) (g) + ngx_ims_grant_texts[i]))


ngx_ims_grant_t *
ngx_ims_grant_copy(ngx_ims_grant_t *grant, ngx_log_t *log)
{
    u_char           *p;
    ngx_ims_grant_t  *copy;

    copy = ngx_alloc(ngx_ims_grant_size(grant), log);
    if (copy == NULL) {
        return NULL;
    }

    p = (u_char *) copy;

    ngx_ims_grant_pack(grant, p);
    ngx_ims_grant_unpack(copy, p);

    return copy;
}


size_t
ngx_ims_grant_size(ngx_ims_grant_t *grant)
{
    size_t      size;
    ngx_uint_t  i;

    size = sizeof(ngx_ims_grant_t);

    for (i = 0; i < NGX_IMS_GRANT_NTEXTS; i++) {
        size += ngx_ims_grant_text(grant, i)->len;
    }

    return size;
}


void
ngx_ims_grant_pack(ngx_ims_grant_t *grant, u_char *p)
{
    ngx_str_t   *text;
    ngx_uint_t   i;

    ngx_memcpy(p, grant, sizeof(ngx_ims_grant_t));

    p += sizeof(ngx_ims_grant_t);

    for (i = 0; i < NGX_IMS_GRANT_NTEXTS; i++) {
        text = ngx_ims_grant_text(grant, i);

        if (text->len) {
            p = ngx_cpymem(p, text->data, text->len);
        }
    }
}


void
ngx_ims_grant_unpack(ngx_ims_grant_t *grant, u_char *p)
{
    ngx_str_t   *text;
    ngx_uint_t   i;

    ngx_memmove(grant, p, sizeof(ngx_ims_grant_t));

    p += sizeof(ngx_ims_grant_t);

    for (i = 0; i < NGX_IMS_GRANT_NTEXTS; i++) {
        text = ngx_ims_grant_text(grant, i);
        text->data = p;
        p += text->len;
    }
}


void
ngx_ims_grant_want(ngx_ims_grant_t *grant, ngx_ims_want_t *want)
{
    ngx_memzero(want, sizeof(ngx_ims_want_t));

    want->user = grant->ids.user;
    want->subject = grant->subject;
    want->issuer = grant->issuer;
    want->identity = grant->identity;
    want->guest = grant->guest;
}


uint32_t
ngx_ims_grant_rights(ngx_ims_grant_t *grant)
{
    uint32_t  crc, numbers[6];

    numbers[0] = grant->methods;
    numbers[1] = grant->devices;
    numbers[2] = grant->calls;
    numbers[3] = grant->calls_per_hour;
    numbers[4] = grant->premium_per_hour;
    numbers[5] = grant->no_video | grant->no_emergency << 1
                 | grant->guest << 2;

    ngx_crc32_init(crc);
    ngx_crc32_update(&crc, (u_char *) numbers, sizeof(numbers));
    ngx_crc32_update(&crc, grant->name.data, grant->name.len);
    ngx_crc32_update(&crc, grant->identity.data, grant->identity.len);
    ngx_crc32_final(crc);

    return crc;
}


uint32_t
ngx_ims_grant_cap(ngx_uint_t pool, uint32_t grant)
{
    return pool ? ngx_min((uint32_t) pool, grant) : grant;
}
