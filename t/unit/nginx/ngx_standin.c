/*
 * Copyright (C) the IMS portal authors
 *
 * See ngx_core.h beside this file.  Events run in nginx's order: first what is
 * due, then what was posted.
 */


#include "ngx_core.h"


long         standin_blocks;
long         standin_fail_after = -1;

ngx_msec_t   ngx_current_msec = (ngx_msec_t) -20000;    /* wraps in tests */
uint64_t     standin_ms = 1000000000;
ngx_event_t  ngx_posted_events;
ngx_pid_t    ngx_pid;

static ngx_log_t    standin_log;
static ngx_cycle_t  standin_cycle = { &standin_log, NULL };
ngx_cycle_t        *ngx_cycle = &standin_cycle;

static ngx_event_t  *standin_first;
static ngx_event_t  *standin_last;
static ngx_uint_t    standin_ntimers;


static size_t
standin_number(char *out, size_t size, uint64_t n, int hex, int width,
    int zero)
{
    char  fmt[16];

    (void) snprintf(fmt, sizeof(fmt), "%%%s%d%s", zero ? "0" : "", width,
                    hex ? "lx" : "lu");

    if (width == 0) {
        (void) snprintf(fmt, sizeof(fmt), "%%%s", hex ? "lx" : "lu");
    }

    return (size_t) snprintf(out, size, fmt, (unsigned long) n);
}


/* nginx's own format: %s %*s %uD %xD %08xD %ui */

static u_char *
standin_vslprintf(u_char *p, u_char *last, const char *fmt, va_list args)
{
    int       zero, width, hex;
    char      num[32];
    size_t    len, max;
    char     *s;

    max = (size_t) -1;

    for ( /* void */ ; *fmt && p < last; fmt++) {

        if (*fmt != '%') {
            *p++ = *fmt;
            continue;
        }

        zero = 0;
        width = 0;
        hex = 0;

        if (*++fmt == '0') {
            zero = 1;
            fmt++;
        }

        while (*fmt >= '0' && *fmt <= '9') {
            width = width * 10 + (*fmt++ - '0');
        }

        if (*fmt == '*') {
            max = va_arg(args, size_t);
            fmt++;
        }

        if (*fmt == 'x') {
            hex = 1;
            fmt++;

        } else if (*fmt == 'u') {
            fmt++;
        }

        switch (*fmt) {

        case 's':
            s = va_arg(args, char *);
            len = (max == (size_t) -1) ? strlen(s) : max;
            max = (size_t) -1;
            break;

        case 'D':
            len = standin_number(num, sizeof(num), va_arg(args, uint32_t),
                                 hex, width, zero);
            s = num;
            break;

        case 'i':
            len = standin_number(num, sizeof(num), va_arg(args, ngx_uint_t),
                                 hex, width, zero);
            s = num;
            break;

        case 'L':
            len = standin_number(num, sizeof(num),
                                 (uint64_t) va_arg(args, int64_t), hex, width,
                                 zero);
            s = num;
            break;

        default:
            fprintf(stderr, "format \"%s\" is not known here\n", fmt);
            abort();
        }

        len = ngx_min(len, (size_t) (last - p));
        p = ngx_cpymem(p, s, len);
    }

    return p;
}


u_char *
ngx_hex_dump(u_char *dst, u_char *src, size_t len)
{
    static const char  hex[] = "0123456789abcdef";

    while (len--) {
        *dst++ = hex[*src >> 4];
        *dst++ = hex[*src++ & 0xf];
    }

    return dst;
}


u_char *
ngx_sprintf(u_char *buf, const char *fmt, ...)
{
    u_char   *p;
    va_list   args;

    va_start(args, fmt);
    p = standin_vslprintf(buf, (u_char *) UINTPTR_MAX, fmt, args);
    va_end(args);

    return p;
}


u_char *
ngx_snprintf(u_char *buf, size_t max, const char *fmt, ...)
{
    u_char   *p;
    va_list   args;

    va_start(args, fmt);
    p = standin_vslprintf(buf, buf + max, fmt, args);
    va_end(args);

    return p;
}


u_char *
ngx_slprintf(u_char *buf, u_char *last, const char *fmt, ...)
{
    u_char   *p;
    va_list   args;

    va_start(args, fmt);
    p = standin_vslprintf(buf, last, fmt, args);
    va_end(args);

    return p;
}


void *
ngx_alloc(size_t size, ngx_log_t *log)
{
    void  *p;

    (void) log;

    if (standin_fail_after == 0) {
        return NULL;
    }

    if (standin_fail_after > 0) {
        standin_fail_after--;
    }

    p = malloc(size);

    if (p == NULL) {
        abort();
    }

    standin_blocks++;

    return memset(p, 0x5a, size);
}


