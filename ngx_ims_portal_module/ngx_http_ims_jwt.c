/*
 * Copyright (C) the IMS portal authors
 *
 * The directives about tokens: where a request has its token, and what tokens
 * have to be.
 */


#include "ngx_http_ims_portal_module.h"


static char *ngx_http_ims_names(ngx_conf_t *cf, ngx_array_t **names);
static uint32_t ngx_http_ims_jwt_wants(ngx_http_ims_loc_conf_t *conf);
static void ngx_http_ims_jwt_texts(uint32_t *crc, ngx_array_t *texts);
static void ngx_http_ims_jwt_text(uint32_t *crc, ngx_str_t *text);


char *
ngx_http_ims_jwt(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_ims_loc_conf_t *ilcf = conf;

    ngx_str_t                         *value;
    ngx_uint_t                         i;
    ngx_http_complex_value_t          *cv;
    ngx_http_compile_complex_value_t   ccv;

    if (ilcf->tokens != NGX_CONF_UNSET_PTR) {
        return "is duplicate";
    }

    value = cf->args->elts;

    ilcf->tokens = ngx_array_create(cf->pool, cf->args->nelts - 1,
                                    sizeof(ngx_http_complex_value_t));
    if (ilcf->tokens == NULL) {
        return NGX_CONF_ERROR;
    }

    for (i = 1; i < cf->args->nelts; i++) {
        cv = ngx_array_push(ilcf->tokens);
        if (cv == NULL) {
            return NGX_CONF_ERROR;
        }

        ngx_memzero(&ccv, sizeof(ngx_http_compile_complex_value_t));
        ccv.cf = cf;
        ccv.value = &value[i];
        ccv.complex_value = cv;

        if (ngx_http_compile_complex_value(&ccv) != NGX_OK
            || ngx_http_ims_query_names(cf, ilcf, &value[i]) != NGX_OK)
        {
            return NGX_CONF_ERROR;
        }
    }

    return NGX_CONF_OK;
}


/* ims_portal_jwt_issuer, ims_portal_jwt_audience: several names on a line */

char *
ngx_http_ims_jwt_issuer(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_ims_loc_conf_t *ilcf = conf;

    return ngx_http_ims_names(cf, &ilcf->issuers);
}


char *
ngx_http_ims_jwt_audience(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_ims_loc_conf_t *ilcf = conf;

    return ngx_http_ims_names(cf, &ilcf->audiences);
}


static char *
ngx_http_ims_names(ngx_conf_t *cf, ngx_array_t **names)
{
    ngx_str_t   *value, *name;
    ngx_uint_t   i;

    if (*names != NGX_CONF_UNSET_PTR) {
        return "is duplicate";
    }

    value = cf->args->elts;

    *names = ngx_array_create(cf->pool, cf->args->nelts - 1,
                              sizeof(ngx_str_t));
    if (*names == NULL) {
        return NGX_CONF_ERROR;
    }

    for (i = 1; i < cf->args->nelts; i++) {

        if (value[i].len == 0 || value[i].len > 255) {
            return "has an empty name, or one of more than 255 bytes";
        }

        name = ngx_array_push(*names);
        if (name == NULL) {
            return NGX_CONF_ERROR;
        }

        *name = value[i];
    }

    return NGX_CONF_OK;
}


void
ngx_http_ims_jwt_unset(ngx_http_ims_loc_conf_t *conf)
{
    conf->tokens = NGX_CONF_UNSET_PTR;
    conf->keys = NGX_CONF_UNSET_PTR;
    conf->issuers = NGX_CONF_UNSET_PTR;
    conf->audiences = NGX_CONF_UNSET_PTR;
    conf->leeway = NGX_CONF_UNSET;
}


void
ngx_http_ims_jwt_merge(ngx_conf_t *cf, ngx_http_ims_loc_conf_t *prev,
    ngx_http_ims_loc_conf_t *conf)
{
    ngx_str_t  *name;

    ngx_conf_merge_ptr_value(conf->tokens, prev->tokens, NULL);
    ngx_conf_merge_ptr_value(conf->keys, prev->keys, NULL);
    ngx_conf_merge_ptr_value(conf->issuers, prev->issuers, NULL);
    ngx_conf_merge_ptr_value(conf->audiences, prev->audiences, NULL);
    ngx_conf_merge_str_value(conf->typ, prev->typ, "");
    ngx_conf_merge_sec_value(conf->leeway, prev->leeway, 30);

    /* whose a user is when that is not said */

    if (conf->issuers != NULL && conf->issuers->nelts == 1) {
        name = conf->issuers->elts;
        conf->issuer = *name;
    }
}


/* what a location with tokens verifies them by */

