/*
 * Copyright (C) the IMS portal authors
 *
 * How a connection begins: to an address, and by logging in.  The timer is that
 * of the connection.
 */


#include "ngx_ims_redis_int.h"


static void ngx_ims_redis_greeted(redisAsyncContext *ac, void *r, void *data);
static void ngx_ims_redis_info(redisAsyncContext *ac, void *r, void *data);


/* addresses are numbers, so nobody is asked for a name here */

redisAsyncContext *
ngx_ims_redis_open(ngx_ims_redis_t *redis)
{
    u_char       text[NGX_SOCKADDR_STRLEN + 1];
    ngx_addr_t  *addr;

    if (redis->conf->path.len) {
        return redisAsyncConnectUnix((char *) redis->conf->path.data);
    }

    addr = redis->conf->addrs.elts;
    addr += redis->addr % redis->conf->addrs.nelts;

    text[ngx_sock_ntop(addr->sockaddr, addr->socklen, text,
                       NGX_SOCKADDR_STRLEN, 0)]
        = '\0';

    /* IPv6 without its brackets */

    if (text[0] == '[') {
        text[ngx_strlen(text) - 1] = '\0';
        return redisAsyncConnect((char *) text + 1,
                                 ngx_inet_get_port(addr->sockaddr));
    }

    return redisAsyncConnect((char *) text,
                             ngx_inet_get_port(addr->sockaddr));
}


/* AUTH, SELECT, and what run of the server it is */

void
ngx_ims_redis_greet(ngx_ims_redis_t *redis)
{
    int                    argc;
    char                   db[NGX_INT_T_LEN];
    size_t                 len[3];
    const char            *argv[3];
    ngx_ims_redis_conf_t  *conf;

    conf = redis->conf;

    redis->state = NGX_IMS_REDIS_GREETING;
    redis->greeted = 1;

    argc = 1;
    argv[0] = "AUTH";
    len[0] = 4;

    if (conf->password.len && conf->user.len) {
        argv[argc] = (char *) conf->user.data;
        len[argc++] = conf->user.len;
    }

    if (conf->password.len) {
        argv[argc] = (char *) conf->password.data;
        len[argc++] = conf->password.len;

        redis->greeted++;
        (void) redisAsyncCommandArgv(redis->ac, ngx_ims_redis_greeted, redis,
                                     argc, argv, len);
    }

    if (conf->db) {
        argv[0] = "SELECT";
        len[0] = 6;
        argv[1] = db;
        len[1] = ngx_sprintf((u_char *) db, "%ui", conf->db) - (u_char *) db;

        redis->greeted++;
        (void) redisAsyncCommandArgv(redis->ac, ngx_ims_redis_greeted, redis,
                                     2, argv, len);
    }

    (void) redisAsyncCommand(redis->ac, ngx_ims_redis_info, redis,
                             "INFO server");

    ngx_ims_redis_wait(redis, conf->timeout);
}


static void
ngx_ims_redis_greeted(redisAsyncContext *ac, void *r, void *data)
{
    redisReply       *reply;
    ngx_ims_redis_t  *redis;

    redis = data;
    reply = r;

    if (reply == NULL || redis->ac != ac) {
        return;
    }

    if (reply->type == REDIS_REPLY_ERROR) {
        ngx_ims_redis_fail(redis, "refuses to serve us", reply->str);
        return;
    }

    redis->greeted--;
}


/* it may be forbidden to ask: then a run is known by what it stores only */

static void
ngx_ims_redis_info(redisAsyncContext *ac, void *r, void *data)
{
    u_char           *p, *last;
    redisReply       *reply;
    ngx_ims_redis_t  *redis;

    redis = data;
    reply = r;

    if (reply == NULL || redis->ac != ac) {
        return;
    }

    redis->run.len = 0;

    if (reply->type == REDIS_REPLY_ERROR) {

        if (ngx_strncmp(reply->str, "NOPERM", 6) != 0) {
            ngx_ims_redis_fail(redis, "refuses to serve us", reply->str);
            return;
        }

    } else if (reply->type == REDIS_REPLY_STRING) {
        last = (u_char *) reply->str + reply->len;
        p = ngx_strnstr((u_char *) reply->str, "run_id:", reply->len);

        for (p = p ? p + 7 : last;
             p < last && *p > ' ' && redis->run.len < NGX_IMS_REDIS_RUN;
             p++)
        {
            redis->run_id[redis->run.len++] = *p;
        }
    }

    redis->greeted--;

    ngx_ims_redis_up(redis);
}
