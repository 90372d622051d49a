/*
 * Copyright (C) the IMS portal authors
 *
 * Calls of which a media helper says that their media ended: what becomes of
 * them in time, when they are too many, when nobody answers, when their media
 * comes back and is lost again, when their browsers are elsewhere or away.
 */


#include "tap.h"

#include "ngx_ims_recover.h"


enum {
    LIST = 4096,                /* places in it */
    CALLS = 6000,
    TICK = 250,                 /* ms between two looks */
    CONSENT = 5000,
    HELPER = 7
};


typedef enum { WELL, LOST, GONE, UNSURE, NO_PLACE } word_e;

typedef struct {
    unsigned  alive:1;
    unsigned  elsewhere:1;      /* at another worker */
    unsigned  away:1;           /* has no socket */
    word_e    word;             /* of the helper, when it is asked */
    unsigned  asked;
    unsigned  ended;
} call_t;


static ngx_log_t               log_standin;
static ngx_pool_t              memory;
static ngx_cycle_t             cycle = { &log_standin, &memory };
static ngx_ims_zone_sh_t       shared;
static ngx_ims_pool_t          pool, *pools = &pool;
static ngx_array_t             array = { &pools, 1 };
static ngx_ims_worker_t        worker;
static ngx_ims_recover_list_t *list;
static call_t                  calls[CALLS];
static unsigned                unheard;
static unsigned                keep;           /* consent is "off" */
static ngx_int_t               left_helper = HELPER;
static const char             *said;           /* the Reason */


/* Call-IDs are "cNNNN": the number is what finds a call */

static unsigned
number(ngx_str_t *id)
{
    return (unsigned) atoi((char *) id->data + 1);
}


/* what belongs to the media client */

void
ngx_ims_media_tell(ngx_ims_media_t *media, ngx_ims_media_ended_pt handler,
    void *data)
{
}


void
ngx_ims_media_unheard(ngx_ims_media_t *media)
{
    unheard++;
}


ngx_int_t
ngx_ims_media_consent(ngx_ims_media_t *media, ngx_msec_t *wait)
{
    *wait = CONSENT;

    return keep ? NGX_DECLINED : NGX_OK;
}


/* who asked is told when the test says so */

static struct {
    ngx_ims_media_handler_pt  handler;
    void                     *data;
    unsigned                  call;
} questions[CALLS];

static unsigned  nquestions;


ngx_ims_media_req_t *
ngx_ims_media_send(ngx_ims_media_t *media, ngx_ims_media_cmd_t *cmd,
    ngx_ims_media_handler_pt handler, void *data)
{
    unsigned  n;

    n = number(&cmd->call_id);
    calls[n].asked++;

    if (cmd->command != NGX_IMS_MEDIA_QUERY || cmd->helper != HELPER
        || calls[n].word == NO_PLACE)
    {
        return NULL;
    }

    questions[nquestions].handler = handler;
    questions[nquestions].data = data;
    questions[nquestions++].call = n;

    return (ngx_ims_media_req_t *) &questions;
}


static void
answer(void)
{
    unsigned   i;
    ngx_str_t  sdp, reason;

    ngx_str_null(&sdp);

    for (i = 0; i < nquestions; i++) {
        ngx_str_null(&reason);

        switch (calls[questions[i].call].word) {

        case WELL:
            questions[i].handler(questions[i].data, NGX_OK, &sdp, &reason);
            break;

        case LOST:
            ngx_str_set(&reason, "media lost");
            questions[i].handler(questions[i].data, NGX_OK, &sdp, &reason);
            break;

        case GONE:
            ngx_str_set(&reason, "Unknown call-id");
            questions[i].handler(questions[i].data, NGX_DECLINED, &sdp,
                                 &reason);
            break;

        default:
            ngx_str_set(&reason, "timed out");
            questions[i].handler(questions[i].data, NGX_ERROR, &sdp, &reason);
        }
    }

    nquestions = 0;
}


/* what belongs to records and sessions */

ngx_int_t
ngx_ims_dialog_call(ngx_ims_pool_t *p, uint32_t binding,
    ngx_ims_str_t *call_id, ngx_uint_t originated, ngx_ims_dialog_t *d,
    u_char *buf)
{
    unsigned  n;

    n = number(call_id);

    memset(d, 0, sizeof(ngx_ims_dialog_t));
    d->binding.index = n;
    d->media = 1;
    d->helper = left_helper;

    return calls[n].alive ? NGX_OK : NGX_DECLINED;
}


