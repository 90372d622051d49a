/*
 * Copyright (C) the IMS portal authors
 *
 * As much of nginx as the files under test use, with a clock that only the
 * test moves and an allocator that counts and can be made to fail.  So they
 * link without nginx.
 */


#ifndef _NGX_CORE_STANDIN_H_INCLUDED_
#define _NGX_CORE_STANDIN_H_INCLUDED_


/* spans are strings, as beside nginx; who compiles with it says so */

#ifdef STANDIN_STRINGS
#define _NGX_CORE_H_INCLUDED_
#endif

#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <arpa/inet.h>
#include <netinet/in.h>
#include <stddef.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>


typedef intptr_t         ngx_int_t;
typedef uintptr_t        ngx_uint_t;
typedef unsigned char    u_char;
typedef ngx_uint_t       ngx_msec_t;
typedef ngx_int_t        ngx_msec_int_t;

#define NGX_OK           0
#define NGX_ERROR       -1
#define NGX_AGAIN       -2
#define NGX_BUSY        -3
#define NGX_DONE        -4
#define NGX_DECLINED    -5
#define NGX_ABORT       -6

#define CRLF             "\r\n"

#define ngx_inline       inline
#define ngx_min(a, b)    ((a) > (b) ? (b) : (a))
#define ngx_max(a, b)    ((a) < (b) ? (b) : (a))


typedef struct {
    size_t               len;
    u_char              *data;
} ngx_str_t;

#define ngx_string(s)    { sizeof(s) - 1, (u_char *) s }
#define ngx_str_set(str, text)                                              \
    (str)->len = sizeof(text) - 1; (str)->data = (u_char *) text
#define ngx_str_null(s)  (s)->len = 0; (s)->data = NULL

#define ngx_memzero(p, n)       (void) memset(p, 0, n)
#define ngx_memcpy(d, s, n)     (void) memcpy(d, s, n)
#define ngx_cpymem(d, s, n)     ((u_char *) memcpy(d, s, n) + (n))
#define ngx_memcmp(a, b, n)     memcmp(a, b, n)
#define ngx_strncmp(a, b, n)    strncmp((char *) (a), (char *) (b), n)
#define ngx_strncasecmp(a, b, n)  strncasecmp((char *) (a), (char *) (b), n)

#define ngx_memset(p, c, n)     (void) memset(p, c, n)
#define ngx_strlchr(p, last, c)  ((u_char *) memchr(p, c, (last) - (p)))
#define ngx_strchr(s, c)        strchr((const char *) (s), (int) (c))
#define ngx_strnlen(p, n)       strnlen((char *) (p), n)
#define ngx_strlen(s)           strlen((const char *) (s))
#define ngx_align(d, a)         (((d) + (a - 1)) & ~(a - 1))

u_char *ngx_strlcasestrn(u_char *s1, u_char *last, u_char *s2, size_t n);
ngx_int_t ngx_hextoi(u_char *line, size_t n);
u_char *ngx_sprintf(u_char *buf, const char *fmt, ...);
u_char *ngx_hex_dump(u_char *dst, u_char *src, size_t len);
u_char *ngx_snprintf(u_char *buf, size_t max, const char *fmt, ...);
u_char *ngx_slprintf(u_char *buf, u_char *last, const char *fmt, ...);


typedef struct {
    ngx_uint_t           alerts;
} ngx_log_t;

#define NGX_LOG_EMERG    1
#define NGX_LOG_ALERT    2
#define NGX_LOG_CRIT     3
#define NGX_LOG_ERR      4
#define NGX_LOG_WARN     5
#define NGX_LOG_NOTICE   6
#define NGX_LOG_INFO     7
#define NGX_LOG_DEBUG_CORE  0

#define ngx_log_error(level, log, ...)                                        \
    do { if (level <= NGX_LOG_ALERT) { (log)->alerts++; } } while (0)
#define ngx_log_debug2(level, log, err, fmt, a, b)                            \
    do { (void) (log); (void) (a); (void) (b); } while (0)


/* memory: live blocks; after how many more the next one fails (-1: never) */

extern long  standin_blocks;
extern long  standin_fail_after;

void *ngx_alloc(size_t size, ngx_log_t *log);
void *ngx_calloc(size_t size, ngx_log_t *log);
void ngx_free(void *p);


typedef struct ngx_pool_cleanup_s  ngx_pool_cleanup_t;

struct ngx_pool_cleanup_s {
    void               (*handler)(void *data);
    void                *data;
    ngx_pool_cleanup_t  *next;
};

typedef struct {
    ngx_pool_cleanup_t  *cleanup;
} ngx_pool_t;

void *ngx_palloc(ngx_pool_t *pool, size_t size);
void *ngx_pcalloc(ngx_pool_t *pool, size_t size);

ngx_pool_cleanup_t *ngx_pool_cleanup_add(ngx_pool_t *pool, size_t size);
void ngx_destroy_pool(ngx_pool_t *pool);


typedef union {
    struct sockaddr      sockaddr;
    struct sockaddr_in   sockaddr_in;
    struct sockaddr_in6  sockaddr_in6;
    struct sockaddr_un   sockaddr_un;
} ngx_sockaddr_t;


typedef struct {
    struct sockaddr     *sockaddr;
    socklen_t            socklen;
    ngx_str_t            name;
} ngx_addr_t;

typedef struct {
    void                *elts;
    ngx_uint_t           nelts;
} ngx_array_t;

typedef struct {
    ngx_log_t           *log;
    ngx_pool_t          *pool;
} ngx_cycle_t;

extern ngx_cycle_t  *ngx_cycle;

