/*
 * Copyright (C) the IMS portal authors
 *
 * hiredis on nginx's event loop.  hiredis 0.14 has no timers and does not
 * connect again, so both are here; it closes the descriptor itself, so nginx's
 * connection only borrows it.
 *
 * Timers: one per connection: until the next attempt, for a connect, for
 * logging in, all cancelable, or for the answer that is waited for longest.
 * Commands are answered in order, so when that one is late all behind it are,
 * and the connection is given up.
 */


#include "ngx_ims_redis_int.h"

#include <openssl/sha.h>


enum {
    NGX_IMS_REDIS_RETRY = 100,           /* ms, doubled at each attempt */
    NGX_IMS_REDIS_RETRY_MAX = 800        /* and up to as much again by chance:
                                            within the time that other hosts
                                            hold new leases for us */
};


typedef struct {
    ngx_queue_t               queue;
    ngx_ims_redis_t          *redis;
    ngx_ims_redis_reply_pt    handler;
    void                     *data;
    ngx_ims_redis_script_t   *script;
    ngx_msec_t                due;
    ngx_uint_t                whole;          /* sent with its text */
    int                       argc;
    const char              **argv;
    size_t                   *len;
} ngx_ims_redis_command_t;


static void ngx_ims_redis_timer(ngx_event_t *ev);
static void ngx_ims_redis_connect(ngx_ims_redis_t *redis);
static void ngx_ims_redis_connected(const redisAsyncContext *ac, int status);
static void ngx_ims_redis_disconnected(const redisAsyncContext *ac,
    int status);
static void ngx_ims_redis_down(ngx_ims_redis_t *redis);
static void ngx_ims_redis_arm(ngx_ims_redis_t *redis);
static ngx_ims_redis_command_t *ngx_ims_redis_command(
    ngx_ims_redis_t *redis, ngx_ims_redis_script_t *script, ngx_uint_t nkeys,
    ngx_str_t *args, ngx_uint_t n);
static ngx_int_t ngx_ims_redis_send(ngx_ims_redis_command_t *cmd);
static void ngx_ims_redis_answer(redisAsyncContext *ac, void *r, void *data);
static ngx_uint_t ngx_ims_redis_useless(redisReply *reply);


ngx_ims_redis_t *
ngx_ims_redis_create(ngx_pool_t *pool, ngx_ims_redis_conf_t *conf,
    ngx_ims_redis_state_pt state, void *data, ngx_log_t *log)
{
    ngx_ims_redis_t  *redis;

    redis = ngx_pcalloc(pool, sizeof(ngx_ims_redis_t));
    if (redis == NULL) {
        return NULL;
    }

    redis->conf = conf;
    redis->handler = state;
    redis->data = data;
    redis->log = log;
    redis->run.data = redis->run_id;
    redis->state = NGX_IMS_REDIS_CONNECTING;

    ngx_queue_init(&redis->commands);

    redis->event.handler = ngx_ims_redis_timer;
    redis->event.data = redis;
    redis->event.log = log;
    redis->event.cancelable = 1;

    ngx_add_timer(&redis->event, 1);

    return redis;
}


ngx_ims_redis_state_e
ngx_ims_redis_state(ngx_ims_redis_t *redis)
{
    return redis->state;
}


ngx_str_t *
ngx_ims_redis_run(ngx_ims_redis_t *redis)
{
    return &redis->run;
}


static void
ngx_ims_redis_timer(ngx_event_t *ev)
{
    ngx_ims_redis_t  *redis;

    redis = ev->data;

    if (redis->ac == NULL) {
        ngx_ims_redis_connect(redis);
        return;
    }

    switch (redis->state) {

    case NGX_IMS_REDIS_CONNECTING:
        ngx_ims_redis_fail(redis, "cannot be connected to", "timed out");
        break;

    case NGX_IMS_REDIS_UP:

        /* nginx may call a little early */

        ngx_ims_redis_arm(redis);

        if (redis->event.timer_set) {
            break;
        }

        /* fall through */

    default:
        ngx_ims_redis_fail(redis, "does not answer", "timed out");
        break;
    }
}


/* exactly so long: nginx keeps a timer that is near enough */

