/*
 * Copyright (C) the IMS portal authors
 *
 * Dialog records (design D4, D17): what it takes to route a request within a
 * dialog, or to speak for one of its sides, whichever worker it comes to.
 * Towards the browser and towards the core a dialog has one Call-ID and the
 * same tag of the browser; From/To URIs and CSeq numbers may differ, and so may
 * the far end's tag: the branches of a forked INVITE have a record each, and
 * are shown to the browser as one dialog (spec SE-16).
 */


#ifndef _NGX_IMS_DIALOG_H_INCLUDED_
#define _NGX_IMS_DIALOG_H_INCLUDED_


#include "ngx_ims_binding.h"


enum {
    NGX_IMS_DIALOG_MAX = 64              /* of one binding, early ones too */
};


/* room for the texts of one record */
#define NGX_IMS_DIALOG_BUFFER  (8 * NGX_IMS_MAX_BLOB)


/* which subscription of a dialog (RFC 6665 4.5.1): crc32 of the texts */
typedef struct {
    uint32_t                  package;
    uint32_t                  id;             /* 0: none, fits any */
} ngx_ims_event_t;


/* a copy of a record; the texts are in the caller's buffer */
typedef struct {
    ngx_ims_ref_t             ref;
    ngx_ims_ref_t             binding;
    uint32_t                  state;
    ngx_uint_t                originated;     /* by the browser */
    uint32_t                  cseq_up;
    uint32_t                  cseq_down;
    uint32_t                  offset_up;
    uint32_t                  offset_down;
    uint32_t                  invite_up;
    uint32_t                  invite_down;
    ngx_int_t                 helper;
    ngx_uint_t                media;
    ngx_uint_t                events;         /* subscriptions, no call */
    ngx_ims_usage_sh_t        usages[NGX_IMS_USAGES];
    uint32_t                  interval;       /* s, of the session timer */
    uint32_t                  due;
    uint32_t                  refresh;
    ngx_uint_t                emergency;      /* a call for help */
    ngx_uint_t                plain;          /* without SRTP to the core */
    ngx_str_t                 call_id;
    ngx_str_t                 web_id;
    ngx_str_t                 core_id;
    ngx_str_t                 far_id;
    ngx_str_t                 shown_id;       /* far_id, as the browser sees
                                                 it; empty at creation: same */
    ngx_str_t                 routes;
    ngx_str_t                 web_target;
    ngx_str_t                 far_target;
    unsigned                  merged:1;       /* shown_id has another tag */
} ngx_ims_dialog_t;


/*
 * Stores a new dialog of d->binding, filling d->ref.  far_id and web_id carry
 * the tags.  NGX_OK, NGX_ERROR (zone full, text too long), NGX_DECLINED
 * (binding is gone, or about to be), NGX_BUSY (it has NGX_IMS_DIALOG_MAX).
 */
ngx_int_t ngx_ims_dialog_create(ngx_ims_pool_t *pool, ngx_ims_dialog_t *d);

/*
 * Finds the dialog of a binding by Call-ID and tags, the far end's as the core
 * knows it, and copies it; far_tag may be empty: any.  buf has
 * NGX_IMS_DIALOG_BUFFER bytes.  NGX_OK or NGX_DECLINED.
 */
ngx_int_t ngx_ims_dialog_find(ngx_ims_pool_t *pool, ngx_ims_ref_t *binding,
    ngx_ims_str_t *call_id, ngx_ims_str_t *web_tag, ngx_ims_str_t *far_tag,
    ngx_ims_dialog_t *d, u_char *buf);

/*
 * The same with the far end's tag as the browser knows it.  Of several early
 * dialogs that it takes for one, the one that was made last.
 */
ngx_int_t ngx_ims_dialog_find_shown(ngx_ims_pool_t *pool,
    ngx_ims_ref_t *binding, ngx_ims_str_t *call_id, ngx_ims_str_t *web_tag,
    ngx_ims_str_t *shown_tag, ngx_ims_dialog_t *d, u_char *buf);

/* the dialog of a request that came from the browser (up) or from the core */
ngx_int_t ngx_ims_dialog_match(ngx_ims_pool_t *pool, ngx_ims_ref_t *binding,
    ngx_ims_sip_msg_t *m, ngx_uint_t up, ngx_ims_dialog_t *d, u_char *buf);

