/*
 * Copyright (C) the IMS portal authors
 *
 * What a browser tells of itself in the parameters of its Contact, as far as
 * the core may hear it: checked one by one, never pasted.
 *
 * No timers.
 */


#include "ngx_ims_uac.h"


static ngx_uint_t ngx_ims_uac_feature(ngx_str_t *param);
static ngx_uint_t ngx_ims_uac_feature_name(ngx_str_t *name);
static ngx_uint_t ngx_ims_uac_feature_value(ngx_str_t *value);


/* RFC 3840 9 and RFC 3841 10: the tags that need no "+" */

static const char  *ngx_ims_uac_tags[] = {
    "actor", "application", "audio", "automata", "class", "control", "data",
    "description", "duplex", "events", "extensions", "isfocus", "language",
    "methods", "mobility", "priority", "q", "reg-id", "schemes", "text",
    "type", "video", NULL
};


size_t
ngx_ims_uac_features(ngx_ims_sip_msg_t *m, ngx_ims_str_t *params, u_char *out)
{
    u_char      *p, *s, *end, *last;
    ngx_str_t    param;
    ngx_uint_t   quoted;

    p = out;
    last = out + NGX_IMS_UAC_MAX_FEATURES;

    if (ngx_ims_sip_has_token(m, NGX_IMS_HDR_SUPPORTED, "outbound")) {
        *p++ = 'o';
    }

    if (ngx_ims_sip_has_token(m, NGX_IMS_HDR_SUPPORTED, "gruu")) {
        *p++ = 'g';
    }

    end = params->data + params->len;
    param.data = params->data;
    quoted = 0;

    for (s = params->data; s <= end; s++) {

        if (s < end && quoted) {

            if (*s == '\\' && s + 1 < end) {
                s++;

            } else if (*s == '"') {
                quoted = 0;
            }

            continue;
        }

        if (s < end && *s != ';') {
            quoted = (*s == '"');
            continue;
        }

        param.len = s - param.data;

        if (ngx_ims_uac_feature(&param)
            && (size_t) (last - p) > param.len)
        {
            *p++ = ';';
            p = ngx_cpymem(p, param.data, param.len);
        }

        param.data = s + 1;
    }

    return p - out;
}


/* "name" or "name=value", without the space around it when it is good */

static ngx_uint_t
ngx_ims_uac_feature(ngx_str_t *param)
{
    u_char     *p, *end;
    ngx_str_t   name, value;

    end = param->data + param->len;

    while (param->data < end && (*param->data == ' ' || *param->data == '\t'))
    {
        param->data++;
    }

    while (end > param->data && (end[-1] == ' ' || end[-1] == '\t')) {
        end--;
    }

    param->len = end - param->data;

    p = ngx_strlchr(param->data, end, '=');

    name.data = param->data;
    name.len = (p ? p : end) - name.data;

    if (!ngx_ims_uac_feature_name(&name)) {
        return 0;
    }

    if (p == NULL) {
        return 1;
    }

    value.data = p + 1;
    value.len = end - value.data;

    return ngx_ims_uac_feature_value(&value);
}


static ngx_uint_t
ngx_ims_uac_feature_name(ngx_str_t *name)
{
    size_t       i;
    ngx_uint_t   k;

    if (name->len > 1 && name->data[0] == '+') {

        for (i = 1; i < name->len; i++) {
            if (ngx_strchr("-.!%'", name->data[i]) == NULL
                && !(name->data[i] >= '0' && name->data[i] <= '9')
                && !(name->data[i] >= 'a' && name->data[i] <= 'z')
                && !(name->data[i] >= 'A' && name->data[i] <= 'Z'))
            {
                return 0;
            }
        }

        return 1;
    }

    for (k = 0; ngx_ims_uac_tags[k] != NULL; k++) {
        if (name->len == ngx_strlen(ngx_ims_uac_tags[k])
            && ngx_strncasecmp(name->data, (u_char *) ngx_ims_uac_tags[k],
                               name->len)
               == 0)
        {
            return 1;
        }
    }

    return 0;
}


/* a token, or a quoted string without control characters */

static ngx_uint_t
ngx_ims_uac_feature_value(ngx_str_t *value)
{
    size_t  i;

    if (value->len == 0) {
        return 0;
    }

    if (value->data[0] != '"') {

        for (i = 0; i < value->len; i++) {
            if (value->data[i] <= ' ' || value->data[i] >= 0x7f
                || ngx_strchr("\"\\(),/:;<=>?@[]{}", value->data[i]) != NULL)
            {
                return 0;
            }
        }

        return 1;
    }

    for (i = 1; i < value->len; i++) {

        if (value->data[i] < ' ' || value->data[i] == 0x7f) {
            return 0;
        }

        if (value->data[i] == '"') {
            return i == value->len - 1;
        }

        if (value->data[i] == '\\') {
            i++;
        }
    }

    return 0;
}
