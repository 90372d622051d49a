/*
 * Copyright (C) the IMS portal authors
 *
 * The file of secrets stays in memory of its own, that is not in core dumps and
 * is cleared with its cycle; entries, sorted, point into it.  SQNs of AKA lie
 * in memory that all workers share: each accepts a number once.
 *
 * No timers.
 */


#include "ngx_ims_secret_int.h"

#include <sys/mman.h>
#include <openssl/crypto.h>


#define NGX_IMS_SECRET_MAX_FILE  0x10000000   /* bytes */


struct ngx_ims_secrets_s {
    ngx_ims_secret_entry_t   *entries;        /* sorted by IMPI */
    ngx_uint_t                n;
    ngx_ims_secret_entry_t    any;            /* of "*", when any.set */
    u_char                   *text;           /* the file */
    size_t                    size;
    ngx_ims_aka_sqn_t        *sqns;           /* shared memory */
    ngx_uint_t                nsqns;
};


static ngx_int_t ngx_ims_secret_load(ngx_conf_t *cf, ngx_str_t *file,
    ngx_ims_secrets_t *secrets);
static u_char *ngx_ims_secret_map(ngx_conf_t *cf, size_t size, int flags);
static void ngx_ims_secret_clear(void *data);
static ngx_int_t ngx_ims_secret_lines(ngx_conf_t *cf, ngx_str_t *file,
    ngx_ims_secrets_t *secrets);
static ngx_int_t ngx_ims_secret_sqns(ngx_conf_t *cf,
    ngx_ims_secrets_t *secrets, ngx_array_t *numbers);
static ngx_int_t ngx_ims_secret_sort(ngx_conf_t *cf, ngx_str_t *file,
    ngx_ims_secrets_t *secrets);
static int ngx_libc_cdecl ngx_ims_secret_cmp(const void *one,
    const void *two);
static void ngx_ims_secret_keep_sqns(ngx_ims_secrets_t *secrets,
    ngx_ims_secrets_t *old);
static void ngx_ims_secret_keep_sqn(ngx_ims_secrets_t *secrets,
    ngx_ims_secret_entry_t *e, ngx_ims_secrets_t *old,
    ngx_ims_secret_entry_t *o);
static ngx_ims_secret_entry_t *ngx_ims_secret_entry(
    ngx_ims_secrets_t *secrets, u_char *impi, size_t len);


ngx_ims_secrets_t *
ngx_ims_secret_read(ngx_conf_t *cf, ngx_str_t *file, ngx_ims_secrets_t *old)
{
    ngx_pool_cleanup_t  *cln;
    ngx_ims_secrets_t   *secrets;

    secrets = ngx_pcalloc(cf->pool, sizeof(ngx_ims_secrets_t));
    cln = ngx_pool_cleanup_add(cf->pool, 0);

    if (secrets == NULL || cln == NULL) {
        return NULL;
    }

    cln->handler = ngx_ims_secret_clear;
    cln->data = secrets;

    if (ngx_ims_secret_load(cf, file, secrets) != NGX_OK
        || ngx_ims_secret_lines(cf, file, secrets) != NGX_OK
        || ngx_ims_secret_sort(cf, file, secrets) != NGX_OK)
    {
        return NULL;
    }

    if (old != NULL) {
        ngx_ims_secret_keep_sqns(secrets, old);
    }

    return secrets;
}


static ngx_int_t
ngx_ims_secret_load(ngx_conf_t *cf, ngx_str_t *file,
    ngx_ims_secrets_t *secrets)
{
    off_t            size;
    ssize_t          n;
    ngx_fd_t         fd;
    ngx_int_t        rc;
    ngx_file_info_t  fi;

    fd = ngx_open_file(file->data, NGX_FILE_RDONLY, NGX_FILE_OPEN, 0);

    if (fd == NGX_INVALID_FILE) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, ngx_errno,
                           ngx_open_file_n " \"%V\" failed", file);
        return NGX_ERROR;
    }

    rc = NGX_ERROR;

    if (ngx_fd_info(fd, &fi) == NGX_FILE_ERROR) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, ngx_errno,
                           ngx_fd_info_n " \"%V\" failed", file);
        goto done;
    }

    if (!ngx_is_file(&fi)) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "secrets \"%V\" are not a file", file);
        goto done;
    }

    if (fi.st_mode & (S_IROTH|S_IWOTH)) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "secrets \"%V\" may be read or written by others",
                           file);
        goto done;
    }

    size = ngx_file_size(&fi);

    if (size > NGX_IMS_SECRET_MAX_FILE) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "secrets \"%V\" are larger than %d bytes", file,
                           NGX_IMS_SECRET_MAX_FILE);
        goto done;
    }

    secrets->size = size + 1;
    secrets->text = ngx_ims_secret_map(cf, secrets->size, MAP_PRIVATE);

    if (secrets->text == NULL) {
        goto done;
    }

    n = ngx_read_fd(fd, secrets->text, size);

    if (n != size) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, n == -1 ? ngx_errno : 0,
                           ngx_read_fd_n " \"%V\" failed", file);
        goto done;
    }

    secrets->text[size] = LF;

    rc = NGX_OK;

