/*
 * Copyright (C) the IMS portal authors
 *
 * The block of public user identities (IMPUs) that the operator gave, and the
 * leases of it: one user (issuer + subject) has one identity, and an identity
 * has one user at a time (spec ID-1..ID-4, TS 24.371 6.1).
 */


#ifndef _NGX_IMS_POOL_H_INCLUDED_
#define _NGX_IMS_POOL_H_INCLUDED_


#include "ngx_ims_zone.h"


enum {
    NGX_IMS_MAX_IMPU = 255,              /* bytes of one identity */
    NGX_IMS_MAX_IDENTITIES = 1000000     /* in one pool */
};


typedef enum {
    NGX_IMS_BLOCK_RANGE = 0,             /* "sip:u[001-200]@domain", or one */
    NGX_IMS_BLOCK_LIST,                  /* a file, see ngx_ims_pool_list.h */
    NGX_IMS_BLOCK_DOMAIN,                /* tokens name them: in a domain, */
    NGX_IMS_BLOCK_WILDCARD               /* or as "sip:desk!.*!@domain" */
} ngx_ims_block_e;


/* an "identity" line; a number in a range has a fixed or free width */
typedef struct {
    ngx_uint_t                kind;           /* ngx_ims_block_e */
    ngx_str_t                 prefix;
    ngx_str_t                 suffix;
    ngx_str_t                 key_prefix;     /* of keys, see below */
    ngx_str_t                 key_suffix;
    ngx_uint_t                before;         /* identities of former blocks */
    ngx_uint_t                first;
    ngx_uint_t                count;          /* 0: tokens name them */
    ngx_uint_t                width;          /* digits, 0: none in it */
    ngx_str_t                 impi;           /* template */
    ngx_str_t                 alias;          /* domain of the SIP form of tel
                                                 URIs, or empty */
    struct ngx_ims_pool_list_s  *list;
    void                     *regex;          /* regex_t of a wildcard */
    unsigned                  subdomains:1;
} ngx_ims_block_t;


/* one registration that serves all identities of a pool (profile B) */
typedef struct {
    ngx_str_t                 impu;           /* empty: each has its own */
    ngx_str_t                 impi;
    ngx_str_t                 profile_key;    /* P-Profile-Key, or empty */
    unsigned                  wildcard:1;     /* the key is the wildcard that
                                                 P-Associated-URI has */
    unsigned                  gin:1;          /* RFC 6140 */
} ngx_ims_pool_block_t;


typedef struct {
    ngx_str_t                 name;
    uint32_t                  crc;            /* of the name, in flow tokens */
    ngx_ims_zone_t            zone;
    ngx_shm_zone_t           *shm_zone;
    ngx_str_t                 zone_name;
    size_t                    zone_size;      /* bytes, as configured */
    ngx_str_t                 store;          /* path, empty: none */
    struct ngx_ims_core_s    *core;
    ngx_array_t               blocks;         /* ngx_ims_block_t */
    ngx_uint_t                total;          /* identities */
    time_t                    lease;          /* s */
    time_t                    quarantine;     /* s */
    ngx_uint_t                devices;        /* browsers of one user */
    ngx_uint_t                devices_given;  /* ... is a line of the pool */
    ngx_flag_t                local_calls;    /* between users, without core */
    ngx_ims_pool_block_t      block;
    ngx_uint_t                calls;          /* of a user at once, 0: any */
    ngx_uint_t                calls_per_hour;      /* 0: any */
    ngx_uint_t                premium_per_hour;    /* 0: any */
    ngx_uint_t                sockets;        /* of all its users, 0: any */
    ngx_uint_t                dialogs;        /* of a user, 0: any */
    ngx_msec_t                grace;          /* ms, longest of a location */
    struct ngx_ims_deny_file_s  *revoked;     /* NULL: no such file */
    ngx_str_t                 identity_claim; /* path of the claim that names
                                                 an identity, or empty */

    unsigned                  guests:1;       /* are let in, */
    ngx_uint_t                guest_max;      /* so many; 0: any */
    time_t                    guest_lease;    /* s */
    struct ngx_ims_pool_reserve_s  *reserve;  /* NULL: no line about it */
    ngx_array_t               reserves;       /* those lines */

    uint32_t                 *identity_of;    /* lease entry -> identity */
    uint32_t                 *lease_of;       /* and back */
    ngx_uint_t                warned;         /* 90 % full was said */
    uint32_t                  scan;           /* entry that is looked at next
                                                 when nothing is free */
    struct ngx_ims_pool_linger_s  *lingers;   /* see ngx_ims_pool_lingers() */
    ngx_uint_t                nlingers;

    struct ngx_ims_lease_share_s  *share;     /* what other hosts have, too,
                                                 see ngx_ims_lease.h; or NULL */

    u_char                   *file;           /* where it was defined */
    ngx_uint_t                line;
} ngx_ims_pool_t;