char *
ngx_http_ims_jwt_policy(ngx_conf_t *cf, ngx_http_ims_main_conf_t *imcf,
    ngx_http_ims_loc_conf_t *conf)
{
    ngx_uint_t                i;
    ngx_ims_token_policy_t   *policy, **other;

    policy = &conf->policy.token;

    policy->pool = conf->policy.pool;
    policy->issuers = conf->issuers;
    policy->audiences = conf->audiences;
    policy->typ = conf->typ;
    policy->leeway = conf->leeway;
    policy->claims = &conf->claims;

    if (ngx_http_ims_key_policy(cf, imcf, conf) != NGX_CONF_OK) {
        return NGX_CONF_ERROR;
    }

    policy->wants = ngx_http_ims_jwt_wants(conf);

    /* tokens are remembered for all locations that verify in the same way */

    other = imcf->policies.elts;
    policy->rules = imcf->policies.nelts;

    for (i = 0; i < imcf->policies.nelts; i++) {

        if (other[i]->issuers == policy->issuers
            && other[i]->audiences == policy->audiences
            && other[i]->typ.data == policy->typ.data
            && other[i]->leeway == policy->leeway
            && ngx_http_ims_key_same(other[i], policy))
        {
            policy->rules = other[i]->rules;
            break;
        }
    }

    other = ngx_array_push(&imcf->policies);
    if (other == NULL) {
        return NGX_CONF_ERROR;
    }

    *other = policy;

    return NGX_CONF_OK;
}


/*
 * A number that differs where a token is judged in another way: a location that
 * wants more of a token gets it of who comes with a ticket, too, and of who
 * renews at another one.  It is made of texts: a reload keeps it.
 */

static uint32_t
ngx_http_ims_jwt_wants(ngx_http_ims_loc_conf_t *conf)
{
    uint32_t                 crc;
    ngx_uint_t               i;
    ngx_ims_token_key_t     *key;
    ngx_ims_claim_need_t    *need;
    ngx_http_ims_require_t  *require;

    ngx_crc32_init(crc);

    key = conf->policy.token.keys->elts;

    for (i = 0; i < conf->policy.token.keys->nelts; i++) {
        ngx_http_ims_jwt_text(&crc, &key[i].jwks->name);
        ngx_http_ims_jwt_texts(&crc, key[i].issuers);
        ngx_crc32_update(&crc, (u_char *) &key[i].algs, sizeof(ngx_uint_t));
    }

    ngx_http_ims_jwt_texts(&crc, conf->issuers);
    ngx_http_ims_jwt_texts(&crc, conf->audiences);
    ngx_http_ims_jwt_text(&crc, &conf->typ);
    ngx_http_ims_jwt_text(&crc, &conf->claims.scope);

    for (i = 0; i < NGX_IMS_CLAIM_N; i++) {
        ngx_http_ims_jwt_text(&crc, &conf->claims.paths[i]);
    }

    need = conf->claims.needs ? conf->claims.needs->elts : NULL;

    for (i = 0; need && i < conf->claims.needs->nelts; i++) {
        ngx_http_ims_jwt_text(&crc, &need[i].path);
    }

    require = conf->require ? conf->require->elts : NULL;

    for (i = 0; require && i < conf->require->nelts; i++) {
        ngx_http_ims_jwt_text(&crc, &require[i].value.value);
    }

    ngx_crc32_final(crc);

    return crc;
}


static void
ngx_http_ims_jwt_texts(uint32_t *crc, ngx_array_t *texts)
{
    ngx_str_t   *text;
    ngx_uint_t   i, n;

    n = texts ? texts->nelts : 0;
    text = texts ? texts->elts : NULL;

    ngx_crc32_update(crc, (u_char *) &n, sizeof(ngx_uint_t));

    for (i = 0; i < n; i++) {
        ngx_http_ims_jwt_text(crc, &text[i]);
    }
}


/* with its length: "ab" and "c" are not "a" and "bc" */

static void
ngx_http_ims_jwt_text(uint32_t *crc, ngx_str_t *text)
{
    ngx_crc32_update(crc, (u_char *) &text->len, sizeof(size_t));
    ngx_crc32_update(crc, text->data, text->len);
}


ngx_int_t
ngx_http_ims_jwt_init_process(ngx_cycle_t *cycle)
{
    ngx_uint_t                 i;
    ngx_ims_jwks_t           **jwks;
    ngx_ims_token_cache_t     *cache;
    ngx_ims_token_policy_t   **policy;
    ngx_http_ims_main_conf_t  *imcf;

    if ((ngx_process != NGX_PROCESS_WORKER && ngx_process != NGX_PROCESS_SINGLE)
        || ngx_get_conf(cycle->conf_ctx, ngx_http_module) == NULL)
    {
        return NGX_OK;
    }

    imcf = ngx_http_cycle_get_module_main_conf(cycle,
                                               ngx_http_ims_portal_module);

    jwks = imcf->jwks.elts;

    for (i = 0; i < imcf->jwks.nelts; i++) {
        ngx_ims_jwks_init(jwks[i], cycle->log);
    }

    if (imcf->jwt_cache == 0 || imcf->policies.nelts == 0) {
        return NGX_OK;
    }

    cache = ngx_ims_token_cache(imcf->jwt_cache, cycle->pool);
    if (cache == NULL) {
        return NGX_ERROR;
    }

    policy = imcf->policies.elts;

    for (i = 0; i < imcf->policies.nelts; i++) {
        policy[i]->cache = cache;
    }

    return NGX_OK;
}
