/*
 * Copyright (C) the IMS portal authors
 *
 * What the claims of a token mean, which it must have, and claims as variables.
 */


#include "ngx_http_ims_portal_module.h"


typedef struct {
    ngx_str_t                 name;           /* of the variable, no "$" */
    ngx_str_t                 path;           /* with NUL */
} ngx_http_ims_claim_set_t;


static ngx_int_t ngx_http_ims_claim_path(ngx_conf_t *cf, ngx_str_t *text,
    const char *directive);
static ngx_int_t ngx_http_ims_require_claim(ngx_conf_t *cf, ngx_str_t *value,
    ngx_str_t *path);
static ngx_int_t ngx_http_ims_require_value(ngx_conf_t *cf,
    ngx_http_ims_loc_conf_t *ilcf, ngx_str_t *value, ngx_uint_t status);
static ngx_int_t ngx_http_ims_claim_name(ngx_pool_t *pool, ngx_str_t *name,
    ngx_str_t *path);
static ngx_int_t ngx_http_ims_claim_prefixed(ngx_http_request_t *r,
    ngx_http_variable_value_t *v, uintptr_t data);
static ngx_int_t ngx_http_ims_claim_variable(ngx_http_request_t *r,
    ngx_http_variable_value_t *v, uintptr_t data);
static ngx_int_t ngx_http_ims_claim_text(ngx_http_request_t *r,
    ngx_ims_jwt_t *jwt, const char *path, ngx_str_t *text);


static ngx_str_t  ngx_http_ims_claims[] = {
    ngx_string("user"),
    ngx_string("identity"),
    ngx_string("pool"),
    ngx_string("methods"),
    ngx_string("video"),
    ngx_string("emergency"),
    ngx_string("devices"),
    ngx_string("calls"),
    ngx_string("calls_per_hour"),
    ngx_string("premium_per_hour"),
    ngx_string("guest"),
    ngx_string("name")
};


static ngx_str_t  ngx_http_ims_claim_prefix = ngx_string("ims_portal_claim_");


/* ims_portal_claim what path */

char *
ngx_http_ims_claim(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_ims_loc_conf_t *ilcf = conf;

    ngx_str_t   *value, *path;
    ngx_uint_t   i;

    value = cf->args->elts;

    for (i = 0; i < NGX_IMS_CLAIM_N; i++) {
        if (value[1].len == ngx_http_ims_claims[i].len
            && ngx_strcmp(value[1].data, ngx_http_ims_claims[i].data) == 0)
        {
            break;
        }
    }

    if (i == NGX_IMS_CLAIM_N) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "invalid value \"%V\" in \"ims_portal_claim\", "
                           "it may be user, identity, pool, methods, video, "
                           "emergency, devices, calls, calls_per_hour, "
                           "premium_per_hour, guest or name", &value[1]);
        return NGX_CONF_ERROR;
    }

    path = &ilcf->claims.paths[i];

    if (path->len) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "duplicate \"%V\" in \"ims_portal_claim\"",
                           &value[1]);
        return NGX_CONF_ERROR;
    }

    if (ngx_http_ims_claim_path(cf, &value[2], "ims_portal_claim") != NGX_OK) {
        return NGX_CONF_ERROR;
    }

    *path = value[2];

    return NGX_CONF_OK;
}


static ngx_int_t
ngx_http_ims_claim_path(ngx_conf_t *cf, ngx_str_t *text,
    const char *directive)
{
    if (text->len == 0 || text->len > NGX_IMS_JWT_MAX_PATH
        || ngx_strlen(text->data) != text->len)
    {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "invalid claim in \"%s\", it has 1 to %d bytes",
                           directive, NGX_IMS_JWT_MAX_PATH);
        return NGX_ERROR;
    }

    return NGX_OK;
}


/* ims_portal_claim_set $variable name ...: names go from object to member */

