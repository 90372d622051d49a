/*
 * Copyright (C) the IMS portal authors
 *
 * The "reserve" lines of a pool: identities that are kept for named
 * users.  They are looked into when all identities of the pool are known.
 */


#include "ngx_ims_pool_load.h"
#include "ngx_ims_pool_reserve.h"


typedef struct {
    ngx_str_t                 user;
    ngx_str_t                 issuer;
    ngx_str_t                 identity;
    ngx_str_t                 file;
} ngx_ims_pool_reserve_line_t;


/* where reading is */
typedef struct {
    ngx_conf_t               *cf;
    ngx_ims_pool_t           *pool;
    ngx_ims_pool_reserve_line_t  *line;
    ngx_array_t              *entries;        /* ngx_ims_reserved_t */
} ngx_ims_pool_keep_t;


static ngx_int_t ngx_ims_pool_keep_line(void *data, ngx_str_t *line,
    ngx_uint_t n);
static const char *ngx_ims_pool_keep_add(ngx_ims_pool_keep_t *keep,
    ngx_str_t *user, ngx_str_t *identity);
static ngx_int_t ngx_ims_pool_keep_index(ngx_ims_pool_keep_t *keep,
    ngx_ims_pool_reserve_t *reserve);


char *
ngx_ims_pool_add_reserve(ngx_conf_t *cf, ngx_ims_pool_t *pool,
    ngx_str_t *args, ngx_uint_t n)
{
    u_char                       *p;
    size_t                        len;
    ngx_str_t                    *slot;
    ngx_uint_t                    i;
    ngx_ims_pool_reserve_line_t  *line;

    if (pool->reserves.elts == NULL
        && ngx_array_init(&pool->reserves, cf->pool, 4,
                          sizeof(ngx_ims_pool_reserve_line_t))
           != NGX_OK)
    {
        return NGX_CONF_ERROR;
    }

    line = ngx_array_push(&pool->reserves);
    if (line == NULL) {
        return NGX_CONF_ERROR;
    }

    ngx_memzero(line, sizeof(ngx_ims_pool_reserve_line_t));

    for (i = 0; i < n; i++) {
        p = ngx_strlchr(args[i].data, args[i].data + args[i].len, '=');
        len = p ? (size_t) (p - args[i].data) : 0;
        slot = NULL;

        if (len == 4 && ngx_strncmp(args[i].data, "user", 4) == 0) {
            slot = &line->user;

        } else if (len == 6 && ngx_strncmp(args[i].data, "issuer", 6) == 0) {
            slot = &line->issuer;

        } else if (len == 8 && ngx_strncmp(args[i].data, "identity", 8) == 0)
        {
            slot = &line->identity;

        } else if (len == 4 && ngx_strncmp(args[i].data, "file", 4) == 0) {
            slot = &line->file;
        }

        if (slot == NULL || slot->len || args[i].len == len + 1
            || args[i].len - len - 1 > NGX_IMS_MAX_IMPU)
        {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                               "invalid parameter \"%V\" in \"reserve\"",
                               &args[i]);
            return NGX_CONF_ERROR;
        }

        slot->data = p + 1;
        slot->len = args[i].len - len - 1;
    }

    if (line->file.len ? line->user.len || line->identity.len
                       : line->user.len == 0 || line->identity.len == 0)
    {
        return "needs \"user\" and \"identity\", or \"file\"";
    }

    return NGX_CONF_OK;
}


char *
ngx_ims_pool_end_reserve(ngx_conf_t *cf, ngx_ims_pool_t *pool)
{
    ngx_int_t                     rc;
    ngx_str_t                     text;
    ngx_uint_t                    i;
    const char                   *why;
    ngx_array_t                   entries;
    ngx_ims_pool_keep_t           keep;
    ngx_ims_pool_reserve_t       *reserve;
    ngx_ims_pool_reserve_line_t  *line;

    if (pool->reserves.nelts == 0) {
        return NGX_CONF_OK;
    }

    reserve = ngx_pcalloc(cf->pool, sizeof(ngx_ims_pool_reserve_t));

    if (reserve == NULL
        || ngx_array_init(&entries, cf->pool, 16, sizeof(ngx_ims_reserved_t))
           != NGX_OK)
    {
        return NGX_CONF_ERROR;
    }

    reserve->of = ngx_palloc(cf->pool, (pool->total + 1) * sizeof(uint32_t));
    if (reserve->of == NULL) {
        return NGX_CONF_ERROR;
    }

    ngx_memset(reserve->of, 0xff, pool->total * sizeof(uint32_t));

    pool->reserve = reserve;

    keep.cf = cf;
    keep.pool = pool;
    keep.entries = &entries;

    line = pool->reserves.elts;

    for (i = 0; i < pool->reserves.nelts; i++) {
        keep.line = &line[i];

        if (line[i].file.len == 0) {
            why = ngx_ims_pool_keep_add(&keep, &line[i].user,
                                        &line[i].identity);

            if (why != NULL) {
                ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                                   "\"reserve\" of \"%V\" for \"%V\" in "
                                   "\"ims_portal_pool\" \"%V\": %s",
                                   &line[i].identity, &line[i].user,
                                   &pool->name, why);
                return NGX_CONF_ERROR;
            }

            continue;
        }

        if (ngx_ims_pool_read(cf, "reserve", &line[i].file, &text)
            != NGX_OK)
        {
            return NGX_CONF_ERROR;
        }

        rc = ngx_ims_pool_lines(&text, ngx_ims_pool_keep_line, &keep);

        ngx_free(text.data);

        if (rc != NGX_OK) {
            return NGX_CONF_ERROR;
        }
    }

    return ngx_ims_pool_keep_index(&keep, reserve) == NGX_OK
           ? NGX_CONF_OK : NGX_CONF_ERROR;
}


