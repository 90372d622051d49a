/*
 * Copyright (C) the IMS portal authors
 *
 * The block ims_portal_pool and its shared zone.
 */


#include "ngx_http_ims_dial.h"
#include "ngx_ims_lease.h"


static char *ngx_http_ims_pool_params(ngx_conf_t *cf,
    ngx_http_ims_main_conf_t *imcf, ngx_ims_pool_t *pool, ngx_str_t *zone,
    size_t *size);
static char *ngx_http_ims_pool_zone(ngx_conf_t *cf, ngx_ims_pool_t *pool,
    ngx_str_t *zone, size_t size);
static ngx_int_t ngx_http_ims_pool_init(ngx_shm_zone_t *shm_zone, void *data);
static char *ngx_http_ims_pool_identity(ngx_conf_t *cf, void *object,
    ngx_str_t *args, ngx_uint_t n);
static char *ngx_http_ims_pool_reserve(ngx_conf_t *cf, void *object,
    ngx_str_t *args, ngx_uint_t n);
static char *ngx_http_ims_pool_guests(ngx_conf_t *cf, void *object,
    ngx_str_t *args, ngx_uint_t n);
static char *ngx_http_ims_pool_store(ngx_conf_t *cf, void *object,
    ngx_str_t *args, ngx_uint_t n);
static char *ngx_http_ims_pool_share(ngx_conf_t *cf, void *object,
    ngx_str_t *args, ngx_uint_t n);
static ngx_uint_t ngx_http_ims_pool_shares(ngx_http_ims_main_conf_t *imcf,
    ngx_ims_pool_t *pool);
static char *ngx_http_ims_pool_lease(ngx_conf_t *cf, void *object,
    ngx_str_t *args, ngx_uint_t n);
static char *ngx_http_ims_pool_quarantine(ngx_conf_t *cf, void *object,
    ngx_str_t *args, ngx_uint_t n);
static char *ngx_http_ims_pool_devices(ngx_conf_t *cf, void *object,
    ngx_str_t *args, ngx_uint_t n);
static char *ngx_http_ims_pool_register_block(ngx_conf_t *cf, void *object,
    ngx_str_t *args, ngx_uint_t n);
static char *ngx_http_ims_pool_local_calls(ngx_conf_t *cf, void *object,
    ngx_str_t *args, ngx_uint_t n);


static ngx_http_ims_line_t  ngx_http_ims_pool_lines[] = {
    { ngx_string("identity"), 1, 4, ngx_http_ims_pool_identity },
    { ngx_string("reserve"), 1, 3, ngx_http_ims_pool_reserve },
    { ngx_string("guests"), 0, 2, ngx_http_ims_pool_guests },
    { ngx_string("share"), 1, 8, ngx_http_ims_pool_share },
    { ngx_string("store"), 1, 1, ngx_http_ims_pool_store },
    { ngx_string("lease"), 1, 1, ngx_http_ims_pool_lease },
    { ngx_string("quarantine"), 1, 1, ngx_http_ims_pool_quarantine },
    { ngx_string("devices"), 1, 1, ngx_http_ims_pool_devices },
    { ngx_string("local_calls"), 1, 1, ngx_http_ims_pool_local_calls },
    { ngx_string("register_block"), 2, 4, ngx_http_ims_pool_register_block },
    { ngx_string("revoked"), 1, 2, ngx_http_ims_pool_revoked },
    { ngx_string("sockets"), 1, 1, ngx_http_ims_limit_pool_sockets },
    { ngx_string("dialogs"), 1, 1, ngx_http_ims_limit_dialogs },
    { ngx_string("calls"), 1, 1, ngx_http_ims_dial_calls },
    { ngx_string("calls_per_hour"), 1, 1, ngx_http_ims_dial_calls_per_hour },
    { ngx_string("premium_per_hour"), 1, 1,
      ngx_http_ims_dial_premium_per_hour },
    { ngx_null_string, 0, 0, NULL }
};


