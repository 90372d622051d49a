/*
 * Copyright (C) the IMS portal authors
 *
 * Registration information (RFC 3680): what a document says about one address
 * of record and one contact of it.  Pure, beside expat.
 */


#ifndef _NGX_IMS_REGINFO_H_INCLUDED_
#define _NGX_IMS_REGINFO_H_INCLUDED_


#include "ngx_ims_sip.h"


enum {
    NGX_IMS_REGINFO_MAX = 65535,         /* bytes of a document */
    NGX_IMS_REGINFO_DEPTH = 16,          /* elements within each other */
    NGX_IMS_REGINFO_URI = 1024           /* bytes of a URI */
};


typedef enum {
    NGX_IMS_REGINFO_OTHER = 0,           /* registered, refreshed, ... */
    NGX_IMS_REGINFO_DEACTIVATED,
    NGX_IMS_REGINFO_PROBATION,
    NGX_IMS_REGINFO_EXPIRED,
    NGX_IMS_REGINFO_UNREGISTERED,
    NGX_IMS_REGINFO_REJECTED
} ngx_ims_reginfo_event_e;


typedef struct {
    uint32_t                 version;
    unsigned                 full:1;
    unsigned                 known:1;         /* says something of the aor */
    unsigned                 terminated:1;    /* no contact of it is left */
    unsigned                 contact:1;       /* says something of ours */
    unsigned                 gone:1;          /* our contact is terminated */
    ngx_ims_reginfo_event_e  event;           /* why */
    uint32_t                 retry_after;     /* s, of probation */
} ngx_ims_reginfo_t;


/*
 * Reads application/reginfo+xml.
 *
 * aor    the identity whose registration is of interest; compared as a URI
 * user   the user part of the contact of interest
 *
 * Returns NGX_IMS_OK, or NGX_IMS_INVALID: not well-formed, no reginfo, too
 * large, too deep, or with a document type, which no reginfo needs and XML
 * bombs are made of.
 */
int ngx_ims_reginfo_parse(const unsigned char *p, size_t len,
    const ngx_ims_str_t *aor, const ngx_ims_str_t *user,
    ngx_ims_reginfo_t *info);


#endif /* _NGX_IMS_REGINFO_H_INCLUDED_ */
