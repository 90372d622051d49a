/*
 * Copyright (C) the IMS portal authors
 *
 * Dialog records (design D4, D17): what it takes to route a request within a
 * dialog, or to speak for one of its sides, whichever worker it comes to.
 * Towards the browser and towards the core a dialog has one Call-ID and the
 * same tags; From/To URIs and CSeq numbers may differ.
 */


#ifndef _NGX_IMS_DIALOG_H_INCLUDED_
#define _NGX_IMS_DIALOG_H_INCLUDED_


#include "ngx_ims_binding.h"


enum {
    NGX_IMS_DIALOG_MAX = 64              /* of one binding, early ones too */
};


/* room for the texts of one record */
#define NGX_IMS_DIALOG_BUFFER  (7 * NGX_IMS_MAX_BLOB)


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
    ngx_int_t                 helper;
    ngx_uint_t                media;
    ngx_str_t                 call_id;
    ngx_str_t                 web_id;
    ngx_str_t                 core_id;
    ngx_str_t                 far_id;
    ngx_str_t                 routes;
    ngx_str_t                 web_target;
    ngx_str_t                 far_target;
} ngx_ims_dialog_t;


/*
 * Stores a new dialog of d->binding, filling d->ref.  far_id and web_id carry
 * the
 * tags.  NGX_OK, NGX_ERROR (zone full, text too long), NGX_DECLINED (binding is
 *        gone), NGX_BUSY (it has NGX_IMS_DIALOG_MAX).
 */
ngx_int_t ngx_ims_dialog_create(ngx_ims_pool_t *pool, ngx_ims_dialog_t *d);

/*
 * Finds the dialog of a binding by Call-ID and tags and copies it; far_tag may
 * be empty: any.  buf has NGX_IMS_DIALOG_BUFFER bytes.  NGX_OK or NGX_DECLINED.
 */
ngx_int_t ngx_ims_dialog_find(ngx_ims_pool_t *pool, ngx_ims_ref_t *binding,
    ngx_ims_str_t *call_id, ngx_ims_str_t *web_tag, ngx_ims_str_t *far_tag,
    ngx_ims_dialog_t *d, u_char *buf);

/* the first dialog of a binding, for ending them one by one */
ngx_int_t ngx_ims_dialog_first(ngx_ims_pool_t *pool, ngx_ims_ref_t *binding,
    ngx_ims_dialog_t *d, u_char *buf);

/* a request passed: its CSeq as sent on, and the new target if it has one */
void ngx_ims_dialog_passed(ngx_ims_pool_t *pool, ngx_ims_dialog_t *d,
    ngx_uint_t up, uint32_t cseq);
void ngx_ims_dialog_target(ngx_ims_pool_t *pool, ngx_ims_dialog_t *d,
    ngx_uint_t web, ngx_str_t *target);

/* frees the record; NGX_OK once, NGX_DECLINED when it was gone before */
ngx_int_t ngx_ims_dialog_free(ngx_ims_pool_t *pool, ngx_ims_dialog_t *d);

/* frees the early dialogs of a call: it was answered, refused or given up */
void ngx_ims_dialog_forget_early(ngx_ims_pool_t *pool, ngx_ims_ref_t *binding,
    ngx_ims_str_t *call_id, ngx_uint_t originated);

/* how many dialogs a binding has */
ngx_uint_t ngx_ims_dialog_count(ngx_ims_pool_t *pool, ngx_ims_ref_t *binding);


#endif /* _NGX_IMS_DIALOG_H_INCLUDED_ */