void
ngx_ims_redis_wait(ngx_ims_redis_t *redis, ngx_msec_t ms)
{
    if (redis->event.timer_set) {
        ngx_del_timer(&redis->event);
    }

    redis->event.cancelable = 1;

    ngx_add_timer(&redis->event, ms);
}


static void
ngx_ims_redis_connect(ngx_ims_redis_t *redis)
{
    redis->state = NGX_IMS_REDIS_CONNECTING;
    redis->ac = ngx_ims_redis_open(redis);

    if (redis->ac == NULL) {
        ngx_ims_redis_fail(redis, "cannot be connected to", "no memory");
        return;
    }

    if (redis->ac->err) {
        ngx_ims_redis_fail(redis, "cannot be connected to",
                           redis->ac->errstr);
        return;
    }

    redis->ac->data = redis;

    if (ngx_ims_redis_attach(redis) != NGX_OK) {
        ngx_ims_redis_fail(redis, "cannot be connected to",
                           "no connection is free");
        return;
    }

    redisAsyncSetDisconnectCallback(redis->ac, ngx_ims_redis_disconnected);
    redisAsyncSetConnectCallback(redis->ac, ngx_ims_redis_connected);

    ngx_ims_redis_wait(redis, redis->conf->timeout);
}


/* when it failed, hiredis frees the context behind this */

static void
ngx_ims_redis_connected(const redisAsyncContext *ac, int status)
{
    char              words[128];
    ngx_ims_redis_t  *redis;

    redis = ac->data;

    if (redis == NULL) {
        return;
    }

    if (status == REDIS_OK) {
        ngx_ims_redis_greet(redis);
        return;
    }

    ngx_cpystrn((u_char *) words, (u_char *) ac->errstr, sizeof(words));

    redis->ac = NULL;
    ngx_ims_redis_fail(redis, "cannot be connected to", words);
}


static void
ngx_ims_redis_disconnected(const redisAsyncContext *ac, int status)
{
    char              words[128];
    ngx_ims_redis_t  *redis;

    redis = ac->data;

    if (redis == NULL || redis->ac != ac) {
        return;
    }

    ngx_cpystrn((u_char *) words,
                (u_char *) (ac->err ? ac->errstr : "closed"), sizeof(words));

    redis->ac = NULL;
    ngx_ims_redis_fail(redis, "is lost", words);
}


void
ngx_ims_redis_up(ngx_ims_redis_t *redis)
{
    ngx_log_error(NGX_LOG_NOTICE, redis->log, 0, "redis \"%V\" is connected",
                  &redis->conf->name);

    redis->state = NGX_IMS_REDIS_UP;
    redis->tries = 0;
    redis->said = 0;
    redis->erred = 0;

    ngx_ims_redis_arm(redis);

    redis->handler(redis->data, 1);
}


/* said once until it is back */

void
ngx_ims_redis_fail(ngx_ims_redis_t *redis, const char *what,
    const char *words)
{
    ngx_uint_t  level;

    if (!redis->closed) {
        level = redis->said ? NGX_LOG_INFO : NGX_LOG_ERR;
        redis->said = 1;

        ngx_log_error(level, redis->log, 0, "redis \"%V\" %s: %s",
                      &redis->conf->name, what, words);
    }

    ngx_ims_redis_down(redis);
}


static void
ngx_ims_redis_down(ngx_ims_redis_t *redis)
{
    ngx_uint_t          up;
    ngx_msec_t          delay;
    ngx_queue_t        *q;
    redisAsyncContext  *ac;

    ngx_ims_redis_command_t  *cmd;

    up = (redis->state == NGX_IMS_REDIS_UP);
    redis->state = NGX_IMS_REDIS_DOWN;

    ac = redis->ac;
    redis->ac = NULL;

    if (ac != NULL) {
        ac->data = NULL;
        redisAsyncFree(ac);
    }

    /* hiredis tells of those that it knew, now or when it can */

    while (!ngx_queue_empty(&redis->commands)) {
        q = ngx_queue_head(&redis->commands);
        ngx_queue_remove(q);
        ngx_queue_init(q);

        cmd = ngx_queue_data(q, ngx_ims_redis_command_t, queue);
        redis->ncommands--;

        cmd->redis = NULL;
        cmd->handler(cmd->data, NULL);
    }

    if (redis->closed) {
        return;
    }

    /* not all workers, and all hosts, at one moment */

    delay = NGX_IMS_REDIS_RETRY << ngx_min(redis->tries, 3);
    delay = ngx_min(delay, NGX_IMS_REDIS_RETRY_MAX);
    delay += ngx_random() % delay;

    redis->tries++;
    redis->addr++;

    ngx_ims_redis_wait(redis, delay);

    if (up) {
        redis->handler(redis->data, 0);
    }
}