/* never looked into by what is tested here */
typedef struct ngx_conf_s       ngx_conf_t;
typedef struct ngx_listening_s  ngx_listening_t;
typedef struct ngx_shm_zone_s   ngx_shm_zone_t;
typedef struct ngx_connection_s  ngx_connection_t;
typedef struct ngx_queue_s      ngx_queue_t;

struct ngx_queue_s {
    ngx_queue_t         *prev;
    ngx_queue_t         *next;
};

#define ngx_queue_init(q)      (q)->prev = (q)->next = (q)
#define ngx_queue_empty(h)     ((h) == (h)->prev)
#define ngx_queue_head(h)      (h)->next
#define ngx_queue_next(q)      (q)->next
#define ngx_queue_sentinel(h)  (h)
#define ngx_queue_data(q, type, link)                                         \
    (type *) (void *) ((u_char *) (q) - offsetof(type, link))

static ngx_inline void
ngx_queue_remove(ngx_queue_t *q)
{
    q->next->prev = q->prev;
    q->prev->next = q->next;
}

static ngx_inline void
ngx_queue_insert_tail(ngx_queue_t *h, ngx_queue_t *q)
{
    q->prev = h->prev;
    q->next = h;
    h->prev->next = q;
    h->prev = q;
}

static ngx_inline void
ngx_queue_add(ngx_queue_t *h, ngx_queue_t *n)
{
    h->prev->next = n->next;
    n->next->prev = h->prev;
    h->prev = n->prev;
    h->prev->next = h;
}

typedef struct ngx_resolver_s   ngx_resolver_t;
typedef struct ngx_resolver_ctx_s  ngx_resolver_ctx_t;
typedef void                    ngx_slab_pool_t;
typedef int                     ngx_socket_t;
typedef int                     ngx_fd_t;
typedef ino_t                   ngx_file_uniq_t;

typedef unsigned long           ngx_atomic_uint_t;
typedef long                    ngx_atomic_int_t;
typedef volatile ngx_atomic_uint_t  ngx_atomic_t;

#define ngx_memory_barrier()           __sync_synchronize()

#define ngx_atomic_fetch_add(p, n)     __sync_fetch_and_add(p, n)
#define ngx_atomic_cmp_set(p, old, new)                                       \
    __sync_bool_compare_and_swap(p, old, new)

#define ngx_memory_barrier()           __sync_synchronize()
#define ngx_cpu_pause()                (void) 0
#define ngx_sched_yield()              (void) sched_yield()

typedef int                     ngx_pid_t;
typedef intptr_t                ngx_flag_t;

extern ngx_pid_t  ngx_pid;

#define ngx_errno                      errno

/* bit by bit: what nginx computes by tables */
void standin_crc32(uint32_t *crc, u_char *p, size_t len);

#define ngx_crc32_init(crc)            crc = 0xffffffff
#define ngx_crc32_update(crc, p, len)  standin_crc32(crc, p, len)
#define ngx_crc32_final(crc)           crc ^= 0xffffffff

static ngx_inline uint32_t
ngx_crc32_short(u_char *p, size_t len)
{
    uint32_t  crc;

    ngx_crc32_init(crc);
    ngx_crc32_update(&crc, p, len);
    ngx_crc32_final(crc);

    return crc;
}


#define NGX_HAVE_INET6  1

uint32_t ngx_murmur_hash2(u_char *data, size_t len);

in_addr_t ngx_inet_addr(u_char *text, size_t len);
ngx_int_t ngx_inet6_addr(u_char *p, size_t len, u_char *addr);
#define NGX_SOCKADDR_STRLEN  (INET6_ADDRSTRLEN + 8)
size_t ngx_sock_ntop(struct sockaddr *sa, socklen_t socklen, u_char *text,
    size_t len, ngx_uint_t port);
void ngx_inet_set_port(struct sockaddr *sa, in_port_t port);
ngx_int_t ngx_cmp_sockaddr(struct sockaddr *sa1, socklen_t slen1,
    struct sockaddr *sa2, socklen_t slen2, ngx_uint_t cmp_port);

/* s, from the clock below */
#define ngx_time()  ((time_t) (standin_ms / 1000))

typedef struct {
    time_t               sec;
    ngx_uint_t           msec;
} ngx_time_t;

ngx_time_t *ngx_timeofday(void);


typedef struct ngx_event_s  ngx_event_t;
typedef void (*ngx_event_handler_pt)(ngx_event_t *ev);

struct ngx_event_s {
    void                *data;
    ngx_event_handler_pt handler;
    ngx_log_t           *log;
    ngx_msec_t           key;
    ngx_event_t         *prev, *next;         /* by time */
    ngx_event_t         *post_prev, *post_next;
    unsigned             timer_set:1;
    unsigned             timedout:1;
    unsigned             posted:1;
    unsigned             cancelable:1;
};

extern ngx_msec_t   ngx_current_msec;
extern uint64_t     standin_ms;               /* the same, never wraps */
extern ngx_event_t  ngx_posted_events;        /* head of the list */

void ngx_add_timer(ngx_event_t *ev, ngx_msec_t timer);
void ngx_del_timer(ngx_event_t *ev);
void ngx_post_event(ngx_event_t *ev, ngx_event_t *queue);
void ngx_delete_posted_event(ngx_event_t *ev);

/* runs what is posted, then lets ms pass with all timers on the way */
void standin_run(ngx_msec_t ms);

/* timers that are set */
ngx_uint_t standin_timers(void);


#endif /* _NGX_CORE_STANDIN_H_INCLUDED_ */
