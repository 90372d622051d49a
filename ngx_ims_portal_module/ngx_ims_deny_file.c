/*
 * Copyright (C) the IMS portal authors
 *
 * No timers: ngx_ims_revoke.c asks whether a file has changed.
 */


#include "ngx_ims_deny_file.h"


#define NGX_IMS_DENY_EVER  NGX_MAX_TIME_T_VALUE


static u_char *ngx_ims_deny_file_read(ngx_ims_deny_file_t *f,
    ngx_uint_t level, ngx_log_t *log, size_t *len);
static ngx_ims_deny_list_t *ngx_ims_deny_file_parse(ngx_ims_deny_file_t *f,
    u_char *p, u_char *last, ngx_uint_t level, ngx_log_t *log);
static const char *ngx_ims_deny_file_line(ngx_ims_deny_list_t *list,
    u_char *p, u_char *last);
static const char *ngx_ims_deny_file_user(ngx_ims_deny_entry_t *e,
    ngx_ims_str_t *subject, u_char *p, u_char *last);
static ngx_int_t ngx_ims_deny_file_word(u_char **pos, u_char *last,
    ngx_ims_str_t *word);
static ngx_uint_t ngx_ims_deny_file_is(ngx_ims_str_t *word,
    const char *text);
static time_t ngx_ims_deny_file_time(ngx_ims_str_t *word);
static void ngx_ims_deny_file_sort(ngx_ims_deny_list_t *list);
static int ngx_libc_cdecl ngx_ims_deny_file_cmp(const void *one,
    const void *two);
static ngx_uint_t ngx_ims_deny_file_find(ngx_ims_deny_list_t *list,
    ngx_ims_deny_e kind, u_char *key, time_t issued);


ngx_int_t
ngx_ims_deny_file_load(ngx_ims_deny_file_t *f, ngx_uint_t level,
    ngx_log_t *log)
{
    size_t                len;
    u_char               *text;
    ngx_ims_deny_list_t  *list;

    text = ngx_ims_deny_file_read(f, level, log, &len);
    if (text == NULL) {
        return NGX_ERROR;
    }

    list = ngx_ims_deny_file_parse(f, text, text + len, level, log);

    ngx_free(text);

    if (list == NULL) {
        return NGX_ERROR;
    }

    if (f->list != NULL) {
        ngx_free(f->list);
    }

    f->list = list;

    return NGX_OK;
}


/* the text of the file, a LF behind it; which version that is is noted */

static u_char *
ngx_ims_deny_file_read(ngx_ims_deny_file_t *f, ngx_uint_t level,
    ngx_log_t *log, size_t *len)
{
    u_char           *text;
    ssize_t           n;
    ngx_fd_t          fd;
    ngx_file_info_t   fi;

    /* what is no file does not block */

    fd = ngx_open_file(f->name.data, NGX_FILE_RDONLY|NGX_FILE_NONBLOCK,
                       NGX_FILE_OPEN, 0);

    if (fd == NGX_INVALID_FILE) {
        ngx_log_error(level, log, ngx_errno,
                      ngx_open_file_n " \"%V\" of \"revoked\" failed",
                      &f->name);
        return NULL;
    }

    text = NULL;

    if (ngx_fd_info(fd, &fi) == NGX_FILE_ERROR || !ngx_is_file(&fi)
        || ngx_file_size(&fi) > NGX_IMS_DENY_FILE_MAX)
    {
        ngx_log_error(level, log, 0,
                      "\"%V\" of \"revoked\" is no file, or too long",
                      &f->name);
        goto done;
    }

    f->dev = fi.st_dev;
    f->ino = fi.st_ino;
    f->size = fi.st_size;
    f->mtime = fi.st_mtim;

    text = ngx_alloc(ngx_file_size(&fi) + 1, log);
    if (text == NULL) {
        goto done;
    }

    for (*len = 0; *len < (size_t) ngx_file_size(&fi); *len += n) {
        n = ngx_read_fd(fd, text + *len, ngx_file_size(&fi) - *len);

        if (n == -1) {
            ngx_log_error(level, log, ngx_errno,
                          ngx_read_fd_n " \"%V\" of \"revoked\" failed",
                          &f->name);
            ngx_free(text);
            text = NULL;
            goto done;
        }

        if (n == 0) {
            break;
        }
    }

    text[(*len)++] = LF;

done:

    (void) ngx_close_file(fd);

    return text;
}