/* copies the record of a reference; NGX_OK, NGX_DECLINED: it is gone */
ngx_int_t ngx_ims_dialog_load(ngx_ims_pool_t *pool, ngx_ims_ref_t *ref,
    ngx_ims_dialog_t *d, u_char *buf);

/* the first dialog of a binding, for ending them one by one */
ngx_int_t ngx_ims_dialog_first(ngx_ims_pool_t *pool, ngx_ims_ref_t *binding,
    ngx_ims_dialog_t *d, u_char *buf);

/* the same of those that are no emergency call */
ngx_int_t ngx_ims_dialog_first_ordinary(ngx_ims_pool_t *pool,
    ngx_ims_ref_t *binding, ngx_ims_dialog_t *d, u_char *buf);

/*
 * An early dialog is confirmed by a 2xx: its record, named by d->ref, gets the
 * state, media, routes and targets of d.  NGX_OK, or NGX_ERROR: gone, or the
 * zone is full.
 */
ngx_int_t ngx_ims_dialog_confirm(ngx_ims_pool_t *pool, ngx_ims_dialog_t *d);

/*
 * The portal speaks for a side: the CSeq for a request of its own, to the core
 * (up) or to the browser.  The numbers of that side move on.  0: it is gone.
 */
uint32_t ngx_ims_dialog_speak(ngx_ims_pool_t *pool, ngx_ims_dialog_t *d,
    ngx_uint_t up);

/* an INVITE has passed with this offset: its ACK and RAck will need it */
void ngx_ims_dialog_invited(ngx_ims_pool_t *pool, ngx_ims_dialog_t *d,
    ngx_uint_t up, uint32_t offset);

/*
 * The offset for a request of this CSeq to the browser.  Branches that are
 * shown as one count each from its own number: the offset is raised, so that
 * the browser sees them rise.
 */
uint32_t ngx_ims_dialog_below(ngx_ims_pool_t *pool, ngx_ims_dialog_t *d,
    uint32_t cseq);

/*
 * How far the core has counted in a dialog, whose tags are as it knows them.
 *
 * last      its CSeq of the last request that passed, 0: none did
 * up        1: the browser's INVITE made it
 * early     1: there is no 2xx yet
 *
 * NGX_OK, or NGX_DECLINED: no such dialog.
 */
ngx_int_t ngx_ims_dialog_last(ngx_ims_pool_t *pool, ngx_ims_ref_t *binding,
    ngx_ims_str_t *call_id, ngx_ims_str_t *web_tag, ngx_ims_str_t *far_tag,
    uint32_t *last, ngx_uint_t *up, ngx_uint_t *early);

/* a request passed: its CSeq as sent on, and the new target if it has one */
void ngx_ims_dialog_passed(ngx_ims_pool_t *pool, ngx_ims_dialog_t *d,
    ngx_uint_t up, uint32_t cseq);
void ngx_ims_dialog_target(ngx_ims_pool_t *pool, ngx_ims_dialog_t *d,
    ngx_uint_t web, ngx_str_t *target);

/*
 * SDP within the call of a dialog goes to the helper.
 *
 * held      1: the record notes that this helper holds the call, from now on
 *
 * NGX_OK, or NGX_DECLINED: the call is over, and the helper was told so.
 */
ngx_int_t ngx_ims_dialog_media(ngx_ims_pool_t *pool, ngx_ims_ref_t *ref,
    ngx_int_t helper, ngx_uint_t held);

/* 1: its call has no SRTP towards the core, or there is no such dialog */
ngx_uint_t ngx_ims_dialog_plain(ngx_ims_pool_t *pool, ngx_ims_ref_t *ref);

/* frees the record; NGX_OK once, NGX_DECLINED when it was gone before */
ngx_int_t ngx_ims_dialog_free(ngx_ims_pool_t *pool, ngx_ims_dialog_t *d);

/*
 * Frees the early dialogs of a call: it was answered, refused or given up.  A
 * confirmed one of the same call takes over how far the browser has counted.
 */
