/*
 * Copyright (C) the IMS portal authors
 *
 * The table of the limits: keys of addresses, rates, counts of sockets, and
 * that none of these is wrong for long when a worker dies, wherever it was.
 */


#include "tap.h"

#include <signal.h>
#include <sys/wait.h>

#include "ngx_ims_limit_int.h"


#define SIZE   65536
#define KILLS  200


static ngx_ims_limit_t   table;
static ngx_ims_limits_t  limits;
static ngx_ims_owner_t   self = { 1, 1000 };
static ngx_uint_t        full;                /* ngx_ims_limit_full() */
static uint32_t          dead;                /* pid */


/* what belongs to ngx_ims_limit_zone.c, for one process at a time */

void
ngx_ims_limit_lock(ngx_ims_limit_t *limit)
{
    if (limit->sh->dirty) {
        ngx_ims_limit_recount(limit);
    }

    limit->sh->dirty = 1;
}


void
ngx_ims_limit_unlock(ngx_ims_limit_t *limit)
{
    limit->sh->dirty = 0;
}


void
ngx_ims_limit_full(ngx_ims_limit_t *limit)
{
    full++;
}


uint32_t
ngx_murmur_hash2(u_char *data, size_t len)
{
    uint32_t  h;

    for (h = 2166136261u; len; len--) {
        h = (h ^ *data++) * 16777619;
    }

    return h;
}


static void
fresh(size_t size)
{
    static void    *memory;
    static size_t   before;

    if (memory != NULL) {
        munmap(memory, before);
    }

    memory = mmap(NULL, size, PROT_READ|PROT_WRITE, MAP_SHARED|MAP_ANONYMOUS,
                  -1, 0);
    before = size;

    memset(&limits, 0, sizeof(limits));
    table.sh = memory;
    ngx_ims_limit_layout(&table, size);

    full = 0;
    dead = 0;
}


static ngx_ims_limit_key_t *
key(ngx_uint_t kind, uint32_t n)
{
    static ngx_ims_limit_key_t  keys[4];

    ngx_ims_limit_key_t  *k;

    k = &keys[kind];
    memset(k, 0, sizeof(*k));
    k->kind = kind;
    memcpy(k->data, &n, sizeof(n));

    return k;
}


static ngx_ims_limit_socket_t  sock;


/* a socket of a user (0: not verified) at an address; NGX_OK or NGX_BUSY */

static ngx_int_t
open_one(uint32_t address, uint32_t user, ngx_ims_owner_t *owner)
{
    memset(&sock, 0, sizeof(sock));
    sock.owner = owner;
    sock.limits = &limits;
    sock.address = key(NGX_IMS_LIMIT_ADDRESS, address);
    sock.user = user ? key(NGX_IMS_LIMIT_USER, user) : NULL;
    sock.pool = 7;

    return ngx_ims_limit_open(&table, &sock);
}


static ngx_uint_t
sockets(ngx_uint_t kind, uint32_t n)
{
    ngx_ims_limit_entry_t  *e;

    ngx_ims_limit_lock(&table);
    e = ngx_ims_limit_find(&table, key(kind, n), 0);
    ngx_ims_limit_unlock(&table);

    return e ? e->sockets : 0;
}


static ngx_uint_t
of_pool(uint32_t pool)
{
    ngx_ims_limit_key_t    *k;
    ngx_ims_limit_entry_t  *e;

    k = key(NGX_IMS_LIMIT_POOL, 0);
    k->pool = pool;

    ngx_ims_limit_lock(&table);
    e = ngx_ims_limit_find(&table, k, 0);
    ngx_ims_limit_unlock(&table);

    return e ? e->sockets : 0;
}


static ngx_uint_t
alive(void *data, ngx_ims_owner_t *owner)
{
    return owner->pid != dead;
}


static ngx_int_t
address(const char *text, int family, ngx_ims_limit_key_t *k)
{
    ngx_sockaddr_t  sa;

    memset(&sa, 0, sizeof(sa));
    sa.sockaddr.sa_family = family;

    if (family == AF_INET) {
        inet_pton(family, text, &sa.sockaddr_in.sin_addr);

    } else if (family == AF_INET6) {
        inet_pton(family, text, &sa.sockaddr_in6.sin6_addr);
    }

    return ngx_ims_limit_address(&sa.sockaddr, k);
}


