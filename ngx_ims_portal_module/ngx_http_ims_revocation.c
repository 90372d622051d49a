/*
 * Copyright (C) the IMS portal authors
 *
 * The location where tokens are revoked: a form, from the login product or by
 * hand.  Who may send it is nginx's business (allow, auth_basic, auth_request).
 */


#include "ngx_http_ims_portal_module.h"


#define NGX_HTTP_IMS_REVOKE_LIFE  86400       /* s an entry lasts by default */
#define NGX_HTTP_IMS_REVOKE_MAX   31536000    /* s, at most */


typedef struct {
    ngx_str_t                 sub;
    ngx_str_t                 iss;
    ngx_str_t                 jti;
    ngx_str_t                 kid;
    ngx_str_t                 before;
    ngx_str_t                 expires_in;
} ngx_http_ims_form_t;


typedef struct {
    ngx_str_t                 name;
    ngx_uint_t                offset;
} ngx_http_ims_field_t;


static void ngx_http_ims_revoke(ngx_http_request_t *r);
static ngx_int_t ngx_http_ims_revoke_form(ngx_http_request_t *r,
    ngx_str_t *text, ngx_http_ims_form_t *form);
static ngx_int_t ngx_http_ims_revoke_field(ngx_http_request_t *r, u_char *p,
    u_char *last, ngx_http_ims_form_t *form);
static ngx_uint_t ngx_http_ims_revoke_plain(u_char *p, u_char *last);
static ngx_int_t ngx_http_ims_revoke_apply(ngx_http_request_t *r,
    ngx_http_ims_form_t *form);


static ngx_http_ims_field_t  ngx_http_ims_fields[] = {
    { ngx_string("sub"), offsetof(ngx_http_ims_form_t, sub) },
    { ngx_string("iss"), offsetof(ngx_http_ims_form_t, iss) },
    { ngx_string("jti"), offsetof(ngx_http_ims_form_t, jti) },
    { ngx_string("kid"), offsetof(ngx_http_ims_form_t, kid) },
    { ngx_string("issued_before"), offsetof(ngx_http_ims_form_t, before) },
    { ngx_string("expires_in"), offsetof(ngx_http_ims_form_t, expires_in) },
    { ngx_null_string, 0 }
};


ngx_int_t
ngx_http_ims_revocation(ngx_http_request_t *r, ngx_http_ims_main_conf_t *imcf,
    ngx_http_ims_loc_conf_t *ilcf, ngx_http_ims_ctx_t *ctx)
{
    ngx_int_t  rc;
    ngx_str_t  allow;

    if (r->method != NGX_HTTP_POST) {
        ngx_str_set(&allow, "POST");

        if (ngx_http_ims_header(r, "Allow", &allow) != NGX_OK) {
            return NGX_HTTP_INTERNAL_SERVER_ERROR;
        }

        return NGX_HTTP_NOT_ALLOWED;
    }

    /* the form of a foreign page in an administrator's browser */

    if (ngx_http_ims_origin(r, ilcf) != NGX_OK) {
        return NGX_HTTP_FORBIDDEN;
    }

    r->request_body_in_single_buf = 1;

    rc = ngx_http_read_client_request_body(r, ngx_http_ims_revoke);

    return rc >= NGX_HTTP_SPECIAL_RESPONSE ? rc : NGX_DONE;
}


static void
ngx_http_ims_revoke(ngx_http_request_t *r)
{
    ngx_int_t             rc;
    ngx_str_t             text;
    ngx_buf_t            *b;
    ngx_http_ims_form_t   form;

    b = r->request_body->bufs ? r->request_body->bufs->buf : NULL;

    if (b == NULL || b->in_file || r->request_body->bufs->next != NULL) {
        ngx_http_finalize_request(r, b == NULL
                                     ? NGX_HTTP_BAD_REQUEST
                                     : NGX_HTTP_REQUEST_ENTITY_TOO_LARGE);
        return;
    }

    text.data = b->pos;
    text.len = b->last - b->pos;

    ngx_memzero(&form, sizeof(ngx_http_ims_form_t));

    rc = ngx_http_ims_revoke_form(r, &text, &form);

    if (rc == NGX_OK) {
        rc = ngx_http_ims_revoke_apply(r, &form);
    }

    if (rc == NGX_OK) {
        r->headers_out.status = NGX_HTTP_NO_CONTENT;
        r->header_only = 1;
        rc = ngx_http_send_header(r);
    }

    ngx_http_finalize_request(r, rc);
}


/* application/x-www-form-urlencoded; NGX_OK, or a status */

static ngx_int_t
ngx_http_ims_revoke_form(ngx_http_request_t *r, ngx_str_t *text,
    ngx_http_ims_form_t *form)
{
    u_char     *p, *end, *last;
    ngx_int_t   rc;

    p = text->data;
    last = p + text->len;

    while (p < last) {
        end = ngx_strlchr(p, last, '&');

        if (end == NULL) {
            end = last;
        }

        rc = ngx_http_ims_revoke_field(r, p, end, form);

        if (rc != NGX_OK) {
            return rc;
        }

        p = end + 1;
    }

    return NGX_OK;
}