char *
ngx_http_ims_pool_block(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    char                      *rv;
    size_t                     size;
    ngx_str_t                 *value, zone;
    ngx_ims_pool_t            *pool, **slot;
    ngx_http_ims_main_conf_t  *imcf;

    imcf = conf;
    value = cf->args->elts;

    if (ngx_http_ims_find_pool(imcf, &value[1]) != NULL) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "duplicate \"ims_portal_pool\" \"%V\"", &value[1]);
        return NGX_CONF_ERROR;
    }

    pool = ngx_pcalloc(cf->pool, sizeof(ngx_ims_pool_t));
    slot = ngx_array_push(&imcf->pools);

    if (pool == NULL || slot == NULL) {
        return NGX_CONF_ERROR;
    }

    *slot = pool;

    pool->name = value[1];
    pool->crc = ngx_crc32_short(value[1].data, value[1].len);
    pool->file = cf->conf_file->file.name.data;
    pool->line = cf->conf_file->line;
    pool->lease = NGX_CONF_UNSET;
    pool->quarantine = NGX_CONF_UNSET;
    pool->devices = NGX_CONF_UNSET_UINT;
    pool->local_calls = NGX_CONF_UNSET;
    pool->sockets = NGX_CONF_UNSET_UINT;
    pool->dialogs = NGX_CONF_UNSET_UINT;

    if (ngx_array_init(&pool->blocks, cf->pool, 4, sizeof(ngx_ims_block_t))
        != NGX_OK)
    {
        return NGX_CONF_ERROR;
    }

    rv = ngx_http_ims_pool_params(cf, imcf, pool, &zone, &size);

    if (rv == NGX_CONF_OK) {
        rv = ngx_http_ims_run_block(cf, pool, ngx_http_ims_pool_lines);
    }

    if (rv != NGX_CONF_OK) {
        return rv;
    }

    if (pool->total == 0 && !ngx_ims_pool_claims(pool)) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "no \"identity\" in \"ims_portal_pool\" \"%V\"",
                           &pool->name);
        return NGX_CONF_ERROR;
    }

    if (ngx_ims_pool_end_reserve(cf, pool) != NGX_CONF_OK) {
        return NGX_CONF_ERROR;
    }

    if (ngx_http_ims_pool_shares(imcf, pool)) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "\"store\" \"%V\" is used by another "
                           "\"ims_portal_pool\"", &pool->store);
        return NGX_CONF_ERROR;
    }

    ngx_conf_init_value(pool->lease, 43200);
    ngx_conf_init_value(pool->quarantine, 600);
    ngx_conf_init_uint_value(pool->devices, 5);
    ngx_conf_init_value(pool->local_calls, 0);
    ngx_conf_init_uint_value(pool->sockets, 0);
    ngx_conf_init_uint_value(pool->dialogs, 60);

    return ngx_http_ims_pool_zone(cf, pool, &zone, size);
}


static ngx_uint_t
ngx_http_ims_pool_shares(ngx_http_ims_main_conf_t *imcf,
    ngx_ims_pool_t *pool)
{
    ngx_uint_t        i;
    ngx_ims_pool_t  **other;

    other = imcf->pools.elts;

    for (i = 0; i < imcf->pools.nelts; i++) {

        if (other[i] != pool && pool->store.len
            && other[i]->store.len == pool->store.len
            && ngx_strcmp(other[i]->store.data, pool->store.data) == 0)
        {
            return 1;
        }
    }

    return 0;
}


/* ims_portal_pool name zone=name:size core=name */

