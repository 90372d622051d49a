/*
 * Copyright (C) the IMS portal authors
 *
 * Where a Redis server is, as the configuration says it.  Its password is never
 * in a message.
 */


#include "ngx_ims_redis.h"


static char *ngx_ims_redis_unix(ngx_ims_redis_conf_t *conf, ngx_str_t *url);
static char *ngx_ims_redis_login(ngx_conf_t *cf, ngx_ims_redis_conf_t *conf,
    ngx_str_t *login);
static ngx_int_t ngx_ims_redis_text(ngx_conf_t *cf, u_char *p, u_char *last,
    ngx_str_t *out);
static char *ngx_ims_redis_server(ngx_conf_t *cf, ngx_ims_redis_conf_t *conf,
    ngx_str_t *server);


char *
ngx_ims_redis_url(ngx_conf_t *cf, ngx_ims_redis_conf_t *conf, ngx_str_t *url)
{
    char       *rv;
    u_char     *p, *at, *slash, *last;
    ngx_int_t   db;
    ngx_str_t   part;

    if (url->len > 5 && ngx_strncmp(url->data, "unix:", 5) == 0) {
        return ngx_ims_redis_unix(conf, url);
    }

    if (url->len >= 9 && ngx_strncasecmp(url->data, (u_char *) "rediss://", 9)
                         == 0)
    {
        return "cannot use TLS (\"rediss://\"): reach the server by a Unix "
               "socket or through a tunnel, such as stunnel";
    }

    if (url->len < 9
        || ngx_strncasecmp(url->data, (u_char *) "redis://", 8) != 0)
    {
        return "needs \"redis://host\" or \"unix:path\"";
    }

    p = url->data + 8;
    last = url->data + url->len;

    slash = ngx_strlchr(p, last, '/');

    if (slash == NULL) {
        slash = last;
    }

    for (at = slash; at > p && at[-1] != '@'; at--) { /* void */ }

    if (at > p) {
        part.data = p;
        part.len = at - 1 - p;

        rv = ngx_ims_redis_login(cf, conf, &part);

        if (rv != NGX_CONF_OK) {
            return rv;
        }
    }

    if (slash + 1 < last) {
        db = ngx_atoi(slash + 1, last - slash - 1);

        if (db == NGX_ERROR || db > 65535) {
            return "has an invalid number of a database";
        }

        conf->db = db;
    }

    part.data = at;
    part.len = slash - at;

    return ngx_ims_redis_server(cf, conf, &part);
}


static char *
ngx_ims_redis_unix(ngx_ims_redis_conf_t *conf, ngx_str_t *url)
{
    if (conf->addrs.nelts || conf->path.len) {
        return "has a Unix socket besides another server";
    }

    conf->path.data = url->data + 5;
    conf->path.len = url->len - 5;
    conf->name = *url;

    if (conf->path.data[0] != '/'
        || conf->path.len >= sizeof(((struct sockaddr_un *) 0)->sun_path))
    {
        return "has an invalid path of a Unix socket";
    }

    return NGX_CONF_OK;
}


/* "user", "user:password" or ":password", with "%xx" */

static char *
ngx_ims_redis_login(ngx_conf_t *cf, ngx_ims_redis_conf_t *conf,
    ngx_str_t *login)
{
    u_char  *colon, *last;

    last = login->data + login->len;
    colon = ngx_strlchr(login->data, last, ':');

    if (ngx_ims_redis_text(cf, login->data, colon ? colon : last,
                           &conf->user)
        != NGX_OK)
    {
        return "has an invalid user";
    }

    if (colon != NULL
        && ngx_ims_redis_text(cf, colon + 1, last, &conf->password) != NGX_OK)
    {
        return "has an invalid password";
    }

    return NGX_CONF_OK;
}


static ngx_int_t
ngx_ims_redis_text(ngx_conf_t *cf, u_char *p, u_char *last, ngx_str_t *out)
{
    u_char  *dst;

    out->len = 0;

    if (last - p >= NGX_IMS_REDIS_SECRET) {
        return NGX_ERROR;
    }

    out->data = ngx_pnalloc(cf->pool, last - p + 1);
    if (out->data == NULL) {
        return NGX_ERROR;
    }

    dst = out->data;
    ngx_unescape_uri(&dst, &p, last - p, 0);

    out->len = dst - out->data;

    return NGX_OK;
}


static char *
ngx_ims_redis_server(ngx_conf_t *cf, ngx_ims_redis_conf_t *conf,
    ngx_str_t *server)
{
    ngx_url_t    u;
    ngx_uint_t   i;
    ngx_addr_t  *addr;

    if (conf->path.len) {
        return "has a Unix socket besides another server";
    }

    if (server->len == 0) {
        return "has no host";
    }

    ngx_memzero(&u, sizeof(ngx_url_t));

    u.url = *server;
    u.default_port = NGX_IMS_REDIS_PORT;

    if (ngx_parse_url(cf->pool, &u) != NGX_OK || u.naddrs == 0) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0, "%s in \"share\" \"%V\"",
                           u.err ? u.err : "no address", server);
        return NGX_CONF_ERROR;
    }

    for (i = 0; i < u.naddrs; i++) {
        addr = ngx_array_push(&conf->addrs);
        if (addr == NULL) {
            return NGX_CONF_ERROR;
        }

        *addr = u.addrs[i];
    }

    if (conf->name.len == 0) {
        conf->name = *server;
    }

    return NGX_CONF_OK;
}


ngx_int_t
ngx_ims_redis_password(ngx_conf_t *cf, ngx_ims_redis_conf_t *conf,
    ngx_str_t *path)
{
    u_char     buf[NGX_IMS_REDIS_SECRET + 1], *p;
    ssize_t    n;
    ngx_fd_t   fd;
    ngx_str_t  name;

    name = *path;

    if (ngx_conf_full_name(cf->cycle, &name, 1) != NGX_OK) {
        return NGX_ERROR;
    }

    fd = ngx_open_file(name.data, NGX_FILE_RDONLY, NGX_FILE_OPEN, 0);

    if (fd == NGX_INVALID_FILE) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, ngx_errno,
                           ngx_open_file_n " \"%V\" failed", &name);
        return NGX_ERROR;
    }

    n = ngx_read_fd(fd, buf, sizeof(buf));

    if (ngx_close_file(fd) == NGX_FILE_ERROR) {
        ngx_conf_log_error(NGX_LOG_ALERT, cf, ngx_errno,
                           ngx_close_file_n " \"%V\" failed", &name);
    }

    for (p = buf; n > 0 && p < buf + n && *p != CR && *p != LF; p++) {
        /* void */
    }

    if (n <= 0 || p == buf || p - buf >= NGX_IMS_REDIS_SECRET) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "\"password_file\" \"%V\" of \"share\" has no "
                           "password", &name);
        return NGX_ERROR;
    }

    conf->password.len = p - buf;
    conf->password.data = ngx_pnalloc(cf->pool, p - buf);

    if (conf->password.data == NULL) {
        return NGX_ERROR;
    }

    ngx_memcpy(conf->password.data, buf, p - buf);
    ngx_explicit_memzero(buf, sizeof(buf));

    return NGX_OK;
}
