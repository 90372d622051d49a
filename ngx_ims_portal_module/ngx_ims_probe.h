/*
 * Copyright (C) the IMS portal authors
 *
 * OPTIONS to the servers of the cores, by the worker that leads: who does not
 * answer is down for all workers, who answers is back at once.
 */


#ifndef _NGX_IMS_PROBE_H_INCLUDED_
#define _NGX_IMS_PROBE_H_INCLUDED_


#include "ngx_ims_core.h"
#include "ngx_ims_leader.h"
#include "ngx_ims_txn.h"


/*
 * In init_process, after cores, transactions and leader: probes as each core's
 * "probe" says.  cores: ngx_ims_core_t *.  NGX_OK or NGX_ERROR.
 */
ngx_int_t ngx_ims_probe_init(ngx_cycle_t *cycle, ngx_array_t *cores,
    ngx_ims_txns_t *txns, ngx_ims_leader_t *leader);


#endif /* _NGX_IMS_PROBE_H_INCLUDED_ */