/* for the answer that has been waited for longest; not when it is late */

static void
ngx_ims_redis_arm(ngx_ims_redis_t *redis)
{
    ngx_queue_t              *q;
    ngx_msec_int_t            left;
    ngx_ims_redis_command_t  *cmd;

    if (redis->state != NGX_IMS_REDIS_UP) {
        return;
    }

    if (ngx_queue_empty(&redis->commands)) {

        if (redis->event.timer_set) {
            ngx_del_timer(&redis->event);
        }

        return;
    }

    q = ngx_queue_head(&redis->commands);
    cmd = ngx_queue_data(q, ngx_ims_redis_command_t, queue);

    left = cmd->due - ngx_current_msec;

    if (left > 0) {
        ngx_ims_redis_wait(redis, left);

        /* a worker that ends does so when it has its answers */

        redis->event.cancelable = 0;
    }
}


ngx_int_t
ngx_ims_redis_eval(ngx_ims_redis_t *redis, ngx_ims_redis_script_t *script,
    ngx_uint_t nkeys, ngx_str_t *args, ngx_uint_t n,
    ngx_ims_redis_reply_pt handler, void *data)
{
    ngx_ims_redis_command_t  *cmd;

    if (redis->state != NGX_IMS_REDIS_UP || redis->ac == NULL
        || redis->ncommands >= NGX_IMS_REDIS_QUEUE)
    {
        return NGX_ERROR;
    }

    cmd = ngx_ims_redis_command(redis, script, nkeys, args, n);
    if (cmd == NULL) {
        return NGX_ERROR;
    }

    cmd->handler = handler;
    cmd->data = data;
    cmd->due = ngx_current_msec + redis->conf->timeout;

    if (ngx_ims_redis_send(cmd) != NGX_OK) {
        ngx_free(cmd);
        return NGX_ERROR;
    }

    ngx_queue_insert_tail(&redis->commands, &cmd->queue);
    redis->ncommands++;

    if (!redis->event.timer_set) {
        ngx_ims_redis_arm(redis);
    }

    return NGX_OK;
}


/* one piece of memory, because a server that forgot the script is told again */

static ngx_ims_redis_command_t *
ngx_ims_redis_command(ngx_ims_redis_t *redis, ngx_ims_redis_script_t *script,
    ngx_uint_t nkeys, ngx_str_t *args, ngx_uint_t n)
{
    u_char                   *p, digest[SHA_DIGEST_LENGTH];
    size_t                    size;
    ngx_uint_t                i;
    ngx_ims_redis_command_t  *cmd;

    if (script->sha[0] == '\0') {
        SHA1((u_char *) script->text, script->len, digest);
        *ngx_hex_dump(script->sha, digest, SHA_DIGEST_LENGTH) = '\0';
    }

    size = NGX_INT_T_LEN;

    for (i = 0; i < n; i++) {
        size += args[i].len;
    }

    cmd = ngx_alloc(sizeof(ngx_ims_redis_command_t)
                    + (n + 3) * (sizeof(char *) + sizeof(size_t)) + size,
                    redis->log);
    if (cmd == NULL) {
        return NULL;
    }

    cmd->redis = redis;
    cmd->script = script;
    cmd->whole = 0;
    cmd->argc = n + 3;
    cmd->argv = (const char **) (cmd + 1);
    cmd->len = (size_t *) (cmd->argv + cmd->argc);

    p = (u_char *) (cmd->len + cmd->argc);

    cmd->argv[2] = (char *) p;
    p = ngx_sprintf(p, "%ui", nkeys);
    cmd->len[2] = p - (u_char *) cmd->argv[2];

    for (i = 0; i < n; i++) {
        cmd->argv[i + 3] = (char *) p;
        cmd->len[i + 3] = args[i].len;

        if (args[i].len) {
            p = ngx_cpymem(p, args[i].data, args[i].len);
        }
    }

    return cmd;
}


