/*
 * Copyright (C) the IMS portal authors
 *
 * Time-limited credentials for TURN servers, which share a secret with the
 * portal (spec TURN-1; draft-uberti-behave-turn-rest-00): the username begins
 * with the time of its end, the password is its HMAC.
 */


#include "ngx_http_ims_portal_module.h"

#include <openssl/hmac.h>


#define NGX_HTTP_IMS_TURN_TTL   43200         /* s */
#define NGX_HTTP_IMS_TURN_USER  255           /* bytes of a user's name */


typedef struct {
    ngx_array_t               urls;           /* ngx_str_t */
    ngx_str_t                 secret;
    time_t                    ttl;            /* s */
    const EVP_MD             *md;
    ngx_http_complex_value_t *user;           /* NULL: a pseudonym */
} ngx_http_ims_turn_t;


static char *ngx_http_ims_turn_arg(ngx_conf_t *cf, ngx_http_ims_turn_t *turn,
    ngx_str_t *arg);
static char *ngx_http_ims_turn_secret(ngx_conf_t *cf,
    ngx_http_ims_turn_t *turn, ngx_str_t *name);
static char *ngx_http_ims_turn_user(ngx_conf_t *cf, ngx_http_ims_turn_t *turn,
    ngx_str_t *text);
static ngx_int_t ngx_http_ims_turn_name(ngx_http_request_t *r,
    ngx_http_ims_ctx_t *ctx, ngx_http_ims_turn_t *turn, time_t expires,
    ngx_str_t *name);
static ngx_int_t ngx_http_ims_turn_mac(ngx_http_ims_turn_t *turn,
    ngx_str_t *text, u_char *mac, unsigned *len);


/*
 * ims_portal_turn url ... secret=text | secret_file=path [ttl=time]
 *     [user=string] [algorithm=sha1|sha256]
 */

char *
ngx_http_ims_set_turn(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_ims_loc_conf_t *ilcf = conf;

    char                 *rv;
    ngx_str_t            *value;
    ngx_uint_t            i;
    ngx_http_ims_turn_t  *turn;

    if (ilcf->turns == NGX_CONF_UNSET_PTR) {
        ilcf->turns = ngx_array_create(cf->pool, 1,
                                       sizeof(ngx_http_ims_turn_t));
        if (ilcf->turns == NULL) {
            return NGX_CONF_ERROR;
        }
    }

    turn = ngx_array_push(ilcf->turns);
    if (turn == NULL) {
        return NGX_CONF_ERROR;
    }

    ngx_memzero(turn, sizeof(ngx_http_ims_turn_t));

    if (ngx_array_init(&turn->urls, cf->pool, 2, sizeof(ngx_str_t))
        != NGX_OK)
    {
        return NGX_CONF_ERROR;
    }

    value = cf->args->elts;

    for (i = 1; i < cf->args->nelts; i++) {
        rv = ngx_http_ims_turn_arg(cf, turn, &value[i]);

        if (rv != NGX_CONF_OK) {
            return rv;
        }
    }

    if (turn->urls.nelts == 0 || turn->secret.len == 0) {
        return turn->secret.len ? "needs a URL"
                                : "needs \"secret\" or \"secret_file\"";
    }

    if (turn->ttl == 0) {
        turn->ttl = NGX_HTTP_IMS_TURN_TTL;
    }

    if (turn->md == NULL) {
        turn->md = EVP_sha1();
    }

    return NGX_CONF_OK;
}


/* the value of a parameter is not shown: it may be the secret */

