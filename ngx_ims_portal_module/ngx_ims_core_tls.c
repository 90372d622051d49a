/*
 * Copyright (C) the IMS portal authors
 *
 * TLS with the core (spec row SE-20): both ends show a certificate of the
 * trusted authorities, and the one that we connect to has the name or address
 * that we meant (RFC 5922 5).  One context accepts, the other connects; a
 * session is resumed where the core has given one.  No timers: the connection
 * bounds the handshake.
 */


#include "ngx_ims_core_priv.h"
#include "ngx_ims_core_resolve.h"

#if (NGX_SSL)

#include <openssl/x509v3.h>


static ngx_uint_t ngx_ims_core_tls_used(ngx_ims_core_t *core);
static ngx_ssl_t *ngx_ims_core_tls_context(ngx_conf_t *cf,
    ngx_ims_core_t *core, ngx_uint_t in);
static void ngx_ims_core_tls_handshake(ngx_connection_t *c);
static ngx_int_t ngx_ims_core_tls_check(ngx_ims_core_conn_t *conn);
static ngx_int_t ngx_ims_core_tls_check_name(ngx_ims_core_conn_t *conn,
    X509 *cert);
static ngx_uint_t ngx_ims_core_tls_literal(ngx_str_t *name);
static void ngx_ims_core_tls_name(ngx_ims_core_conn_t *conn,
    ngx_str_t *name);
static void ngx_ims_core_tls_save(ngx_connection_t *c);


/* who sends by a transport listens to it, too */

static ngx_uint_t
ngx_ims_core_tls_used(ngx_ims_core_t *core)
{
    ngx_uint_t              i;
    ngx_ims_core_listen_t  *lst;

    lst = core->listens.elts;

    for (i = 0; i < core->listens.nelts; i++) {
        if (lst[i].transport == NGX_IMS_TLS) {
            return 1;
        }
    }

    return 0;
}


ngx_int_t
ngx_ims_core_tls_init(ngx_conf_t *cf, ngx_ims_core_t *core)
{
    ngx_ims_core_tls_t  *tls;

    tls = &core->tls;

    if (!ngx_ims_core_tls_used(core)) {
        return NGX_OK;
    }

    if (tls->certificate.len == 0 || tls->key.len == 0) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "no \"%s\" for \"listen\" with \"ssl\" "
                           "in \"ims_portal_core\" \"%V\"",
                           tls->certificate.len ? "ssl_certificate_key"
                                                : "ssl_certificate",
                           &core->name);
        return NGX_ERROR;
    }

    if (tls->verify && tls->trusted.len == 0) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "no \"ssl_trusted_certificate\" for \"ssl_verify\" "
                           "in \"ims_portal_core\" \"%V\"", &core->name);
        return NGX_ERROR;
    }

    tls->in = ngx_ims_core_tls_context(cf, core, 1);
    tls->out = ngx_ims_core_tls_context(cf, core, 0);

    return (tls->in == NULL || tls->out == NULL) ? NGX_ERROR : NGX_OK;
}


static ngx_ssl_t *
ngx_ims_core_tls_context(ngx_conf_t *cf, ngx_ims_core_t *core, ngx_uint_t in)
{
    ngx_ssl_t           *ssl;
    ngx_pool_cleanup_t  *cln;
    ngx_ims_core_tls_t  *tls;

    tls = &core->tls;

    ssl = ngx_pcalloc(cf->pool, sizeof(ngx_ssl_t));
    cln = ngx_pool_cleanup_add(cf->pool, 0);

    if (ssl == NULL || cln == NULL) {
        return NULL;
    }

    ssl->log = cf->log;

    if (ngx_ssl_create(ssl, tls->protocols, core) != NGX_OK) {
        return NULL;
    }

    cln->handler = ngx_ssl_cleanup_ctx;
    cln->data = ssl;

    if (ngx_ssl_certificate(cf, ssl, &tls->certificate, &tls->key, NULL)
        != NGX_OK
        || ngx_ssl_ciphers(cf, ssl, &tls->ciphers, in) != NGX_OK)
    {
        return NULL;
    }

    if (tls->verify) {

        /* the check of the chain is ours, behind the handshake */

        if (in ? ngx_ssl_client_certificate(cf, ssl, &tls->trusted,
                                            tls->depth) != NGX_OK
               : ngx_ssl_trusted_certificate(cf, ssl, &tls->trusted,
                                             tls->depth) != NGX_OK)
        {
            return NULL;
        }

        if (ngx_ssl_crl(cf, ssl, &tls->crl) != NGX_OK) {
            return NULL;
        }
    }

    if (in) {

        /* a worker's own, and tickets: enough for a few connections */

        return ngx_ssl_session_cache(ssl, &core->name, NULL,
                                     NGX_SSL_DFLT_BUILTIN_SCACHE, NULL, 300)
               == NGX_OK ? ssl : NULL;
    }

    return ngx_ssl_client_session_cache(cf, ssl, 1) == NGX_OK ? ssl : NULL;
}