ngx_int_t
ngx_ims_dialog_load(ngx_ims_pool_t *p, ngx_ims_ref_t *ref,
    ngx_ims_dialog_t *d, u_char *buf)
{
    return NGX_DECLINED;
}


ngx_int_t
ngx_ims_binding_owner(ngx_ims_pool_t *p, ngx_ims_ref_t *ref,
    ngx_ims_owner_t *owner)
{
    memset(owner, 0, sizeof(ngx_ims_owner_t));
    owner->pid = calls[ref->index].away ? 0 : 1;

    return NGX_OK;
}


ngx_uint_t
ngx_ims_recover_ours(ngx_ims_worker_t *w, ngx_ims_pool_t *p,
    ngx_ims_dialog_t *d)
{
    return !calls[d->binding.index].elsewhere;
}


ngx_ims_session_t *
ngx_ims_session_find(ngx_ims_worker_t *w, ngx_ims_pool_t *p,
    ngx_ims_ref_t *ref)
{
    return NULL;
}


ngx_ims_forward_t *
ngx_ims_forward_invite(ngx_ims_session_t *s, ngx_ims_str_t *call_id,
    ngx_uint_t up)
{
    return NULL;
}


ngx_int_t
ngx_ims_forward_media_failed(ngx_ims_forward_t *fw, ngx_uint_t status,
    const char *reason)
{
    return NGX_DECLINED;
}


void
ngx_ims_recover_end(ngx_ims_worker_t *w, ngx_ims_pool_t *p,
    ngx_ims_dialog_t *d, const char *reason)
{
    calls[d->binding.index].alive = 0;
    calls[d->binding.index].ended++;
    said = reason;
}


/* the test's own */

static void
tell(unsigned n, const char *word)
{
    u_char     id[64];
    ngx_str_t  call_id, reason;

    call_id.data = id;
    call_id.len = (size_t) snprintf((char *) id, sizeof(id), "c%04u~%08xo", n,
                                    n);
    reason.data = (u_char *) word;
    reason.len = strlen(word);

    ngx_ims_recover_heard(list, HELPER, &call_id, &reason);
}


static void
call(unsigned n, word_e word)
{
    memset(&calls[n], 0, sizeof(call_t));
    calls[n].alive = 1;
    calls[n].word = word;
}


/* so many ms, with what is asked answered at once */

static void
pass(ngx_msec_t ms)
{
    ngx_msec_t  t;

    for (t = 0; t < ms; t += TICK) {
        ngx_current_msec += TICK;
        ngx_ims_recover_look(list);
        answer();
    }
}


static void
test_one(void)
{
    call(1, LOST);
    tell(1, "media lost");
    pass(CONSENT - TICK);
    is_int(calls[1].asked, 0, "consent: nobody asks before its time");
    pass(2 * TICK);
    is_int(calls[1].ended, 1, "consent: the call ends then");
    is_str(said, strlen(said), NGX_IMS_REASON_MEDIA,
           "consent: with this Reason");

    call(1, GONE);
    tell(1, "no media");
    pass(TICK);
    is_int(calls[1].ended, 1, "no media: at once");
    is_str(said, strlen(said), "SIP;cause=503;text=\"no media\"",
           "no media: Reason");

    call(1, LOST);
    tell(1, "dtls failed");
    tell(1, "dtls failed");
    pass(TICK);
    is_int(calls[1].ended, 1, "told twice, ended once");
    pass(5000);
    is_int(calls[1].asked, 1, "and asked about once");

    call(1, LOST);
    tell(1, "no answer");
    calls[1].alive = 0;
    pass(2000);
    is_int(calls[1].asked, 0, "over meanwhile: nobody asks");

    keep = 1;
    call(1, LOST);
    tell(1, "media lost");
    pass(2 * CONSENT);
    is_int(calls[1].asked, 0, "off: consent ends nothing");
    keep = 0;

    left_helper = HELPER + 1;
    tell(1, "no media");
    pass(2000);
    is_int(calls[1].asked, 0, "a call that has left this helper");
    left_helper = HELPER;
}