/*
 * One "identity" line: a SIP or tel URI with at most one "[first-last]"; or
 * "file=path"; or "claim=path domain=name"; or a wildcarded URI, "sip:desk!.*!@
 * domain".  With "impi=", which has $user (the user part), $number (the digits
 * of the range) and $host; without it the IMPI is user@host.  NGX_CONF_OK or an
 * error that was logged.
 */
char *ngx_ims_pool_add_block(ngx_conf_t *cf, ngx_ims_pool_t *pool,
    ngx_str_t *args, ngx_uint_t n);

/* the same for what tokens name: a domain, or a wildcarded URI */
char *ngx_ims_pool_add_domain(ngx_conf_t *cf, ngx_ims_pool_t *pool,
    ngx_ims_block_t *block, ngx_str_t *claim, ngx_str_t *domain);
char *ngx_ims_pool_add_wildcard(ngx_conf_t *cf, ngx_ims_block_t *block,
    ngx_str_t *uri);

/* reads the file of a list; an error that was logged has file and line */
char *ngx_ims_pool_add_list(ngx_conf_t *cf, ngx_ims_pool_t *pool,
    ngx_ims_block_t *block, ngx_str_t *path);

/*
 * One "reserve" line, and all of them when the identities of the pool are
 * known. NGX_CONF_OK or an error that was logged.
 */
char *ngx_ims_pool_add_reserve(ngx_conf_t *cf, ngx_ims_pool_t *pool,
    ngx_str_t *args, ngx_uint_t n);
char *ngx_ims_pool_end_reserve(ngx_conf_t *cf, ngx_ims_pool_t *pool);

/*
 * After ngx_ims_zone_open(): gives every configured identity its entry, keeps
 * the leases of those that stayed.  Takes the lock itself.
 */
ngx_int_t ngx_ims_pool_map(ngx_ims_pool_t *pool, ngx_pool_t *mem,
    ngx_log_t *log);

/*
 * When the configuration is about to be used: retires identities that went.
 * NGX_OK, or NGX_ERROR: no memory.  Takes the lock itself.
 */
ngx_int_t ngx_ims_pool_retire(ngx_ims_pool_t *pool, ngx_pool_t *mem);

/*
 * The zone is as the last process left it: nobody has a socket, and the grace
 * time of all browsers begins now.  Takes the lock itself.
 */
void ngx_ims_pool_resume(ngx_ims_pool_t *pool);

/*
 * The key of an identity: what all spellings of its URI have in common.
 * "sip:user@host" with nothing escaped that need not be and a host in lower
 * case (RFC 3261 19.1.4), without port and parameters; "tel:number" without
 * visual separators (RFC 3966 4), also of its SIP form "sip:+number@any;
 * user=phone" (spec ID-6).  out has NGX_IMS_MAX_IMPU bytes; returns the length,
 * 0: it cannot be an identity.
 */
size_t ngx_ims_pool_key(ngx_ims_str_t *uri, u_char *out);

/* the text of a configured identity, by number; the length, 0: no such */
size_t ngx_ims_pool_text(ngx_ims_pool_t *pool, ngx_uint_t identity,
    u_char *out);

/* its key */
size_t ngx_ims_pool_text_key(ngx_ims_pool_t *pool, ngx_uint_t identity,
    u_char *out);

/* and back: the number of a configured identity, NGX_IMS_NONE: it is none */
uint32_t ngx_ims_pool_number(ngx_ims_pool_t *pool, u_char *key, size_t len);

/*
 * The lease entry of an identity, by URI in any spelling; of those that tokens
 * name only what is leased.  NGX_OK, or NGX_DECLINED: not an identity of this
 * pool.  Takes the lock itself.
 */
ngx_int_t ngx_ims_pool_identity(ngx_ims_pool_t *pool, ngx_ims_str_t *uri,
    uint32_t *lease);

/* 1 when tokens may name identities of this pool that are not configured */
ngx_uint_t ngx_ims_pool_claims(ngx_ims_pool_t *pool);

/*
 * Writes the SIP form of a lease's tel URI, "sip:+number@domain;user=phone", of
 * the "alias" of its line (spec ID-6).  out has NGX_IMS_MAX_IMPU bytes; returns
 * the length, 0: it has none.
 */
