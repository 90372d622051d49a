/*
 * Copyright (C) the IMS portal authors
 *
 * Lines of the block ims_portal_core about its connections: their limits, their
 * TLS, and how long a request by UDP may be.
 */


#include "ngx_http_ims_block.h"


#if (NGX_SSL)
#define NGX_HTTP_IMS_SSL_PROTOCOLS  (NGX_SSL_TLSv1_2|NGX_SSL_TLSv1_3)
#else
#define NGX_HTTP_IMS_SSL_PROTOCOLS  0
#endif


typedef enum {
    NGX_HTTP_IMS_SIZE = 0,               /* bytes, within min and max */
    NGX_HTTP_IMS_NUMBER,
    NGX_HTTP_IMS_TIME,                   /* ms */
    NGX_HTTP_IMS_TEXT,
    NGX_HTTP_IMS_FILE,
    NGX_HTTP_IMS_FLAG,
    NGX_HTTP_IMS_PROTOCOLS
} ngx_http_ims_link_e;


typedef struct {
    ngx_str_t                 name;
    ngx_http_ims_link_e       type;
    size_t                    offset;         /* in ngx_ims_core_t */
    ngx_int_t                 min;
    ngx_int_t                 max;
    ngx_uint_t                off;            /* "off" is 0 */
} ngx_http_ims_link_t;


static char *ngx_http_ims_core_link_set(ngx_conf_t *cf, ngx_ims_core_t *core,
    ngx_http_ims_link_t *link, ngx_str_t *args, ngx_uint_t n);
static ngx_int_t ngx_http_ims_core_link_number(ngx_http_ims_link_t *link,
    ngx_str_t *value);
static char *ngx_http_ims_core_protocols(ngx_uint_t *protocols,
    ngx_str_t *args, ngx_uint_t n);


static ngx_http_ims_link_t  ngx_http_ims_core_links[] = {
    { ngx_string("udp_max"), NGX_HTTP_IMS_SIZE,
      offsetof(ngx_ims_core_t, udp_max), 576, 65535, 1 },
    { ngx_string("reregister"), NGX_HTTP_IMS_NUMBER,
      offsetof(ngx_ims_core_t, reregister), 1, 1000, 1 },
    { ngx_string("stream_buffer"), NGX_HTTP_IMS_SIZE,
      offsetof(ngx_ims_core_t, stream.buffer), 65536, 1073741824, 0 },
    { ngx_string("stream_connections"), NGX_HTTP_IMS_NUMBER,
      offsetof(ngx_ims_core_t, stream.max), 1, 65536, 0 },
    { ngx_string("stream_idle"), NGX_HTTP_IMS_TIME,
      offsetof(ngx_ims_core_t, stream.idle), 100, 86400000, 0 },
    { ngx_string("stream_keepalive"), NGX_HTTP_IMS_TIME,
      offsetof(ngx_ims_core_t, stream.keepalive), 100, 86400000, 1 },
    { ngx_string("ssl_certificate"), NGX_HTTP_IMS_FILE,
      offsetof(ngx_ims_core_t, tls.certificate), 0, 0, 0 },
    { ngx_string("ssl_certificate_key"), NGX_HTTP_IMS_FILE,
      offsetof(ngx_ims_core_t, tls.key), 0, 0, 0 },
    { ngx_string("ssl_trusted_certificate"), NGX_HTTP_IMS_FILE,
      offsetof(ngx_ims_core_t, tls.trusted), 0, 0, 0 },
    { ngx_string("ssl_crl"), NGX_HTTP_IMS_FILE,
      offsetof(ngx_ims_core_t, tls.crl), 0, 0, 0 },
    { ngx_string("ssl_ciphers"), NGX_HTTP_IMS_TEXT,
      offsetof(ngx_ims_core_t, tls.ciphers), 0, 0, 0 },
    { ngx_string("ssl_name"), NGX_HTTP_IMS_TEXT,
      offsetof(ngx_ims_core_t, tls.name), 0, 0, 0 },
    { ngx_string("ssl_protocols"), NGX_HTTP_IMS_PROTOCOLS,
      offsetof(ngx_ims_core_t, tls.protocols), 0, 0, 0 },
    { ngx_string("ssl_verify"), NGX_HTTP_IMS_FLAG,
      offsetof(ngx_ims_core_t, tls.verify), 0, 0, 0 },
    { ngx_string("ssl_verify_depth"), NGX_HTTP_IMS_NUMBER,
      offsetof(ngx_ims_core_t, tls.depth), 1, 100, 0 },
    { ngx_null_string, NGX_HTTP_IMS_SIZE, 0, 0, 0, 0 }
};


