/*
 * Copyright (C) the IMS portal authors
 *
 * Reads lists of identities: a line each, "IMPU" or "IMPU IMPI".  Lines may end
 * with CR LF; empty ones, and what is behind "#", are passed over.
 */


#include "ngx_ims_pool_load.h"
#include "ngx_ims_pool_list.h"


/* where reading is */
typedef struct {
    ngx_conf_t               *cf;
    ngx_ims_block_t          *block;
    ngx_ims_pool_list_t      *list;
    ngx_str_t                *path;
    u_char                   *p;              /* end of the texts so far */
} ngx_ims_pool_load_t;


static ngx_int_t ngx_ims_pool_load_alloc(ngx_ims_pool_load_t *load,
    ngx_str_t *text);
static ngx_int_t ngx_ims_pool_load_line(void *data, ngx_str_t *line,
    ngx_uint_t n);
static const char *ngx_ims_pool_load_identity(ngx_ims_pool_load_t *load,
    ngx_str_t *impu, ngx_str_t *impi);
static void ngx_ims_pool_load_word(ngx_str_t *line, ngx_str_t *word);


ngx_int_t
ngx_ims_pool_read(ngx_conf_t *cf, const char *what, ngx_str_t *path,
    ngx_str_t *text)
{
    ssize_t          n;
    ngx_fd_t         fd;
    ngx_file_info_t  fi;

    text->data = NULL;

    if (ngx_conf_full_name(cf->cycle, path, 1) != NGX_OK) {
        return NGX_ERROR;
    }

    fd = ngx_open_file(path->data, NGX_FILE_RDONLY|NGX_FILE_NONBLOCK,
                       NGX_FILE_OPEN, 0);

    if (fd == NGX_INVALID_FILE) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, ngx_errno,
                           ngx_open_file_n " \"%V\" of \"%s\" failed", path,
                           what);
        return NGX_ERROR;
    }

    if (ngx_fd_info(fd, &fi) == NGX_FILE_ERROR || !ngx_is_file(&fi)
        || ngx_file_size(&fi) >= NGX_IMS_POOL_MAX_FILE)
    {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "\"%V\" of \"%s\" is not a regular file of up to "
                           "%d MB", path, what,
                           NGX_IMS_POOL_MAX_FILE >> 20);
        (void) ngx_close_file(fd);
        return NGX_ERROR;
    }

    text->len = (size_t) ngx_file_size(&fi);
    text->data = ngx_alloc(text->len + 1, cf->log);

    n = text->data ? ngx_read_fd(fd, text->data, text->len) : NGX_ERROR;

    (void) ngx_close_file(fd);

    if (n != (ssize_t) text->len) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, ngx_errno,
                           ngx_read_fd_n " \"%V\" of \"%s\" failed", path,
                           what);

        if (text->data) {
            ngx_free(text->data);
        }

        return NGX_ERROR;
    }

    return NGX_OK;
}


ngx_int_t
ngx_ims_pool_lines(ngx_str_t *text, ngx_ims_pool_line_pt handler, void *data)
{
    u_char      *p, *end, *last;
    ngx_str_t    line;
    ngx_uint_t   n;

    last = text->data + text->len;

    for (n = 1, p = text->data; p < last; p = end + 1, n++) {
        end = ngx_strlchr(p, last, '\n');
        end = end ? end : last;

        line.data = p;
        line.len = end - p;

        p = ngx_strlchr(line.data, end, '#');

        if (p != NULL) {
            line.len = p - line.data;
        }

        while (line.len && (line.data[0] == ' ' || line.data[0] == '\t')) {
            line.data++;
            line.len--;
        }

        while (line.len && ngx_strchr(" \t\r", line.data[line.len - 1])) {
            line.len--;
        }

        if (line.len && handler(data, &line, n) != NGX_OK) {
            return NGX_ERROR;
        }
    }

    return NGX_OK;
}


char *
ngx_ims_pool_add_list(ngx_conf_t *cf, ngx_ims_pool_t *pool,
    ngx_ims_block_t *block, ngx_str_t *path)
{
    ngx_int_t            rc;
    ngx_str_t            text;
    ngx_ims_pool_load_t  load;

    if (ngx_ims_pool_read(cf, "identity", path, &text) != NGX_OK) {
        return NGX_CONF_ERROR;
    }

    load.cf = cf;
    load.block = block;
    load.path = path;

    block->kind = NGX_IMS_BLOCK_LIST;

    rc = ngx_ims_pool_load_alloc(&load, &text);

    if (rc == NGX_OK) {
        rc = ngx_ims_pool_lines(&text, ngx_ims_pool_load_line, &load);
    }

    ngx_free(text.data);

    if (rc != NGX_OK) {
        return NGX_CONF_ERROR;
    }

    block->list = load.list;
    block->count = load.list->count;
    pool->total += block->count;

    return NGX_CONF_OK;
}