static char *
ngx_http_ims_turn_arg(ngx_conf_t *cf, ngx_http_ims_turn_t *turn,
    ngx_str_t *arg)
{
    u_char      *p;
    ngx_str_t   *url, text;

    if (ngx_strncmp(arg->data, "turn:", 5) == 0
        || ngx_strncmp(arg->data, "turns:", 6) == 0)
    {
        url = ngx_array_push(&turn->urls);
        if (url == NULL) {
            return NGX_CONF_ERROR;
        }

        *url = *arg;

        return arg->data[arg->len - 1] == ':' ? "has a URL without a host"
                                              : NGX_CONF_OK;
    }

    p = ngx_strlchr(arg->data, arg->data + arg->len, '=');

    if (p == NULL) {
        goto invalid;
    }

    text.data = p + 1;
    text.len = arg->data + arg->len - text.data;

    if (ngx_strncmp(arg->data, "secret=", 7) == 0) {

        if (turn->secret.len) {
            return "has a second secret";
        }

        turn->secret = text;

        return text.len ? NGX_CONF_OK : "has an empty secret";
    }

    if (ngx_strncmp(arg->data, "secret_file=", 12) == 0) {
        return ngx_http_ims_turn_secret(cf, turn, &text);
    }

    if (ngx_strncmp(arg->data, "ttl=", 4) == 0) {
        turn->ttl = ngx_parse_time(&text, 1);

        return turn->ttl < 60 || turn->ttl > 604800
               ? "has a \"ttl\" that is not between 60s and 7d"
               : NGX_CONF_OK;
    }

    if (ngx_strncmp(arg->data, "user=", 5) == 0 && text.len) {
        return ngx_http_ims_turn_user(cf, turn, &text);
    }

    if (ngx_strcmp(arg->data, "algorithm=sha1") == 0) {
        turn->md = EVP_sha1();
        return NGX_CONF_OK;
    }

    if (ngx_strcmp(arg->data, "algorithm=sha256") == 0) {
        turn->md = EVP_sha256();
        return NGX_CONF_OK;
    }

    text.len = p - arg->data;
    text.data = arg->data;

    ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                       "invalid parameter \"%V\" in \"ims_portal_turn\"",
                       &text);
    return NGX_CONF_ERROR;

invalid:

    ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                       "invalid URL \"%V\" in \"ims_portal_turn\", it begins "
                       "with \"turn:\" or \"turns:\"", arg);

    return NGX_CONF_ERROR;
}


/* the first line of a file that others may not read */

static char *
ngx_http_ims_turn_secret(ngx_conf_t *cf, ngx_http_ims_turn_t *turn,
    ngx_str_t *name)
{
    u_char           *p, buf[1024];
    ssize_t           n;
    ngx_fd_t          fd;
    ngx_err_t         err;
    ngx_file_info_t   fi;

    if (turn->secret.len) {
        return "has a second secret";
    }

    if (ngx_conf_full_name(cf->cycle, name, 1) != NGX_OK) {
        return NGX_CONF_ERROR;
    }

    fd = ngx_open_file(name->data, NGX_FILE_RDONLY|NGX_FILE_NONBLOCK,
                       NGX_FILE_OPEN, 0);

    n = fd == NGX_INVALID_FILE || ngx_fd_info(fd, &fi) == NGX_FILE_ERROR
        ? -1 : ngx_read_fd(fd, buf, sizeof(buf));
    err = ngx_errno;

    if (fd != NGX_INVALID_FILE) {
        (void) ngx_close_file(fd);
    }

    if (n == -1) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, err,
                           "cannot read \"%V\" of \"ims_portal_turn\"", name);
        return NGX_CONF_ERROR;
    }

    if (fi.st_mode & (S_IROTH|S_IWOTH)) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "\"%V\" of \"ims_portal_turn\" may be read or "
                           "written by others", name);
        return NGX_CONF_ERROR;
    }

    for (p = buf; p < buf + n && *p != CR && *p != LF; p++) { /* void */ }

    turn->secret.len = p - buf;
    turn->secret.data = ngx_pnalloc(cf->pool, sizeof(buf));

    if (turn->secret.data != NULL) {
        ngx_memcpy(turn->secret.data, buf, turn->secret.len);
    }

    ngx_explicit_memzero(buf, sizeof(buf));

    if (turn->secret.data == NULL) {
        return NGX_CONF_ERROR;
    }

    if (turn->secret.len == 0 || turn->secret.len == sizeof(buf)) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "no secret of 1 to 1023 bytes in the first line "
                           "of \"%V\" of \"ims_portal_turn\"", name);
        return NGX_CONF_ERROR;
    }

    return NGX_CONF_OK;
}


static char *
ngx_http_ims_turn_user(ngx_conf_t *cf, ngx_http_ims_turn_t *turn,
    ngx_str_t *text)
{
    ngx_http_compile_complex_value_t  ccv;

    turn->user = ngx_palloc(cf->pool, sizeof(ngx_http_complex_value_t));
    if (turn->user == NULL) {
        return NGX_CONF_ERROR;
    }

    ngx_memzero(&ccv, sizeof(ngx_http_compile_complex_value_t));
    ccv.cf = cf;
    ccv.value = text;
    ccv.complex_value = turn->user;

    return ngx_http_compile_complex_value(&ccv) == NGX_OK ? NGX_CONF_OK
                                                          : NGX_CONF_ERROR;
}