size_t ngx_ims_pool_alias(ngx_ims_pool_t *pool, uint32_t lease, u_char *out);

/* 1 when a URI is a lease's identity, or its alias, in any spelling */
ngx_uint_t ngx_ims_pool_owns(ngx_ims_pool_t *pool, uint32_t lease,
    ngx_ims_str_t *uri);

/* 1 when a text can be a public identity, written between "<" and ">" */
ngx_uint_t ngx_ims_pool_impu_safe(ngx_str_t *impu);

/* 1 when a text can be a domain */
ngx_uint_t ngx_ims_pool_domain_safe(ngx_str_t *domain);

/* 1 when a text can be a private identity: "user@realm", safe between quotes */
ngx_uint_t ngx_ims_pool_impi_safe(ngx_str_t *impi);

/*
 * Writes the IMPU of a lease, or of NGX_IMS_LEASE_BLOCK; out has
 * NGX_IMS_MAX_IMPU; length, 0: unknown
 */
size_t ngx_ims_pool_impu(ngx_ims_pool_t *pool, uint32_t lease, u_char *out);

/* the same for its private identity, NAI form (spec ID-7) */
size_t ngx_ims_pool_impi(ngx_ims_pool_t *pool, uint32_t lease, u_char *out);

/*
 * The same of an identity that left the configuration while bindings have it,
 * from what they keep; the zone's lock is not held.
 */
size_t ngx_ims_pool_kept(ngx_ims_pool_t *pool, uint32_t lease,
    ngx_uint_t impi, u_char *out);

/* writes what a new binding keeps of its lease's identity; the lock is held */
ngx_int_t ngx_ims_pool_keep(ngx_ims_pool_t *pool, uint32_t lease,
    ngx_ims_blob_t *kept);

/* the key of a user; out has NGX_IMS_DIGEST_LEN bytes */
void ngx_ims_pool_user(ngx_ims_str_t *issuer, ngx_ims_str_t *subject,
    u_char *out);

/* who wants an identity; texts have no control characters */
typedef struct {
    u_char                   *user;           /* ngx_ims_pool_user() */
    ngx_str_t                 subject;        /* for administrators, <= 255 */
    ngx_str_t                 issuer;         /* the same */
    ngx_str_t                 identity;       /* an IMPU that his token asks
                                                 for, or empty */
    unsigned                  guest:1;        /* for a short while */
} ngx_ims_want_t;


/*
 * Leases or renews.  A user gets the identity that his token names, else the
 * one reserved for him, else his former one, else what has been free for
 * longest. One who has another one with browsers keeps that until they are
 * gone.
 *
 * NGX_OK with *lease set and *fresh = 1 when it was not leased to this user at
 * that moment; NGX_BUSY: all identities are taken, or no more guests are let
 * in; NGX_DECLINED: the one that he asks for is not of this pool, or not for
 * him, or guests are not let in; NGX_ABORT: it is another user's at the moment,
 * or was until a while ago.
 */
ngx_int_t ngx_ims_pool_lease(ngx_ims_pool_t *pool, ngx_ims_want_t *want,
    uint32_t *lease, ngx_uint_t *fresh, ngx_log_t *log);

/*
 * The running lease of a user without renewing it; NGX_OK or NGX_DECLINED, also
 * when he gave it back
 */
ngx_int_t ngx_ims_pool_find(ngx_ims_pool_t *pool, u_char *user,
    uint32_t *lease);

/*
 * The user gives his identity back, or an administrator takes it.  With
 * browsers it is his until the last of them is gone, who can only leave: ending
 * their sockets is the caller's.  If he leases it again before that, it stays
 * his.
 *
 * seq  of the lease entry that is meant, 0: whoever has it
 * now  1: without quarantine
 *
 * NGX_OK: released; NGX_AGAIN: it will be with its last binding; NGX_DECLINED:
 * it is not leased, or not by whom it was.  Takes the lock itself.
 */
ngx_int_t ngx_ims_pool_release(ngx_ims_pool_t *pool, uint32_t lease,
    uint32_t seq, ngx_uint_t now);

/* when the last binding of a lease went; the lock is held */
void ngx_ims_pool_left(ngx_ims_pool_t *pool, uint32_t lease);

/* seconds until a resting or leased identity may be free again, 1..3600 */
time_t ngx_ims_pool_retry_after(ngx_ims_pool_t *pool);


#endif /* _NGX_IMS_POOL_H_INCLUDED_ */