static char *
ngx_http_ims_pool_params(ngx_conf_t *cf, ngx_http_ims_main_conf_t *imcf,
    ngx_ims_pool_t *pool, ngx_str_t *zone, size_t *size)
{
    u_char      *p;
    ssize_t      n;
    ngx_str_t   *value, s;
    ngx_uint_t   i;

    value = cf->args->elts;
    ngx_str_null(zone);
    *size = 0;

    for (i = 2; i < cf->args->nelts; i++) {

        if (ngx_strncmp(value[i].data, "zone=", 5) == 0) {
            zone->data = value[i].data + 5;
            p = (u_char *) ngx_strchr(zone->data, ':');

            if (p == NULL || p == zone->data) {
                ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                                   "invalid zone \"%V\" in "
                                   "\"ims_portal_pool\", it has the form "
                                   "zone=name:size", &value[i]);
                return NGX_CONF_ERROR;
            }

            zone->len = p - zone->data;

            s.data = p + 1;
            s.len = value[i].data + value[i].len - s.data;
            n = ngx_parse_size(&s);

            if (n == NGX_ERROR || n < (ssize_t) (8 * ngx_pagesize)) {
                ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                                   "invalid or too small size of zone "
                                   "\"%V\" in \"ims_portal_pool\"", zone);
                return NGX_CONF_ERROR;
            }

            *size = n;
            continue;
        }

        if (ngx_strncmp(value[i].data, "core=", 5) == 0) {
            s.data = value[i].data + 5;
            s.len = value[i].len - 5;

            pool->core = ngx_http_ims_find_core(imcf, &s);

            if (pool->core == NULL) {
                ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                                   "unknown ims_portal_core \"%V\" in "
                                   "\"ims_portal_pool\"", &s);
                return NGX_CONF_ERROR;
            }

            continue;
        }

        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "invalid parameter \"%V\" in \"ims_portal_pool\"",
                           &value[i]);
        return NGX_CONF_ERROR;
    }

    if (zone->len == 0 || pool->core == NULL) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "\"ims_portal_pool\" must have \"%s\" parameter",
                           zone->len == 0 ? "zone" : "core");
        return NGX_CONF_ERROR;
    }

    return NGX_CONF_OK;
}


/*
 * The zone's memory is ours (see ngx_ims_shared.h).  What nginx is asked for
 * has always the same size and only carries it from one configuration to the
 * next.
 */

static char *
ngx_http_ims_pool_zone(ngx_conf_t *cf, ngx_ims_pool_t *pool, ngx_str_t *zone,
    size_t size)
{
    pool->zone_name = *zone;
    pool->zone_size = size;

    pool->shm_zone = ngx_shared_memory_add(cf, zone, 8 * ngx_pagesize,
                                           &ngx_http_ims_portal_module);
    if (pool->shm_zone == NULL) {
        return NGX_CONF_ERROR;
    }

    if (pool->shm_zone->data != NULL) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "zone \"%V\" is used by another "
                           "\"ims_portal_pool\"", zone);
        return NGX_CONF_ERROR;
    }

    pool->shm_zone->init = ngx_http_ims_pool_init;
    pool->shm_zone->data = pool;

    return NGX_CONF_OK;
}


static ngx_int_t
ngx_http_ims_pool_init(ngx_shm_zone_t *shm_zone, void *data)
{
    ngx_log_t       *log;
    ngx_ims_pool_t  *pool, *old;

    old = data;
    pool = shm_zone->data;
    log = shm_zone->shm.log;

    if (old != NULL
        && (old->store.len != pool->store.len
            || (pool->store.len
                && ngx_strcmp(old->store.data, pool->store.data) != 0)))
    {
        ngx_log_error(NGX_LOG_WARN, log, 0,
                      "\"store\" of \"ims_portal_pool\" \"%V\" changes at "
                      "a restart only", &pool->name);
        pool->store = old->store;
    }

    if (ngx_ims_zone_open(&pool->zone, &pool->zone_name, &pool->store,
                          pool->zone_size, pool->total, log)
        != NGX_OK)
    {
        return NGX_ERROR;
    }

    if (ngx_ims_pool_map(pool, pool->blocks.pool, log) != NGX_OK) {

        if (pool->zone.opened) {
            ngx_ims_shared_drop(&pool->zone_name);
        }

        return NGX_ERROR;
    }

    if (pool->zone.fresh) {
        ngx_ims_pool_resume(pool);
    }

    return NGX_OK;
}