void
ngx_ims_core_tls_start(ngx_ims_core_conn_t *conn)
{
    ngx_str_t             name;
    ngx_connection_t     *c;
    ngx_ims_core_peer_t  *peer;
    u_char                buf[256];

    c = conn->connection;

    if (ngx_ssl_create_connection(conn->inbound ? conn->core->tls.in
                                                : conn->core->tls.out,
                                  c, conn->inbound ? 0 : NGX_SSL_CLIENT)
        != NGX_OK)
    {
        ngx_ims_core_stream_fail(conn, NGX_LOG_ERR, 0, "could not be made");
        return;
    }

    conn->log.action = "SSL handshaking";

    if (!conn->inbound) {
        ngx_ims_core_tls_name(conn, &name);

        /* RFC 6066 3: addresses are no names */

        if (name.len && name.len < sizeof(buf)
            && !ngx_ims_core_tls_literal(&name))
        {
            (void) ngx_cpystrn(buf, name.data, name.len + 1);

            if (SSL_set_tlsext_host_name(c->ssl->connection, (char *) buf)
                == 0)
            {
                ngx_ssl_error(NGX_LOG_ERR, &conn->log, 0,
                              "SSL_set_tlsext_host_name(\"%s\") failed", buf);
                ngx_ims_core_stream_fail(conn, NGX_LOG_ERR, 0,
                                         "could not be made");
                return;
            }
        }

        peer = ngx_ims_core_peer(conn->core, conn->transport,
                                 &conn->sockaddr.sockaddr, conn->socklen, 1);

        if (peer != NULL && peer->session != NULL) {
            (void) ngx_ssl_set_session(c, peer->session);
        }

        c->ssl->save_session = ngx_ims_core_tls_save;
    }

    if (ngx_ssl_handshake(c) == NGX_AGAIN) {
        c->ssl->handler = ngx_ims_core_tls_handshake;
        return;
    }

    ngx_ims_core_tls_handshake(c);
}


static void
ngx_ims_core_tls_handshake(ngx_connection_t *c)
{
    ngx_ims_core_conn_t  *conn;

    conn = c->data;

    if (!c->ssl->handshaked) {
        ngx_ims_core_stream_fail(conn, NGX_LOG_ERR, 0,
                                 "was refused by one end");
        return;
    }

    if (ngx_ims_core_tls_check(conn) != NGX_OK) {
        ngx_ims_core_stream_fail(conn, NGX_LOG_ERR, 0, "is not trusted");
        return;
    }

    conn->log.action = NULL;

    ngx_ims_core_stream_opened(conn);
}


static ngx_int_t
ngx_ims_core_tls_check(ngx_ims_core_conn_t *conn)
{
    long               rc;
    X509              *cert;
    ngx_int_t          ok;
    ngx_ssl_conn_t    *ssl;

    if (!conn->core->tls.verify) {
        return NGX_OK;
    }

    ssl = conn->connection->ssl->connection;

    rc = SSL_get_verify_result(ssl);

    if (rc != X509_V_OK) {
        ngx_log_error(NGX_LOG_ERR, &conn->log, 0,
                      "core's SSL certificate verify error: (%l:%s)", rc,
                      X509_verify_cert_error_string(rc));
        return NGX_ERROR;
    }

    cert = SSL_get_peer_certificate(ssl);

    if (cert == NULL) {
        ngx_log_error(NGX_LOG_ERR, &conn->log, 0,
                      "core sent no SSL certificate");
        return NGX_ERROR;
    }

    ok = conn->inbound ? NGX_OK : ngx_ims_core_tls_check_name(conn, cert);

    X509_free(cert);

    return ok;
}