static void
test_address(void)
{
    ngx_ims_limit_key_t  a, b;

    is_int(address("192.0.2.1", AF_INET, &a), NGX_OK, "IPv4");
    (void) address("192.0.2.2", AF_INET, &b);
    ok(memcmp(&a, &b, sizeof(a)) != 0, "counts whole");
    (void) address("::ffff:192.0.2.1", AF_INET6, &b);
    ok(memcmp(&a, &b, sizeof(a)) == 0, "and is the same inside of IPv6");

    is_int(address("2001:db8:0:1::1", AF_INET6, &a), NGX_OK, "IPv6");
    (void) address("2001:db8:0:1:ffff::9", AF_INET6, &b);
    ok(memcmp(&a, &b, sizeof(a)) == 0, "counts by its /64");
    (void) address("2001:db8:0:2::1", AF_INET6, &b);
    ok(memcmp(&a, &b, sizeof(a)) != 0, "another /64");

    (void) address("::", AF_INET6, &a);
    (void) address("0.0.0.0", AF_INET, &b);
    ok(memcmp(&a, &b, sizeof(a)) != 0, "IPv6 and IPv4 are apart");
    is_int(address("", AF_UNIX, &a), NGX_DECLINED, "a Unix socket has none");
}


static ngx_uint_t
take(ngx_atomic_t *word, ngx_ims_rate_t *rate, ngx_uint_t n)
{
    ngx_uint_t  taken;

    for (taken = 0; n; n--) {
        taken += (ngx_ims_limit_take(word, rate) == 0);
    }

    return taken;
}


static void
test_rate(void)
{
    ngx_uint_t      i, n;
    ngx_atomic_t    word;
    ngx_ims_rate_t  rate, slow;

    rate.interval = 10000;
    rate.burst = 20;
    word = 0;

    is_int(take(&word, &rate, 100), 21, "one and the burst");
    is_int(ngx_ims_limit_take(&word, &rate), 10, "then a wait of 10 ms");
    standin_run(9);
    is_int(ngx_ims_limit_take(&word, &rate), 1, "9 ms later");
    standin_run(1);
    is_int(take(&word, &rate, 100), 1, "10 ms later there is one");

    for (i = 0, n = 0; i < 1000; i++) {
        standin_run(1);
        n += take(&word, &rate, 3);
    }

    is_int(n, 100, "100 in a second, however many are asked for");

    standin_run(1000);
    is_int(take(&word, &rate, 100), 21, "rested: the burst again");

    /* another worker, which woke a moment before */

    ngx_current_msec -= 5;
    is_int(ngx_ims_limit_take(&word, &rate), 15, "none for a clock behind");
    ngx_current_msec += 5;

    rate.burst = 300;
    (void) take(&word, &rate, 1000);
    slow.interval = 10000;
    slow.burst = 2;
    is_int(take(&word, &slow, 10), 3, "what another rate left does not count");
    rate.burst = 20;

    rate.interval = 0;
    is_int(take(&word, &rate, 1000), 1000, "off");

    rate.interval = 10000;
    word = (ngx_atomic_t) ngx_current_msec * 1000 - 5000000000ul;
    is_int(take(&word, &rate, 100), 21, "long ago");
    word = (ngx_atomic_t) ngx_current_msec * 1000 + 5000000000ul;
    is_int(take(&word, &rate, 100), 21, "of a clock that has begun anew");
}