ngx_ims_pool_t *
ngx_http_ims_find_pool(ngx_http_ims_main_conf_t *imcf, ngx_str_t *name)
{
    ngx_uint_t        i;
    ngx_ims_pool_t  **pool;

    pool = imcf->pools.elts;

    for (i = 0; i < imcf->pools.nelts; i++) {
        if (pool[i]->name.len == name->len
            && ngx_strncmp(pool[i]->name.data, name->data, name->len) == 0)
        {
            return pool[i];
        }
    }

    return NULL;
}


static char *
ngx_http_ims_pool_identity(ngx_conf_t *cf, void *object, ngx_str_t *args,
    ngx_uint_t n)
{
    return ngx_ims_pool_add_block(cf, object, args, n);
}


static char *
ngx_http_ims_pool_reserve(ngx_conf_t *cf, void *object, ngx_str_t *args,
    ngx_uint_t n)
{
    return ngx_ims_pool_add_reserve(cf, object, args, n);
}


/* guests [lease=time] [max=number] */

static char *
ngx_http_ims_pool_guests(ngx_conf_t *cf, void *object, ngx_str_t *args,
    ngx_uint_t n)
{
    ngx_int_t        max;
    ngx_str_t        value;
    ngx_uint_t       i;
    ngx_ims_pool_t  *pool;

    pool = object;

    if (pool->guests) {
        return "is duplicate";
    }

    pool->guests = 1;
    pool->guest_lease = 3600;

    for (i = 0; i < n; i++) {

        if (ngx_strncmp(args[i].data, "lease=", 6) == 0) {
            value.data = args[i].data + 6;
            value.len = args[i].len - 6;

            pool->guest_lease = ngx_parse_time(&value, 1);

            if (pool->guest_lease == (time_t) NGX_ERROR
                || pool->guest_lease == 0)
            {
                return "has an invalid time";
            }

        } else if (ngx_strncmp(args[i].data, "max=", 4) == 0) {
            max = ngx_atoi(args[i].data + 4, args[i].len - 4);

            if (max == NGX_ERROR || max == 0
                || max > NGX_IMS_MAX_IDENTITIES)
            {
                return "has an invalid number";
            }

            pool->guest_max = max;

        } else {
            return "has an invalid parameter, it may be \"lease\" or "
                   "\"max\"";
        }
    }

    return NGX_CONF_OK;
}


static char *
ngx_http_ims_pool_share(ngx_conf_t *cf, void *object, ngx_str_t *args,
    ngx_uint_t n)
{
    return ngx_ims_lease_share(cf, object, args, n);
}


static char *
ngx_http_ims_pool_time(time_t *slot, ngx_str_t *value)
{
    if (*slot != NGX_CONF_UNSET) {
        return "is duplicate";
    }

    *slot = ngx_parse_time(value, 1);

    return *slot == (time_t) NGX_ERROR ? "has an invalid time" : NGX_CONF_OK;
}


static char *
ngx_http_ims_pool_store(ngx_conf_t *cf, void *object, ngx_str_t *args,
    ngx_uint_t n)
{
    ngx_str_t       *value;
    ngx_ims_pool_t  *pool;

    pool = object;
    value = args;

    if (pool->store.len) {
        return "is duplicate";
    }

    pool->store = value[0];

    if (pool->store.len == 0
        || ngx_conf_full_name(cf->cycle, &pool->store, 0) != NGX_OK
        || pool->store.len > NGX_MAX_PATH - sizeof(".new"))
    {
        return "has an invalid path";
    }

    return NGX_CONF_OK;
}