static ngx_int_t
ngx_ims_redis_send(ngx_ims_redis_command_t *cmd)
{
    cmd->argv[0] = cmd->whole ? "EVAL" : "EVALSHA";
    cmd->len[0] = cmd->whole ? 4 : 7;
    cmd->argv[1] = cmd->whole ? cmd->script->text : (char *) cmd->script->sha;
    cmd->len[1] = cmd->whole ? cmd->script->len : 40;

    return redisAsyncCommandArgv(cmd->redis->ac, ngx_ims_redis_answer, cmd,
                                 cmd->argc, cmd->argv, cmd->len)
           == REDIS_OK ? NGX_OK : NGX_ERROR;
}


static void
ngx_ims_redis_answer(redisAsyncContext *ac, void *r, void *data)
{
    redisReply               *reply;
    ngx_ims_redis_t          *redis;
    ngx_ims_redis_command_t  *cmd;

    cmd = data;
    reply = r;
    redis = cmd->redis;

    if (redis == NULL) {

        /* its owner was told that none would come */

        ngx_free(cmd);
        return;
    }

    if (reply != NULL && reply->type == REDIS_REPLY_ERROR) {

        if (!cmd->whole && ngx_strncmp(reply->str, "NOSCRIPT", 8) == 0) {
            cmd->whole = 1;

            if (ngx_ims_redis_send(cmd) == NGX_OK) {

                /* it is now the last that will be answered */

                ngx_queue_remove(&cmd->queue);
                ngx_queue_insert_tail(&redis->commands, &cmd->queue);
                cmd->due = ngx_current_msec + redis->conf->timeout;

                ngx_ims_redis_arm(redis);
                return;
            }
        }

        if (ngx_ims_redis_useless(reply)) {
            ngx_ims_redis_fail(redis, "cannot be used", reply->str);
            ngx_free(cmd);
            return;
        }

        if (!redis->erred) {
            redis->erred = 1;
            ngx_log_error(NGX_LOG_ERR, redis->log, 0,
                          "redis \"%V\" answered: %s", &redis->conf->name,
                          reply->str);
        }

        reply = NULL;
    }

    ngx_queue_remove(&cmd->queue);
    redis->ncommands--;

    ngx_ims_redis_arm(redis);

    cmd->handler(cmd->data, reply);

    ngx_free(cmd);
}


/* 1: another server may do it, or this one later */

static ngx_uint_t
ngx_ims_redis_useless(redisReply *reply)
{
    ngx_uint_t  i;

    static const char  *words[] = {
        "READONLY", "LOADING", "MASTERDOWN", "NOAUTH", "NOPERM", "MISCONF",
        "NOREPLICAS", "OOM", "CLUSTERDOWN", "MOVED"
    };

    for (i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
        if (ngx_strncmp(reply->str, words[i], ngx_strlen(words[i])) == 0) {
            return 1;
        }
    }

    /* from within a script */

    return ngx_strstr(reply->str, "READONLY") != NULL
           || ngx_strstr(reply->str, "-NOPERM") != NULL
           || ngx_strstr(reply->str, "-OOM") != NULL;
}


ngx_uint_t
ngx_ims_redis_parts(ngx_ims_redis_reply_t *reply)
{
    redisReply  *r;

    r = reply;

    return r->type == REDIS_REPLY_ARRAY ? r->elements : 0;
}


ngx_str_t
ngx_ims_redis_part(ngx_ims_redis_reply_t *reply, ngx_uint_t i)
{
    ngx_str_t    s;
    redisReply  *r;

    r = reply;
    ngx_str_null(&s);

    if (i < ngx_ims_redis_parts(reply)
        && r->element[i]->type == REDIS_REPLY_STRING)
    {
        s.data = (u_char *) r->element[i]->str;
        s.len = r->element[i]->len;
    }

    return s;
}


void
ngx_ims_redis_close(ngx_ims_redis_t *redis)
{
    redis->closed = 1;

    ngx_ims_redis_down(redis);

    if (redis->event.timer_set) {
        ngx_del_timer(&redis->event);
    }
}
