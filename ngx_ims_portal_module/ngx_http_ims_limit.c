/*
 * Copyright (C) the IMS portal authors
 *
 * The directives of the limits, and what a handshake meets of them.
 */


#include "ngx_http_ims_block.h"


#define NGX_HTTP_IMS_LIMIT_ZONE  10485760     /* bytes */
#define NGX_HTTP_IMS_LIMIT_WAIT  30           /* s, for a socket to be free */


static char *ngx_http_ims_limit_parse(ngx_conf_t *cf, ngx_ims_rate_t *rate,
    ngx_str_t *args, ngx_uint_t n);
static char *ngx_http_ims_limit_number(ngx_uint_t *slot, ngx_str_t *value);
static void ngx_http_ims_limit_say(ngx_http_request_t *r,
    ngx_http_ims_ctx_t *ctx, ngx_ims_pool_t *pool, ngx_uint_t what);
static void ngx_http_ims_limit_merge_rate(ngx_ims_rate_t *prev,
    ngx_ims_rate_t *conf, ngx_uint_t per_second, ngx_uint_t burst);
static ngx_int_t ngx_http_ims_limit_check(ngx_http_request_t *r,
    ngx_http_ims_main_conf_t *imcf, ngx_http_ims_loc_conf_t *ilcf,
    ngx_http_ims_ctx_t *ctx, ngx_ims_limit_key_t *key, ngx_ims_rate_t *rate,
    ngx_uint_t which, ngx_uint_t what);
static ngx_int_t ngx_http_ims_limit_refuse(ngx_http_request_t *r,
    ngx_http_ims_ctx_t *ctx, ngx_uint_t what, ngx_msec_t wait,
    ngx_uint_t status);


/* [address=number] [user=number] [unverified=number]; 0: any */

char *
ngx_http_ims_limit_sockets(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_ims_loc_conf_t *ilcf = conf;

    u_char            *p;
    ngx_int_t          number;
    ngx_str_t         *value;
    ngx_uint_t         i, *slot;
    ngx_ims_limits_t  *limits;

    limits = &ilcf->policy.limits;
    value = cf->args->elts;

    for (i = 1; i < cf->args->nelts; i++) {

        if (ngx_strncmp(value[i].data, "address=", 8) == 0) {
            slot = &limits->sockets;

        } else if (ngx_strncmp(value[i].data, "user=", 5) == 0) {
            slot = &limits->user_sockets;

        } else if (ngx_strncmp(value[i].data, "unverified=", 11) == 0) {
            slot = &limits->unverified;

        } else {
            goto invalid;
        }

        if (*slot != NGX_CONF_UNSET_UINT) {
            return "is duplicate";
        }

        p = (u_char *) ngx_strchr(value[i].data, '=') + 1;
        number = ngx_atoi(p, value[i].data + value[i].len - p);

        if (number == NGX_ERROR) {
            goto invalid;
        }

        *slot = number;
    }

    return NGX_CONF_OK;

invalid:

    ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                       "invalid parameter \"%V\" in "
                       "\"ims_portal_limit_sockets\"", &value[i]);

    return NGX_CONF_ERROR;
}


/* address | user, then as below */

char *
ngx_http_ims_limit_arrivals(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_ims_loc_conf_t *ilcf = conf;

    ngx_str_t         *value;
    ngx_ims_rate_t    *rate;
    ngx_ims_limits_t  *limits;

    limits = &ilcf->policy.limits;
    value = cf->args->elts;

    if (ngx_strcmp(value[1].data, "address") == 0) {
        rate = cmd->offset == NGX_IMS_RATE_SESSIONS ? &limits->sessions
                                                    : &limits->handshakes;

    } else if (ngx_strcmp(value[1].data, "user") == 0) {
        rate = &limits->user[cmd->offset];

    } else {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "invalid parameter \"%V\" in \"%V\", it is of an "
                           "\"address\" or of a \"user\"", &value[1],
                           &value[0]);
        return NGX_CONF_ERROR;
    }

    return ngx_http_ims_limit_parse(cf, rate, &value[2],
                                    cf->args->nelts - 2);
}


