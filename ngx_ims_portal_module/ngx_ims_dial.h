/*
 * Copyright (C) the IMS portal authors
 *
 * Numbers as users type them, made what a core routes by: E.164, or a local
 * number with its context (RFC 3966, TS 24.229 5.1.2A.1.5).  Pure: a plan and
 * a URI go in, a URI or a reason why not comes out.
 */


#ifndef _NGX_IMS_DIAL_H_INCLUDED_
#define _NGX_IMS_DIAL_H_INCLUDED_


#include "ngx_ims_sip.h"


enum {
    NGX_IMS_DIAL_DIGITS = 32,            /* longest number typed */
    NGX_IMS_DIAL_NAME = 128,             /* longest name configured, bytes */
    NGX_IMS_DIAL_URI = 512               /* room for what comes out, bytes */
};


/* an emergency number and its service, e.g. "110" and "police" */
typedef struct {
    ngx_ims_str_t            number;
    ngx_ims_str_t            service;        /* empty: any */
} ngx_ims_dial_sos_t;


/*
 * All texts are digits but for names of domains; a prefix of prefixes has no
 * "+".  Zeroed: no plan, no emergency number.
 */
typedef struct {
    int                      plan;           /* 0: numbers stay as typed */
    int                      sip;            /* form: sip with user=phone */
    ngx_ims_str_t            domain;         /* home domain */
    ngx_ims_str_t            country;        /* "49" */
    ngx_ims_str_t            trunk;          /* "0"; may be empty */
    ngx_ims_str_t            international;  /* "00"; may be empty */
    ngx_ims_str_t            area;           /* "30"; may be empty */
    ngx_ims_str_t            context;        /* of extensions */
    ngx_ims_str_t            service_context;    /* "+49" */
    unsigned                 extension_min;  /* digits */
    unsigned                 extension_max;  /* 0: none */
    unsigned                 subscriber_min;
    unsigned                 subscriber_max; /* 0: none */

    ngx_ims_str_t           *services;
    unsigned                 nservices;
    ngx_ims_str_t           *barred;
    unsigned                 nbarred;
    ngx_ims_str_t           *allowed;
    unsigned                 nallowed;
    ngx_ims_str_t           *premium;
    unsigned                 npremium;
    ngx_ims_dial_sos_t      *sos;
    unsigned                 nsos;
} ngx_ims_dial_plan_t;


typedef enum {
    NGX_IMS_DIAL_PASS = 0,               /* goes as it is */
    NGX_IMS_DIAL_NUMBER,                 /* goes as d->uri says */
    NGX_IMS_DIAL_SHORT,                  /* 484 */
    NGX_IMS_DIAL_UNKNOWN,                /* 404 */
    NGX_IMS_DIAL_BARRED                  /* 403 */
} ngx_ims_dial_result_e;


typedef struct {
    ngx_ims_str_t            uri;            /* in text */
    ngx_ims_str_t            number;         /* "+49..." or as dialled, if
                                                it is one; in digits */
    int                      premium;
    const char              *why;            /* not NULL when it is refused */
    unsigned char            text[NGX_IMS_DIAL_URI];
    unsigned char            digits[NGX_IMS_DIAL_DIGITS * 2];
} ngx_ims_dial_t;


/*
 * What a Request-URI from a browser becomes.
 *
 * A number is a tel: URI, or a sip: URI whose user part can be dialled and that
 * has user=phone or whose host is the home domain, a name below it, or host
 * (of the user's own identity).  With another host it goes as it is, but not to
 * a barred number.  Separators and escapes are removed, ext and isub are kept,
 * other parameters are not.
 *
 * d points to itself, and is not to be copied.
 */
ngx_ims_dial_result_e ngx_ims_dial(const ngx_ims_dial_plan_t *plan,
    const ngx_ims_str_t *uri, const ngx_ims_str_t *host, ngx_ims_dial_t *d);

/*
 * 1 when a URI is an emergency one (spec SE-18): urn:service:sos and what is
 * below it (RFC 5031), or a number of plan->sos in any form and with any host,
 * also behind the prefixes of the plan; else 0.  d->uri is the URN then.
 */
int ngx_ims_dial_emergency(const ngx_ims_dial_plan_t *plan,
    const ngx_ims_str_t *uri, ngx_ims_dial_t *d);

/* 1 when a text is 1..NGX_IMS_DIAL_DIGITS digits; with star "*" and "#", too */
int ngx_ims_dial_digits(const ngx_ims_str_t *s, int star);


#endif /* _NGX_IMS_DIAL_H_INCLUDED_ */