static ngx_int_t
ngx_http_ims_revoke_field(ngx_http_request_t *r, u_char *p, u_char *last,
    ngx_http_ims_form_t *form)
{
    u_char                *eq, *s, *dst;
    ngx_str_t             *value;
    ngx_http_ims_field_t  *f;

    /* a line may end with what an editor or curl put there */

    while (last > p && (last[-1] == CR || last[-1] == LF)) {
        last--;
    }

    eq = ngx_strlchr(p, last, '=');

    for (f = ngx_http_ims_fields; eq != NULL && f->name.len; f++) {

        if (f->name.len != (size_t) (eq - p)
            || ngx_memcmp(f->name.data, p, f->name.len) != 0)
        {
            continue;
        }

        value = (ngx_str_t *) ((u_char *) form + f->offset);

        dst = ngx_pnalloc(r->pool, last - eq);
        if (dst == NULL) {
            return NGX_HTTP_INTERNAL_SERVER_ERROR;
        }

        if (value->len || last - eq == 1
            || !ngx_http_ims_revoke_plain(eq + 1, last))
        {
            break;
        }

        value->data = dst;
        s = eq + 1;
        ngx_unescape_uri(&dst, &s, last - s, 0);
        value->len = dst - value->data;

        return NGX_OK;
    }

    ngx_log_error(NGX_LOG_INFO, r->connection->log, 0,
                  "client sent a form with an unknown, empty, torn or "
                  "second field");

    return NGX_HTTP_BAD_REQUEST;
}


/* 1 when all "%" are whole: a value must not vanish when they are undone */

static ngx_uint_t
ngx_http_ims_revoke_plain(u_char *p, u_char *last)
{
    for (/* void */; p < last; p++) {

        if (*p == '+') {
            *p = ' ';

        } else if (*p == '%'
                   && (last - p < 3 || ngx_hextoi(p + 1, 2) == NGX_ERROR))
        {
            return 0;
        }
    }

    return 1;
}


static ngx_int_t
ngx_http_ims_revoke_apply(ngx_http_request_t *r, ngx_http_ims_form_t *form)
{
    u_char                    key[NGX_IMS_DIGEST_LEN];
    time_t                    before, life;
    ngx_str_t                 what;
    ngx_ims_deny_e            kind;
    ngx_http_ims_loc_conf_t  *ilcf;

    ilcf = ngx_http_get_module_loc_conf(r, ngx_http_ims_portal_module);

    before = ngx_time();
    life = NGX_HTTP_IMS_REVOKE_LIFE;

    if (form->before.len) {
        before = ngx_atotm(form->before.data, form->before.len);
    }

    if (form->expires_in.len) {
        life = ngx_atotm(form->expires_in.data, form->expires_in.len);
    }

    if ((form->sub.len != 0) + (form->jti.len != 0) + (form->kid.len != 0) > 1
        || before == (time_t) NGX_ERROR || life == (time_t) NGX_ERROR
        || life > NGX_HTTP_IMS_REVOKE_MAX)
    {
        return NGX_HTTP_BAD_REQUEST;
    }

    if (form->sub.len) {
        kind = NGX_IMS_DENY_USER;
        what = form->sub;
        ngx_ims_pool_user(form->iss.len ? &form->iss : &ilcf->issuer,
                          &form->sub, key);

    } else if (form->jti.len || form->kid.len) {
        kind = form->jti.len ? NGX_IMS_DENY_JTI : NGX_IMS_DENY_KID;
        what = form->jti.len ? form->jti : form->kid;
        ngx_ims_deny_key(&what, key);

    } else if (form->before.len) {
        kind = NGX_IMS_DENY_ALL;
        what = form->before;

    } else {
        return NGX_HTTP_BAD_REQUEST;
    }

    if (ngx_ims_deny_add(ilcf->revocation_pool, kind, key, before,
                         ngx_time() + life)
        != NGX_OK)
    {
        ngx_log_error(NGX_LOG_ERR, r->connection->log, 0,
                      "IMPU pool \"%V\" has no room for another revocation",
                      &ilcf->revocation_pool->name);
        return NGX_HTTP_SERVICE_UNAVAILABLE;
    }

    ngx_log_error(NGX_LOG_NOTICE, r->connection->log, 0,
                  "tokens of %s \"%V\" are %s",
                  kind == NGX_IMS_DENY_USER ? "user"
                  : kind == NGX_IMS_DENY_JTI ? "jti"
                  : kind == NGX_IMS_DENY_KID ? "key" : "the time before",
                  &what, life ? "revoked" : "good again");

    return NGX_OK;
}
