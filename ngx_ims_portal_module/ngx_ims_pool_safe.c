/*
 * Copyright (C) the IMS portal authors
 *
 * What may stand for an identity in a header, or in the configuration.  No
 * timers.
 */


#include "ngx_ims_pool.h"


/*
 * No port, password or headers, and of parameters the one that makes a number
 * of a SIP URI, or that a local number needs.
 */

ngx_uint_t
ngx_ims_pool_impu_safe(ngx_str_t *impu)
{
    size_t              i;
    u_char             *semi, c;
    ngx_ims_str_t       uri;
    ngx_ims_sip_uri_t   u;

    if (impu->len == 0 || impu->len > NGX_IMS_MAX_IMPU) {
        return 0;
    }

    uri.data = impu->data;
    uri.len = impu->len;

    if (ngx_ims_sip_parse_uri(&uri, &u) != NGX_IMS_OK || u.user.len == 0
        || u.port || u.password.len || u.headers.len || u.scheme.len != 3)
    {
        return 0;
    }

    semi = ngx_strlchr(impu->data, impu->data + impu->len, ';');

    if (semi != NULL) {
        uri.len = semi - impu->data;

        if (u.params.data != semi + 1) {
            return 0;
        }

        if (u.host.len) {

            if (u.params.len != 10
                || ngx_strncasecmp(u.params.data, (u_char *) "user=phone", 10)
                   != 0
                || u.user.data[0] != '+')
            {
                return 0;
            }

        } else if (u.params.len < 15
                   || ngx_strncasecmp(u.params.data,
                                      (u_char *) "phone-context=", 14)
                      != 0)
        {
            return 0;
        }

        for (i = 14; u.host.len == 0 && i < u.params.len; i++) {
            c = u.params.data[i];

            if (!((c >= '0' && c <= '9') || ((c | 0x20) >= 'a'
                  && (c | 0x20) <= 'z') || c == '.' || c == '-' || c == '+'))
            {
                return 0;
            }
        }
    }

    return ngx_ims_sip_uri_safe(&uri);
}


ngx_uint_t
ngx_ims_pool_impi_safe(ngx_str_t *impi)
{
    size_t  i;

    if (ngx_strlchr(impi->data, impi->data + impi->len, '@') == NULL
        || (impi->len > 4
            && ngx_strncasecmp(impi->data, (u_char *) "sip:", 4) == 0))
    {
        return 0;
    }

    for (i = 0; i < impi->len; i++) {
        if (impi->data[i] <= ' ' || impi->data[i] >= 0x7f
            || ngx_strchr("\"\\<>,;", impi->data[i]) != NULL)
        {
            return 0;
        }
    }

    return 1;
}


ngx_uint_t
ngx_ims_pool_domain_safe(ngx_str_t *domain)
{
    size_t  i;
    u_char  c, before;

    before = '.';

    for (i = 0; i < domain->len; i++) {
        c = domain->data[i];

        if (!((c >= '0' && c <= '9') || ((c | 0x20) >= 'a'
              && (c | 0x20) <= 'z') || c == '-' || c == '.')
            || (c == '.' && before == '.'))
        {
            return 0;
        }

        before = c;
    }

    return domain->len <= 200 && before != '.';
}
