/*
 * Copyright (C) the IMS portal authors
 *
 * Processes that use a zone are killed at any moment, also with its lock: what
 * the next one finds is sound, complete, and nothing leaks.  Two at a time, so
 * that one that goes on has to put the zone in order, too.
 *
 *   TEST_IMS_KILLS=5000  how often, 500 by default
 *   TEST_IMS_SEED=7      which random numbers
 */


#include "ngx_ims_pool_int.h"
#include "ngx_ims_binding_int.h"
#include "ngx_ims_dialog_int.h"

#include "tap.h"
#include "zone_check.h"
#include "zone_shared.h"

#include <sys/wait.h>


enum {
    USERS = 40,                          /* more than there are identities */
    IDENTITIES = 24,
    FEWER = 20,                          /* after some reloads */
    INSTANCES = 3,
    HELD = 16                            /* references that a child keeps */
};


/* beside the zone, of all processes */
typedef struct {
    volatile int              stop;
    volatile uint64_t         ms;
} shared_t;


typedef struct {
    uint32_t                  lease;
    ngx_ims_ref_t             ref;
    ngx_ims_ref_t             dialogs[4];
    ngx_uint_t                ndialogs;
} held_t;


static shared_t         *shared;
static ngx_ims_pool_t    pool;
static ngx_ims_block_t   blocks[2];
static ngx_ims_block_t  *block = &blocks[0];
static ngx_log_t         log_;
static ngx_pool_t        mem;
static unsigned          seed = 1;
static u_char            record[NGX_IMS_DIALOG_BUFFER];

/* what nobody but the parent touches */
static ngx_ims_ref_t     still;
static uint32_t          still_lease;


static unsigned
rnd(unsigned n)
{
    seed = seed * 1103515245 + 12345;

    return (seed >> 16) % n;
}


/* a text of one letter, so that one torn is seen */

static void
letters(ngx_str_t *s, u_char *buf)
{
    s->len = rnd(4) ? rnd(200) : rnd(1500);
    s->data = memset(buf, 'a' + rnd(26), s->len);
}


static void
user_of(unsigned n, u_char *out)
{
    ngx_ims_str_t  iss = ngx_ims_str("https://login.example"), sub;
    u_char         text[16];

    sub.data = text;
    sub.len = (size_t) snprintf((char *) text, sizeof(text), "u%u", n);

    ngx_ims_pool_user(&iss, &sub, out);
}


/* by another generation of the configuration now and then */

static void
map(ngx_uint_t total)
{
    ngx_destroy_pool(&mem);

    block->count = total;
    blocks[1].before = total;
    pool.total = total;

    if (ngx_ims_pool_map(&pool, &mem, &log_) != NGX_OK) {
        _exit(3);
    }

    if (ngx_ims_pool_retire(&pool, &mem) != NGX_OK) {
        _exit(3);
    }
}


static void
make_dialog(ngx_ims_ref_t *binding, ngx_ims_dialog_t *d, const char *id)
{
    static u_char  a[1500], b[1500], c[1500];
    static u_char  web[64], far[64];

    memset(d, 0, sizeof(ngx_ims_dialog_t));

    d->binding = *binding;
    d->state = rnd(2) ? NGX_IMS_DIALOG_EARLY : NGX_IMS_DIALOG_CONFIRMED;
    d->originated = rnd(2);
    d->helper = -1;
    d->events = rnd(8) == 0;
    d->call_id.data = (u_char *) id;
    d->call_id.len = strlen(id);

    d->web_id.data = web;
    d->web_id.len = (size_t) sprintf((char *) web, "<sip:m@x>;tag=w");
    d->far_id.data = far;
    d->far_id.len = (size_t) sprintf((char *) far, "<sip:b@x>;tag=f%u",
                                     rnd(100));
    d->core_id = d->web_id;

    letters(&d->routes, a);
    letters(&d->web_target, b);
    letters(&d->far_target, c);
}