char *
ngx_http_ims_limit_rate(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_str_t  *value;

    value = cf->args->elts;

    return ngx_http_ims_limit_parse(cf, (ngx_ims_rate_t *)
                                        ((char *) conf + cmd->offset),
                                    &value[1], cf->args->nelts - 1);
}


/* rate=number r/s | r/m [burst=number], or off */

static char *
ngx_http_ims_limit_parse(ngx_conf_t *cf, ngx_ims_rate_t *rate,
    ngx_str_t *args, ngx_uint_t n)
{
    size_t       len;
    u_char      *p;
    ngx_int_t    number, burst;
    ngx_str_t   *name;
    ngx_uint_t   i, scale;

    name = cf->args->elts;

    if (rate->interval != NGX_CONF_UNSET_UINT) {
        return "is duplicate";
    }

    rate->burst = 0;

    if (n == 1 && ngx_strcmp(args[0].data, "off") == 0) {
        rate->interval = 0;
        return NGX_CONF_OK;
    }

    for (i = 0; i < n; i++) {

        if (ngx_strncmp(args[i].data, "rate=", 5) == 0) {
            len = args[i].len;
            p = args[i].data + len - 3;

            scale = 1;

            if (len > 8 && ngx_strncmp(p, "r/m", 3) == 0) {
                scale = 60;

            } else if (len <= 8 || ngx_strncmp(p, "r/s", 3) != 0) {
                goto invalid;
            }

            number = ngx_atoi(args[i].data + 5, len - 8);

            if (number <= 0 || number > 1000000) {
                goto invalid;
            }

            rate->interval = 1000000 * scale / number;
            continue;
        }

        burst = ngx_strncmp(args[i].data, "burst=", 6) == 0
                ? ngx_atoi(args[i].data + 6, args[i].len - 6) : NGX_ERROR;

        if (burst == NGX_ERROR || burst > 1000000) {
            goto invalid;
        }

        rate->burst = burst;
    }

    if (rate->interval == NGX_CONF_UNSET_UINT) {
        return "needs \"rate\", or \"off\"";
    }

    if ((uint64_t) rate->interval * rate->burst
        > (uint64_t) NGX_IMS_LIMIT_LONGEST * 1000000)
    {
        return "has a \"burst\" of more than half an hour";
    }

    return NGX_CONF_OK;

invalid:

    ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                       "invalid parameter \"%V\" in \"%V\"", &args[i], name);

    return NGX_CONF_ERROR;
}


/* a number of a block's line, 0: any */

static char *
ngx_http_ims_limit_number(ngx_uint_t *slot, ngx_str_t *value)
{
    ngx_int_t  n;

    if (*slot != NGX_CONF_UNSET_UINT) {
        return "is duplicate";
    }

    n = ngx_atoi(value->data, value->len);

    if (n == NGX_ERROR || n > 10000000) {
        return "has an invalid number";
    }

    *slot = n;

    return NGX_CONF_OK;
}


char *
ngx_http_ims_limit_pool_sockets(ngx_conf_t *cf, void *object,
    ngx_str_t *args, ngx_uint_t n)
{
    return ngx_http_ims_limit_number(&((ngx_ims_pool_t *) object)->sockets,
                                     &args[0]);
}


char *
ngx_http_ims_limit_dialogs(ngx_conf_t *cf, void *object, ngx_str_t *args,
    ngx_uint_t n)
{
    return ngx_http_ims_limit_number(&((ngx_ims_pool_t *) object)->dialogs,
                                     &args[0]);
}


char *
ngx_http_ims_limit_max_requests(ngx_conf_t *cf, void *object,
    ngx_str_t *args, ngx_uint_t n)
{
    return ngx_http_ims_limit_number(
                                  &((ngx_ims_core_t *) object)->max_requests,
                                  &args[0]);
}