/* room for as many as there are lines, with two lengths each */

static ngx_int_t
ngx_ims_pool_load_alloc(ngx_ims_pool_load_t *load, ngx_str_t *text)
{
    size_t                lines, n, i;
    ngx_pool_t           *mem;
    ngx_ims_pool_list_t  *list;

    for (lines = 1, i = 0; i < text->len; i++) {
        lines += (text->data[i] == '\n');
    }

    for (n = 16; n < 2 * lines; n *= 2) { /* void */ }

    mem = load->cf->pool;

    list = ngx_pcalloc(mem, sizeof(ngx_ims_pool_list_t));
    if (list == NULL) {
        return NGX_ERROR;
    }

    list->text = ngx_palloc(mem, text->len + 2 * lines);
    list->at = ngx_palloc(mem, lines * sizeof(uint32_t));
    list->tags = ngx_palloc(mem, lines * sizeof(uint32_t));
    list->slots = ngx_palloc(mem, n * sizeof(uint32_t));
    list->mask = n - 1;

    if (list->text == NULL || list->at == NULL || list->tags == NULL
        || list->slots == NULL)
    {
        return NGX_ERROR;
    }

    ngx_memset(list->slots, 0xff, n * sizeof(uint32_t));

    load->list = list;
    load->p = list->text;

    return NGX_OK;
}


static ngx_int_t
ngx_ims_pool_load_line(void *data, ngx_str_t *line, ngx_uint_t n)
{
    const char           *why;
    ngx_str_t             impu, impi, rest;
    ngx_ims_pool_load_t  *load;

    load = data;
    rest = *line;

    ngx_ims_pool_load_word(&rest, &impu);
    ngx_ims_pool_load_word(&rest, &impi);

    why = rest.len ? "more than two words"
                   : ngx_ims_pool_load_identity(load, &impu, &impi);

    if (why == NULL) {
        return NGX_OK;
    }

    ngx_conf_log_error(NGX_LOG_EMERG, load->cf, 0,
                       "%V:%ui: %s in \"%V\"", load->path, n, why, line);

    return NGX_ERROR;
}


/* takes the first word of a line away */

static void
ngx_ims_pool_load_word(ngx_str_t *line, ngx_str_t *word)
{
    u_char  *p, *last;

    last = line->data + line->len;

    for (p = line->data; p < last && *p != ' ' && *p != '\t'; p++) {
        /* void */
    }

    word->data = line->data;
    word->len = p - line->data;

    while (p < last && (*p == ' ' || *p == '\t')) {
        p++;
    }

    line->data = p;
    line->len = last - p;
}


/* one more, or what is wrong with it */

static const char *
ngx_ims_pool_load_identity(ngx_ims_pool_load_t *load, ngx_str_t *impu,
    ngx_str_t *impi)
{
    u_char                key[NGX_IMS_MAX_IMPU], own[NGX_IMS_MAX_IMPU];
    size_t                len;
    uint32_t             *slot;
    ngx_str_t             made;
    ngx_ims_str_t         uri;
    ngx_ims_pool_list_t  *list;

    list = load->list;

    if (!ngx_ims_pool_impu_safe(impu)) {
        return "invalid URI";
    }

    uri.data = impu->data;
    uri.len = impu->len;

    len = ngx_ims_pool_key(&uri, key);

    if (len == 0) {
        return "invalid URI";
    }

    made = *impi;

    if (impi->len == 0) {
        made.data = own;
        made.len = ngx_ims_pool_template(load->block, &uri, 0, own);
    }

    if (made.len == 0 || made.len > NGX_IMS_MAX_IMPU
        || made.data[0] == '@' || made.data[made.len - 1] == '@'
        || !ngx_ims_pool_impi_safe(&made))
    {
        return "invalid private identity, or it needs one,";
    }

    slot = ngx_ims_pool_list_slot(list, key, len);

    if (*slot != NGX_IMS_NONE) {
        return "an identity for the second time";
    }

    if (list->count == NGX_IMS_MAX_IDENTITIES) {
        return "too many identities";
    }

    list->at[list->count] = (uint32_t) (load->p - list->text);
    list->tags[list->count] = (uint32_t) (ngx_ims_pool_hash(key, len) >> 32);

    *load->p++ = (u_char) impu->len;
    load->p = ngx_cpymem(load->p, impu->data, impu->len);
    *load->p++ = (u_char) impi->len;
    load->p = ngx_cpymem(load->p, impi->data, impi->len);

    *slot = list->count++;

    return NULL;
}
