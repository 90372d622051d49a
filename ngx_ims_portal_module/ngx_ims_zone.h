/*
 * Copyright (C) the IMS portal authors
 *
 * The shared zone of one pool (design D4, D6, D7): flat arrays of leases,
 * bindings and dialogs, and small chunks for their texts.  Entries are named by
 * 32-bit indexes; an index and its seq make a reference that goes stale when
 * the entry is reused.  Nothing in the zone points anywhere, so it can be a
 * file that another process maps.
 *
 * The arrays are the truth: an entry is valid by its state, which is stored
 * last, and a text by one word.  Lists and indexes are made from them anew when
 * a process was killed while it had the lock.
 *
 * All functions but open and lock expect the caller to hold the lock.
 */


#ifndef _NGX_IMS_ZONE_H_INCLUDED_
#define _NGX_IMS_ZONE_H_INCLUDED_


#include "ngx_ims_shared.h"


#define NGX_IMS_NONE          ((uint32_t) -1)

/* in the place of a lease: the identity that a pool registers for its block */
#define NGX_IMS_LEASE_BLOCK   ((uint32_t) -2)

#define NGX_IMS_DIGEST_LEN    16

enum {
    NGX_IMS_CHUNK = 124,                 /* bytes of text in one chunk */
    NGX_IMS_MAX_BLOB = 4096,             /* bytes of one text */
    NGX_IMS_USAGES = 4,                  /* subscriptions in one dialog */
    NGX_IMS_ORDERS = 64,                 /* to end users, at a time */
    NGX_IMS_ZONE_NAME = 64               /* bytes of a name, and its end */
};


/* a text in chunks; one store changes it */
typedef union {
    struct {
        uint32_t              first;
        uint32_t              len;
    };
    uint64_t                  word;
} ngx_ims_blob_t;


typedef enum {
    NGX_IMS_LEASE_UNUSED = 0,            /* no identity has this entry */
    NGX_IMS_LEASE_FREE,
    NGX_IMS_LEASE_LEASED,
    NGX_IMS_LEASE_RESTING                /* quarantine, then free */
} ngx_ims_lease_state_e;


typedef enum {
    NGX_IMS_LEASE_CONFIGURED = 0,        /* the configuration has its text */
    NGX_IMS_LEASE_CLAIMED                /* a token named it, within a block;
                                            it is leased, or rests */
} ngx_ims_lease_kind_e;


typedef enum {
    NGX_IMS_RELEASE_NONE = 0,
    NGX_IMS_RELEASE_REST,                /* with its quarantine */
    NGX_IMS_RELEASE_NOW                  /* without */
} ngx_ims_release_e;


typedef struct {
    uint64_t                  identity;       /* hash of the IMPU's text */
    u_char                    user[NGX_IMS_DIGEST_LEN];  /* issuer + subject */
    time_t                    expires;        /* end of lease or quarantine */
    uint32_t                  state;
    uint32_t                  bindings;       /* head of the list */
    uint32_t                  nbindings;
    uint32_t                  user_next;      /* hash chain */
    uint32_t                  prev;           /* of the list of its state */
    uint32_t                  next;
    uint32_t                  seq;
    uint32_t                  removed;        /* not in the configuration */
    uint64_t                  calls;          /* of the user's limits: ms,  */
    uint64_t                  premium;        /* when their buckets are full */
    ngx_ims_blob_t            holder;         /* who has or had it: subject,
                                                 NUL, issuer */
    ngx_ims_blob_t            text;           /* "IMPU IMPI", when it is none
                                                 of the configuration's */
    uint64_t                  generation;     /* of a server that hosts share;
                                                 0: none */
    time_t                    since;          /* s, when it was leased */
    time_t                    confirmed;      /* s, until when that server has
                                                 it for us */
    uint32_t                  kind;           /* ngx_ims_lease_kind_e */
    uint32_t                  devices;        /* of this user, 0: the pool's */
    time_t                    token_expires;  /* s, of the longest token that
                                                 was seen of him since; 0: none
                                                 (ngx_ims_renew.h) */
    time_t                    token_issued;   /* s */
    u_char                    token_jti[NGX_IMS_DIGEST_LEN];
    u_char                    token_kid[NGX_IMS_DIGEST_LEN];
    uint32_t                  release;        /* it ends with its last binding,
                                                 see ngx_ims_release_e */
    uint32_t                  guest;          /* the user is one */
    uint32_t                  reserved;       /* for a user of the
                                                 configuration */
    uint32_t                  claim_next;     /* hash chain of CLAIMED ones */
    uint64_t                  order;          /* see ngx_ims_order.h */
    ngx_ims_blob_t            away;           /* URL of the host that has his
                                                 calls; empty: this one */
    uint32_t                  here;           /* 1: the server was told that he
                                                 has browsers here */
    uint32_t                  unused_here;
    uint32_t                  rights;         /* of the user, see
                                                 ngx_ims_binding.h */
    uint32_t                  token_rights;   /* what the token of
                                                 token_expires allows, and was
                                                 judged by */
} ngx_ims_lease_sh_t;


