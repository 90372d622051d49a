/*
 * Copyright (C) the IMS portal authors
 *
 * Tickets as HTTP sees them: the session API gives one to who prefers it, a
 * handshake shows it as a subprotocol, or in the query.
 */


#include "ngx_http_ims_portal_module.h"
#include "ngx_ims_deny_blocked.h"


#define NGX_HTTP_IMS_TICKET_ZONE  10485760    /* bytes */
#define NGX_HTTP_IMS_TICKET_LIFE  30          /* s */
#define NGX_HTTP_IMS_TICKET_MAX   300         /* s */


static ngx_int_t ngx_http_ims_ticket_find(ngx_http_request_t *r,
    ngx_http_ims_loc_conf_t *ilcf, ngx_http_ims_ctx_t *ctx,
    ngx_str_t *ticket);


/* ims_portal_ticket on | off [life=time] */

char *
ngx_http_ims_set_ticket(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_ims_loc_conf_t *ilcf = conf;

    ngx_str_t                 *value, text;
    ngx_http_ims_main_conf_t  *imcf;

    if (ilcf->ticket != NGX_CONF_UNSET) {
        return "is duplicate";
    }

    value = cf->args->elts;

    if (ngx_strcmp(value[1].data, "off") == 0 && cf->args->nelts == 2) {
        ilcf->ticket = 0;
        return NGX_CONF_OK;
    }

    if (ngx_strcmp(value[1].data, "on") != 0) {
        return "must be \"on\" or \"off\"";
    }

    ilcf->ticket = NGX_HTTP_IMS_TICKET_LIFE;

    if (cf->args->nelts == 3) {

        if (ngx_strncmp(value[2].data, "life=", 5) != 0) {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                               "invalid parameter \"%V\" in "
                               "\"ims_portal_ticket\"", &value[2]);
            return NGX_CONF_ERROR;
        }

        text.data = value[2].data + 5;
        text.len = value[2].len - 5;

        ilcf->ticket = ngx_parse_time(&text, 1);

        if (ilcf->ticket < 1 || ilcf->ticket > NGX_HTTP_IMS_TICKET_MAX) {
            return "has a \"life\" that is not between 1s and 5m";
        }
    }

    imcf = ngx_http_conf_get_module_main_conf(cf, ngx_http_ims_portal_module);
    imcf->ticketed = 1;

    return NGX_CONF_OK;
}


char *
ngx_http_ims_ticket_zone(ngx_conf_t *cf, ngx_http_ims_main_conf_t *imcf)
{
    ngx_conf_init_size_value(imcf->ticket_size, NGX_HTTP_IMS_TICKET_ZONE);

    if (imcf->ticket_size < NGX_IMS_TICKET_MIN_SIZE) {
        ngx_log_error(NGX_LOG_EMERG, cf->log, 0,
                      "\"ims_portal_ticket_zone\" must be at least 64k");
        return NGX_CONF_ERROR;
    }

    if (!imcf->ticketed) {
        return NGX_CONF_OK;
    }

    imcf->tickets = ngx_ims_ticket_add(cf, imcf->ticket_size,
                                       &ngx_http_ims_portal_module);

    return imcf->tickets ? NGX_CONF_OK : NGX_CONF_ERROR;
}


ngx_int_t
ngx_http_ims_ticket_give(ngx_http_request_t *r, ngx_http_ims_loc_conf_t *ilcf,
    ngx_http_ims_ctx_t *ctx, ngx_str_t *ticket)
{
    ngx_str_t                  value;
    ngx_http_ims_main_conf_t  *imcf;

    ngx_str_null(ticket);

    if (!ilcf->ticket || !(r->method & (NGX_HTTP_POST|NGX_HTTP_PUT))
        || !ngx_http_ims_header_has(r, "Prefer", "ticket"))
    {
        return NGX_OK;
    }

    imcf = ngx_http_get_module_main_conf(r, ngx_http_ims_portal_module);

    ticket->data = ngx_pnalloc(r->pool, NGX_IMS_TICKET_LEN);
    if (ticket->data == NULL) {
        return NGX_ERROR;
    }

    if (ngx_ims_ticket_make(imcf->tickets, ilcf->session_pool,
                            ilcf->policy.token.wants,
                            &ctx->token.grant, ilcf->ticket, ticket->data,
                            r->connection->log)
        != NGX_OK)
    {
        return NGX_ERROR;
    }

    ticket->len = NGX_IMS_TICKET_LEN;

    /* RFC 7240 3 */

    ngx_str_set(&value, "ticket");

    return ngx_http_ims_header(r, "Preference-Applied", &value);
}


ngx_int_t
ngx_http_ims_ticket_take(ngx_http_request_t *r, ngx_http_ims_loc_conf_t *ilcf,
    ngx_http_ims_ctx_t *ctx)
{
    u_char                    *buf;
    ngx_int_t                  rc;
    ngx_str_t                  ticket;
    ngx_ims_token_t           *t;
    ngx_http_ims_main_conf_t  *imcf;

    rc = ngx_http_ims_ticket_find(r, ilcf, ctx, &ticket);

    if (rc != NGX_OK) {
        return rc;
    }

    imcf = ngx_http_get_module_main_conf(r, ngx_http_ims_portal_module);

    buf = ngx_palloc(r->pool, NGX_IMS_TICKET_GRANT);
    if (buf == NULL) {
        return NGX_ERROR;
    }

    t = &ctx->token;

    ngx_ims_token_free(t);
    ngx_memzero(t, sizeof(ngx_ims_token_t));

    ctx->judge = NULL;
    t->status = NGX_HTTP_UNAUTHORIZED;
    t->code = "invalid_token";

    if (ngx_ims_ticket_take(imcf->tickets, ilcf->pool,
                            ilcf->policy.token.wants, &ticket,
                            &t->grant, buf)
        != NGX_OK)
    {
        t->error = "ticket is unknown, was used, or has ended";
        return NGX_DECLINED;
    }

    /* what has happened to its token meanwhile counts */

    if (t->grant.expires + ilcf->leeway <= ngx_time()) {
        t->error = "token has expired";
        return NGX_DECLINED;
    }

    if (ngx_ims_deny_check(ilcf->pool, &t->grant.ids)) {
        t->error = "token is revoked";
        return NGX_DECLINED;
    }

    if (ngx_ims_deny_blocked(ilcf->pool, t->grant.ids.user)) {
        t->status = NGX_HTTP_FORBIDDEN;
        t->code = NULL;
        t->error = "user is blocked";
        return NGX_DECLINED;
    }

    ctx->user = t->grant.subject;

    return NGX_OK;
}


/* a subprotocol, or what stands where a token would: that has dots in it */

static ngx_int_t
ngx_http_ims_ticket_find(ngx_http_request_t *r, ngx_http_ims_loc_conf_t *ilcf,
    ngx_http_ims_ctx_t *ctx, ngx_str_t *ticket)
{
    if (ilcf->pool == NULL || !ilcf->ticket) {
        return NGX_DONE;
    }

    if (ngx_http_ims_header_item(r, "Sec-WebSocket-Protocol", "ims-ticket.",
                                 ticket))
    {
        return NGX_OK;
    }

    if (ilcf->queries == NULL || ilcf->queries->nelts == 0) {
        return NGX_DONE;
    }

    if (ngx_http_ims_token(r, ilcf, ctx, ticket) != NGX_OK) {
        return NGX_ERROR;
    }

    return ticket->len == NGX_IMS_TICKET_LEN
           && ngx_strlchr(ticket->data, ticket->data + ticket->len, '.')
              == NULL
           ? NGX_OK : NGX_DONE;
}