char *
ngx_http_ims_claim_set(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_ims_main_conf_t *imcf = conf;

    u_char                    *p;
    size_t                     len;
    ngx_str_t                 *value;
    ngx_uint_t                 i;
    ngx_http_variable_t       *v;
    ngx_http_ims_claim_set_t  *set;

    value = cf->args->elts;

    if (value[1].len < 2 || value[1].data[0] != '$') {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "invalid variable name \"%V\" in "
                           "\"ims_portal_claim_set\"", &value[1]);
        return NGX_CONF_ERROR;
    }

    if (imcf->claim_sets == NULL) {
        imcf->claim_sets = ngx_array_create(cf->pool, 4,
                                            sizeof(ngx_http_ims_claim_set_t));
        if (imcf->claim_sets == NULL) {
            return NGX_CONF_ERROR;
        }
    }

    for (i = 2, len = 1; i < cf->args->nelts; i++) {
        len += value[i].len + 1;
    }

    set = ngx_array_push(imcf->claim_sets);
    p = ngx_pnalloc(cf->pool, len);

    if (set == NULL || p == NULL) {
        return NGX_CONF_ERROR;
    }

    set->name.data = value[1].data + 1;
    set->name.len = value[1].len - 1;
    set->path.data = p;

    for (i = 2; i < cf->args->nelts; i++) {
        p = ngx_sprintf(p, i == 2 ? "%V" : ".%V", &value[i]);
    }

    *p = '\0';
    set->path.len = p - set->path.data;

    if (ngx_http_ims_claim_path(cf, &set->path, "ims_portal_claim_set")
        != NGX_OK)
    {
        return NGX_CONF_ERROR;
    }

    v = ngx_http_add_variable(cf, &set->name, NGX_HTTP_VAR_NOCACHEABLE);
    if (v == NULL) {
        return NGX_CONF_ERROR;
    }

    v->get_handler = ngx_http_ims_claim_variable;
    v->data = (uintptr_t) set->path.data;

    return NGX_CONF_OK;
}


/* ims_portal_jwt_require $variable ... [error=401|403] */

char *
ngx_http_ims_require(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_ims_loc_conf_t *ilcf = conf;

    ngx_str_t   *value;
    ngx_uint_t   i, n, status;

    value = cf->args->elts;
    n = cf->args->nelts;
    status = 401;

    if (ngx_strncmp(value[n - 1].data, "error=", 6) == 0) {
        n--;

        if (ngx_strcmp(value[n].data, "error=403") == 0) {
            status = 403;

        } else if (ngx_strcmp(value[n].data, "error=401") != 0) {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                               "invalid parameter \"%V\" in "
                               "\"ims_portal_jwt_require\", error may be 401 "
                               "or 403", &value[n]);
            return NGX_CONF_ERROR;
        }
    }

    if (n == 1) {
        return "needs a variable";
    }

    for (i = 1; i < n; i++) {
        if (ngx_http_ims_require_value(cf, ilcf, &value[i], status)
            != NGX_OK)
        {
            return NGX_CONF_ERROR;
        }
    }

    return NGX_CONF_OK;
}


static ngx_int_t
ngx_http_ims_require_value(ngx_conf_t *cf, ngx_http_ims_loc_conf_t *ilcf,
    ngx_str_t *value, ngx_uint_t status)
{
    ngx_int_t                          rc;
    ngx_str_t                          path;
    ngx_ims_claim_need_t              *need;
    ngx_http_ims_require_t            *require;
    ngx_http_compile_complex_value_t   ccv;

    if (value->len < 2 || value->data[0] != '$') {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "invalid value \"%V\" in "
                           "\"ims_portal_jwt_require\", it begins with a "
                           "variable", value);
        return NGX_ERROR;
    }

    /* what is a claim and nothing else can be judged in SIP, too */

    rc = ngx_http_ims_require_claim(cf, value, &path);

    if (rc == NGX_ERROR) {
        return NGX_ERROR;
    }

    if (rc == NGX_OK) {

        if (ilcf->claims.needs == NULL) {
            ilcf->claims.needs = ngx_array_create(cf->pool, 2,
                                                sizeof(ngx_ims_claim_need_t));
            if (ilcf->claims.needs == NULL) {
                return NGX_ERROR;
            }
        }

        need = ngx_array_push(ilcf->claims.needs);
        if (need == NULL) {
            return NGX_ERROR;
        }

        need->path = path;
        need->status = status;

        return NGX_OK;
    }

    if (ilcf->require == NULL) {
        ilcf->require = ngx_array_create(cf->pool, 2,
                                         sizeof(ngx_http_ims_require_t));
        if (ilcf->require == NULL) {
            return NGX_ERROR;
        }
    }

    require = ngx_array_push(ilcf->require);
    if (require == NULL) {
        return NGX_ERROR;
    }

    require->status = status;

    ngx_memzero(&ccv, sizeof(ngx_http_compile_complex_value_t));
    ccv.cf = cf;
    ccv.value = value;
    ccv.complex_value = &require->value;

    return ngx_http_compile_complex_value(&ccv) == NGX_OK ? NGX_OK
                                                          : NGX_ERROR;
}


/* the path of a value that is one claim; NGX_OK, NGX_DECLINED, NGX_ERROR */