/* "user identity": the last word is the identity */

static ngx_int_t
ngx_ims_pool_keep_line(void *data, ngx_str_t *line, ngx_uint_t n)
{
    u_char               *p;
    ngx_str_t             user, identity;
    const char           *why;
    ngx_ims_pool_keep_t  *keep;

    keep = data;

    p = line->data + line->len;

    while (p > line->data && p[-1] != ' ' && p[-1] != '\t') {
        p--;
    }

    identity.data = p;
    identity.len = line->data + line->len - p;

    while (p > line->data && (p[-1] == ' ' || p[-1] == '\t')) {
        p--;
    }

    user.data = line->data;
    user.len = p - line->data;

    why = user.len ? ngx_ims_pool_keep_add(keep, &user, &identity)
                   : "a line is \"user identity\"";

    if (why == NULL) {
        return NGX_OK;
    }

    ngx_conf_log_error(NGX_LOG_EMERG, keep->cf, 0, "%V:%ui: %s: \"%V\"",
                       &keep->line->file, n, why, line);

    return NGX_ERROR;
}


static const char *
ngx_ims_pool_keep_add(ngx_ims_pool_keep_t *keep, ngx_str_t *user,
    ngx_str_t *identity)
{
    u_char               key[NGX_IMS_MAX_IMPU];
    uint32_t             number, *of;
    ngx_ims_str_t        uri, issuer, subject;
    ngx_ims_reserved_t  *entry;

    if (user->len > 255) {
        return "the user is too long";
    }

    uri.data = identity->data;
    uri.len = identity->len;

    number = ngx_ims_pool_number(keep->pool, key,
                                 ngx_ims_pool_key(&uri, key));

    if (number == NGX_IMS_NONE) {
        return "the identity is none that an \"identity\" line has";
    }

    of = &keep->pool->reserve->of[number];

    if (*of != NGX_IMS_NONE) {
        return "the identity is kept for another user already";
    }

    *of = (uint32_t) keep->entries->nelts;

    entry = ngx_array_push(keep->entries);
    if (entry == NULL) {
        return "no memory";
    }

    subject.data = user->data;
    subject.len = user->len;

    issuer.data = keep->line->issuer.data;
    issuer.len = keep->line->issuer.len;

    ngx_ims_pool_user(&issuer, &subject, entry->user);
    entry->number = number;

    keep->pool->reserve->any += (issuer.len == 0);

    return NULL;
}


static ngx_int_t
ngx_ims_pool_keep_index(ngx_ims_pool_keep_t *keep,
    ngx_ims_pool_reserve_t *reserve)
{
    u_char     one[NGX_IMS_MAX_IMPU], two[NGX_IMS_MAX_IMPU];
    size_t     n, len;
    uint32_t   i, *slot;

    reserve->entries = keep->entries->elts;
    reserve->n = keep->entries->nelts;

    for (n = 16; n < 2 * reserve->n; n *= 2) { /* void */ }

    reserve->mask = n - 1;
    reserve->slots = ngx_palloc(keep->cf->pool, n * sizeof(uint32_t));

    if (reserve->slots == NULL) {
        return NGX_ERROR;
    }

    ngx_memset(reserve->slots, 0xff, n * sizeof(uint32_t));

    for (i = 0; i < reserve->n; i++) {
        slot = ngx_ims_pool_reserve_slot(reserve, reserve->entries[i].user);

        if (*slot != NGX_IMS_NONE) {
            len = ngx_ims_pool_text(keep->pool,
                                    reserve->entries[*slot].number, one);
            n = ngx_ims_pool_text(keep->pool, reserve->entries[i].number,
                                  two);

            ngx_conf_log_error(NGX_LOG_EMERG, keep->cf, 0,
                               "\"reserve\" in \"ims_portal_pool\" \"%V\" "
                               "keeps \"%*s\" and \"%*s\" for one user",
                               &keep->pool->name, len, one, n, two);
            return NGX_ERROR;
        }

        *slot = i;
    }

    return NGX_OK;
}