static void
calls(held_t *h)
{
    char              id[32];
    u_char            buf[1500];
    ngx_str_t         text;
    ngx_ims_dialog_t  d;
    ngx_ims_event_t   event = { 7, 0 };

    if (h->ndialogs < 4 && rnd(2)) {
        (void) snprintf(id, sizeof(id), "call-%u-%u", (unsigned) ngx_pid,
                        rnd(1000));
        make_dialog(&h->ref, &d, id);

        if (ngx_ims_dialog_create(&pool, &d) == NGX_OK) {
            h->dialogs[h->ndialogs++] = d.ref;
        }

        if (rnd(8) == 0) {
            (void) ngx_ims_dialog_subscribed(&pool, &d, &event,
                                             ngx_time() + rnd(3));
        }

        return;
    }

    if (h->ndialogs == 0) {
        return;
    }

    memset(&d, 0, sizeof(ngx_ims_dialog_t));
    d.ref = h->dialogs[h->ndialogs - 1];
    letters(&text, buf);

    switch (rnd(6)) {

    case 0:
        d.routes = text;
        d.web_target = text;
        (void) ngx_ims_dialog_confirm(&pool, &d);
        break;

    case 1:
        ngx_ims_dialog_target(&pool, &d, rnd(2), &text);
        break;

    case 2:
        if (ngx_ims_dialog_load(&pool, &d.ref, &d, record) == NGX_OK) {
            ngx_ims_dialog_forget_early(&pool, &h->ref, &d.call_id,
                                        d.originated);
        }
        break;

    case 3:
        (void) ngx_ims_dialog_expire(&pool, &h->ref, ngx_time());
        break;

    default:
        (void) ngx_ims_dialog_free(&pool, &d);
        h->ndialogs--;
    }
}


static void
end_dialogs(ngx_ims_ref_t *ref)
{
    ngx_ims_dialog_t  d;

    while (ngx_ims_dialog_first(&pool, ref, &d, record) == NGX_OK) {
        (void) ngx_ims_dialog_free(&pool, &d);
    }
}


/* what a user wants; the texts are as long as they may be */

static void
wish(ngx_ims_want_t *want, u_char *user)
{
    static u_char  text[255];

    memset(text, 'a' + user[0] % 26, sizeof(text));
    memset(want, 0, sizeof(ngx_ims_want_t));

    want->user = user;
    want->subject.data = text;
    want->subject.len = sizeof(text);
}


/* for a certain one, which another user may ask for, too; or as a guest */

static void
ask(ngx_ims_want_t *want)
{
    static u_char  text[64];

    switch (rnd(4)) {

    case 0:
        want->identity.data = text;
        want->identity.len = (size_t) sprintf((char *) text,
                                              "sip:w%u@staff.example",
                                              rnd(12));
        break;

    case 1:
        want->identity.data = text;
        want->identity.len = (size_t) sprintf((char *) text,
                                              "sip:u0%02u@acme.example",
                                              rnd(30));
        break;

    case 2:
        want->guest = (rnd(4) == 0);
        break;
    }
}


/* a user comes, or comes back */

static void
come(held_t *h, ngx_ims_owner_t *self)
{
    u_char           user[NGX_IMS_DIGEST_LEN], instance[NGX_IMS_DIGEST_LEN];
    ngx_uint_t       fresh;
    ngx_ims_want_t   want;
    ngx_ims_owner_t  before;

    user_of(rnd(USERS), user);
    wish(&want, user);
    ask(&want);
    memset(instance, 1 + (int) rnd(INSTANCES), sizeof(instance));
    h->ndialogs = 0;
    h->ref.seq = 0;

    if (ngx_ims_pool_lease(&pool, &want, &h->lease, &fresh, &log_) != NGX_OK
        || ngx_ims_binding_get(&pool, h->lease, instance, INSTANCES, 0,
                               self, &h->ref, &before)
           != NGX_OK)
    {
        h->ref.seq = 0;
    }
}