void *
ngx_calloc(size_t size, ngx_log_t *log)
{
    void  *p;

    p = ngx_alloc(size, log);

    return p ? memset(p, 0, size) : NULL;
}


void
ngx_free(void *p)
{
    standin_blocks--;
    free(p);
}


/* one of no handler */

void *
ngx_palloc(ngx_pool_t *pool, size_t size)
{
    ngx_pool_cleanup_t  *cln;

    cln = ngx_pool_cleanup_add(pool, size);

    return cln ? cln->data : NULL;
}


void *
ngx_pcalloc(ngx_pool_t *pool, size_t size)
{
    void  *p;

    p = ngx_palloc(pool, size);

    if (p != NULL) {
        memset(p, 0, size);
    }

    return p;
}


ngx_pool_cleanup_t *
ngx_pool_cleanup_add(ngx_pool_t *pool, size_t size)
{
    ngx_pool_cleanup_t  *cln;

    cln = ngx_calloc(sizeof(ngx_pool_cleanup_t) + size, NULL);
    if (cln == NULL) {
        return NULL;
    }

    cln->data = cln + 1;
    cln->next = pool->cleanup;
    pool->cleanup = cln;

    return cln;
}


void
ngx_destroy_pool(ngx_pool_t *pool)
{
    ngx_pool_cleanup_t  *cln;

    while (pool->cleanup != NULL) {
        cln = pool->cleanup;
        pool->cleanup = cln->next;

        if (cln->handler) {
            cln->handler(cln->data);
        }

        ngx_free(cln);
    }
}


void
ngx_add_timer(ngx_event_t *ev, ngx_msec_t timer)
{
    ngx_event_t  *e;

    if (ev->timer_set) {
        fprintf(stderr, "timer is set already\n");
        abort();
    }

    ev->key = ngx_current_msec + timer;
    ev->timer_set = 1;
    standin_ntimers++;

    for (e = standin_last; e != NULL; e = e->prev) {
        if ((ngx_msec_int_t) (e->key - ev->key) <= 0) {
            break;
        }
    }

    ev->prev = e;
    ev->next = e ? e->next : standin_first;

    if (ev->prev) {
        ev->prev->next = ev;

    } else {
        standin_first = ev;
    }

    if (ev->next) {
        ev->next->prev = ev;

    } else {
        standin_last = ev;
    }
}


void
ngx_del_timer(ngx_event_t *ev)
{
    if (!ev->timer_set) {
        fprintf(stderr, "timer is not set\n");
        abort();
    }

    if (ev->prev) {
        ev->prev->next = ev->next;

    } else {
        standin_first = ev->next;
    }

    if (ev->next) {
        ev->next->prev = ev->prev;

    } else {
        standin_last = ev->prev;
    }

    ev->timer_set = 0;
    standin_ntimers--;
}


void
ngx_post_event(ngx_event_t *ev, ngx_event_t *queue)
{
    ngx_event_t  *e;

    if (ev->posted) {
        return;
    }

    for (e = queue; e->post_next != NULL; e = e->post_next) {
        /* void */
    }

    e->post_next = ev;
    ev->post_prev = e;
    ev->post_next = NULL;
    ev->posted = 1;
}


void
ngx_delete_posted_event(ngx_event_t *ev)
{
    ev->post_prev->post_next = ev->post_next;

    if (ev->post_next) {
        ev->post_next->post_prev = ev->post_prev;
    }

    ev->posted = 0;
}


static void
standin_process_posted(void)
{
    ngx_event_t  *ev;

    while (ngx_posted_events.post_next != NULL) {
        ev = ngx_posted_events.post_next;
        ngx_delete_posted_event(ev);
        ev->handler(ev);
    }
}


void
standin_run(ngx_msec_t ms)
{
    ngx_msec_t    end;
    ngx_event_t  *ev;

    end = ngx_current_msec + ms;

    for ( ;; ) {
        standin_process_posted();

        ev = standin_first;

        if (ev == NULL || (ngx_msec_int_t) (ev->key - end) > 0) {
            break;
        }

        standin_ms += ev->key - ngx_current_msec;
        ngx_current_msec = ev->key;

        ngx_del_timer(ev);
        ev->timedout = 1;
        ev->handler(ev);
    }

    standin_ms += end - ngx_current_msec;
    ngx_current_msec = end;
}


ngx_uint_t
standin_timers(void)
{
    return standin_ntimers;
}