static void
test_again(void)
{
    call(2, WELL);
    tell(2, "media lost");
    pass(CONSENT + TICK);
    is_int(calls[2].asked, 1, "well: asked");
    pass(2 * CONSENT);
    is_int(calls[2].asked, 1, "well: not again");
    is_int(calls[2].ended, 0, "well: it goes on");

    calls[2].word = LOST;
    tell(2, "media lost");
    pass(CONSENT - TICK);
    is_int(calls[2].ended, 0, "lost a second time: it has its time again");
    pass(2 * TICK);
    is_int(calls[2].ended, 1, "lost a second time: it ends");

    call(2, LOST);
    tell(2, "media lost");
    pass(CONSENT - 1000);
    tell(2, "media lost");
    pass(2000);
    is_int(calls[2].asked, 0, "lost twice in its time: that begins anew");
    pass(CONSENT - 1000);
    is_int(calls[2].ended, 1, "lost twice in its time: it ends once");
    pass(2 * CONSENT);
    is_int(calls[2].asked, 1, "lost twice in its time: asked once");
}


static void
test_unsure(void)
{
    call(3, UNSURE);
    tell(3, "no media");
    pass(10000);
    ok(calls[3].asked >= 8 && calls[3].asked <= 12,
       "no answer: asked once a second (%u)", calls[3].asked);
    is_int(calls[3].ended, 0, "no answer: nothing ends");
    calls[3].word = GONE;
    pass(1500);
    is_int(calls[3].ended, 1, "an answer: it ends");

    call(3, NO_PLACE);
    tell(3, "no media");
    pass(10000);
    ok(calls[3].asked >= 8 && calls[3].asked <= 12,
       "no helper to ask: once a second (%u)", calls[3].asked);
    calls[3].word = GONE;
    pass(1500);
    is_int(calls[3].ended, 1, "one to ask: it ends");
}


static void
test_elsewhere(void)
{
    call(4, LOST);
    calls[4].elsewhere = 1;
    tell(4, "no media");
    pass(3000);
    is_int(calls[4].asked, 0, "at another worker: that one asks");
    calls[4].elsewhere = 0;
    pass(1500);
    is_int(calls[4].ended, 1, "it has moved here: it ends");

    call(4, LOST);
    calls[4].elsewhere = 1;
    tell(4, "no media");
    pass(15000);
    calls[4].elsewhere = 0;
    pass(5000);
    is_int(calls[4].asked, 0, "given up after ten seconds elsewhere");

    call(4, LOST);
    calls[4].away = 1;
    tell(4, "media lost");
    pass(60000);
    is_int(calls[4].asked, 0, "away: its grace time counts");
    calls[4].away = 0;
    pass(CONSENT + 1000);
    is_int(calls[4].ended, 1, "back: it ends");
}


static void
test_many(void)
{
    long      blocks;
    unsigned  i, n;

    blocks = standin_blocks;

    for (i = 0; i < CALLS; i++) {
        call(i, LOST);
    }

    for (i = 0; i < CALLS; i++) {
        tell(i, "media lost");
    }

    is_int(standin_blocks - blocks, LIST, "many: so many have a place");

    pass(CONSENT + 1000);

    for (i = 0, n = 0; i < CALLS; i++) {
        n += calls[i].ended;
    }

    ok(n >= 150 && n <= 300, "many: 200 in a second (%u)", n);
    is_int(unheard, 0, "many: no room yet");

    pass(60000);

    for (i = 0, n = 0; i < CALLS; i++) {
        n += calls[i].ended;
    }

    is_int(n, LIST, "many: those in the list have ended, each once");
    is_int(unheard, 1, "many: the helpers are asked about the others, once");
    is_int(standin_blocks - blocks, 0, "many: no memory is left");

    /* as it will be told then */

    for (i = 0; i < CALLS; i++) {
        if (calls[i].alive) {
            tell(i, "media lost");
        }
    }

    pass(60000);

    for (i = 0, n = 0; i < CALLS; i++) {
        n += (calls[i].ended == 1);
    }

    is_int(n, CALLS, "many: all have ended");
    is_int(unheard, 1, "many: nobody is asked about any more");

    call(1, LOST);
    standin_fail_after = 0;
    tell(1, "no media");
    standin_fail_after = -1;
    pass(1000);
    is_int(calls[1].ended, 0, "no memory: nothing happens");
}


int
main(void)
{
    ngx_current_msec = (ngx_msec_t) -3000;    /* it wraps on the way */

    pool.zone.sh = &shared;
    worker.cycle = &cycle;
    worker.log = &log_standin;
    worker.pools = &array;

    list = ngx_ims_recover_list(&worker);
    ok(list != NULL, "a list");

    test_one();
    test_again();
    test_unsure();
    test_elsewhere();
    test_many();

    ngx_destroy_pool(&memory);
    is_int(standin_blocks, 0, "no memory is left");

    return done_testing();
}