static ngx_ims_deny_list_t *
ngx_ims_deny_file_parse(ngx_ims_deny_file_t *f, u_char *p, u_char *last,
    ngx_uint_t level, ngx_log_t *log)
{
    u_char               *end, *q;
    ngx_uint_t            n;
    const char           *err;
    ngx_ims_deny_list_t  *list;

    for (n = 0, q = p; q < last; q++) {
        n += (*q == LF);
    }

    list = ngx_alloc(sizeof(ngx_ims_deny_list_t)
                     + n * sizeof(ngx_ims_deny_entry_t), log);
    if (list == NULL) {
        return NULL;
    }

    list->before = 0;
    list->nelts = 0;

    for (n = 1; p < last; p = end + 1, n++) {
        end = ngx_strlchr(p, last, LF);

        err = ngx_ims_deny_file_line(list, p, end);

        if (err != NULL) {
            ngx_log_error(level, log, 0,
                          "%s in line %ui of \"%V\" of \"revoked\"", err, n,
                          &f->name);
            ngx_free(list);
            return NULL;
        }
    }

    ngx_ims_deny_file_sort(list);

    return list;
}


/* NULL, or what is wrong with it */

static const char *
ngx_ims_deny_file_line(ngx_ims_deny_list_t *list, u_char *p, u_char *last)
{
    time_t                 before;
    ngx_int_t              rc;
    ngx_ims_str_t          what, value, more;
    ngx_ims_deny_entry_t  *e;

    if (last > p && last[-1] == CR) {
        last--;
    }

    if (p < last && *p == '#') {
        return NULL;
    }

    rc = ngx_ims_deny_file_word(&p, last, &what);

    if (rc == NGX_DONE) {
        return NULL;
    }

    if (rc != NGX_OK
        || ngx_ims_deny_file_word(&p, last, &value) != NGX_OK
        || value.len == 0)
    {
        return "no value, or an open quote,";
    }

    e = &list->elts[list->nelts];
    e->before = NGX_IMS_DENY_EVER;

    if (ngx_ims_deny_file_is(&what, "sub")) {
        list->nelts++;
        return ngx_ims_deny_file_user(e, &value, p, last);
    }

    if (ngx_ims_deny_file_word(&p, last, &more) != NGX_DONE) {
        return "a word too many";
    }

    if (ngx_ims_deny_file_is(&what, "issued_before")) {
        before = ngx_ims_deny_file_time(&value);
        list->before = ngx_max(list->before, before);

        return before == NGX_ERROR ? "an invalid time" : NULL;
    }

    if (!ngx_ims_deny_file_is(&what, "jti")
        && !ngx_ims_deny_file_is(&what, "kid"))
    {
        return "an unknown word";
    }

    e->kind = what.data[0] == 'j' ? NGX_IMS_DENY_JTI : NGX_IMS_DENY_KID;
    ngx_ims_deny_key(&value, e->key);
    list->nelts++;

    return NULL;
}


static const char *
ngx_ims_deny_file_user(ngx_ims_deny_entry_t *e, ngx_ims_str_t *subject,
    u_char *p, u_char *last)
{
    ngx_int_t      rc;
    ngx_ims_str_t  word, issuer;

    issuer.len = 0;
    issuer.data = NULL;

    for ( ;; ) {
        rc = ngx_ims_deny_file_word(&p, last, &word);

        if (rc != NGX_OK) {
            break;
        }

        if (word.len > 4 && ngx_strncmp(word.data, "iss=", 4) == 0) {
            issuer.data = word.data + 4;
            issuer.len = word.len - 4;
            continue;
        }

        if (word.len <= 14
            || ngx_strncmp(word.data, "issued_before=", 14) != 0)
        {
            return "an unknown word";
        }

        word.data += 14;
        word.len -= 14;
        e->before = ngx_ims_deny_file_time(&word);

        if (e->before == NGX_ERROR) {
            return "an invalid time";
        }
    }

    if (issuer.len) {
        e->kind = NGX_IMS_DENY_USER;
        ngx_ims_pool_user(&issuer, subject, e->key);

    } else {
        e->kind = NGX_IMS_DENY_SUBJECT;
        ngx_ims_deny_key(subject, e->key);
    }

    return rc == NGX_DONE ? NULL : "an open quote";
}


/*
 * The next word, its quotes taken away in place.  NGX_OK, NGX_DONE: there is
 * none, or NGX_ERROR.
 */

static ngx_int_t
ngx_ims_deny_file_word(u_char **pos, u_char *last, ngx_ims_str_t *word)
{
    u_char      *p, *dst;
    ngx_uint_t   quoted;

    for (p = *pos; p < last && (*p == ' ' || *p == '\t'); p++) {
        /* void */
    }

    if (p == last) {
        return NGX_DONE;
    }

    word->data = dst = p;
    quoted = 0;

    for (/* void */; p < last; p++) {

        if (*p == '"') {
            quoted = !quoted;
            continue;
        }

        if (quoted && *p == '\\' && p + 1 < last) {
            p++;

        } else if (!quoted && (*p == ' ' || *p == '\t')) {
            break;
        }

        *dst++ = *p;
    }

    word->len = dst - word->data;
    *pos = p;

    return quoted ? NGX_ERROR : NGX_OK;
}


