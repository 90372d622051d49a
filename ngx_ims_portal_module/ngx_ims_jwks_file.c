/*
 * Copyright (C) the IMS portal authors
 *
 * Keys in files: read with the configuration, and again by each worker when
 * they change.
 *
 * Timers: one for each file that is watched, cancelable; it only asks for the
 * state of the file.
 */


#include "ngx_ims_jwks.h"


static ngx_int_t ngx_ims_jwks_take(ngx_ims_jwks_t *jwks, ngx_fd_t fd,
    u_char *err, size_t size);
static ngx_ims_jwt_keys_t *ngx_ims_jwks_parse(ngx_ims_jwks_t *jwks,
    ngx_str_t *text, char *err, size_t size);
static void ngx_ims_jwks_look(ngx_event_t *ev);

#define ngx_ims_jwks_say(err, size, ...)                                      \
    (void) (*ngx_snprintf(err, (size) - 1, __VA_ARGS__) = '\0')


ngx_int_t
ngx_ims_jwks_read(ngx_ims_jwks_t *jwks, u_char *err, size_t size)
{
    u_char     error[128];
    ngx_fd_t   fd;
    ngx_int_t  rc;

    /* what is no file does not block */

    fd = ngx_open_file(jwks->name.data, NGX_FILE_RDONLY|NGX_FILE_NONBLOCK,
                       NGX_FILE_OPEN, 0);

    if (fd == NGX_INVALID_FILE) {
        *ngx_strerror(ngx_errno, error, sizeof(error) - 1) = '\0';
        ngx_ims_jwks_say(err, size, ngx_open_file_n " failed: %s", error);
        return NGX_ERROR;
    }

    rc = ngx_ims_jwks_take(jwks, fd, err, size);

    (void) ngx_close_file(fd);

    return rc;
}


static ngx_int_t
ngx_ims_jwks_take(ngx_ims_jwks_t *jwks, ngx_fd_t fd, u_char *err, size_t size)
{
    char                 error[256];
    ssize_t              n;
    ngx_str_t            text;
    ngx_file_info_t      fi;
    ngx_ims_jwt_keys_t  *keys;

    if (ngx_fd_info(fd, &fi) == NGX_FILE_ERROR || !ngx_is_file(&fi)) {
        ngx_ims_jwks_say(err, size, "it is not a regular file");
        return NGX_ERROR;
    }

    if (jwks->form != NGX_IMS_JWKS_KEYS && (fi.st_mode & S_IROTH)) {
        ngx_ims_jwks_say(err, size, "a secret that everybody may read");
        return NGX_ERROR;
    }

    text.data = malloc(NGX_IMS_JWKS_MAX);
    if (text.data == NULL) {
        ngx_ims_jwks_say(err, size, "no memory for it");
        return NGX_ERROR;
    }

    n = ngx_read_fd(fd, text.data, NGX_IMS_JWKS_MAX);

    if (n <= 0 || n == NGX_IMS_JWKS_MAX) {
        ngx_ims_jwks_say(err, size, "it cannot be read, is empty or larger "
                         "than 256k");
        free(text.data);
        return NGX_ERROR;
    }

    text.len = n;

    keys = ngx_ims_jwks_parse(jwks, &text, error, sizeof(error));

    ngx_explicit_memzero(text.data, n);
    free(text.data);

    if (keys == NULL) {
        ngx_ims_jwks_say(err, size, "no usable key: %s", error);
        return NGX_ERROR;
    }

    ngx_ims_jwt_keys_free(jwks->keys);

    jwks->keys = keys;
    jwks->generation++;
    jwks->mtime = ngx_file_mtime(&fi);
    jwks->mtime_ns = fi.st_mtim.tv_nsec;
    jwks->uniq = ngx_file_uniq(&fi);
    jwks->size = ngx_file_size(&fi);
    jwks->open = (fi.st_mode & S_IROTH) != 0;

    return NGX_OK;
}


static ngx_ims_jwt_keys_t *
ngx_ims_jwks_parse(ngx_ims_jwks_t *jwks, ngx_str_t *text, char *err,
    size_t size)
{
    size_t               len;
    ngx_str_t            secret;
    ngx_ims_jwt_keys_t  *keys;

    if (jwks->form == NGX_IMS_JWKS_KEYS) {
        return ngx_ims_jwt_keys_parse(text, err, size);
    }

    /* the end of line that an editor puts there is no part of a secret */

    secret = *text;

    if (secret.len && secret.data[secret.len - 1] == LF) {
        secret.len--;
    }

    if (secret.len && secret.data[secret.len - 1] == CR) {
        secret.len--;
    }

    if (jwks->form == NGX_IMS_JWKS_RAW) {
        return ngx_ims_jwt_keys_secret(&secret, err, size);
    }

    /* what is decoded is shorter than its text, and never ahead of it */

    if (!ngx_ims_jwt_base64url(&secret, secret.data, &len)) {
        ngx_ims_jwks_say((u_char *) err, size, "it is not base64url");
        return NULL;
    }

    secret.len = len;
    keys = ngx_ims_jwt_keys_secret(&secret, err, size);

    return keys;
}


void
ngx_ims_jwks_init(ngx_ims_jwks_t *jwks, ngx_log_t *log)
{
    jwks->log = log;

    if (jwks->watch == 0) {
        return;
    }

    jwks->timer.handler = ngx_ims_jwks_look;
    jwks->timer.data = jwks;
    jwks->timer.log = log;
    jwks->timer.cancelable = 1;

    ngx_add_timer(&jwks->timer, jwks->watch);
}


/* a bad file is told once and looked at until it is better */

static void
ngx_ims_jwks_look(ngx_event_t *ev)
{
    u_char            err[512];
    ngx_ims_jwks_t   *jwks;
    ngx_file_info_t   fi;

    jwks = ev->data;

    ngx_add_timer(&jwks->timer, jwks->watch);

    if (ngx_file_info(jwks->name.data, &fi) != NGX_FILE_ERROR
        && ngx_file_mtime(&fi) == jwks->mtime
        && fi.st_mtim.tv_nsec == jwks->mtime_ns
        && ngx_file_uniq(&fi) == jwks->uniq
        && ngx_file_size(&fi) == jwks->size)
    {
        jwks->broken = 0;
        return;
    }

    if (ngx_ims_jwks_read(jwks, err, sizeof(err)) == NGX_OK) {
        jwks->broken = 0;

        ngx_log_error(NGX_LOG_NOTICE, jwks->log, 0,
                      "keys of \"%V\" are read again", &jwks->name);
        return;
    }

    if (!jwks->broken) {
        jwks->broken = 1;

        ngx_log_error(NGX_LOG_ERR, jwks->log, 0,
                      "keys of \"%V\" cannot be read again: %s, the former "
                      "ones are used", &jwks->name, err);
    }
}