size_t
ngx_http_ims_turn_size(ngx_http_ims_loc_conf_t *ilcf)
{
    size_t                size;
    ngx_str_t            *url;
    ngx_uint_t            i, n;
    ngx_http_ims_turn_t  *turn;

    size = 0;

    if (ilcf->turns == NULL) {
        return size;
    }

    turn = ilcf->turns->elts;

    for (i = 0; i < ilcf->turns->nelts; i++) {
        url = turn[i].urls.elts;
        size += 256 + (NGX_TIME_T_LEN + NGX_HTTP_IMS_TURN_USER) * 6;

        for (n = 0; n < turn[i].urls.nelts; n++) {
            size += url[n].len * 6 + 4;
        }
    }

    return size;
}


u_char *
ngx_http_ims_turn_write(ngx_http_request_t *r, ngx_http_ims_loc_conf_t *ilcf,
    ngx_http_ims_ctx_t *ctx, u_char *p, u_char *last)
{
    u_char                mac[EVP_MAX_MD_SIZE];
    u_char                text[ngx_base64_encoded_length(EVP_MAX_MD_SIZE)];
    time_t                ttl;
    unsigned              len;
    ngx_str_t             name, raw, password, *url;
    ngx_uint_t            i, n;
    ngx_http_ims_turn_t  *turn;

    if (ilcf->turns == NULL) {
        return p;
    }

    turn = ilcf->turns->elts;

    for (i = 0; i < ilcf->turns->nelts; i++) {

        /* nobody may use them when his token has ended */

        ttl = ngx_min(turn[i].ttl, ctx->token.grant.expires - ngx_time());
        ttl = ngx_max(ttl, 0);

        if (ngx_http_ims_turn_name(r, ctx, &turn[i], ngx_time() + ttl, &name)
            != NGX_OK
            || ngx_http_ims_turn_mac(&turn[i], &name, mac, &len) != NGX_OK)
        {
            return NULL;
        }

        raw.data = mac;
        raw.len = len;
        password.data = text;
        ngx_encode_base64(&password, &raw);

        p = ngx_slprintf(p, last, "%s{\"urls\":[",
                         i || ilcf->ice_servers ? "," : "");
        url = turn[i].urls.elts;

        for (n = 0; n < turn[i].urls.nelts; n++) {
            p = ngx_slprintf(p, last, n ? "," : "");
            p = ngx_http_ims_json(p, last, &url[n]);
        }

        p = ngx_slprintf(p, last, "],\"username\":");
        p = ngx_http_ims_json(p, last, &name);
        p = ngx_slprintf(p, last, ",\"credential\":");
        p = ngx_http_ims_json(p, last, &password);
        p = ngx_slprintf(p, last, ",\"ttl\":%T}", ttl);
    }

    return p;
}


/*
 * The end, and who: by default a pseudonym, which only who has the secret can
 * make, so that the TURN server's log does not name people.
 */

static ngx_int_t
ngx_http_ims_turn_name(ngx_http_request_t *r, ngx_http_ims_ctx_t *ctx,
    ngx_http_ims_turn_t *turn, time_t expires, ngx_str_t *name)
{
    u_char      mac[EVP_MAX_MD_SIZE], hex[16];
    unsigned    len;
    ngx_str_t   user;

    if (turn->user == NULL) {
        user.data = ctx->token.grant.ids.user;
        user.len = NGX_IMS_DIGEST_LEN;

        if (ngx_http_ims_turn_mac(turn, &user, mac, &len) != NGX_OK) {
            return NGX_ERROR;
        }

        ngx_hex_dump(hex, mac, sizeof(hex) / 2);
        user.data = hex;
        user.len = sizeof(hex);

    } else if (ngx_http_complex_value(r, turn->user, &user) != NGX_OK) {
        return NGX_ERROR;
    }

    user.len = ngx_min(user.len, NGX_HTTP_IMS_TURN_USER);

    name->data = ngx_pnalloc(r->pool, NGX_TIME_T_LEN + 1 + user.len);
    if (name->data == NULL) {
        return NGX_ERROR;
    }

    name->len = ngx_sprintf(name->data, "%T%s%V", expires,
                            user.len ? ":" : "", &user)
                - name->data;

    return NGX_OK;
}


static ngx_int_t
ngx_http_ims_turn_mac(ngx_http_ims_turn_t *turn, ngx_str_t *text, u_char *mac,
    unsigned *len)
{
    return HMAC(turn->md, turn->secret.data, turn->secret.len, text->data,
                text->len, mac, len)
           ? NGX_OK : NGX_ERROR;
}