void ngx_ims_dialog_forget_early(ngx_ims_pool_t *pool, ngx_ims_ref_t *binding,
    ngx_ims_str_t *call_id, ngx_uint_t originated);

/*
 * The first early dialog of a call of a binding, for ending what a dead worker
 * was at.  NGX_OK, NGX_AGAIN: the call has been answered in another dialog,
 * NGX_DECLINED: there is none.
 */
ngx_int_t ngx_ims_dialog_first_early(ngx_ims_pool_t *pool,
    ngx_ims_ref_t *binding, ngx_ims_dialog_t *d, u_char *buf);

/* the entry of a reference, NULL: it is gone; the caller holds the lock */
ngx_ims_dialog_sh_t *ngx_ims_dialog_sh(ngx_ims_pool_t *pool,
    ngx_ims_ref_t *ref);

/* the far end's tag as the core knows it; in d's buffer, empty: no dialog */
void ngx_ims_dialog_far_tag(ngx_ims_dialog_t *d, ngx_ims_str_t *tag);

/*
 * The call of a binding, named by its index, that has this Call-ID and was
 * answered.  NGX_OK, or NGX_DECLINED: there is none.
 */
ngx_int_t ngx_ims_dialog_call(ngx_ims_pool_t *pool, uint32_t index,
    ngx_ims_str_t *call_id, ngx_uint_t originated, ngx_ims_dialog_t *d,
    u_char *buf);

/* how many calls a binding has, early ones too */
ngx_uint_t ngx_ims_dialog_count(ngx_ims_pool_t *pool, ngx_ims_ref_t *binding);

/* 1 when a copy of a record has this subscription */
ngx_uint_t ngx_ims_dialog_has(ngx_ims_dialog_t *d, ngx_ims_event_t *event);

/*
 * The record of a SUBSCRIBE or REFER whose dialogs are to come: state EARLY,
 * events, and no tag of its notifier yet.  buf as above.  NGX_OK, NGX_DECLINED.
 */
ngx_int_t ngx_ims_dialog_pending(ngx_ims_pool_t *pool, ngx_ims_ref_t *binding,
    ngx_ims_str_t *call_id, ngx_ims_str_t *web_tag, ngx_ims_dialog_t *d,
    u_char *buf);

/*
 * A subscription lasts until then (s).  NGX_OK, NGX_DECLINED: no such dialog,
 * NGX_BUSY: it has NGX_IMS_USAGES others.
 */
ngx_int_t ngx_ims_dialog_subscribed(ngx_ims_pool_t *pool, ngx_ims_dialog_t *d,
    ngx_ims_event_t *event, time_t until);

/* it is over; the record goes with the last one when there is no call */
void ngx_ims_dialog_unsubscribed(ngx_ims_pool_t *pool, ngx_ims_dialog_t *d,
    ngx_ims_event_t *event);

/*
 * The call is over, what is subscribed to in its dialog goes on (RFC 5057
 * 4.1).  NGX_OK, NGX_DECLINED: nothing is, the caller frees the record.
 */
ngx_int_t ngx_ims_dialog_uncall(ngx_ims_pool_t *pool, ngx_ims_dialog_t *d);

/*
 * The session timer of a call (RFC 4028): it ends at due unless there is a
 * refresh, which the portal makes at refresh (0: not the portal).  All in s;
 * due = 0 stops the timer.
 */
void ngx_ims_dialog_session(ngx_ims_pool_t *pool, ngx_ims_dialog_t *d,
    uint32_t interval, time_t due, time_t refresh);

/*
 * Frees the subscriptions of a binding that nobody renewed.  Returns when the
 * next thing is due in its dialogs, s; 0: none.
 */
time_t ngx_ims_dialog_expire(ngx_ims_pool_t *pool, ngx_ims_ref_t *binding,
    time_t now);

/*
 * The first call of a binding whose session timer or refresh is due.  NGX_OK,
 * NGX_DECLINED.
 */
ngx_int_t ngx_ims_dialog_due(ngx_ims_pool_t *pool, ngx_ims_ref_t *binding,
    time_t now, ngx_ims_dialog_t *d, u_char *buf);


#endif /* _NGX_IMS_DIALOG_H_INCLUDED_ */