static void
step(held_t *h, ngx_ims_owner_t *self)
{
    u_char     a[1500], b[1500], c[1500];
    uint32_t   lease;
    ngx_str_t  one, two, three;

    letters(&one, a);
    letters(&two, b);
    letters(&three, c);

    switch (h->ref.seq ? rnd(13) : 0) {

    case 12:
        (void) ngx_ims_pool_release(&pool, h->lease, 0, rnd(2));
        break;

    case 0:
        come(h, self);
        break;

    case 1:
        (void) ngx_ims_binding_contact(&pool, &h->ref, &one);
        break;

    case 2:
        (void) ngx_ims_binding_registered(&pool, &h->ref, ngx_time() + 600,
                                          &one, &two, &three);
        break;

    case 3:
        (void) ngx_ims_binding_features(&pool, &h->ref, &one);
        break;

    case 4:
        ngx_ims_binding_idle(&pool, &h->ref);
        break;

    case 5:
        (void) ngx_ims_binding_lose(&pool, &h->ref, self, 0);

        if (rnd(2)
            && ngx_ims_binding_claim(&pool, &h->ref, self, ngx_time() + 2,
                                     &lease)
               != NGX_DECLINED)
        {
            end_dialogs(&h->ref);
            ngx_ims_binding_free(&pool, &h->ref, self);
        }

        h->ref.seq = 0;
        break;

    default:
        calls(h);
    }
}


static void
child(unsigned n)
{
    held_t           held[HELD];
    ngx_ims_owner_t  self;

    seed = n;
    ngx_pid = getpid();
    standin_ms = shared->ms;
    memset(held, 0, sizeof(held));

    self.instance = pool.zone.sh->instance;
    self.pid = (uint32_t) ngx_pid;

    map(rnd(4) ? IDENTITIES : FEWER);

    while (!shared->stop) {
        step(&held[rnd(HELD)], &self);
    }

    _exit(0);
}


/* what a leader does about workers that are gone; times: also for the lost */

static void
reap(ngx_uint_t all)
{
    time_t                 now;
    uint32_t               i, lease;
    ngx_ims_ref_t          ref;
    ngx_ims_owner_t        self, owner;
    ngx_ims_binding_sh_t  *b;

    self.instance = pool.zone.sh->instance;
    self.pid = (uint32_t) ngx_pid;
    now = ngx_time() + (all ? 60 : 0);

    for (i = 0; i < pool.zone.sh->nbindings; i++) {
        b = &pool.zone.bindings[i];

        ref.index = i;
        ref.seq = b->seq;
        owner = b->owner;

        if (b->state == NGX_IMS_BINDING_FREE
            || (ref.index == still.index && !all))
        {
            continue;
        }

        if (owner.pid) {
            (void) ngx_ims_binding_lose(&pool, &ref, &owner, 1000);
        }

        if (ngx_ims_binding_claim(&pool, &ref, &self, now, &lease)
            != NGX_DECLINED)
        {
            end_dialogs(&ref);
            ngx_ims_binding_free(&pool, &ref, &self);
        }
    }
}


/* the one user whom nobody else touches has what he had */

static ngx_uint_t
still_there(void)
{
    u_char             user[NGX_IMS_DIGEST_LEN];
    uint32_t           lease;
    ngx_ims_str_t      id, tag = ngx_ims_str("w"), any = ngx_ims_str("");
    ngx_ims_dialog_t   d;
    ngx_ims_binding_t  b;

    id.data = (u_char *) "still";
    id.len = 5;

    user_of(USERS, user);

    return ngx_ims_pool_find(&pool, user, &lease) == NGX_OK
           && lease == still_lease
           && ngx_ims_binding_load(&pool, &still, &b, record) == NGX_OK
           && b.contact.len == 17
           && memcmp(b.contact.data, "sip:mary@web.test", 17) == 0
           && ngx_ims_dialog_find(&pool, &still, &id, &tag, &any, &d, record)
              == NGX_OK
           && d.web_target.len == 9
           && memcmp(d.web_target.data, "sip:still", 9) == 0;
}