static void
test_sockets(void)
{
    uint32_t    first, row[500];
    ngx_uint_t  i, n;

    fresh(SIZE * 16);

    /* an office behind one address */

    limits.sockets = 500;
    limits.user_sockets = 2;

    for (i = 0, n = 0; i < 500; i++) {
        n += (open_one(1, 100 + i, &self) == NGX_OK);
        row[i] = sock.row;
    }

    is_int(n, 500, "500 users of one address");
    is_int(open_one(1, 99, &self), NGX_BUSY, "one more");
    is_int(sock.what, NGX_IMS_LIMITED_ADDRESS_SOCKETS, "of the address");
    is_int(table.sh->counters[sock.what], 1, "counted");
    is_int(sock.say, 1, "said");
    (void) open_one(1, 99, &self);
    is_int(sock.say, 0, "once");
    is_int(open_one(2, 99, &self), NGX_OK, "from another address");
    is_int(of_pool(7), 501, "all of the pool");

    ngx_ims_limit_close(&table, row[0], &self);
    is_int(open_one(1, 99, &self), NGX_OK, "one went: room");
    is_int(open_one(3, 99, &self), NGX_BUSY, "a third one of a user");
    is_int(sock.what, NGX_IMS_LIMITED_USER_SOCKETS, "because of the user");

    /* without a token, and with one later */

    limits.sockets = 0;
    limits.unverified = 2;
    is_int(open_one(4, 0, &self), NGX_OK, "not verified");
    first = sock.row;
    is_int(open_one(4, 0, &self), NGX_OK, "another");
    is_int(open_one(4, 0, &self), NGX_BUSY, "a third");
    is_int(sock.what, NGX_IMS_LIMITED_ADDRESS_UNVERIFIED, "is too many");
    is_int(ngx_ims_limit_verified(&table, first, key(NGX_IMS_LIMIT_USER, 99),
                                  2), NGX_BUSY, "a user who has enough");
    is_int(ngx_ims_limit_verified(&table, first, key(NGX_IMS_LIMIT_USER, 98),
                                  2), NGX_OK, "one who has not");
    is_int(open_one(4, 0, &self), NGX_OK, "room for another");
    ngx_ims_limit_close(&table, first, &self);
    is_int(sockets(NGX_IMS_LIMIT_USER, 98), 0, "the user has none any more");
    is_int(open_one(4, 0, &self), NGX_BUSY, "still two that are not");

    sock.pool_sockets = 3;
    sock.pool = 8;
    limits.unverified = 0;

    for (i = 0, n = 0; i < 10; i++) {
        n += (ngx_ims_limit_open(&table, &sock) == NGX_OK);
    }

    is_int(n, 3, "sockets of a pool");
    is_int(sock.what, NGX_IMS_LIMITED_POOL_SOCKETS, "counted as that");
}


static void
test_room(void)
{
    uint32_t    i, n;

    /* few buckets: who has sockets stays, who has none gives way */

    fresh(SIZE);

    n = table.sh->nrows;

    for (i = 0; i < n; i++) {
        if (open_one(1, i + 1, &self) != NGX_OK || sock.row != i) {
            break;
        }
    }

    is_int(i, n, "each row is used");
    is_int(open_one(1, 1, &self), NGX_OK, "one more is let in");
    is_int(sock.row, NGX_IMS_LIMIT_NONE, "not counted");
    is_int(full, 1, "said");
    ngx_ims_limit_close(&table, sock.row, &self);
    is_int(ngx_ims_limit_user(&table, sock.row, NGX_IMS_RATE_MESSAGES,
                              &limits.frames), 0, "has no rate");

    for (i = 0; i < n; i++) {
        ngx_ims_limit_close(&table, i, &self);
    }

    is_int(of_pool(7), 0, "all gone");
    is_int(sockets(NGX_IMS_LIMIT_ADDRESS, 1), 0, "of the address, too");

    for (i = 0; i < n; i++) {
        standin_run(1000);
        (void) open_one(5000 + i, 5000 + i, &self);
        ngx_ims_limit_close(&table, sock.row, &self);
    }

    is_int(open_one(6000, 6000, &self), NGX_OK, "idle entries give way");
    is_int(sockets(NGX_IMS_LIMIT_USER, 6000), 1, "and it is counted");
}


/* 1 when each entry counts just the rows that there are */