void
ngx_http_ims_limit_unset(ngx_ims_limits_t *limits)
{
    ngx_uint_t  i;

    limits->sockets = NGX_CONF_UNSET_UINT;
    limits->unverified = NGX_CONF_UNSET_UINT;
    limits->user_sockets = NGX_CONF_UNSET_UINT;
    limits->handshakes.interval = NGX_CONF_UNSET_UINT;
    limits->sessions.interval = NGX_CONF_UNSET_UINT;
    limits->frames.interval = NGX_CONF_UNSET_UINT;
    limits->requests = NGX_CONF_UNSET_UINT;
    limits->waiting = NGX_CONF_UNSET_UINT;
    limits->message_timeout = NGX_CONF_UNSET_MSEC;
    limits->send_buffer = NGX_CONF_UNSET_SIZE;
    limits->send_timeout = NGX_CONF_UNSET_MSEC;

    for (i = 0; i < NGX_IMS_RATES; i++) {
        limits->user[i].interval = NGX_CONF_UNSET_UINT;
    }
}


/*
 * The defaults let an office of thousands behind one address come back at once,
 * and a page that reloads; they stop one client that floods.
 */

char *
ngx_http_ims_limit_merge(ngx_conf_t *cf, ngx_ims_limits_t *prev,
    ngx_ims_limits_t *conf)
{
    ngx_conf_merge_uint_value(conf->sockets, prev->sockets, 10000);
    ngx_conf_merge_uint_value(conf->unverified, prev->unverified, 1000);
    ngx_conf_merge_uint_value(conf->user_sockets, prev->user_sockets, 20);
    ngx_conf_merge_uint_value(conf->requests, prev->requests, 64);
    ngx_conf_merge_uint_value(conf->waiting, prev->waiting, 64);
    ngx_conf_merge_msec_value(conf->message_timeout, prev->message_timeout,
                              30000);
    ngx_conf_merge_size_value(conf->send_buffer, prev->send_buffer, 262144);
    ngx_conf_merge_msec_value(conf->send_timeout, prev->send_timeout, 10000);

    ngx_http_ims_limit_merge_rate(&prev->handshakes, &conf->handshakes,
                                  500, 10000);
    ngx_http_ims_limit_merge_rate(&prev->sessions, &conf->sessions,
                                  500, 10000);
    ngx_http_ims_limit_merge_rate(&prev->user[NGX_IMS_RATE_HANDSHAKES],
                                  &conf->user[NGX_IMS_RATE_HANDSHAKES],
                                  5, 50);
    ngx_http_ims_limit_merge_rate(&prev->user[NGX_IMS_RATE_SESSIONS],
                                  &conf->user[NGX_IMS_RATE_SESSIONS],
                                  5, 50);
    ngx_http_ims_limit_merge_rate(&prev->user[NGX_IMS_RATE_MESSAGES],
                                  &conf->user[NGX_IMS_RATE_MESSAGES],
                                  100, 500);
    ngx_http_ims_limit_merge_rate(&prev->user[NGX_IMS_RATE_REGISTERS],
                                  &conf->user[NGX_IMS_RATE_REGISTERS],
                                  2, 50);
    ngx_http_ims_limit_merge_rate(&prev->user[NGX_IMS_RATE_INVITES],
                                  &conf->user[NGX_IMS_RATE_INVITES],
                                  5, 50);
    ngx_http_ims_limit_merge_rate(&prev->frames, &conf->frames, 500, 5000);

    if (conf->requests < 1 || conf->requests > 10000
        || conf->waiting < 1 || conf->waiting > 10000)
    {
        ngx_log_error(NGX_LOG_EMERG, cf->log, 0,
                      "\"%s\" must be between 1 and 10000",
                      conf->requests < 1 || conf->requests > 10000
                      ? "ims_portal_limit_requests"
                      : "ims_portal_limit_waiting");
        return NGX_CONF_ERROR;
    }

    /* one message must fit, with the header of its frame */

    if (conf->send_buffer < 65536 + NGX_IMS_WS_MAX_SERVER_HEADER) {
        ngx_log_error(NGX_LOG_EMERG, cf->log, 0,
                      "\"ims_portal_send_buffer\" must be more than 64k");
        return NGX_CONF_ERROR;
    }

    if (conf->send_timeout < 100
        || (conf->message_timeout && conf->message_timeout < 100))
    {
        ngx_log_error(NGX_LOG_EMERG, cf->log, 0,
                      "\"%s\" must be at least 100ms",
                      conf->send_timeout < 100 ? "ims_portal_send_timeout"
                                               : "ims_portal_message_timeout");
        return NGX_CONF_ERROR;
    }

    return NGX_CONF_OK;
}