done:

    if (ngx_close_file(fd) == NGX_FILE_ERROR) {
        ngx_conf_log_error(NGX_LOG_ALERT, cf, ngx_errno,
                           ngx_close_file_n " \"%V\" failed", file);
    }

    return rc;
}


static u_char *
ngx_ims_secret_map(ngx_conf_t *cf, size_t size, int flags)
{
    u_char  *p;

    p = mmap(NULL, size, PROT_READ|PROT_WRITE, flags|MAP_ANONYMOUS, -1, 0);

    if (p == MAP_FAILED) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, ngx_errno,
                           "mmap(%uz) for secrets failed", size);
        return NULL;
    }

#ifdef MADV_DONTDUMP

    if (madvise(p, size, MADV_DONTDUMP) == -1) {
        ngx_conf_log_error(NGX_LOG_WARN, cf, ngx_errno,
                           "madvise(MADV_DONTDUMP) for secrets failed");
    }

#endif

    return p;
}


static void
ngx_ims_secret_clear(void *data)
{
    ngx_ims_secrets_t  *secrets = data;

    if (secrets->text != NULL) {
        OPENSSL_cleanse(secrets->text, secrets->size);
        (void) munmap(secrets->text, secrets->size);
        secrets->text = NULL;
    }

    if (secrets->sqns != NULL) {
        (void) munmap(secrets->sqns,
                      secrets->nsqns * sizeof(ngx_ims_aka_sqn_t));
        secrets->sqns = NULL;
    }
}


static ngx_int_t
ngx_ims_secret_lines(ngx_conf_t *cf, ngx_str_t *file,
    ngx_ims_secrets_t *secrets)
{
    u_char                  *p, *eol, *last;
    uint64_t                 sqn, *sqns;
    ngx_uint_t               n, line;
    const char              *error;
    ngx_array_t              numbers;
    ngx_ims_secret_entry_t   e;

    last = secrets->text + secrets->size;

    for (n = 0, p = secrets->text; p < last; p++) {
        n += (*p == LF);
    }

    secrets->entries = ngx_palloc(cf->pool, n * sizeof(e));

    if (secrets->entries == NULL
        || ngx_array_init(&numbers, cf->temp_pool, 16, sizeof(uint64_t))
           != NGX_OK)
    {
        return NGX_ERROR;
    }

    for (p = secrets->text, line = 1; p < last; p = eol + 1, line++) {
        eol = ngx_strlchr(p, last, LF);

        ngx_memzero(&e, sizeof(ngx_ims_secret_entry_t));
        sqn = 0;

        error = ngx_ims_secret_line(p, eol, &e, &sqn);

        if (error != NULL) {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                               "%s in line %ui of secrets \"%V\"",
                               error, line, file);
            return NGX_ERROR;
        }

        if (!e.set) {
            continue;
        }

        if (e.kind == NGX_IMS_SECRET_AKA) {
            sqns = ngx_array_push(&numbers);
            if (sqns == NULL) {
                return NGX_ERROR;
            }

            *sqns = sqn;
            e.sqn = numbers.nelts - 1;
        }

        if (e.impi_len != 1 || e.impi[0] != '*') {
            secrets->entries[secrets->n++] = e;
            continue;
        }

        if (secrets->any.set) {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                               "second \"*\" in line %ui of secrets \"%V\"",
                               line, file);
            return NGX_ERROR;
        }

        secrets->any = e;
    }

    return ngx_ims_secret_sqns(cf, secrets, &numbers);
}


static ngx_int_t
ngx_ims_secret_sqns(ngx_conf_t *cf, ngx_ims_secrets_t *secrets,
    ngx_array_t *numbers)
{
    size_t  size;

    size = numbers->nelts * sizeof(ngx_ims_aka_sqn_t);

    if (size == 0) {
        return NGX_OK;
    }

    secrets->sqns = (ngx_ims_aka_sqn_t *) ngx_ims_secret_map(cf, size,
                                                             MAP_SHARED);
    if (secrets->sqns == NULL) {
        return NGX_ERROR;
    }

    secrets->nsqns = numbers->nelts;
    ngx_memcpy(secrets->sqns, numbers->elts, size);

    return NGX_OK;
}