static ngx_uint_t
ngx_ims_deny_file_is(ngx_ims_str_t *word, const char *text)
{
    return word->len == ngx_strlen(text)
           && ngx_strncmp(word->data, text, word->len) == 0;
}


static time_t
ngx_ims_deny_file_time(ngx_ims_str_t *word)
{
    return ngx_atotm(word->data, word->len);
}


/* of those with the same key the one that revokes most stays */

static void
ngx_ims_deny_file_sort(ngx_ims_deny_list_t *list)
{
    ngx_uint_t             i, n;
    ngx_ims_deny_entry_t  *e;

    e = list->elts;

    qsort(e, list->nelts, sizeof(ngx_ims_deny_entry_t),
          ngx_ims_deny_file_cmp);

    for (i = 1, n = 0; i < list->nelts; i++) {

        if (ngx_ims_deny_file_cmp(&e[n], &e[i]) == 0) {
            e[n].before = ngx_max(e[n].before, e[i].before);
            continue;
        }

        e[++n] = e[i];
    }

    list->nelts = ngx_min(list->nelts, n + 1);
}


static int ngx_libc_cdecl
ngx_ims_deny_file_cmp(const void *one, const void *two)
{
    const ngx_ims_deny_entry_t  *a, *b;

    a = one;
    b = two;

    if (a->kind != b->kind) {
        return a->kind < b->kind ? -1 : 1;
    }

    return ngx_memcmp(a->key, b->key, NGX_IMS_DIGEST_LEN);
}


ngx_uint_t
ngx_ims_deny_file_changed(ngx_ims_deny_file_t *f, ngx_log_t *log)
{
    ngx_file_info_t  fi;

    if (f->watch == 0
        || (ngx_msec_int_t) (ngx_current_msec - f->due) < 0)
    {
        return 0;
    }

    f->due = ngx_current_msec + f->watch;

    if (ngx_file_info(f->name.data, &fi) == NGX_FILE_ERROR) {

        if (!f->missing) {
            ngx_log_error(NGX_LOG_ERR, log, ngx_errno,
                          ngx_file_info_n " \"%V\" of \"revoked\" failed, "
                          "its last list is used", &f->name);
        }

        f->missing = 1;
        return 0;
    }

    if (!f->missing && f->dev == fi.st_dev && f->ino == fi.st_ino
        && f->size == fi.st_size && f->mtime.tv_sec == fi.st_mtim.tv_sec
        && f->mtime.tv_nsec == fi.st_mtim.tv_nsec)
    {
        return 0;
    }

    f->missing = 0;

    /* a bad one is read once, not again and again */

    f->dev = fi.st_dev;
    f->ino = fi.st_ino;
    f->size = fi.st_size;
    f->mtime = fi.st_mtim;

    if (ngx_ims_deny_file_load(f, NGX_LOG_ERR, log) != NGX_OK) {
        return 0;
    }

    ngx_log_error(NGX_LOG_NOTICE, log, 0,
                  "\"%V\" of \"revoked\" has changed: %ui entries", &f->name,
                  f->list->nelts);

    return 1;
}


ngx_uint_t
ngx_ims_deny_file_check(ngx_ims_deny_file_t *f, ngx_ims_deny_token_t *token)
{
    ngx_ims_deny_list_t  *list;

    list = f->list;

    return (list->before && token->issued <= list->before)
           || ngx_ims_deny_file_find(list, NGX_IMS_DENY_USER, token->user,
                                     token->issued)
           || ngx_ims_deny_file_find(list, NGX_IMS_DENY_SUBJECT,
                                     token->subject, token->issued)
           || ngx_ims_deny_file_find(list, NGX_IMS_DENY_JTI, token->jti, 0)
           || ngx_ims_deny_file_find(list, NGX_IMS_DENY_KID, token->kid, 0);
}


static ngx_uint_t
ngx_ims_deny_file_find(ngx_ims_deny_list_t *list, ngx_ims_deny_e kind,
    u_char *key, time_t issued)
{
    ngx_ims_deny_entry_t  want, *e;

    want.kind = kind;
    ngx_memcpy(want.key, key, NGX_IMS_DIGEST_LEN);

    e = bsearch(&want, list->elts, list->nelts, sizeof(ngx_ims_deny_entry_t),
                ngx_ims_deny_file_cmp);

    return e != NULL && issued <= e->before;
}