static void
ngx_http_ims_limit_merge_rate(ngx_ims_rate_t *prev, ngx_ims_rate_t *conf,
    ngx_uint_t per_second, ngx_uint_t burst)
{
    if (conf->interval != NGX_CONF_UNSET_UINT) {
        return;
    }

    if (prev->interval != NGX_CONF_UNSET_UINT) {
        *conf = *prev;
        return;
    }

    conf->interval = 1000000 / per_second;
    conf->burst = burst;
}


char *
ngx_http_ims_limit_zone(ngx_conf_t *cf, ngx_http_ims_main_conf_t *imcf)
{
    ngx_conf_init_size_value(imcf->limit_size, NGX_HTTP_IMS_LIMIT_ZONE);

    if (imcf->limit_size < NGX_IMS_LIMIT_MIN_SIZE) {
        ngx_log_error(NGX_LOG_EMERG, cf->log, 0,
                      "\"ims_portal_limit_zone\" must be at least 256k");
        return NGX_CONF_ERROR;
    }

    imcf->limit = ngx_ims_limit_add(cf, imcf->limit_size,
                                    &ngx_http_ims_portal_module);

    return imcf->limit ? NGX_CONF_OK : NGX_CONF_ERROR;
}


ngx_int_t
ngx_http_ims_limit_arrive(ngx_http_request_t *r,
    ngx_http_ims_main_conf_t *imcf, ngx_http_ims_loc_conf_t *ilcf,
    ngx_http_ims_ctx_t *ctx)
{
    ngx_ims_limits_t     *limits;
    ngx_ims_limit_key_t   key;

    if (ngx_ims_limit_address(r->connection->sockaddr, &key) != NGX_OK) {
        return NGX_OK;
    }

    limits = &ilcf->policy.limits;

    if (ilcf->pool != NULL) {
        return ngx_http_ims_limit_check(r, imcf, ilcf, ctx, &key,
                                        &limits->handshakes,
                                        NGX_IMS_RATE_HANDSHAKES,
                                        NGX_IMS_LIMITED_ADDRESS_HANDSHAKES);
    }

    return ngx_http_ims_limit_check(r, imcf, ilcf, ctx, &key,
                                    &limits->sessions, NGX_IMS_RATE_SESSIONS,
                                    NGX_IMS_LIMITED_ADDRESS_SESSIONS);
}


ngx_int_t
ngx_http_ims_limit_session(ngx_http_request_t *r,
    ngx_http_ims_main_conf_t *imcf, ngx_http_ims_loc_conf_t *ilcf,
    ngx_http_ims_ctx_t *ctx)
{
    ngx_ims_limit_key_t  key;

    ngx_ims_session_key(ilcf->session_pool, ctx->token.grant.ids.user, &key);

    return ngx_http_ims_limit_check(r, imcf, ilcf, ctx, &key,
                              &ilcf->policy.limits.user[NGX_IMS_RATE_SESSIONS],
                              NGX_IMS_RATE_SESSIONS,
                              NGX_IMS_LIMITED_USER_SESSIONS);
}


static ngx_int_t
ngx_http_ims_limit_check(ngx_http_request_t *r,
    ngx_http_ims_main_conf_t *imcf, ngx_http_ims_loc_conf_t *ilcf,
    ngx_http_ims_ctx_t *ctx, ngx_ims_limit_key_t *key, ngx_ims_rate_t *rate,
    ngx_uint_t which, ngx_uint_t what)
{
    ngx_uint_t  say;
    ngx_msec_t  wait;

    say = 0;

    wait = ngx_ims_limit_arrive(imcf->limit, key, rate, which, what, &say);

    if (wait == 0) {
        return NGX_OK;
    }

    if (say) {
        ngx_http_ims_limit_say(r, ctx, ilcf->policy.pool, what);
    }

    return ngx_http_ims_limit_refuse(r, ctx, what, wait,
                                     NGX_HTTP_TOO_MANY_REQUESTS);
}