typedef enum {
    NGX_IMS_BINDING_FREE = 0,
    NGX_IMS_BINDING_IDLE,                /* no registration upstream */
    NGX_IMS_BINDING_REGISTERED,
    NGX_IMS_BINDING_LEAVING              /* the core is to be told, it ends */
} ngx_ims_binding_state_e;


typedef struct {
    uint32_t                  state;
    uint32_t                  seq;
    uint32_t                  lease;
    uint32_t                  next;           /* of the lease, or free list */
    u_char                    instance[NGX_IMS_DIGEST_LEN];
    ngx_ims_owner_t           owner;          /* zero: the socket is lost */
    uint32_t                  cseq;           /* last CSeq of REGISTER sent */
    uint32_t                  ndialogs;
    uint32_t                  dialogs;        /* head of the list */
    uint32_t                  calling;        /* INVITEs not answered yet */
    time_t                    expires;        /* granted by the core */
    time_t                    token_expires;
    time_t                    lost;           /* when the socket went; 0 */
    ngx_ims_owner_t           keeper;         /* of requests for it that wait
                                                 until it is back; zero: none */
    ngx_ims_blob_t            contact;        /* the browser's URI */
    ngx_ims_blob_t            service_route;  /* header value */
    ngx_ims_blob_t            associated;     /* P-Associated-URI value */
    ngx_ims_blob_t            features;       /* what the browser can do */
    ngx_ims_blob_t            granted;        /* what the core made of it */
    time_t                    reap;           /* s, when its grace ends; 0:
                                                 nobody waits for it */
    ngx_ims_blob_t            identity;       /* "IMPU IMPI" */
    time_t                    registered;     /* s, when the core last said so
                                                 */
    uint64_t                  order;          /* see ngx_ims_order.h */
    time_t                    since;          /* s, when it was made */
} ngx_ims_binding_sh_t;


typedef enum {
    NGX_IMS_DIALOG_FREE = 0,
    NGX_IMS_DIALOG_EARLY,
    NGX_IMS_DIALOG_CONFIRMED
} ngx_ims_dialog_state_e;


/* a subscription within a dialog; until = 0: none */
typedef struct {
    uint32_t                  package;        /* crc32 of the event's name */
    uint32_t                  id;             /* ... of its id; 0: none */
    uint32_t                  until;          /* s */
} ngx_ims_usage_sh_t;


typedef struct {
    uint32_t                  state;
    uint32_t                  seq;
    uint32_t                  binding;
    uint32_t                  next;           /* hash chain, or free list */
    uint32_t                  sibling;        /* next of the binding */
    uint32_t                  web_hash;       /* of Call-ID and browser's tag */
    uint32_t                  far_hash;       /* of the far end's tag */
    uint32_t                  shown_hash;     /* of the one that the browser
                                                 knows it by */
    uint32_t                  originated;     /* by the browser */
    uint32_t                  cseq_up;        /* last that the core saw */
    uint32_t                  cseq_down;      /* last that the browser saw */
    uint32_t                  offset_up;      /* added to the browser's CSeq */
    uint32_t                  offset_down;    /* added to the core's CSeq */
    uint32_t                  invite_up;      /* those of the last INVITE, */
    uint32_t                  invite_down;    /* for its ACK and RAck */
    int32_t                   helper;         /* media helper, -1 none */
    uint32_t                  media;          /* it holds this call */
    time_t                    created;
    uint32_t                  events;         /* no call in it, only ... */
    ngx_ims_usage_sh_t        usages[NGX_IMS_USAGES];   /* subscriptions */
    uint32_t                  interval;       /* s, of its session timer */
    uint32_t                  due;            /* s, when it ends; 0: never */
    uint32_t                  refresh;        /* s, when the portal refreshes
                                                 it; 0: a side does */
    ngx_ims_blob_t            call_id;
    ngx_ims_blob_t            web_id;         /* Mary's From/To, browser's */
    ngx_ims_blob_t            core_id;        /* the same as the core sees */
    ngx_ims_blob_t            far_id;         /* the far end's From/To */
    ngx_ims_blob_t            shown_id;       /* the same as the browser sees,
                                                 when it differs (SE-16) */
    ngx_ims_blob_t            routes;         /* towards the core, in order */
    ngx_ims_blob_t            web_target;     /* the browser's Contact URI */
    ngx_ims_blob_t            far_target;     /* the far end's Contact URI */
    uint32_t                  emergency;      /* 1: a call for help */
    uint32_t                  plain;          /* 1: SRTP was refused, or not
                                                 offered by the core */
} ngx_ims_dialog_sh_t;


