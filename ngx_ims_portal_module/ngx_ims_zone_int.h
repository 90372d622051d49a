/*
 * Copyright (C) the IMS portal authors
 *
 * What the files of the zone share and nobody else includes.
 */


#ifndef _NGX_IMS_ZONE_INT_H_INCLUDED_
#define _NGX_IMS_ZONE_INT_H_INCLUDED_


#include "ngx_ims_zone.h"


/* where things are, from the sizes and capacities that the head says */
void ngx_ims_zone_view(ngx_ims_zone_t *zone, u_char *addr);

/* a text's chunks go back, and it is empty */
void ngx_ims_zone_free_text(ngx_ims_zone_t *zone, ngx_ims_blob_t *blob);


#endif /* _NGX_IMS_ZONE_INT_H_INCLUDED_ */
