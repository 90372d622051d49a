
/*
 * Copyright (C) the IMS portal authors
 */


/*
 * The ng commands: keys of a request in, calls below, keys of a reply out.
 */


#ifndef MH_CMD_H
#define MH_CMD_H


#include <re.h>

#include "../ngx_ims_portal_module/ngx_ims_ng.h"
#include "mh_call.h"
#include "mh_load.h"


struct mh_cmd {
    struct mh_calls      *calls;
    struct mh_io         *io;
    struct mh_web        *web;
    struct mh_ctl        *ctl;
    int64_t               started;      /* ms since 1970, of this process */
    const struct mh_load *load;
};


/* Does one request: mh_ctl_h with a struct mh_cmd as arg */
void mh_cmd_h(const ngx_ims_ng_node_t *dict, ngx_ims_ng_writer_t *w,
    void *arg);


/* ----- mh_query.c: what replies tell about calls ----- */

/*
 * Keys "created", "last signal", "tags", "totals" ... of query and delete.
 *
 * @param sig  its from_tag and to_tag, where set, choose the tags that are
 *             told of; NULL: all
 */
void mh_query_call(ngx_ims_ng_writer_t *w, const struct mh_call *call,
    const struct mh_signal *sig);

/* keys of the reply to "statistics" */
void mh_query_statistics(ngx_ims_ng_writer_t *w, const struct mh_cmd *cmd);


#endif /* MH_CMD_H */