/* tokens that are revoked; see ngx_ims_deny.h */
typedef struct {
    uint32_t                  kind;           /* ngx_ims_deny_e */
    uint32_t                  unused;
    u_char                    key[NGX_IMS_DIGEST_LEN];
    time_t                    before;         /* s */
    time_t                    until;          /* s */
    ngx_ims_blob_t            text;           /* of a blocked user, see
                                                 ngx_ims_deny_blocked.c */
} ngx_ims_deny_sh_t;


/* a user's sockets are to be ended; see ngx_ims_order.h */
typedef struct {
    u_char                    user[NGX_IMS_DIGEST_LEN];
    uint64_t                  order;          /* stored last; 0: none */
    time_t                    at;             /* s */
} ngx_ims_order_sh_t;


typedef struct {
    ngx_atomic_t              calls;
    ngx_atomic_t              registers;
    ngx_atomic_t              messages;
    ngx_atomic_t              exhausted;
    ngx_atomic_t              refused;        /* by dial plan or limits */
    ngx_atomic_t              handed_over;
    ngx_atomic_t              not_handed;     /* too many waited */
} ngx_ims_counters_sh_t;


/* what came of the server that hosts share; see ngx_ims_lease.h */
typedef struct {
    ngx_atomic_t              asked;          /* round trips */
    ngx_atomic_t              failed;         /* without an answer */
    ngx_atomic_t              asserted;       /* leases, after it was lost */
    ngx_atomic_t              won;            /* conflicts */
    ngx_atomic_t              lost;
} ngx_ims_share_sh_t;


/*
 * How entries are laid out.  Fields are only ever added at the end of an entry
 * and of the head, so a file of a former version can be taken over.
 */
typedef struct {
    uint32_t                  head;           /* bytes of ngx_ims_zone_sh_t */
    uint32_t                  lease;          /* ... and of each entry */
    uint32_t                  binding;
    uint32_t                  dialog;
    uint32_t                  chunk;
    uint32_t                  deny;
} ngx_ims_zone_layout_t;


typedef struct {
    u_char                    magic[8];       /* stored last */
    u_char                    name[NGX_IMS_ZONE_NAME];   /* of the zone */
    ngx_ims_zone_layout_t     layout;

    uint32_t                  nleases;        /* capacities */
    uint32_t                  nbindings;
    uint32_t                  ndialogs;
    uint32_t                  nchunks;
    uint32_t                  ndeny;
    uint32_t                  nbuckets;       /* power of two */

    uint32_t                  instance;
    u_char                    secret[32];     /* of flow tokens */

    ngx_atomic_t              lock;           /* pid of its holder */
    ngx_atomic_t              rebuilt;        /* how often */
    ngx_atomic_t              deny_changed;   /* how often */

    uint32_t                  leases_used;    /* entries with an identity */
    uint32_t                  leased;
    uint32_t                  bindings_used;
    uint32_t                  dialogs_used;
    uint32_t                  chunks_used;

    uint32_t                  free_head;      /* leases, oldest first */
    uint32_t                  free_tail;
    uint32_t                  rest_head;
    uint32_t                  rest_tail;
    uint32_t                  leased_head;    /* longest not renewed first */
    uint32_t                  leased_tail;
    uint32_t                  free_binding;
    uint32_t                  free_dialog;
    uint32_t                  free_chunk;
    uint32_t                  block;          /* binding of LEASE_BLOCK */

    ngx_ims_counters_sh_t     counters;
    ngx_atomic_t              sockets[NGX_IMS_MAX_WORKERS];  /* by place, see
                                                 ngx_ims_workers.h */

    ngx_atomic_t              orders;         /* number of the last one */
    uint32_t                  drain;          /* ngx_ims_drain_e */
    uint32_t                  blocked;        /* users, how often; 0: none was
                                                 ever */
    time_t                    drain_since;    /* s */
    ngx_ims_order_sh_t        users[NGX_IMS_ORDERS];
    ngx_ims_share_sh_t        share;

    uint32_t                  unused_head;    /* leases without identity */
    uint32_t                  unused_tail;
    uint32_t                  kept_head;      /* free, but for one user */
    uint32_t                  kept_tail;
    uint32_t                  coming_head;    /* of a configuration that is */
    uint32_t                  coming_tail;    /* not in use yet */
    uint32_t                  guest_head;     /* as leased_head, of guests */
    uint32_t                  guest_tail;
    uint32_t                  guests;         /* ... how many */
    uint32_t                  claimed;        /* CLAIMED ones in use */
    ngx_atomic_t              mapping;        /* pid of who gives identities
                                                 their entries */
    u_char                    nginx[16];      /* which one runs on it, see
                                                 ngx_ims_shared_t */
    ngx_atomic_t              media_ended;    /* calls whose media ended */
} ngx_ims_zone_sh_t;


