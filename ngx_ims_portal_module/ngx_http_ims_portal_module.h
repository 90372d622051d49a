/*
 * Copyright (C) the IMS portal authors
 *
 * The configuration, as the HTTP side and the process hooks share it.
 */


#ifndef _NGX_HTTP_IMS_PORTAL_MODULE_H_INCLUDED_
#define _NGX_HTTP_IMS_PORTAL_MODULE_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_http.h>

#include "ngx_ims_session.h"
#include "ngx_ims_ticket.h"


typedef struct {
    ngx_array_t               cores;          /* ngx_ims_core_t * */
    ngx_array_t               pools;          /* ngx_ims_pool_t * */
    ngx_ims_media_conf_t      media;
    ngx_ims_txn_conf_t        txn;
    ngx_ims_worker_t         *worker;         /* of this process */
    ngx_ims_health_t         *health;         /* of the cores' servers */
    ngx_ims_limit_t          *limit;
    size_t                    limit_size;     /* bytes */
    ngx_ims_tickets_t        *tickets;        /* NULL: nobody gives any */
    size_t                    ticket_size;    /* bytes */
    ngx_array_t              *queries;        /* of all locations */
    unsigned                  ticketed:1;     /* a location gives tickets */
    ngx_array_t              *claim_sets;     /* variables of claims, NULL */
    ngx_array_t               jwks;           /* ngx_ims_jwks_t * */
    ngx_array_t               policies;       /* ngx_ims_token_policy_t * */
    ngx_uint_t                jwt_cache;      /* tokens, 0: none */
} ngx_http_ims_main_conf_t;


typedef struct {
    ngx_ims_policy_t          policy;         /* read-only after merging */

    ngx_ims_pool_t           *pool;           /* a WebSocket location */
    ngx_ims_pool_t           *session_pool;   /* a session API location */
    ngx_ims_pool_t           *revocation_pool;  /* where tokens are revoked */
    ngx_ims_pool_t           *admin_pool;     /* an administration API; NULL: of
                                                 all, or none */
    ngx_uint_t                admin;          /* it is one */
    ngx_str_t                 websocket;      /* its path or URL */

    ngx_uint_t                auth;
    ngx_array_t              *tokens;         /* ngx_http_complex_value_t */
    ngx_array_t              *keys;           /* lines of ims_portal_jwt_key */
    ngx_array_t              *issuers;        /* ngx_str_t; NULL: any */
    ngx_array_t              *audiences;      /* ngx_str_t; NULL: any */
    ngx_str_t                 issuer;         /* if there is just one */
    ngx_str_t                 typ;            /* empty: any */
    ngx_ims_claims_t          claims;
    ngx_array_t              *require;        /* ngx_http_ims_require_t, NULL */
    time_t                    leeway;
    ngx_str_t                 authz_server;
    ngx_array_t              *origins;        /* ngx_str_t; empty: any */
    ngx_flag_t                plain_ws;
    ngx_msec_t                ping;
    ngx_uint_t                ping_misses;
    size_t                    message_size;
    ngx_msec_t                grace;
    ngx_msec_t                drain;
    ngx_msec_t                handshake;
    time_t                    expires;
    ngx_array_t              *ice_servers;    /* ngx_str_t */
    ngx_array_t              *turns;          /* ngx_http_ims_turn_t */
    ngx_array_t              *queries;        /* ngx_str_t, names of arguments
                                                 that "tokens" have */
    time_t                    ticket;         /* s that it is good; 0: off */
    void                     *cors;           /* ngx_http_ims_cors_t */
} ngx_http_ims_loc_conf_t;


typedef struct ngx_http_ims_ctx_s  ngx_http_ims_ctx_t;

/*
 * A content handler: what nginx expects of one, or NGX_AGAIN: it waits, and is
 * called once more.
 */
typedef ngx_int_t (*ngx_http_ims_content_pt)(ngx_http_request_t *r,
    ngx_http_ims_main_conf_t *imcf, ngx_http_ims_loc_conf_t *ilcf,
    ngx_http_ims_ctx_t *ctx);