static ngx_int_t
ngx_ims_core_tls_check_name(ngx_ims_core_conn_t *conn, X509 *cert)
{
    ngx_str_t    name;
    ngx_int_t    ok;
    u_char       buf[256];

    ngx_ims_core_tls_name(conn, &name);

    if (name.len == 0 || name.len >= sizeof(buf)) {
        return NGX_ERROR;
    }

    if (ngx_ims_core_tls_literal(&name)) {

        if (name.data[0] == '[') {
            name.data++;
            name.len -= 2;
        }

        (void) ngx_cpystrn(buf, name.data, name.len + 1);
        ok = (X509_check_ip_asc(cert, (char *) buf, 0) == 1);

    } else {
        ok = (ngx_ssl_check_host(conn->connection, &name) == NGX_OK);
    }

    if (!ok) {
        ngx_log_error(NGX_LOG_ERR, &conn->log, 0,
                      "core's SSL certificate does not match \"%V\"", &name);
    }

    return ok ? NGX_OK : NGX_ERROR;
}


static ngx_uint_t
ngx_ims_core_tls_literal(ngx_str_t *name)
{
    return name->data[0] == '['
           || ngx_inet_addr(name->data, name->len) != INADDR_NONE;
}


/* ssl_name, the name in the line server, or the address itself */

static void
ngx_ims_core_tls_name(ngx_ims_core_conn_t *conn, ngx_str_t *name)
{
    u_char                 *p;
    ngx_ims_core_server_t  *s;

    if (conn->core->tls.name.len) {
        *name = conn->core->tls.name;
        return;
    }

    s = ngx_ims_core_server(conn->core, conn->transport,
                            &conn->sockaddr.sockaddr, conn->socklen);

    if (s != NULL && s->name != NULL) {
        *name = s->name->host;
        return;
    }

    p = conn->name;
    name->data = p;

    if (conn->sockaddr.sockaddr.sa_family == AF_INET6) {
        *p++ = '[';
    }

    p += ngx_sock_ntop(&conn->sockaddr.sockaddr, conn->socklen, p,
                       NGX_SOCKADDR_STRLEN, 0);

    if (conn->sockaddr.sockaddr.sa_family == AF_INET6) {
        *p++ = ']';
    }

    name->len = p - name->data;
}


/* the core has given a session, in the handshake or behind it (TLS 1.3) */

static void
ngx_ims_core_tls_save(ngx_connection_t *c)
{
    ngx_ssl_session_t    *session;
    ngx_ims_core_conn_t  *conn;
    ngx_ims_core_peer_t  *peer;

    conn = c->data;

    peer = ngx_ims_core_peer(conn->core, conn->transport,
                             &conn->sockaddr.sockaddr, conn->socklen, 1);
    if (peer == NULL) {
        return;
    }

    session = ngx_ssl_get_session(c);

    if (session != NULL) {
        ngx_ims_core_tls_forget(peer);
        peer->session = session;
    }
}


void
ngx_ims_core_tls_forget(ngx_ims_core_peer_t *peer)
{
    if (peer->session != NULL) {
        ngx_ssl_free_session(peer->session);
        peer->session = NULL;
    }
}


void
ngx_ims_core_tls_shut(ngx_connection_t *c)
{
    ERR_clear_error();
    (void) SSL_shutdown(c->ssl->connection);
    ERR_clear_error();
}


void
ngx_ims_core_tls_close(ngx_connection_t *c)
{
    c->ssl->no_wait_shutdown = 1;

    if (c->error) {
        c->ssl->no_send_shutdown = 1;
    }

    if (ngx_ssl_shutdown(c) == NGX_AGAIN) {
        c->ssl->no_send_shutdown = 1;
        (void) ngx_ssl_shutdown(c);
    }
}

#else

ngx_int_t
ngx_ims_core_tls_init(ngx_conf_t *cf, ngx_ims_core_t *core)
{
    return NGX_OK;
}


void
ngx_ims_core_tls_start(ngx_ims_core_conn_t *conn)
{
    ngx_ims_core_stream_fail(conn, NGX_LOG_ERR, 0, "needs an nginx with SSL");
}


void
ngx_ims_core_tls_forget(ngx_ims_core_peer_t *peer)
{
    peer->session = NULL;
}

#endif