static ngx_int_t
ngx_http_ims_require_claim(ngx_conf_t *cf, ngx_str_t *value, ngx_str_t *path)
{
    ngx_str_t                  name;
    ngx_uint_t                 i;
    ngx_http_ims_claim_set_t  *set;
    ngx_http_ims_main_conf_t  *imcf;

    name.data = value->data + 1;
    name.len = value->len - 1;

    imcf = ngx_http_conf_get_module_main_conf(cf, ngx_http_ims_portal_module);

    set = imcf->claim_sets ? imcf->claim_sets->elts : NULL;

    for (i = 0; set && i < imcf->claim_sets->nelts; i++) {
        if (set[i].name.len == name.len
            && ngx_strncasecmp(set[i].name.data, name.data, name.len) == 0)
        {
            *path = set[i].path;
            return NGX_OK;
        }
    }

    for (i = 0; i < name.len; i++) {
        if (name.data[i] != '_' && !(name.data[i] >= '0' && name.data[i] <= '9')
            && !((name.data[i] | 0x20) >= 'a' && (name.data[i] | 0x20) <= 'z'))
        {
            return NGX_DECLINED;
        }
    }

    if (name.len <= ngx_http_ims_claim_prefix.len
        || ngx_strncasecmp(name.data, ngx_http_ims_claim_prefix.data,
                           ngx_http_ims_claim_prefix.len)
           != 0)
    {
        return NGX_DECLINED;
    }

    return ngx_http_ims_claim_name(cf->pool, &name, path);
}


/* ims_portal_jwt_scope name ... */

char *
ngx_http_ims_scope(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_ims_loc_conf_t *ilcf = conf;

    u_char      *p;
    size_t       j, len;
    ngx_str_t   *value, *scope;
    ngx_uint_t   i;

    if (ilcf->claims.scopes != NULL) {
        return "is duplicate";
    }

    value = cf->args->elts;

    for (i = 1, len = 0; i < cf->args->nelts; i++) {

        /* RFC 6749 3.3 */

        for (j = 0; j < value[i].len; j++) {
            if (value[i].data[j] <= ' ' || value[i].data[j] >= 0x7f
                || value[i].data[j] == '"' || value[i].data[j] == '\\')
            {
                break;
            }
        }

        if (j == 0 || j < value[i].len || (len += j + 1) > 512) {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                               "invalid scope \"%V\" in "
                               "\"ims_portal_jwt_scope\"", &value[i]);
            return NGX_CONF_ERROR;
        }
    }

    ilcf->claims.scopes = ngx_array_create(cf->pool, cf->args->nelts - 1,
                                           sizeof(ngx_str_t));
    p = ngx_pnalloc(cf->pool, len);

    if (ilcf->claims.scopes == NULL || p == NULL) {
        return NGX_CONF_ERROR;
    }

    ilcf->claims.scope.data = p;

    for (i = 1; i < cf->args->nelts; i++) {
        scope = ngx_array_push(ilcf->claims.scopes);
        if (scope == NULL) {
            return NGX_CONF_ERROR;
        }

        *scope = value[i];
        p = ngx_sprintf(p, i == 1 ? "%V" : " %V", &value[i]);
    }

    ilcf->claims.scope.len = p - ilcf->claims.scope.data;

    return NGX_CONF_OK;
}


/* lines of one directive are inherited together, or not at all */

char *
ngx_http_ims_claim_merge(ngx_conf_t *cf, ngx_http_ims_loc_conf_t *prev,
    ngx_http_ims_loc_conf_t *conf)
{
    ngx_uint_t         i;
    ngx_str_t         *own;
    ngx_ims_pool_t    *pool;
    ngx_ims_claims_t  *claims, *before;

    claims = &conf->claims;
    before = &prev->claims;

    for (i = 0; i < NGX_IMS_CLAIM_N; i++) {
        if (claims->paths[i].len) {
            break;
        }
    }

    if (i == NGX_IMS_CLAIM_N) {
        ngx_memcpy(claims->paths, before->paths, sizeof(claims->paths));
    }

    if (claims->needs == NULL && conf->require == NULL) {
        claims->needs = before->needs;
        conf->require = prev->require;
    }

    if (claims->scopes == NULL) {
        claims->scopes = before->scopes;
        claims->scope = before->scope;
    }

    pool = conf->pool ? conf->pool : conf->session_pool;

    if (pool == NULL) {
        return NGX_CONF_OK;
    }

    claims->pool = pool->name;

    own = &claims->paths[NGX_IMS_CLAIM_IDENTITY];

    if (own->len == 0 && pool->identity_claim.len) {

        /* its line may have taken it out of a longer argument */

        own->data = ngx_pnalloc(cf->pool, pool->identity_claim.len + 1);
        if (own->data == NULL) {
            return NGX_CONF_ERROR;
        }

        own->len = pool->identity_claim.len;
        *ngx_cpymem(own->data, pool->identity_claim.data, own->len) = '\0';
    }

    if (conf->pool != NULL && conf->require != NULL
        && conf->auth & NGX_IMS_AUTH_SIP)
    {
        ngx_log_error(NGX_LOG_EMERG, cf->log, 0,
                      "\"ims_portal_jwt_require\" takes nothing but claims "
                      "where \"ims_portal_auth\" lets tokens come in SIP");
        return NGX_CONF_ERROR;
    }

    return NGX_CONF_OK;
}