void
ngx_http_ims_core_link_defaults(ngx_ims_core_t *core)
{
    core->udp_max = 1300;
    core->stream.buffer = 1048576;
    core->stream.max = 256;
    core->stream.idle = 600000;
    core->reregister = 50;
    core->stream.keepalive = 30000;

    core->tls.verify = 1;
    core->tls.depth = 2;
    core->tls.protocols = NGX_HTTP_IMS_SSL_PROTOCOLS;
    ngx_str_set(&core->tls.ciphers, "HIGH:!aNULL:!MD5");
}


/* args[-1] is the line's name */

char *
ngx_http_ims_core_link(ngx_conf_t *cf, void *object, ngx_str_t *args,
    ngx_uint_t n)
{
    ngx_http_ims_link_t  *link;

    for (link = ngx_http_ims_core_links; link->name.len; link++) {

        if (args[-1].len == link->name.len
            && ngx_strcmp(args[-1].data, link->name.data) == 0)
        {
            return ngx_http_ims_core_link_set(cf, object, link, args, n);
        }
    }

    return "is unknown";
}


static char *
ngx_http_ims_core_link_set(ngx_conf_t *cf, ngx_ims_core_t *core,
    ngx_http_ims_link_t *link, ngx_str_t *args, ngx_uint_t n)
{
    void       *slot;
    ngx_int_t   value;

    slot = (u_char *) core + link->offset;

    switch (link->type) {

    case NGX_HTTP_IMS_PROTOCOLS:
        return ngx_http_ims_core_protocols(slot, args, n);

    case NGX_HTTP_IMS_FLAG:

        if (ngx_strcmp(args[0].data, "on") != 0
            && ngx_strcmp(args[0].data, "off") != 0)
        {
            return "takes \"on\" or \"off\"";
        }

        *(ngx_uint_t *) slot = (args[0].len == 2);
        return NGX_CONF_OK;

    case NGX_HTTP_IMS_FILE:
    case NGX_HTTP_IMS_TEXT:

        if (args[0].len == 0 || args[0].len > 1023) {
            return "has an invalid value";
        }

        *(ngx_str_t *) slot = args[0];

        if (link->type == NGX_HTTP_IMS_FILE
            && ngx_conf_full_name(cf->cycle, slot, 1) != NGX_OK)
        {
            return NGX_CONF_ERROR;
        }

        return NGX_CONF_OK;

    default: /* a number of something */

        value = ngx_http_ims_core_link_number(link, &args[0]);

        if (value == NGX_ERROR) {
            return "has an invalid value";
        }

        *(ngx_uint_t *) slot = value;
        return NGX_CONF_OK;
    }
}


static ngx_int_t
ngx_http_ims_core_link_number(ngx_http_ims_link_t *link, ngx_str_t *value)
{
    ngx_int_t  n;

    if (link->off && value->len == 3
        && ngx_strcmp(value->data, "off") == 0)
    {
        return 0;
    }

    n = link->type == NGX_HTTP_IMS_SIZE ? ngx_parse_size(value)
        : link->type == NGX_HTTP_IMS_TIME ? ngx_parse_time(value, 0)
        : ngx_atoi(value->data, value->len);

    return (n < link->min || n > link->max) ? NGX_ERROR : n;
}


static char *
ngx_http_ims_core_protocols(ngx_uint_t *protocols, ngx_str_t *args,
    ngx_uint_t n)
{
#if (NGX_SSL)

    ngx_uint_t  i;

    *protocols = 0;

    for (i = 0; i < n; i++) {

        if (ngx_strcmp(args[i].data, "TLSv1.2") == 0) {
            *protocols |= NGX_SSL_TLSv1_2;

        } else if (ngx_strcmp(args[i].data, "TLSv1.3") == 0) {
            *protocols |= NGX_SSL_TLSv1_3;

        } else {
            return "takes \"TLSv1.2\" and \"TLSv1.3\"";
        }
    }

#endif

    return NGX_CONF_OK;
}
