/*
 * Copyright (C) the IMS portal authors
 *
 * Timers: one in each worker, at the beginning of each second, cancelable.
 *
 * The leader is named by its pid: all who look share the zone, so they have one
 * master or, after a reload, its workers of an older generation.  The beat is
 * the monotonic clock that they all read.
 */


#include "ngx_ims_leader.h"


enum {
    NGX_IMS_LEADER_TICK = 1000,          /* ms */
    NGX_IMS_LEADER_BEHIND = 5,           /* ms after a full second */
    NGX_IMS_LEADER_SILENT = 3000         /* ms without a beat: it hangs */
};


typedef struct {
    ngx_ims_leader_pt         handler;
    void                     *data;
} ngx_ims_leader_hook_t;


struct ngx_ims_leader_s {
    ngx_ims_health_sh_t      *sh;
    ngx_event_t               event;
    ngx_array_t               hooks;          /* ngx_ims_leader_hook_t */
    ngx_log_t                *log;
    ngx_uint_t                leads;          /* at the last tick */
};


static void ngx_ims_leader_tick(ngx_event_t *ev);
static ngx_uint_t ngx_ims_leader_elect(ngx_ims_leader_t *leader);
static ngx_uint_t ngx_ims_leader_dead(ngx_ims_health_sh_t *sh,
    ngx_atomic_uint_t pid);


ngx_ims_leader_t *
ngx_ims_leader_create(ngx_cycle_t *cycle, ngx_ims_health_t *health)
{
    ngx_ims_leader_t  *leader;

    leader = ngx_pcalloc(cycle->pool, sizeof(ngx_ims_leader_t));

    if (leader == NULL
        || ngx_array_init(&leader->hooks, cycle->pool, 4,
                          sizeof(ngx_ims_leader_hook_t))
           != NGX_OK)
    {
        return NULL;
    }

    leader->sh = health->sh;
    leader->log = cycle->log;

    leader->event.handler = ngx_ims_leader_tick;
    leader->event.data = leader;
    leader->event.log = cycle->log;
    leader->event.cancelable = 1;

    ngx_add_timer(&leader->event, 1);

    return leader;
}


ngx_int_t
ngx_ims_leader_add(ngx_ims_leader_t *leader, ngx_ims_leader_pt handler,
    void *data)
{
    ngx_ims_leader_hook_t  *hook;

    hook = ngx_array_push(&leader->hooks);
    if (hook == NULL) {
        return NGX_ERROR;
    }

    hook->handler = handler;
    hook->data = data;

    return NGX_OK;
}


ngx_uint_t
ngx_ims_leader_is(ngx_ims_leader_t *leader)
{
    return leader->leads
           && leader->sh->leader == (ngx_atomic_uint_t) ngx_pid;
}


void
ngx_ims_leader_close(ngx_ims_leader_t *leader)
{
    if (leader->event.timer_set) {
        ngx_del_timer(&leader->event);
    }

    leader->leads = 0;

    (void) ngx_atomic_cmp_set(&leader->sh->leader,
                              (ngx_atomic_uint_t) ngx_pid, 0);
}


static void
ngx_ims_leader_tick(ngx_event_t *ev)
{
    ngx_time_t             *tp;
    ngx_uint_t              i, became;
    ngx_ims_leader_t       *leader;
    ngx_ims_leader_hook_t  *hook;

    leader = ev->data;

    if (ngx_exiting || ngx_quit || ngx_terminate) {
        ngx_ims_leader_close(leader);
        return;
    }

    /* what is due at a second is done at its beginning */

    tp = ngx_timeofday();
    ngx_add_timer(ev, NGX_IMS_LEADER_TICK + NGX_IMS_LEADER_BEHIND - tp->msec);

    became = !leader->leads;
    leader->leads = ngx_ims_leader_elect(leader);

    if (!leader->leads) {
        return;
    }

    if (became) {
        ngx_log_error(NGX_LOG_INFO, leader->log, 0, "this worker leads");
    }

    hook = leader->hooks.elts;

    for (i = 0; i < leader->hooks.nelts; i++) {
        hook[i].handler(hook[i].data, became);
    }
}


static ngx_uint_t
ngx_ims_leader_elect(ngx_ims_leader_t *leader)
{
    ngx_atomic_uint_t     pid, self;
    ngx_ims_health_sh_t  *sh;

    sh = leader->sh;
    self = (ngx_atomic_uint_t) ngx_pid;
    pid = sh->leader;

    if (pid != self) {

        if (pid != 0 && !ngx_ims_leader_dead(sh, pid)) {
            return 0;
        }

        if (!ngx_atomic_cmp_set(&sh->leader, pid, self)) {
            return 0;
        }
    }

    sh->beat = ngx_current_msec;

    return 1;
}


static ngx_uint_t
ngx_ims_leader_dead(ngx_ims_health_sh_t *sh, ngx_atomic_uint_t pid)
{
    ngx_msec_int_t  silent;

    silent = (ngx_msec_int_t) (ngx_current_msec - (ngx_msec_t) sh->beat);

    return silent > NGX_IMS_LEADER_SILENT
           || (kill((ngx_pid_t) pid, 0) == -1 && ngx_errno == ESRCH);
}