ngx_int_t
ngx_http_ims_limit_open(ngx_http_request_t *r,
    ngx_http_ims_main_conf_t *imcf, ngx_http_ims_loc_conf_t *ilcf,
    ngx_http_ims_ctx_t *ctx, uint32_t *row)
{
    ngx_connection_t        *c;
    ngx_ims_limit_key_t      address, user;
    ngx_ims_limit_socket_t   socket;

    c = r->connection;

    ngx_memzero(&socket, sizeof(ngx_ims_limit_socket_t));
    socket.owner = &imcf->worker->self;
    socket.limits = &ilcf->policy.limits;
    socket.pool = ilcf->pool->crc;
    socket.pool_sockets = ilcf->pool->sockets;

    if (ngx_ims_limit_address(c->sockaddr, &address) == NGX_OK) {
        socket.address = &address;
    }

    if (ctx->known) {
        ngx_ims_session_key(ilcf->pool, ctx->token.grant.ids.user, &user);
        socket.user = &user;
    }

    if (ngx_ims_limit_open(imcf->limit, &socket) == NGX_OK) {
        *row = socket.row;
        return NGX_OK;
    }

    if (socket.say) {
        ngx_http_ims_limit_say(r, ctx, ilcf->pool, socket.what);
    }

    /* a full pool is the site's fault, not the client's */

    return ngx_http_ims_limit_refuse(r, ctx, socket.what, socket.wait,
                                  socket.what == NGX_IMS_LIMITED_POOL_SOCKETS
                                  ? NGX_HTTP_SERVICE_UNAVAILABLE
                                  : NGX_HTTP_TOO_MANY_REQUESTS);
}


static void
ngx_http_ims_limit_say(ngx_http_request_t *r, ngx_http_ims_ctx_t *ctx,
    ngx_ims_pool_t *pool, ngx_uint_t what)
{
    switch (what) {

    case NGX_IMS_LIMITED_POOL_SOCKETS:
        ngx_log_error(NGX_LOG_WARN, r->connection->log, 0,
                      "pool \"%V\" has %ui sockets already", &pool->name,
                      pool->sockets);
        return;

    case NGX_IMS_LIMITED_USER_SOCKETS:
    case NGX_IMS_LIMITED_USER_HANDSHAKES:
    case NGX_IMS_LIMITED_USER_SESSIONS:
        ngx_log_error(NGX_LOG_WARN, r->connection->log, 0,
                      "user \"%V\" of pool \"%V\" is at a limit: %s",
                      &ctx->user, &pool->name, ngx_ims_limit_words(what));
        return;

    default:
        ngx_log_error(NGX_LOG_WARN, r->connection->log, 0,
                      "address \"%V\" is at a limit: %s",
                      &r->connection->addr_text, ngx_ims_limit_words(what));
    }
}


static ngx_int_t
ngx_http_ims_limit_refuse(ngx_http_request_t *r, ngx_http_ims_ctx_t *ctx,
    ngx_uint_t what, ngx_msec_t wait, ngx_uint_t status)
{
    ngx_str_t  value;

    ctx->error.data = (u_char *) ngx_ims_limit_words(what);
    ctx->error.len = ngx_strlen(ctx->error.data);

    value.data = ngx_pnalloc(r->pool, NGX_TIME_T_LEN);
    if (value.data == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    value.len = ngx_sprintf(value.data, "%M",
                            wait ? (wait + 999) / 1000
                                 : NGX_HTTP_IMS_LIMIT_WAIT)
                - value.data;

    if (ngx_http_ims_header(r, "Retry-After", &value) != NGX_OK) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    return status;
}


u_char *
ngx_http_ims_limit_status(u_char *p, u_char *last, ngx_ims_limit_t *limit)
{
    ngx_uint_t  i;

    p = ngx_slprintf(p, last, "\"limits\":{");

    for (i = 0; i < NGX_IMS_LIMITED_N; i++) {
        p = ngx_slprintf(p, last, "\"%s\":%uA,", ngx_ims_limit_name(i),
                         limit->sh->counters[i]);
    }

    return ngx_slprintf(p, last, "\"healed\":%uA}", limit->sh->healed);
}
