/*
 * Copyright (C) the IMS portal authors
 *
 * ims_portal_jwt_key: where the keys of a login come from.
 */


#include "ngx_http_ims_portal_module.h"


enum {
    NGX_HTTP_IMS_KEY_FILE = 0x01,
    NGX_HTTP_IMS_KEY_REQUEST = 0x02
};


/* a line of the configuration */
typedef struct {
    ngx_uint_t                kind;
    ngx_array_t              *issuers;        /* ngx_str_t; NULL: none named */
    ngx_uint_t                algs;
    ngx_ims_jwks_t            jwks;           /* as it was written */
    ngx_ims_jwks_t           *file;           /* that was read */
} ngx_http_ims_key_t;


typedef struct {
    ngx_str_t                 name;           /* with "=" */
    ngx_uint_t                kinds;          /* that have it */
    ngx_uint_t                offset;         /* of a time in ngx_ims_jwks_t */
    ngx_msec_t                min;            /* ms */
} ngx_http_ims_key_time_t;


static ngx_int_t ngx_http_ims_key_word(ngx_conf_t *cf, ngx_http_ims_key_t *key,
    ngx_str_t *value);
static ngx_int_t ngx_http_ims_key_source(ngx_conf_t *cf,
    ngx_http_ims_key_t *key, ngx_uint_t kind, ngx_str_t *name);
static ngx_int_t ngx_http_ims_key_algs(ngx_http_ims_key_t *key,
    ngx_str_t *names);
static ngx_int_t ngx_http_ims_key_issuer(ngx_conf_t *cf,
    ngx_http_ims_key_t *key, ngx_str_t *name);
static ngx_int_t ngx_http_ims_key_read(ngx_conf_t *cf,
    ngx_http_ims_main_conf_t *imcf, ngx_http_ims_key_t *key);
static ngx_ims_jwks_t *ngx_http_ims_key_bind(ngx_conf_t *cf,
    ngx_http_ims_main_conf_t *imcf, ngx_http_ims_key_t *key);
static ngx_ims_jwks_t *ngx_http_ims_key_find(ngx_http_ims_main_conf_t *imcf,
    ngx_ims_jwks_t *like);
static ngx_ims_jwks_t *ngx_http_ims_key_add(ngx_conf_t *cf,
    ngx_http_ims_main_conf_t *imcf, ngx_ims_jwks_t *like);
static ngx_int_t ngx_http_ims_key_zone(ngx_conf_t *cf,
    ngx_http_ims_main_conf_t *imcf, ngx_ims_jwks_t *jwks,
    ngx_str_t *server);
static void ngx_http_ims_key_free(void *data);


static ngx_http_ims_key_time_t  ngx_http_ims_key_times[] = {
    { ngx_string("watch="), NGX_HTTP_IMS_KEY_FILE,
      offsetof(ngx_ims_jwks_t, watch), 100 },
    { ngx_string("valid="), NGX_HTTP_IMS_KEY_REQUEST,
      offsetof(ngx_ims_jwks_t, valid), 1000 },
    { ngx_string("stale="), NGX_HTTP_IMS_KEY_REQUEST,
      offsetof(ngx_ims_jwks_t, stale), 0 },
    { ngx_string("miss="), NGX_HTTP_IMS_KEY_REQUEST,
      offsetof(ngx_ims_jwks_t, miss), 1000 },
    { ngx_string("timeout="), NGX_HTTP_IMS_KEY_REQUEST,
      offsetof(ngx_ims_jwks_t, timeout), 100 },
    { ngx_null_string, 0, 0, 0 }
};


/*
 * ims_portal_jwt_key file=path | request=uri [issuer=url ...] [alg=name,...]
 *     [secret[=base64url]] [watch=time] [valid=time] [stale=time] [miss=time]
 *     [timeout=time]
 */