static void
renew_still(void)
{
    u_char            user[NGX_IMS_DIGEST_LEN];
    u_char            instance[NGX_IMS_DIGEST_LEN];
    ngx_str_t         contact = ngx_string("sip:mary@web.test");
    ngx_str_t         target = ngx_string("sip:still");
    ngx_uint_t        fresh;
    ngx_ims_want_t    want;
    ngx_ims_owner_t   self, before;
    ngx_ims_dialog_t  d;

    self.instance = pool.zone.sh->instance;
    self.pid = (uint32_t) ngx_pid;

    user_of(USERS, user);
    wish(&want, user);
    memset(instance, 9, sizeof(instance));

    if (ngx_ims_pool_lease(&pool, &want, &still_lease, &fresh, &log_)
        != NGX_OK)
    {
        _exit(4);
    }

    if (!fresh) {
        return;
    }

    (void) ngx_ims_binding_get(&pool, still_lease, instance, INSTANCES, 0,
                               &self, &still, &before);
    (void) ngx_ims_binding_contact(&pool, &still, &contact);

    make_dialog(&still, &d, "still");
    d.events = 0;
    d.web_target = target;
    (void) ngx_ims_dialog_create(&pool, &d);
}


/* one round: a victim and one that goes on; NULL, or what is wrong */

static const char *
kill_one(void)
{
    pid_t            victim, other;
    const char      *bad;
    struct timespec  t;

    shared->stop = 0;
    shared->ms += rnd(2000);
    standin_ms = shared->ms;

    victim = fork();

    if (victim == 0) {
        child(rnd(1u << 30));
    }

    (void) rnd(2);
    other = rnd(3) ? fork() : -1;

    if (other == 0) {
        child(seed ^ 0x5555);
    }

    t.tv_sec = 0;
    t.tv_nsec = 200000 + rnd(2000) * 1000;
    (void) nanosleep(&t, NULL);

    (void) kill(victim, SIGKILL);
    (void) waitpid(victim, NULL, 0);

    shared->stop = 1;

    if (other != -1) {
        (void) waitpid(other, NULL, 0);
    }

    ngx_ims_zone_lock(&pool.zone);
    bad = zone_check(&pool);
    ngx_ims_zone_unlock(&pool.zone);

    if (bad == NULL && !still_there()) {
        bad = "who was not touched has lost something";
    }

    return bad;
}


/* whoever wants the lock may be the one who has to wait for its holder */

static void
test_unwaited(void)
{
    pid_t               pid;
    ngx_uint_t          rebuilt;
    ngx_ims_zone_sh_t  *sh;

    sh = pool.zone.sh;
    rebuilt = sh->rebuilt;

    pid = fork();

    if (pid == 0) {
        ngx_pid = getpid();
        ngx_ims_zone_lock(&pool.zone);
        (void) kill(ngx_pid, SIGKILL);
    }

    while (sh->lock != (ngx_atomic_uint_t) pid) {
        (void) usleep(1000);
    }

    (void) alarm(10);
    ngx_ims_zone_lock(&pool.zone);
    ngx_ims_zone_unlock(&pool.zone);
    (void) alarm(0);

    ok(sh->rebuilt == rebuilt + 1, "the lock of a child that is a zombie");

    (void) waitpid(pid, NULL, 0);
}


/* a lease may be given back between the leasing and the binding */

static void
test_given_back(void)
{
    u_char           user[NGX_IMS_DIGEST_LEN], instance[NGX_IMS_DIGEST_LEN];
    uint32_t         lease;
    ngx_uint_t       fresh;
    ngx_ims_ref_t    ref;
    ngx_ims_want_t   want;
    ngx_ims_owner_t  self, before;

    memset(&self, 0, sizeof(self));
    memset(instance, 1, sizeof(instance));
    user_of(USERS + 1, user);
    wish(&want, user);

    (void) ngx_ims_pool_lease(&pool, &want, &lease, &fresh, &log_);
    (void) ngx_ims_pool_release(&pool, lease, 0, 1);

    ok(ngx_ims_binding_get(&pool, lease, instance, INSTANCES, 0, &self, &ref,
                           &before)
       == NGX_ERROR, "no binding for a lease that was given back");
}