ngx_int_t
ngx_http_ims_required(ngx_http_request_t *r, ngx_http_ims_loc_conf_t *ilcf,
    ngx_uint_t *status)
{
    ngx_str_t                value;
    ngx_uint_t               i;
    ngx_http_ims_require_t  *require;

    if (ilcf->require == NULL) {
        return NGX_OK;
    }

    require = ilcf->require->elts;

    for (i = 0; i < ilcf->require->nelts; i++) {

        if (ngx_http_complex_value(r, &require[i].value, &value) != NGX_OK) {
            return NGX_ERROR;
        }

        if (value.len == 0 || (value.len == 1 && value.data[0] == '0')) {
            *status = require[i].status;
            return NGX_DECLINED;
        }
    }

    return NGX_OK;
}


ngx_int_t
ngx_http_ims_claim_variables(ngx_conf_t *cf)
{
    ngx_http_variable_t  *v;

    v = ngx_http_add_variable(cf, &ngx_http_ims_claim_prefix,
                              NGX_HTTP_VAR_NOCACHEABLE|NGX_HTTP_VAR_PREFIX);
    if (v == NULL) {
        return NGX_ERROR;
    }

    v->get_handler = ngx_http_ims_claim_prefixed;

    return NGX_OK;
}


/* "ims_portal_claim_a__b" names the claim a.b */

static ngx_int_t
ngx_http_ims_claim_name(ngx_pool_t *pool, ngx_str_t *name, ngx_str_t *path)
{
    u_char  *p, *pos, *last;

    pos = name->data + ngx_http_ims_claim_prefix.len;
    last = name->data + name->len;

    p = ngx_pnalloc(pool, last - pos + 1);
    if (p == NULL) {
        return NGX_ERROR;
    }

    path->data = p;

    while (pos < last) {

        if (pos + 1 < last && pos[0] == '_' && pos[1] == '_') {
            *p++ = '.';
            pos += 2;

        } else {
            *p++ = *pos++;
        }
    }

    *p = '\0';
    path->len = p - path->data;

    return NGX_OK;
}


static ngx_int_t
ngx_http_ims_claim_prefixed(ngx_http_request_t *r,
    ngx_http_variable_value_t *v, uintptr_t data)
{
    ngx_str_t  *name, path;

    name = (ngx_str_t *) data;

    if (ngx_http_ims_claim_name(r->pool, name, &path) != NGX_OK) {
        return NGX_ERROR;
    }

    return ngx_http_ims_claim_variable(r, v, (uintptr_t) path.data);
}


static ngx_int_t
ngx_http_ims_claim_variable(ngx_http_request_t *r,
    ngx_http_variable_value_t *v, uintptr_t data)
{
    ngx_int_t             rc;
    ngx_str_t             text;
    ngx_http_ims_ctx_t   *ctx;

    ctx = ngx_http_ims_peek(r, &ngx_http_ims_portal_module);

    rc = ctx ? ngx_http_ims_claim_text(r, ctx->token.jwt, (char *) data, &text)
             : NGX_DECLINED;

    if (rc == NGX_ERROR) {
        return NGX_ERROR;
    }

    if (rc == NGX_DECLINED) {
        v->not_found = 1;
        return NGX_OK;
    }

    v->data = text.data;
    v->len = text.len;
    v->valid = 1;
    v->no_cacheable = 1;
    v->not_found = 0;

    return NGX_OK;
}


/*
 * Elements of an array are set apart by commas, those without a text go, and so
 * does what would end a line: a variable may stand in a header field.
 */

static ngx_int_t
ngx_http_ims_claim_text(ngx_http_request_t *r, ngx_ims_jwt_t *jwt,
    const char *path, ngx_str_t *text)
{
    int             rc;
    char            buf[NGX_IMS_JWT_MAX_ITEM];
    u_char         *p;
    size_t          i, size;
    ngx_ims_str_t   value;

    size = 0;

    for (i = 0; (rc = ngx_ims_jwt_item(jwt, path, i, buf, &value)) != 0; i++) {
        if (rc == 1 && ngx_ims_plain(value.data, value.len) >= 0) {
            size += value.len + 1;
        }
    }

    if (size == 0) {
        return NGX_DECLINED;
    }

    p = ngx_pnalloc(r->pool, size);
    if (p == NULL) {
        return NGX_ERROR;
    }

    text->data = p;

    for (i = 0; (rc = ngx_ims_jwt_item(jwt, path, i, buf, &value)) != 0; i++) {

        if (rc == 1 && ngx_ims_plain(value.data, value.len) >= 0) {
            p = ngx_cpymem(p, value.data, value.len);
            *p++ = ',';
        }
    }

    text->len = p - text->data - 1;

    return NGX_OK;
}