char *
ngx_http_ims_jwt_key(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_ims_loc_conf_t *ilcf = conf;

    ngx_str_t                 *value;
    ngx_uint_t                 i;
    ngx_http_ims_key_t        *key;
    ngx_http_ims_main_conf_t  *imcf;

    value = cf->args->elts;

    if (ilcf->keys == NGX_CONF_UNSET_PTR) {
        ilcf->keys = ngx_array_create(cf->pool, 2, sizeof(ngx_http_ims_key_t));
        if (ilcf->keys == NULL) {
            return NGX_CONF_ERROR;
        }
    }

    key = ngx_array_push(ilcf->keys);
    if (key == NULL) {
        return NGX_CONF_ERROR;
    }

    ngx_memzero(key, sizeof(ngx_http_ims_key_t));

    key->jwks.valid = NGX_CONF_UNSET_MSEC;
    key->jwks.stale = NGX_CONF_UNSET_MSEC;
    key->jwks.miss = NGX_CONF_UNSET_MSEC;
    key->jwks.timeout = NGX_CONF_UNSET_MSEC;
    key->jwks.watch = NGX_CONF_UNSET_MSEC;

    /* the source first, whatever its place: the others depend on it */

    for (i = 1; i < cf->args->nelts; i++) {

        if (ngx_http_ims_key_word(cf, key, &value[i]) != NGX_OK) {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                               "invalid parameter \"%V\" in "
                               "\"ims_portal_jwt_key\"", &value[i]);
            return NGX_CONF_ERROR;
        }
    }

    if (key->kind == 0) {
        return "has neither \"file=\" nor \"request=\"";
    }

    if (key->jwks.form != NGX_IMS_JWKS_KEYS
        && key->kind == NGX_HTTP_IMS_KEY_REQUEST)
    {
        return "has \"secret\", which only a file can hold";
    }

    for (i = 0; ngx_http_ims_key_times[i].name.len; i++) {

        if (!(ngx_http_ims_key_times[i].kinds & key->kind)
            && *(ngx_msec_t *) ((u_char *) &key->jwks
                                + ngx_http_ims_key_times[i].offset)
               != NGX_CONF_UNSET_MSEC)
        {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                               "\"ims_portal_jwt_key\" has no \"%V\" with "
                               "\"%s\"", &ngx_http_ims_key_times[i].name,
                               key->kind == NGX_HTTP_IMS_KEY_FILE ? "file="
                                                                : "request=");
            return NGX_CONF_ERROR;
        }
    }

    ngx_conf_init_msec_value(key->jwks.watch, 0);
    ngx_conf_init_msec_value(key->jwks.valid, 600000);
    ngx_conf_init_msec_value(key->jwks.stale, 3600000);
    ngx_conf_init_msec_value(key->jwks.miss, 60000);
    ngx_conf_init_msec_value(key->jwks.timeout, 5000);

    if (key->kind == NGX_HTTP_IMS_KEY_REQUEST) {
        key->jwks.fetch = ngx_http_ims_jwks_fetch;
        return NGX_CONF_OK;
    }

    imcf = ngx_http_conf_get_module_main_conf(cf, ngx_http_ims_portal_module);

    return ngx_http_ims_key_read(cf, imcf, key) == NGX_OK ? NGX_CONF_OK
                                                          : NGX_CONF_ERROR;
}


static ngx_int_t
ngx_http_ims_key_word(ngx_conf_t *cf, ngx_http_ims_key_t *key,
    ngx_str_t *value)
{
    ngx_str_t                 text;
    ngx_msec_t               *time;
    ngx_http_ims_key_time_t  *t;

    if (ngx_strcmp(value->data, "secret") == 0) {
        key->jwks.form = NGX_IMS_JWKS_RAW;
        return NGX_OK;
    }

    if (ngx_strcmp(value->data, "secret=base64url") == 0) {
        key->jwks.form = NGX_IMS_JWKS_BASE64URL;
        return NGX_OK;
    }

    text.data = (u_char *) ngx_strchr(value->data, '=');

    if (text.data == NULL || text.data[1] == '\0') {
        return NGX_ERROR;
    }

    text.data++;
    text.len = value->data + value->len - text.data;

    if (ngx_strncmp(value->data, "file=", 5) == 0) {
        return ngx_http_ims_key_source(cf, key, NGX_HTTP_IMS_KEY_FILE, &text);
    }

    if (ngx_strncmp(value->data, "request=", 8) == 0) {
        return ngx_http_ims_key_source(cf, key, NGX_HTTP_IMS_KEY_REQUEST,
                                       &text);
    }

    if (ngx_strncmp(value->data, "issuer=", 7) == 0) {
        return ngx_http_ims_key_issuer(cf, key, &text);
    }

    if (ngx_strncmp(value->data, "alg=", 4) == 0) {
        return ngx_http_ims_key_algs(key, &text);
    }

    for (t = ngx_http_ims_key_times; t->name.len; t++) {

        if (ngx_strncmp(value->data, t->name.data, t->name.len) != 0) {
            continue;
        }

        time = (ngx_msec_t *) ((u_char *) &key->jwks + t->offset);

        if (*time != NGX_CONF_UNSET_MSEC) {
            return NGX_ERROR;
        }

        *time = ngx_parse_time(&text, 0);

        return *time != (ngx_msec_t) NGX_ERROR && *time >= t->min
               && *time <= NGX_MAX_INT32_VALUE ? NGX_OK : NGX_ERROR;
    }

    return NGX_ERROR;
}


static ngx_int_t
ngx_http_ims_key_source(ngx_conf_t *cf, ngx_http_ims_key_t *key,
    ngx_uint_t kind, ngx_str_t *name)
{
    if (key->kind) {
        return NGX_ERROR;
    }

    key->kind = kind;
    key->jwks.name = *name;

    if (kind == NGX_HTTP_IMS_KEY_FILE) {
        return ngx_conf_full_name(cf->cycle, &key->jwks.name, 1);
    }

    return name->data[0] == '/' ? NGX_OK : NGX_ERROR;
}