static ngx_uint_t
consistent(void)
{
    uint32_t                i, k, n, u;
    ngx_ims_limit_row_t    *r;
    ngx_ims_limit_entry_t  *e;

    for (i = 0; i < table.sh->nbuckets * NGX_IMS_LIMIT_WAYS; i++) {
        e = &table.entries[i];

        if (e->key.kind == NGX_IMS_LIMIT_FREE) {
            continue;
        }

        for (k = 0, n = 0, u = 0; k < table.sh->used; k++) {
            r = &table.rows[k];

            if (r->owner.pid) {
                n += (r->address == i) + (r->user == i) + (r->pool == i);
                u += (r->address == i && r->user == NGX_IMS_LIMIT_NONE);
            }
        }

        if (e->sockets != n || e->unverified != u) {
            diag("kind %u: %u of %u, %u of %u", e->key.kind, e->sockets, n,
                 e->unverified, u);
            return 0;
        }
    }

    return 1;
}


static void
storm(ngx_ims_owner_t *owner)
{
    uint32_t  row[16], i;

    for (i = 0; i < 16; i++) {
        row[i] = NGX_IMS_LIMIT_NONE;
    }

    for ( ;; ) {
        i = rand() % 16;
        ngx_ims_limit_close(&table, row[i], owner);
        (void) open_one(rand() % 4, rand() % 5, owner);
        row[i] = sock.row;
        (void) ngx_ims_limit_verified(&table, row[i],
                                      key(NGX_IMS_LIMIT_USER, 9), 0);
    }
}


static void
test_killed(void)
{
    pid_t            pid;
    uint32_t         i, bad, inside, left;
    ngx_ims_owner_t  owner;

    fresh(SIZE);
    srand(4711);

    (void) open_one(1, 1, &self);
    bad = 0;
    inside = 0;
    left = 0;

    /* a busy machine kills some before they have begun: then some more */

    for (i = 0; i < KILLS || (i < 20 * KILLS && left <= KILLS / 2); i++) {
        owner.instance = 1;
        owner.pid = 2000 + i;

        pid = fork();

        if (pid == 0) {
            srand(i);
            storm(&owner);
        }

        usleep(500 + rand() % 1000);
        kill(pid, SIGKILL);
        waitpid(pid, NULL, 0);

        inside += (table.sh->dirty != 0);

        ngx_ims_limit_lock(&table);
        ngx_ims_limit_unlock(&table);
        bad += !consistent();

        dead = owner.pid;
        left += (ngx_ims_limit_heal(&table, alive, NULL) > 0);
        bad += !consistent();
    }

    is_int(bad, 0, "counts are right after each kill");
    ok(inside > 0, "%u were inside the lock", inside);
    ok(left > KILLS / 2, "%u left sockets behind", left);
    is_int(of_pool(7), 1, "those of others stay");
    is_int(sockets(NGX_IMS_LIMIT_ADDRESS, 1), 1, "also of its address");
    is_int(sockets(NGX_IMS_LIMIT_USER, 1), 1, "and of its user");
    ok(table.sh->used < 20, "rows are used again, %u", table.sh->used);
}


static void
test_names(void)
{
    ngx_uint_t  i, n;

    for (i = 0, n = 0; i < NGX_IMS_LIMITED_N; i++) {
        n += (ngx_ims_limit_name(i) != NULL
              && ngx_ims_limit_words(i) != NULL);
    }

    is_int(n, NGX_IMS_LIMITED_N, "each counter has a name and words");
}


/* one place for three entries: they do not take it from each other */

static void
test_crowded(void)
{
    uint32_t  last, i;

    fresh(SIZE);
    table.sh->nbuckets = 1;
    limits.user_sockets = 2;

    for (i = 1; i < NGX_IMS_LIMIT_WAYS; i++) {
        (void) open_one(i, 0, &self);
    }

    last = sock.row;
    ngx_ims_limit_close(&table, last, &self);

    is_int(open_one(50, 100, &self), NGX_OK, "the last place of a bucket");
    is_int(sockets(NGX_IMS_LIMIT_ADDRESS, 50), 1, "the address has it");
    is_int(sockets(NGX_IMS_LIMIT_USER, 100), 0, "the user is not counted");
    ngx_ims_limit_close(&table, sock.row, &self);
    is_int(sockets(NGX_IMS_LIMIT_ADDRESS, 50), 0, "and it is given back");
}


int
main(void)
{
    standin_run(1000000);

    test_address();
    test_rate();
    test_sockets();
    test_room();
    test_crowded();
    test_killed();
    test_names();

    return done_testing();
}