in_addr_t
ngx_inet_addr(u_char *text, size_t len)
{
    char            buf[INET_ADDRSTRLEN];
    struct in_addr  addr;

    if (len >= sizeof(buf)) {
        return INADDR_NONE;
    }

    memcpy(buf, text, len);
    buf[len] = '\0';

    return (inet_pton(AF_INET, buf, &addr) == 1) ? addr.s_addr : INADDR_NONE;
}


ngx_int_t
ngx_inet6_addr(u_char *p, size_t len, u_char *addr)
{
    char  buf[INET6_ADDRSTRLEN];

    if (len >= sizeof(buf)) {
        return NGX_ERROR;
    }

    memcpy(buf, p, len);
    buf[len] = '\0';

    return (inet_pton(AF_INET6, buf, addr) == 1) ? NGX_OK : NGX_ERROR;
}


void
ngx_inet_set_port(struct sockaddr *sa, in_port_t port)
{
    ngx_sockaddr_t  *a;

    a = (ngx_sockaddr_t *) sa;

    if (sa->sa_family == AF_INET) {
        a->sockaddr_in.sin_port = htons(port);

    } else {
        a->sockaddr_in6.sin6_port = htons(port);
    }
}


size_t
ngx_sock_ntop(struct sockaddr *sa, socklen_t socklen, u_char *text,
    size_t len, ngx_uint_t port)
{
    char             ip[INET6_ADDRSTRLEN];
    int              n, v6;
    ngx_sockaddr_t  *a;

    (void) socklen;
    (void) port;

    a = (ngx_sockaddr_t *) sa;
    v6 = (sa->sa_family == AF_INET6);

    inet_ntop(sa->sa_family, v6 ? (void *) &a->sockaddr_in6.sin6_addr
                                : (void *) &a->sockaddr_in.sin_addr,
              ip, sizeof(ip));

    n = snprintf((char *) text, len, v6 ? "[%s]:%d" : "%s:%d", ip,
                 ntohs(v6 ? a->sockaddr_in6.sin6_port
                          : a->sockaddr_in.sin_port));

    return (size_t) n;
}


ngx_int_t
ngx_cmp_sockaddr(struct sockaddr *sa1, socklen_t slen1, struct sockaddr *sa2,
    socklen_t slen2, ngx_uint_t cmp_port)
{
    ngx_sockaddr_t  *a, *b;

    a = (ngx_sockaddr_t *) sa1;
    b = (ngx_sockaddr_t *) sa2;

    if (slen1 != slen2 || sa1->sa_family != sa2->sa_family) {
        return NGX_DECLINED;
    }

    if (sa1->sa_family == AF_INET) {
        return ((!cmp_port
                 || a->sockaddr_in.sin_port == b->sockaddr_in.sin_port)
                && a->sockaddr_in.sin_addr.s_addr
                   == b->sockaddr_in.sin_addr.s_addr)
               ? NGX_OK : NGX_DECLINED;
    }

    return ((!cmp_port
             || a->sockaddr_in6.sin6_port == b->sockaddr_in6.sin6_port)
            && memcmp(&a->sockaddr_in6.sin6_addr,
                      &b->sockaddr_in6.sin6_addr, 16) == 0)
           ? NGX_OK : NGX_DECLINED;
}


/* n is one less than the length of s2 */

u_char *
ngx_strlcasestrn(u_char *s1, u_char *last, u_char *s2, size_t n)
{
    for ( /* void */ ; s1 + n < last; s1++) {
        if (strncasecmp((char *) s1, (char *) s2, n + 1) == 0) {
            return s1;
        }
    }

    return NULL;
}


ngx_int_t
ngx_hextoi(u_char *line, size_t n)
{
    ngx_int_t  value;

    for (value = 0; n > 0; n--, line++) {

        if (*line >= '0' && *line <= '9') {
            value = value * 16 + *line - '0';

        } else if ((*line | 0x20) >= 'a' && (*line | 0x20) <= 'f') {
            value = value * 16 + (*line | 0x20) - 'a' + 10;

        } else {
            return NGX_ERROR;
        }
    }

    return value;
}


void
standin_crc32(uint32_t *crc, u_char *p, size_t len)
{
    int       i;
    uint32_t  c;

    for (c = *crc; len > 0; len--) {

        for (c ^= *p++, i = 0; i < 8; i++) {
            c = (c >> 1) ^ ((c & 1) ? 0xedb88320 : 0);
        }
    }

    *crc = c;
}


ngx_time_t *
ngx_timeofday(void)
{
    static ngx_time_t  t;

    t.sec = (time_t) (standin_ms / 1000);
    t.msec = (ngx_uint_t) (standin_ms % 1000);

    return &t;
}