static ngx_int_t
ngx_ims_secret_sort(ngx_conf_t *cf, ngx_str_t *file,
    ngx_ims_secrets_t *secrets)
{
    ngx_uint_t               i;
    ngx_ims_secret_entry_t  *e;

    e = secrets->entries;

    ngx_qsort(e, secrets->n, sizeof(ngx_ims_secret_entry_t),
              ngx_ims_secret_cmp);

    for (i = 1; i < secrets->n; i++) {

        if (ngx_ims_secret_cmp(&e[i - 1], &e[i]) == 0) {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                               "\"%*s\" is twice in secrets \"%V\"",
                               (size_t) e[i].impi_len, e[i].impi, file);
            return NGX_ERROR;
        }
    }

    return NGX_OK;
}


static int ngx_libc_cdecl
ngx_ims_secret_cmp(const void *one, const void *two)
{
    int                            rc;
    const ngx_ims_secret_entry_t  *a = one, *b = two;

    rc = ngx_memcmp(a->impi, b->impi, ngx_min(a->impi_len, b->impi_len));

    return rc ? rc : (int) a->impi_len - (int) b->impi_len;
}


/* a number that was accepted before a reload is not accepted behind it */

static void
ngx_ims_secret_keep_sqns(ngx_ims_secrets_t *secrets, ngx_ims_secrets_t *old)
{
    ngx_uint_t               i;
    ngx_ims_secret_entry_t  *e, *o;

    if (old->nsqns == 0) {
        return;
    }

    for (i = 0; i < old->n; i++) {
        o = &old->entries[i];
        e = ngx_ims_secret_entry(secrets, o->impi, o->impi_len);

        if (e != NULL) {
            ngx_ims_secret_keep_sqn(secrets, e, old, o);
        }
    }

    if (old->any.set && secrets->any.set) {
        ngx_ims_secret_keep_sqn(secrets, &secrets->any, old, &old->any);
    }
}


static void
ngx_ims_secret_keep_sqn(ngx_ims_secrets_t *secrets, ngx_ims_secret_entry_t *e,
    ngx_ims_secrets_t *old, ngx_ims_secret_entry_t *o)
{
    if (e->kind == NGX_IMS_SECRET_AKA && o->kind == NGX_IMS_SECRET_AKA
        && ngx_memcmp(e->value, o->value, 32) == 0)
    {
        secrets->sqns[e->sqn] = ngx_max(secrets->sqns[e->sqn],
                                        old->sqns[o->sqn]);
    }
}


static ngx_ims_secret_entry_t *
ngx_ims_secret_entry(ngx_ims_secrets_t *secrets, u_char *impi, size_t len)
{
    int                      rc;
    size_t                   low, high, mid;
    ngx_ims_secret_entry_t   key;

    if (len > NGX_IMS_SECRET_MAX_IMPI) {
        return NULL;
    }

    key.impi = impi;
    key.impi_len = len;

    for (low = 0, high = secrets->n; low < high; /* void */) {
        mid = (low + high) / 2;
        rc = ngx_ims_secret_cmp(&key, &secrets->entries[mid]);

        if (rc == 0) {
            return &secrets->entries[mid];
        }

        if (rc < 0) {
            high = mid;

        } else {
            low = mid + 1;
        }
    }

    return NULL;
}


ngx_int_t
ngx_ims_secret_find(ngx_ims_secrets_t *secrets, ngx_ims_str_t *impi,
    ngx_ims_secret_t *secret)
{
    ngx_ims_secret_entry_t  *e;

    if (secrets == NULL) {
        return NGX_DECLINED;
    }

    e = ngx_ims_secret_entry(secrets, impi->data, impi->len);

    if (e == NULL) {

        if (!secrets->any.set) {
            return NGX_DECLINED;
        }

        e = &secrets->any;
    }

    ngx_memzero(secret, sizeof(ngx_ims_secret_t));

    secret->kind = e->kind;

    if (e->kind == NGX_IMS_SECRET_AKA) {
        secret->k = e->value;
        secret->opc = e->value + NGX_IMS_AKA_KEY;
        secret->sqn = &secrets->sqns[e->sqn];

    } else {
        secret->value.data = e->value;
        secret->value.len = e->value_len;
    }

    return NGX_OK;
}