/* what a request brought; for variables and for what comes after access */
struct ngx_http_ims_ctx_s {
    ngx_ims_token_t           token;          /* see known */
    void                     *waiting;        /* see ngx_ims_waiter.h */
    void                     *admin;          /* see ngx_http_ims_admin.h */
    ngx_http_ims_content_pt   content;        /* who waits */
    ngx_str_t                 error;
    ngx_str_t                 user;
    ngx_str_t                 impu;
    ngx_str_t                 query;          /* the arguments as they came */
    ngx_str_t                 answer;         /* what is said in the place of
                                                 nginx's own page */
    ngx_ims_token_policy_t   *judge;          /* whose policy let it pass */
    unsigned                  arrived:1;      /* counted by a limit */
    unsigned                  counted:1;      /* ... of the user */
    unsigned                  shared:1;       /* CORS has been seen to */
    unsigned                  problem:1;      /* the answer is one */
    unsigned                  answered:1;     /* answer was sent */
    unsigned                  known:1;        /* token.grant is good: of a
                                                 token, or of a ticket, which
                                                 has no token.jwt */
    unsigned                  peeked:1;       /* once is enough */
};


/* directives that need more than a stock slot (ngx_http_ims_set.c) */
char *ngx_http_ims_auth(ngx_conf_t *cf, ngx_command_t *cmd, void *conf);
char *ngx_http_ims_media(ngx_conf_t *cf, ngx_command_t *cmd, void *conf);
char *ngx_http_ims_media_consent(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
ngx_int_t ngx_http_ims_media_create(ngx_conf_t *cf,
    ngx_ims_media_conf_t *media);
ngx_int_t ngx_http_ims_media_init(ngx_conf_t *cf, ngx_ims_media_conf_t *media);
char *ngx_http_ims_set_origin(ngx_conf_t *cf, ngx_command_t *cmd, void *conf);
char *ngx_http_ims_ping(ngx_conf_t *cf, ngx_command_t *cmd, void *conf);
char *ngx_http_ims_session_timer(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
extern ngx_conf_enum_t  ngx_http_ims_refer[];
extern ngx_conf_enum_t  ngx_http_ims_media_srtp[];
char *ngx_http_ims_ice_server(ngx_conf_t *cf, ngx_command_t *cmd, void *conf);

/* tokens (ngx_http_ims_jwt.c) */
char *ngx_http_ims_jwt(ngx_conf_t *cf, ngx_command_t *cmd, void *conf);
char *ngx_http_ims_jwt_issuer(ngx_conf_t *cf, ngx_command_t *cmd, void *conf);
char *ngx_http_ims_jwt_audience(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);

/* the defaults of a level, merging two, and what a location verifies by */
void ngx_http_ims_jwt_unset(ngx_http_ims_loc_conf_t *conf);
void ngx_http_ims_jwt_merge(ngx_conf_t *cf, ngx_http_ims_loc_conf_t *prev,
    ngx_http_ims_loc_conf_t *conf);
char *ngx_http_ims_jwt_policy(ngx_conf_t *cf, ngx_http_ims_main_conf_t *imcf,
    ngx_http_ims_loc_conf_t *conf);

/* a worker begins: files are watched, tokens remembered */
ngx_int_t ngx_http_ims_jwt_init_process(ngx_cycle_t *cycle);

/* keys (ngx_http_ims_key.c); 1 when two policies have the same */
char *ngx_http_ims_jwt_key(ngx_conf_t *cf, ngx_command_t *cmd, void *conf);
char *ngx_http_ims_key_policy(ngx_conf_t *cf, ngx_http_ims_main_conf_t *imcf,
    ngx_http_ims_loc_conf_t *conf);
ngx_uint_t ngx_http_ims_key_same(ngx_ims_token_policy_t *a,
    ngx_ims_token_policy_t *b);

/* fetches keys, see ngx_ims_jwks_fetch_pt (ngx_http_ims_jwks.c) */
ngx_int_t ngx_http_ims_jwks_fetch(ngx_ims_jwks_t *jwks);

/* the end of a token (ngx_http_ims_life.c) */
char *ngx_http_ims_token_end(ngx_conf_t *cf, ngx_command_t *cmd, void *conf);
char *ngx_http_ims_token_grace(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
char *ngx_http_ims_pool_revoked(ngx_conf_t *cf, void *object, ngx_str_t *args,
    ngx_uint_t n);
void ngx_http_ims_life_merge(ngx_ims_policy_t *prev, ngx_ims_policy_t *conf);

/* what claims mean, and what they must be (ngx_http_ims_claim.c) */

typedef struct {
    ngx_http_complex_value_t  value;
    ngx_uint_t                status;         /* 401 or 403 */
} ngx_http_ims_require_t;

char *ngx_http_ims_claim(ngx_conf_t *cf, ngx_command_t *cmd, void *conf);
char *ngx_http_ims_claim_set(ngx_conf_t *cf, ngx_command_t *cmd, void *conf);
char *ngx_http_ims_require(ngx_conf_t *cf, ngx_command_t *cmd, void *conf);
char *ngx_http_ims_scope(ngx_conf_t *cf, ngx_command_t *cmd, void *conf);
ngx_int_t ngx_http_ims_claim_variables(ngx_conf_t *cf);

/* merges two levels */
char *ngx_http_ims_claim_merge(ngx_conf_t *cf, ngx_http_ims_loc_conf_t *prev,
    ngx_http_ims_loc_conf_t *conf);

/*
 * What the location requires of a verified token besides: NGX_OK, or
 * NGX_DECLINED with *status, 401 or 403; NGX_ERROR.
 */
ngx_int_t ngx_http_ims_required(ngx_http_request_t *r,
    ngx_http_ims_loc_conf_t *ilcf, ngx_uint_t *status);

/* limits (ngx_http_ims_limit.c); defaults of a level, merging two */
char *ngx_http_ims_limit_sockets(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
char *ngx_http_ims_limit_arrivals(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
char *ngx_http_ims_limit_rate(ngx_conf_t *cf, ngx_command_t *cmd, void *conf);
void ngx_http_ims_limit_unset(ngx_ims_limits_t *limits);
char *ngx_http_ims_limit_merge(ngx_conf_t *cf, ngx_ims_limits_t *prev,
    ngx_ims_limits_t *conf);
char *ngx_http_ims_limit_zone(ngx_conf_t *cf, ngx_http_ims_main_conf_t *imcf);

/*
 * A handshake before its token is looked at, and after: NGX_OK, the second with
 * the row of the socket, or 429 or 503 with Retry-After set, or 500.  The first
 * and the last are those of the session API, too.
 */
ngx_int_t ngx_http_ims_limit_arrive(ngx_http_request_t *r,
    ngx_http_ims_main_conf_t *imcf, ngx_http_ims_loc_conf_t *ilcf,
    ngx_http_ims_ctx_t *ctx);
ngx_int_t ngx_http_ims_limit_open(ngx_http_request_t *r,
    ngx_http_ims_main_conf_t *imcf, ngx_http_ims_loc_conf_t *ilcf,
    ngx_http_ims_ctx_t *ctx, uint32_t *row);
ngx_int_t ngx_http_ims_limit_session(ngx_http_request_t *r,
    ngx_http_ims_main_conf_t *imcf, ngx_http_ims_loc_conf_t *ilcf,
    ngx_http_ims_ctx_t *ctx);

/* the counters, as a member of the status */
#define NGX_HTTP_IMS_LIMIT_STATUS  1024       /* bytes of it at most */
u_char *ngx_http_ims_limit_status(u_char *p, u_char *last,
    ngx_ims_limit_t *limit);

/* what makes a location, and its variables (ngx_http_ims_location.c) */
char *ngx_http_ims_portal(ngx_conf_t *cf, ngx_command_t *cmd, void *conf);
char *ngx_http_ims_session(ngx_conf_t *cf, ngx_command_t *cmd, void *conf);
char *ngx_http_ims_set_revocation(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
char *ngx_http_ims_set_admin(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
char *ngx_http_ims_set_status(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
ngx_int_t ngx_http_ims_add_variables(ngx_conf_t *cf);

/* blocks (ngx_http_ims_core_block.c, ngx_http_ims_pool.c) */
char *ngx_http_ims_core_block(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
char *ngx_http_ims_pool_block(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
ngx_int_t ngx_http_ims_core_finish(ngx_conf_t *cf);
ngx_ims_pool_t *ngx_http_ims_find_pool(ngx_http_ims_main_conf_t *mcf,
    ngx_str_t *name);

/*
 * Checks the token of a request (ngx_http_ims_access.c).  NGX_OK with
 * ctx->token set; NGX_DECLINED: there is none; 401, 403 or 503: it is refused,
 * ctx->error says why; for these WWW-Authenticate or Retry-After has been set.
 * NGX_AGAIN: the request waits, and 500.
 */
ngx_int_t ngx_http_ims_verify(ngx_http_request_t *r,
    ngx_http_ims_loc_conf_t *ilcf, ngx_http_ims_ctx_t *ctx);

/*
 * The context of a request whose token is good, which is looked at now if
 * nobody has; NULL: there is none, it is refused, or it would have to wait.
 */
ngx_http_ims_ctx_t *ngx_http_ims_peek(ngx_http_request_t *r,
    ngx_module_t *module);

/* how a request waits, for what returns NGX_AGAIN (ngx_http_ims_location.c) */
void ngx_http_ims_waiter(ngx_http_request_t *r, ngx_http_ims_ctx_t *ctx,
    ngx_ims_waiter_t *waiter);

/* answers in JSON (ngx_http_ims_reply.c); a string with its quotes */
u_char *ngx_http_ims_json(u_char *p, u_char *last, ngx_str_t *s);

/* problem details (RFC 9457); detail may be NULL or empty: NGX_OK, NGX_ERROR */
ngx_int_t ngx_http_ims_problem_text(ngx_http_request_t *r, ngx_uint_t status,
    ngx_str_t *detail, ngx_str_t *text);

/* the same as an answer.  As a handler. */
ngx_int_t ngx_http_ims_problem(ngx_http_request_t *r, ngx_uint_t status,
    ngx_str_t *detail);

/* a whole answer of len bytes at p, not to be stored.  As a handler. */
ngx_int_t ngx_http_ims_send(ngx_http_request_t *r, ngx_uint_t status,
    const char *type, u_char *p, size_t len);

/* 204, not to be stored.  As a handler. */
ngx_int_t ngx_http_ims_no_content(ngx_http_request_t *r);

/* adds Retry-After, s; NGX_OK or NGX_ERROR */
ngx_int_t ngx_http_ims_retry_after(ngx_http_request_t *r, time_t after);

/* NGX_OK, or NGX_HTTP_FORBIDDEN for a foreign Origin (RFC 6455 10.2) */
ngx_int_t ngx_http_ims_origin(ngx_http_request_t *r,
    ngx_http_ims_loc_conf_t *ilcf);

/* the request's context, made when it is new; NULL: no memory */
ngx_http_ims_ctx_t *ngx_http_ims_ctx(ngx_http_request_t *r,
    ngx_module_t *module);

/* adds a response header; NGX_OK or NGX_ERROR */
ngx_int_t ngx_http_ims_header(ngx_http_request_t *r, const char *name,
    ngx_str_t *value);

/* where a walk over the request's header lines is */
typedef struct {
    ngx_list_part_t          *part;           /* NULL: before the first */
    ngx_uint_t                i;
} ngx_http_ims_walk_t;

/* the next header line with a name, any case, or NULL; walk begins zeroed */
ngx_table_elt_t *ngx_http_ims_next_header(ngx_http_request_t *r,
    const char *name, ngx_http_ims_walk_t *walk);

/* the first one, or NULL */
ngx_table_elt_t *ngx_http_ims_request_header(ngx_http_request_t *r,
    const char *name);

/*
 * 1 when a comma-separated list, or a header that is one in any number of
 * lines, has a token, any case.
 */
ngx_uint_t ngx_http_ims_list_has(ngx_str_t *list, const char *token);
ngx_uint_t ngx_http_ims_header_has(ngx_http_request_t *r, const char *name,
    const char *token);

/* 1 with what follows the prefix in the first item that begins with it */
ngx_uint_t ngx_http_ims_header_item(ngx_http_request_t *r, const char *name,
    const char *prefix, ngx_str_t *rest);

/*
 * Where a token is (ngx_http_ims_access.c): the text of the first that is
 * there, or empty.  NGX_OK or NGX_ERROR.
 */
ngx_int_t ngx_http_ims_token(ngx_http_request_t *r,
    ngx_http_ims_loc_conf_t *ilcf, ngx_http_ims_ctx_t *ctx, ngx_str_t *value);

/*
 * Tokens in the query (ngx_http_ims_query.c): enters the arguments that a
 * string of "ims_portal_jwt" names; the phase in which they are hidden; and the
 * value of such a string.  NGX_OK or NGX_ERROR.
 */
ngx_int_t ngx_http_ims_query_names(ngx_conf_t *cf,
    ngx_http_ims_loc_conf_t *ilcf, ngx_str_t *text);
ngx_int_t ngx_http_ims_query_init(ngx_conf_t *cf);
ngx_int_t ngx_http_ims_query_value(ngx_http_request_t *r,
    ngx_http_ims_ctx_t *ctx, ngx_http_complex_value_t *cv, ngx_str_t *value);

/* CORS (ngx_http_ims_cors.c); 1 when a page of that origin may call the API */
char *ngx_http_ims_set_cors(ngx_conf_t *cf, ngx_command_t *cmd, void *conf);
ngx_int_t ngx_http_ims_cors_init(ngx_conf_t *cf);
ngx_uint_t ngx_http_ims_cors_allows(ngx_http_request_t *r,
    ngx_http_ims_loc_conf_t *ilcf, ngx_str_t *origin);

/*
 * Tickets (ngx_http_ims_ticket.c).  Giving one to who asks for it: NGX_OK, with
 * an empty one for others, or NGX_ERROR.  Taking the one of a handshake: NGX_OK
 * with ctx->token.grant, NGX_DONE: it has none; NGX_DECLINED: ctx->token says
 * why, NGX_ERROR.
 */
char *ngx_http_ims_set_ticket(ngx_conf_t *cf, ngx_command_t *cmd, void *conf);
char *ngx_http_ims_ticket_zone(ngx_conf_t *cf,
    ngx_http_ims_main_conf_t *imcf);
ngx_int_t ngx_http_ims_ticket_give(ngx_http_request_t *r,
    ngx_http_ims_loc_conf_t *ilcf, ngx_http_ims_ctx_t *ctx, ngx_str_t *ticket);
ngx_int_t ngx_http_ims_ticket_take(ngx_http_request_t *r,
    ngx_http_ims_loc_conf_t *ilcf, ngx_http_ims_ctx_t *ctx);

/* the content handlers; each in the file of its name */
ngx_int_t ngx_http_ims_upgrade(ngx_http_request_t *r,
    ngx_http_ims_main_conf_t *imcf, ngx_http_ims_loc_conf_t *ilcf,
    ngx_http_ims_ctx_t *ctx);
ngx_int_t ngx_http_ims_api(ngx_http_request_t *r,
    ngx_http_ims_main_conf_t *imcf, ngx_http_ims_loc_conf_t *ilcf,
    ngx_http_ims_ctx_t *ctx);
ngx_int_t ngx_http_ims_revocation(ngx_http_request_t *r,
    ngx_http_ims_main_conf_t *imcf, ngx_http_ims_loc_conf_t *ilcf,
    ngx_http_ims_ctx_t *ctx);
ngx_int_t ngx_http_ims_admin(ngx_http_request_t *r,
    ngx_http_ims_main_conf_t *imcf, ngx_http_ims_loc_conf_t *ilcf,
    ngx_http_ims_ctx_t *ctx);
ngx_int_t ngx_http_ims_status(ngx_http_request_t *r,
    ngx_http_ims_main_conf_t *imcf);


#define NGX_HTTP_IMS_API_METHODS  "GET, HEAD, POST, PUT, DELETE, OPTIONS"

/* gives a lease back (ngx_http_ims_api_release.c).  As a handler. */
ngx_int_t ngx_http_ims_api_release(ngx_http_request_t *r,
    ngx_http_ims_loc_conf_t *ilcf, ngx_http_ims_ctx_t *ctx, uint32_t lease);

/* what a user with a lease is told; as a handler (its own file) */
ngx_int_t ngx_http_ims_api_session(ngx_http_request_t *r,
    ngx_http_ims_loc_conf_t *ilcf, ngx_http_ims_ctx_t *ctx, uint32_t lease,
    ngx_uint_t status);

/*
 * Credentials for TURN servers (ngx_http_ims_turn.c): how many bytes they take
 * at most, and members of "ice_servers", behind what ilcf->ice_servers made.
 * NULL: no memory.
 */
char *ngx_http_ims_set_turn(ngx_conf_t *cf, ngx_command_t *cmd, void *conf);
size_t ngx_http_ims_turn_size(ngx_http_ims_loc_conf_t *ilcf);
u_char *ngx_http_ims_turn_write(ngx_http_request_t *r,
    ngx_http_ims_loc_conf_t *ilcf, ngx_http_ims_ctx_t *ctx, u_char *p,
    u_char *last);


extern ngx_command_t  ngx_http_ims_commands[];     /* ngx_http_ims_commands.c */
extern ngx_module_t  ngx_ims_portal_module;
extern ngx_module_t  ngx_http_ims_portal_module;
extern ngx_module_t  ngx_http_ims_filter_module;


#endif /* _NGX_HTTP_IMS_PORTAL_MODULE_H_INCLUDED_ */
