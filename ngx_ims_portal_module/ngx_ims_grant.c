/*
 * Copyright (C) the IMS portal authors
 *
 * From claims to a grant.  No timers.
 */


#include "ngx_ims_grant.h"


static ngx_uint_t ngx_ims_grant_plain(ngx_str_t *text);
static u_char *ngx_ims_grant_text(u_char *p, ngx_str_t *text);


ngx_int_t
ngx_ims_grant_make(ngx_ims_jwt_t *jwt, ngx_ims_grant_t *grant,
    const char **why)
{
    ngx_memzero(grant, sizeof(ngx_ims_grant_t));

    ngx_ims_deny_token(jwt, &grant->ids);

    grant->subject = ngx_ims_jwt_subject(jwt);
    grant->issuer = ngx_ims_jwt_issuer(jwt);
    grant->expires = ngx_ims_jwt_expires(jwt);

    if (!ngx_ims_grant_plain(&grant->subject)
        || !ngx_ims_grant_plain(&grant->issuer))
    {
        *why = "token has a user with control characters";
        return NGX_DECLINED;
    }

    return NGX_OK;
}


/* nothing that would end a line of a log or of SIP */

static ngx_uint_t
ngx_ims_grant_plain(ngx_str_t *text)
{
    size_t  i;

    for (i = 0; i < text->len; i++) {
        if (text->data[i] < ' ' || text->data[i] == 0x7f) {
            return 0;
        }
    }

    return 1;
}


ngx_ims_grant_t *
ngx_ims_grant_copy(ngx_ims_grant_t *grant, ngx_log_t *log)
{
    u_char           *p;
    ngx_ims_grant_t  *copy;

    copy = ngx_alloc(sizeof(ngx_ims_grant_t) + grant->subject.len
                     + grant->issuer.len + grant->identity.len, log);
    if (copy == NULL) {
        return NULL;
    }

    *copy = *grant;

    p = (u_char *) copy + sizeof(ngx_ims_grant_t);
    p = ngx_ims_grant_text(p, &copy->subject);
    p = ngx_ims_grant_text(p, &copy->issuer);
    (void) ngx_ims_grant_text(p, &copy->identity);

    return copy;
}


static u_char *
ngx_ims_grant_text(u_char *p, ngx_str_t *text)
{
    if (text->len) {
        ngx_memcpy(p, text->data, text->len);
    }

    text->data = p;

    return p + text->len;
}


void
ngx_ims_grant_want(ngx_ims_grant_t *grant, ngx_ims_want_t *want)
{
    ngx_memzero(want, sizeof(ngx_ims_want_t));

    want->user = grant->ids.user;
    want->subject = grant->subject;
    want->issuer = grant->issuer;
    want->identity = grant->identity;
}