int
main(void)
{
    int                 i, kills;
    char               *s;
    ngx_str_t           name = ngx_string("acme"), store = ngx_string("");
    const char         *bad;
    ngx_uint_t          least;
    ngx_ims_zone_sh_t  *sh;

    s = getenv("TEST_IMS_KILLS");
    kills = s ? atoi(s) : 500;
    least = (ngx_uint_t) kills / 20;
    s = getenv("TEST_IMS_SEED");
    seed = s ? (unsigned) atoi(s) : 1;

    ngx_pid = getpid();
    shared = mmap(NULL, sizeof(shared_t), PROT_READ|PROT_WRITE,
                  MAP_SHARED|MAP_ANONYMOUS, -1, 0);
    shared->ms = standin_ms;

    pool.name = name;
    pool.blocks.elts = blocks;
    pool.blocks.nelts = 2;
    pool.guests = 1;
    pool.guest_max = 4;
    pool.guest_lease = 4;
    pool.lease = 20;
    pool.quarantine = 5;
    pool.devices = INSTANCES;
    block->prefix = (ngx_str_t) ngx_string("sip:u");
    block->suffix = (ngx_str_t) ngx_string("@acme.example");
    block->key_prefix = block->prefix;
    block->key_suffix = block->suffix;
    block->impi = (ngx_str_t) ngx_string("$user@$host");
    block->first = 1;
    block->width = 3;

    blocks[1].kind = NGX_IMS_BLOCK_DOMAIN;
    blocks[1].key_suffix = (ngx_str_t) ngx_string("staff.example");
    blocks[1].impi = block->impi;

    ok(ngx_ims_zone_open(&pool.zone, &name, &store, 96 * 1024, IDENTITIES,
                         &log_)
       == NGX_OK, "opened");
    map(IDENTITIES);

    sh = pool.zone.sh;
    bad = zone_check(&pool);
    ok(bad == NULL, "sound at first: %s", bad ? bad : "");

    test_unwaited();
    test_given_back();

    /* on a busy machine fewer of them hit the lock: then some more */

    for (i = 0;
         bad == NULL && i < (sh->rebuilt > least ? kills : 8 * kills); i++)
    {
        renew_still();
        bad = kill_one();

        if (bad == NULL && i % 4 == 3) {
            reap(0);
        }
    }

    ok(bad == NULL, "after %d of %d kills: %s", i, kills, bad ? bad : "sound");
    ok(kills < 100 || sh->rebuilt > least,
       "with the lock: %lu", (unsigned long) sh->rebuilt);

    /* all of it ends */

    reap(0);
    shared->ms += 3600 * 1000;
    standin_ms = shared->ms;
    reap(1);

    is_int(sh->dialogs_used, 0, "no dialog left");
    is_int(sh->bindings_used, 0, "no binding left");
    is_int(sh->chunks_used, zone_remembered(&pool),
           "no text left but last users");

    for (i = 0; i < 4 * IDENTITIES; i++) {
        u_char    user[NGX_IMS_DIGEST_LEN];
        uint32_t  lease;

        user_of(1000, user);
        (void) ngx_ims_pool_find(&pool, user, &lease);
        standin_ms += 60 * 1000;
    }

    is_int(sh->leased, 0, "no identity leased");

    map(IDENTITIES);
    bad = zone_check(&pool);
    ok(bad == NULL, "sound at last: %s", bad ? bad : "");
    is_int(log_.alerts, 0, "no alert");

    ngx_destroy_pool(&mem);

    return done_testing();
}