static ngx_int_t
ngx_http_ims_key_algs(ngx_http_ims_key_t *key, ngx_str_t *names)
{
    u_char     *p, *last, *end;
    ngx_str_t   name;
    ngx_uint_t  bit;

    if (key->algs) {
        return NGX_ERROR;
    }

    last = names->data + names->len;

    for (p = names->data; p <= last; p = end + 1) {
        end = ngx_strlchr(p, last, ',');

        if (end == NULL) {
            end = last;
        }

        name.data = p;
        name.len = end - p;

        bit = ngx_ims_jwt_alg(&name);

        if (bit == 0) {
            return NGX_ERROR;
        }

        key->algs |= bit;
    }

    return NGX_OK;
}


static ngx_int_t
ngx_http_ims_key_issuer(ngx_conf_t *cf, ngx_http_ims_key_t *key,
    ngx_str_t *name)
{
    ngx_str_t  *issuer;

    if (name->len > 255) {
        return NGX_ERROR;
    }

    if (key->issuers == NULL) {
        key->issuers = ngx_array_create(cf->pool, 1, sizeof(ngx_str_t));
        if (key->issuers == NULL) {
            return NGX_ERROR;
        }
    }

    issuer = ngx_array_push(key->issuers);
    if (issuer == NULL) {
        return NGX_ERROR;
    }

    *issuer = *name;

    return NGX_OK;
}


/* here, where the line is known that an error is on */

static ngx_int_t
ngx_http_ims_key_read(ngx_conf_t *cf, ngx_http_ims_main_conf_t *imcf,
    ngx_http_ims_key_t *key)
{
    u_char  err[512];

    key->file = ngx_http_ims_key_find(imcf, &key->jwks);

    if (key->file != NULL) {
        return NGX_OK;
    }

    key->file = ngx_http_ims_key_add(cf, imcf, &key->jwks);
    if (key->file == NULL) {
        return NGX_ERROR;
    }

    if (ngx_ims_jwks_read(key->file, err, sizeof(err)) != NGX_OK) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "\"%V\" of \"ims_portal_jwt_key\": %s",
                           &key->file->name, err);
        return NGX_ERROR;
    }

    if (key->file->open && ngx_ims_jwt_keys_shared(key->file->keys)) {
        ngx_conf_log_error(NGX_LOG_WARN, cf, 0,
                           "\"%V\" of \"ims_portal_jwt_key\" has a secret "
                           "that everybody may read", &key->file->name);
    }

    return NGX_OK;
}


char *
ngx_http_ims_key_policy(ngx_conf_t *cf, ngx_http_ims_main_conf_t *imcf,
    ngx_http_ims_loc_conf_t *conf)
{
    ngx_uint_t               i, named;
    ngx_http_ims_key_t      *key;
    ngx_ims_token_key_t     *k;
    ngx_ims_token_policy_t  *policy;

    policy = &conf->policy.token;
    key = conf->keys->elts;
    named = 0;

    policy->keys = ngx_array_create(cf->pool, conf->keys->nelts,
                                    sizeof(ngx_ims_token_key_t));
    if (policy->keys == NULL) {
        return NGX_CONF_ERROR;
    }

    for (i = 0; i < conf->keys->nelts; i++) {
        k = ngx_array_push(policy->keys);
        if (k == NULL) {
            return NGX_CONF_ERROR;
        }

        k->issuers = key[i].issuers;
        k->algs = key[i].algs;
        k->jwks = key[i].file ? key[i].file
                              : ngx_http_ims_key_bind(cf, imcf, &key[i]);

        if (k->jwks == NULL) {
            return NGX_CONF_ERROR;
        }

        named += (k->issuers != NULL);
    }

    /* else the keys of nobody could speak for those who are named */

    if (named && named < conf->keys->nelts && conf->issuers == NULL) {
        ngx_log_error(NGX_LOG_EMERG, cf->log, 0,
                      "\"ims_portal_jwt_key\" without \"issuer=\" stands "
                      "beside one with it: name its issuer, too, or give "
                      "\"ims_portal_jwt_issuer\"");
        return NGX_CONF_ERROR;
    }

    return NGX_CONF_OK;
}


ngx_uint_t
ngx_http_ims_key_same(ngx_ims_token_policy_t *a, ngx_ims_token_policy_t *b)
{
    ngx_uint_t            i;
    ngx_ims_token_key_t  *k, *other;

    if (a->keys->nelts != b->keys->nelts) {
        return 0;
    }

    k = a->keys->elts;
    other = b->keys->elts;

    for (i = 0; i < a->keys->nelts; i++) {

        if (k[i].jwks != other[i].jwks || k[i].issuers != other[i].issuers
            || k[i].algs != other[i].algs)
        {
            return 0;
        }
    }

    return 1;
}


