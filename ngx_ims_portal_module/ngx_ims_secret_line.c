/*
 * Copyright (C) the IMS portal authors
 *
 * One line of a file of secrets.  What is decoded replaces the text that it was
 * written in, so that there is one place to clear.
 */


#include "ngx_ims_secret_int.h"

#include <openssl/crypto.h>


static u_char *ngx_ims_secret_word(u_char **p, u_char *last, size_t *len);
static const char *ngx_ims_secret_password(u_char *p, u_char *last,
    ngx_ims_secret_entry_t *e);
static const char *ngx_ims_secret_ha1(u_char *p, u_char *last,
    ngx_ims_secret_entry_t *e);
static const char *ngx_ims_secret_aka(u_char *p, u_char *last,
    ngx_ims_secret_entry_t *e, uint64_t *sqn);
static ngx_int_t ngx_ims_secret_hex(u_char *p, size_t len, const char *name,
    u_char *out, size_t size);


const char *
ngx_ims_secret_line(u_char *p, u_char *last, ngx_ims_secret_entry_t *e,
    uint64_t *sqn)
{
    size_t   len, i;
    u_char  *word;

    if (last > p && last[-1] == CR) {
        last--;
    }

    word = ngx_ims_secret_word(&p, last, &len);

    if (len == 0 || word[0] == '#') {
        return NULL;
    }

    if (len > NGX_IMS_SECRET_MAX_IMPI) {
        return "too long identity";
    }

    for (i = 0; i < len; i++) {
        if (word[i] <= ' ' || word[i] == '"' || word[i] == '\\'
            || word[i] == 0x7f)
        {
            return "invalid identity";
        }
    }

    e->impi = word;
    e->impi_len = len;
    e->set = 1;

    word = ngx_ims_secret_word(&p, last, &len);

    if (len == 8 && ngx_strncmp(word, "password", 8) == 0) {
        return ngx_ims_secret_password(p, last, e);
    }

    if (len == 3 && ngx_strncmp(word, "ha1", 3) == 0) {
        return ngx_ims_secret_ha1(p, last, e);
    }

    if (len == 3 && ngx_strncmp(word, "aka", 3) == 0) {
        return ngx_ims_secret_aka(p, last, e, sqn);
    }

    return "neither \"password\" nor \"ha1\" nor \"aka\"";
}


/* the next word; *len is 0 at the end */

static u_char *
ngx_ims_secret_word(u_char **p, u_char *last, size_t *len)
{
    u_char  *start;

    while (*p < last && (**p == ' ' || **p == '\t')) {
        (*p)++;
    }

    start = *p;

    while (*p < last && **p != ' ' && **p != '\t') {
        (*p)++;
    }

    *len = *p - start;

    return start;
}


static const char *
ngx_ims_secret_password(u_char *p, u_char *last, ngx_ims_secret_entry_t *e)
{
    size_t   len;
    u_char  *dst;

    e->kind = NGX_IMS_SECRET_PASSWORD;
    e->value = ngx_ims_secret_word(&p, last, &len);
    e->value_len = len;

    if (len == 0) {
        return "no password";
    }

    if (e->value[0] == '"') {
        dst = e->value;

        for (p = e->value + 1; p < last && *p != '"'; p++) {
            if (*p == '\\' && p + 1 < last) {
                p++;
            }

            *dst++ = *p;
        }

        if (p == last) {
            return "no closing quote";
        }

        p++;
        e->value_len = dst - e->value;
    }

    (void) ngx_ims_secret_word(&p, last, &len);

    return len ? "something behind the password" : NULL;
}


static const char *
ngx_ims_secret_ha1(u_char *p, u_char *last, ngx_ims_secret_entry_t *e)
{
    size_t  len, i;

    e->kind = NGX_IMS_SECRET_HA1;
    e->value = ngx_ims_secret_word(&p, last, &len);
    e->value_len = len;

    if (len != 32 && len != 64) {
        return "HA1 is neither 32 nor 64 hex digits";
    }

    for (i = 0; i < len; i++) {
        e->value[i] = ngx_tolower(e->value[i]);

        if (ngx_hextoi(&e->value[i], 1) == NGX_ERROR) {
            return "HA1 is not hex digits";
        }
    }

    (void) ngx_ims_secret_word(&p, last, &len);

    return len ? "something behind the HA1" : NULL;
}


/* K and OPc replace the text that they were written in */

static const char *
ngx_ims_secret_aka(u_char *p, u_char *last, ngx_ims_secret_entry_t *e,
    uint64_t *sqn)
{
    size_t       len;
    u_char      *word, *start, k[16], opc[16], op[16], number[6];
    ngx_uint_t   i, has_k, has_opc, has_op;
    const char  *error;

    start = p;
    has_k = has_opc = has_op = 0;
    error = "neither K, OPC, OP, SQN nor AMF in hex digits";

    for ( ;; ) {
        word = ngx_ims_secret_word(&p, last, &len);

        if (len == 0) {
            break;
        }

        if (ngx_ims_secret_hex(word, len, "K=", k, 16) == NGX_OK) {
            has_k = 1;

        } else if (ngx_ims_secret_hex(word, len, "OPC=", opc, 16) == NGX_OK) {
            has_opc = 1;

        } else if (ngx_ims_secret_hex(word, len, "OP=", op, 16) == NGX_OK) {
            has_op = 1;

        } else if (ngx_ims_secret_hex(word, len, "SQN=", number, 6)
                   == NGX_OK)
        {
            for (i = 0, *sqn = 0; i < 6; i++) {
                *sqn = *sqn << 8 | number[i];
            }

        } else if (ngx_ims_secret_hex(word, len, "AMF=", number, 2)
                   != NGX_OK)
        {
            goto done;
        }
    }

    error = "AKA needs K and either OPC or OP";

    if (!has_k || has_opc + has_op != 1) {
        goto done;
    }

    if (has_op && ngx_ims_aka_opc(k, op, opc) != NGX_IMS_OK) {
        error = "libcrypto failed";
        goto done;
    }

    e->kind = NGX_IMS_SECRET_AKA;
    e->value = start;
    e->value_len = 32;
    ngx_memcpy(start, k, 16);
    ngx_memcpy(start + 16, opc, 16);

    error = NULL;

done:

    OPENSSL_cleanse(k, sizeof(k));
    OPENSSL_cleanse(op, sizeof(op));
    OPENSSL_cleanse(opc, sizeof(opc));

    return error;
}


/* "NAME=" and so many bytes in hex; NGX_OK or NGX_DECLINED */

static ngx_int_t
ngx_ims_secret_hex(u_char *p, size_t len, const char *name, u_char *out,
    size_t size)
{
    size_t     n, i;
    ngx_int_t  c;

    n = ngx_strlen(name);

    if (len != n + 2 * size
        || ngx_strncasecmp(p, (u_char *) name, n) != 0)
    {
        return NGX_DECLINED;
    }

    for (i = 0; i < size; i++) {
        c = ngx_hextoi(p + n + 2 * i, 2);

        if (c == NGX_ERROR) {
            return NGX_DECLINED;
        }

        out[i] = (u_char) c;
    }

    return NGX_OK;
}