static char *
ngx_http_ims_pool_lease(ngx_conf_t *cf, void *object, ngx_str_t *args,
    ngx_uint_t n)
{
    char            *rv;
    ngx_ims_pool_t  *pool;

    pool = object;
    rv = ngx_http_ims_pool_time(&pool->lease, &args[0]);

    return rv == NGX_CONF_OK && pool->lease == 0 ? "has an invalid time" : rv;
}


static char *
ngx_http_ims_pool_quarantine(ngx_conf_t *cf, void *object, ngx_str_t *args,
    ngx_uint_t n)
{
    return ngx_http_ims_pool_time(&((ngx_ims_pool_t *) object)->quarantine,
                                  &args[0]);
}


static char *
ngx_http_ims_pool_devices(ngx_conf_t *cf, void *object, ngx_str_t *args,
    ngx_uint_t n)
{
    ngx_int_t        devices;
    ngx_ims_pool_t  *pool;

    pool = object;

    if (pool->devices != NGX_CONF_UNSET_UINT) {
        return "is duplicate";
    }

    devices = ngx_atoi(args[0].data, args[0].len);

    if (devices == NGX_ERROR || devices == 0 || devices > 100) {
        return "has an invalid number, it may be 1 to 100";
    }

    pool->devices = devices;
    pool->devices_given = 1;

    return NGX_CONF_OK;
}


static char *
ngx_http_ims_pool_local_calls(ngx_conf_t *cf, void *object, ngx_str_t *args,
    ngx_uint_t n)
{
    ngx_ims_pool_t  *pool;

    pool = object;

    if (pool->local_calls != NGX_CONF_UNSET) {
        return "is duplicate";
    }

    if (ngx_strcmp(args[0].data, "on") == 0) {
        pool->local_calls = 1;

    } else if (ngx_strcmp(args[0].data, "off") == 0) {
        pool->local_calls = 0;

    } else {
        return "has an invalid value, it may be \"on\" or \"off\"";
    }

    return NGX_CONF_OK;
}


/* register_block uri impi=user@realm [gin] [profile_key=auto|uri] */

static char *
ngx_http_ims_pool_register_block(ngx_conf_t *cf, void *object,
    ngx_str_t *args, ngx_uint_t n)
{
    ngx_uint_t             i;
    ngx_ims_str_t          uri;
    ngx_ims_pool_t        *pool;
    ngx_ims_pool_block_t  *block;

    pool = object;
    block = &pool->block;

    if (block->impu.len) {
        return "is duplicate";
    }

    uri = args[0];

    if (uri.len > NGX_IMS_MAX_IMPU || !ngx_ims_sip_uri_safe(&uri)) {
        return "has an invalid URI";
    }

    block->impu = args[0];

    for (i = 1; i < n; i++) {

        if (ngx_strcmp(args[i].data, "gin") == 0) {
            block->gin = 1;

        } else if (args[i].len > 5 && args[i].len < NGX_IMS_MAX_IMPU
                   && ngx_strncmp(args[i].data, "impi=", 5) == 0)
        {
            block->impi.data = args[i].data + 5;
            block->impi.len = args[i].len - 5;

        } else if (ngx_strcmp(args[i].data, "profile_key=auto") == 0) {
            block->wildcard = 1;

        } else if (args[i].len > 12
                   && ngx_strncmp(args[i].data, "profile_key=", 12) == 0)
        {
            block->profile_key.data = args[i].data + 12;
            block->profile_key.len = args[i].len - 12;

        } else {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                               "invalid parameter \"%V\" in "
                               "\"register_block\"", &args[i]);
            return NGX_CONF_ERROR;
        }
    }

    if (block->impi.len == 0 || !ngx_ims_pool_impi_safe(&block->impi)) {
        return "needs \"impi\" of the form \"user@realm\"";
    }

    for (i = 0; i < block->profile_key.len; i++) {
        if (block->profile_key.data[i] <= ' '
            || ngx_strchr("<>\"", block->profile_key.data[i]) != NULL)
        {
            return "has an invalid \"profile_key\"";
        }
    }

    return NGX_CONF_OK;
}
