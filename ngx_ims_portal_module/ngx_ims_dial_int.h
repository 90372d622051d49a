/*
 * Copyright (C) the IMS portal authors
 *
 * What the files of the dial plan share.
 */


#ifndef _NGX_IMS_DIAL_INT_H_INCLUDED_
#define _NGX_IMS_DIAL_INT_H_INCLUDED_


#include "ngx_ims_dial.h"


/* what was typed */
typedef struct {
    unsigned char            digits[NGX_IMS_DIAL_DIGITS];
    unsigned                 n;
    int                      plus;
    int                      is_long;        /* more than fits */
    int                      star;           /* has "*" or "#" */
    int                      home;           /* the home network's numbers */
    int                      tel;
    ngx_ims_str_t            params;         /* of the telephone-subscriber */
    ngx_ims_str_t            uri_params;
} ngx_ims_dial_typed_t;


/*
 * 1 with t filled in when a URI can be dialled, wherever it leads; else 0.
 * host: of the user's own identity, may be empty.
 */
int ngx_ims_dial_take(const ngx_ims_dial_plan_t *plan,
    const ngx_ims_str_t *text, const ngx_ims_str_t *host,
    ngx_ims_dial_typed_t *t);

/*
 * Applies a phone-context (RFC 3966 5.1.5): another country or area makes the
 * number a global one.  1, or 0: one that is not ours to judge.
 */
int ngx_ims_dial_context(const ngx_ims_dial_plan_t *plan,
    ngx_ims_dial_typed_t *t);

/* a parameter of what was typed; 1 with *value set, or 0 */
int ngx_ims_dial_param(const ngx_ims_dial_typed_t *t, const char *name,
    ngx_ims_str_t *value);


#endif /* _NGX_IMS_DIAL_INT_H_INCLUDED_ */
