/*
 * Copyright (C) the IMS portal authors
 *
 * Claims that are lists, or of a type that matters.
 */


#include <stdio.h>

#include "ngx_ims_jwt_int.h"


ngx_ims_jwt_type_e
ngx_ims_jwt_type(const ngx_ims_jwt_t *jwt, const char *path)
{
    json_t  *json;

    json = ngx_ims_jwt_json(jwt, path);

    if (json == NULL) {
        return NGX_IMS_JWT_ABSENT;
    }

    switch (json_typeof(json)) {

    case JSON_STRING:
        return NGX_IMS_JWT_STRING;

    case JSON_INTEGER:
        return NGX_IMS_JWT_INTEGER;

    case JSON_REAL:
        return NGX_IMS_JWT_REAL;

    case JSON_TRUE:
    case JSON_FALSE:
        return NGX_IMS_JWT_BOOLEAN;

    case JSON_ARRAY:
        return NGX_IMS_JWT_ARRAY;

    case JSON_OBJECT:
        return NGX_IMS_JWT_OBJECT;

    default: /* JSON_NULL */
        return NGX_IMS_JWT_ABSENT;
    }
}


int
ngx_ims_jwt_item(const ngx_ims_jwt_t *jwt, const char *path, size_t i,
    char *buf, ngx_ims_str_t *value)
{
    json_t  *json;

    json = ngx_ims_jwt_json(jwt, path);

    if (json_is_array(json)) {
        json = json_array_get(json, i);

    } else if (i) {
        json = NULL;
    }

    if (json == NULL) {
        return 0;
    }

    value->data = (unsigned char *) buf;

    switch (json_typeof(json)) {

    case JSON_STRING:
        value->len = json_string_length(json);
        value->data = (unsigned char *) json_string_value(json);
        return 1;

    case JSON_INTEGER:
        value->len = snprintf(buf, NGX_IMS_JWT_MAX_ITEM, "%lld",
                              (long long) json_integer_value(json));
        return 1;

    case JSON_REAL:
        value->len = snprintf(buf, NGX_IMS_JWT_MAX_ITEM, "%.15g",
                              json_real_value(json));
        return 1;

    case JSON_TRUE:
    case JSON_FALSE:
        value->len = snprintf(buf, NGX_IMS_JWT_MAX_ITEM, "%s",
                              json_is_true(json) ? "true" : "false");
        return 1;

    default:
        return -1;
    }
}