typedef struct {
    u_char                    text[NGX_IMS_CHUNK];
    uint32_t                  next;
} ngx_ims_chunk_sh_t;


/* where things are, in this process */
typedef struct {
    ngx_ims_zone_sh_t        *sh;
    uint32_t                 *user_buckets;
    uint32_t                 *dialog_buckets;
    uint32_t                 *claim_buckets;
    ngx_ims_lease_sh_t       *leases;
    ngx_ims_binding_sh_t     *bindings;
    ngx_ims_dialog_sh_t      *dialogs;
    ngx_ims_chunk_sh_t       *chunks;
    ngx_ims_deny_sh_t        *deny;
    uint32_t                 *order;          /* scratch of a rebuild: leases */
    u_char                   *taken;          /* ... and chunks, a bit each */
    ngx_str_t                 name;
    size_t                    size;           /* bytes of all of it */
    unsigned                  fresh:1;        /* who is named in it is dead */
    unsigned                  opened:1;       /* now, not by a former
                                                 configuration */
    unsigned                  held:1;         /* this process has the lock */
} ngx_ims_zone_t;


/*
 * Opens the zone: lays a new one out, takes over a running one, or a file as
 * the last process left it, whose size and layout may be others.
 *
 * name    of the zone
 * store   path of its file, empty: it ends with the last process
 * size    bytes, at least 8 pages; a running zone is not resized (warned)
 * leases  how many identities must fit, and some more that tokens name
 *
 * Returns NGX_OK, or NGX_ERROR (logged): too small, or the file is not a store
 * of this zone, or damaged; then it is left as it is.
 */
ngx_int_t ngx_ims_zone_open(ngx_ims_zone_t *zone, ngx_str_t *name,
    ngx_str_t *store, size_t size, ngx_uint_t leases, ngx_log_t *log);

/*
 * Taken from a process that died with it, the zone is rebuilt before this
 * returns.  Taken twice by one process it is rebuilt, too, and an alert says
 * so.
 */
void ngx_ims_zone_lock(ngx_ims_zone_t *zone);

#define ngx_ims_zone_unlock(z)                                                \
    (z)->held = 0;                                                            \
    ngx_ims_shared_unlock(&(z)->sh->lock)

/*
 * Makes lists, indexes and counts anew from the arrays; what is not sound is
 * freed.  now, s, stands for times that are not known.
 */
void ngx_ims_zone_rebuild(ngx_ims_zone_t *zone, time_t now);

/* the list that a lease entry is in, by its state */
void ngx_ims_zone_list(ngx_ims_zone_t *zone, ngx_ims_lease_sh_t *lease,
    uint32_t **head, uint32_t **tail);

/* adds an entry at the tail of its list, or takes it out */
void ngx_ims_zone_list_add(ngx_ims_zone_t *zone, uint32_t i);
void ngx_ims_zone_list_del(ngx_ims_zone_t *zone, uint32_t i);

/*
 * Replaces a text; an empty one frees its chunks.  NGX_OK, or NGX_ERROR when
 * the zone is full or the text longer than NGX_IMS_MAX_BLOB: then it is empty.
 */
ngx_int_t ngx_ims_zone_put(ngx_ims_zone_t *zone, ngx_ims_blob_t *blob,
    ngx_str_t *text);

/* copies a text to p, which has room for blob->len bytes; returns the end */
u_char *ngx_ims_zone_get(ngx_ims_zone_t *zone, ngx_ims_blob_t *blob,
    u_char *p);

/* 1 when the text in the zone equals s */
ngx_uint_t ngx_ims_zone_equal(ngx_ims_zone_t *zone, ngx_ims_blob_t *blob,
    ngx_str_t *s);

/* a free entry taken, its seq raised and all else zeroed; NONE: zone full */
uint32_t ngx_ims_zone_take_binding(ngx_ims_zone_t *zone);
uint32_t ngx_ims_zone_take_dialog(ngx_ims_zone_t *zone);

/* back to the free list, texts freed; hash and lease links are the caller's */
void ngx_ims_zone_free_binding(ngx_ims_zone_t *zone, uint32_t i);
void ngx_ims_zone_free_dialog(ngx_ims_zone_t *zone, uint32_t i);


#endif /* _NGX_IMS_ZONE_H_INCLUDED_ */