/* the source for the server whose location is merged */

static ngx_ims_jwks_t *
ngx_http_ims_key_bind(ngx_conf_t *cf, ngx_http_ims_main_conf_t *imcf,
    ngx_http_ims_key_t *key)
{
    ngx_ims_jwks_t             like, *jwks;
    ngx_http_core_srv_conf_t  *cscf;

    cscf = ngx_http_conf_get_module_srv_conf(cf, ngx_http_core_module);

    like = key->jwks;
    like.server = cscf;

    jwks = ngx_http_ims_key_find(imcf, &like);

    if (jwks != NULL) {
        return jwks;
    }

    jwks = ngx_http_ims_key_add(cf, imcf, &like);

    if (jwks == NULL
        || ngx_http_ims_key_zone(cf, imcf, jwks, &cscf->server_name) != NGX_OK)
    {
        return NULL;
    }

    return jwks;
}


static ngx_ims_jwks_t *
ngx_http_ims_key_find(ngx_http_ims_main_conf_t *imcf, ngx_ims_jwks_t *like)
{
    ngx_uint_t        i;
    ngx_ims_jwks_t  **jwks;

    jwks = imcf->jwks.elts;

    for (i = 0; i < imcf->jwks.nelts; i++) {

        if (jwks[i]->name.len == like->name.len
            && ngx_memcmp(jwks[i]->name.data, like->name.data, like->name.len)
               == 0
            && jwks[i]->server == like->server
            && jwks[i]->fetch == like->fetch
            && jwks[i]->form == like->form
            && jwks[i]->watch == like->watch
            && jwks[i]->valid == like->valid
            && jwks[i]->stale == like->stale
            && jwks[i]->miss == like->miss
            && jwks[i]->timeout == like->timeout)
        {
            return jwks[i];
        }
    }

    return NULL;
}


static ngx_ims_jwks_t *
ngx_http_ims_key_add(ngx_conf_t *cf, ngx_http_ims_main_conf_t *imcf,
    ngx_ims_jwks_t *like)
{
    ngx_ims_jwks_t      *jwks, **slot;
    ngx_pool_cleanup_t  *cln;

    jwks = ngx_palloc(cf->pool, sizeof(ngx_ims_jwks_t));
    cln = ngx_pool_cleanup_add(cf->pool, 0);
    slot = ngx_array_push(&imcf->jwks);

    if (jwks == NULL || cln == NULL || slot == NULL) {
        return NULL;
    }

    *jwks = *like;
    *slot = jwks;

    jwks->log = cf->cycle->log;
    ngx_queue_init(&jwks->waiting);

    cln->handler = ngx_http_ims_key_free;
    cln->data = jwks;

    return jwks;
}


static void
ngx_http_ims_key_free(void *data)
{
    ngx_ims_jwks_t  *jwks;

    jwks = data;

    ngx_ims_jwt_keys_free(jwks->keys);
}


/*
 * By the names of server and location, so that a reload finds it; two of one
 * name are told apart by their order.
 */

static ngx_int_t
ngx_http_ims_key_zone(ngx_conf_t *cf, ngx_http_ims_main_conf_t *imcf,
    ngx_ims_jwks_t *jwks, ngx_str_t *server)
{
    u_char                    *p;
    ngx_str_t                  name;
    ngx_uint_t                 i, n;
    ngx_ims_jwks_t           **other;
    ngx_http_core_srv_conf_t  *cscf;

    n = 0;
    other = imcf->jwks.elts;

    for (i = 0; i < imcf->jwks.nelts; i++) {
        cscf = other[i]->server;

        if (other[i] != jwks && cscf != NULL
            && cscf->server_name.len == server->len
            && ngx_strncmp(cscf->server_name.data, server->data, server->len)
               == 0
            && ngx_strcmp(other[i]->name.data, jwks->name.data) == 0)
        {
            n++;
        }
    }

    p = ngx_pnalloc(cf->pool, sizeof("ims_portal_jwt_key::#") + server->len
                              + jwks->name.len + NGX_INT_T_LEN);
    if (p == NULL) {
        return NGX_ERROR;
    }

    name.data = p;
    name.len = ngx_sprintf(p, "ims_portal_jwt_key:%V:%V#%ui", server,
                           &jwks->name, n) - p;

    jwks->zone = ngx_shared_memory_add(cf, &name, ngx_ims_jwks_size(),
                                       &ngx_http_ims_portal_module);
    if (jwks->zone == NULL) {
        return NGX_ERROR;
    }

    jwks->zone->init = ngx_ims_jwks_init_zone;
    jwks->zone->data = jwks;

    return NGX_OK;
}
