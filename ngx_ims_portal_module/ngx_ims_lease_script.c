/*
 * Copyright (C) the IMS portal authors
 *
 * What the server does in one piece, in Lua.  It knows nothing but its keys
 * (ngx_ims_lease_int.h); times are its own, ms of its clock.
 *
 * A generation says which lease is older: microseconds of the server's clock
 * when it was given, at least one more than the last.  After a fail-over that
 * lost writes it still goes up, because time does.
 */


#include "ngx_ims_lease_int.h"


/* of all: ARGV[1] prefix, ARGV[2] host; KEYS[1] the key "m" */

#define NGX_IMS_LEASE_LUA                                                     \
"local p, host, mark = ARGV[1], ARGV[2], KEYS[1]\n"                           \
"local call = redis.call\n"                                                   \
"local t = call('TIME')\n"                                                    \
"local us = t[1] * 1000000 + t[2]\n"                                          \
"local now = math.floor(us / 1000)\n"                                         \
"local function txt(n) return string.format('%.0f', n) end\n"                 \
"local function ikey(id) return p .. 'i:' .. id end\n"                        \
"local function ukey(u) return p .. 'u:' .. u end\n"                          \
"local function born()\n"                                                     \
"  local g = us\n"                                                            \
"  local last = tonumber(call('HGET', mark, 'g') or '0')\n"                   \
"  if g <= last then g = last + 1 end\n"                                      \
"  call('HSET', mark, 'g', txt(g))\n"                                         \
"  return g\n"                                                                \
"end\n"                                                                       \
"local function tell(id, u, g)\n"                                             \
"  call('ZADD', p .. 'x', txt(born()), id .. ' ' .. u .. ' ' .. g)\n"         \
"  call('ZREMRANGEBYSCORE', p .. 'x', '-inf', txt(us - 3600000000))\n"        \
"  call('PEXPIRE', p .. 'x', 3600000)\n"                                      \
"end\n"                                                                       \
"local function last(id, u, at)\n"                                            \
"  call('PEXPIREAT', ikey(id), txt(at))\n"                                    \
"  if call('GET', ukey(u)) == id then\n"                                      \
"    call('PEXPIREAT', ukey(u), txt(at))\n"                                   \
"  end\n"                                                                     \
"end\n"                                                                       \
"local function rest(id, u, ms)\n"                                            \
"  call('HSET', ikey(id), 'e', txt(now), 'r', '1')\n"                         \
"  call('HDEL', ikey(id), 'b', 'c')\n"                                        \
"  last(id, u, now + ms)\n"                                                   \
"end\n"


/*
 * A sign of life.  3: run of the server, 4: ms that new leases are held when it
 * is a new one, 5: our URL, 6: ms that this is good for, 7: generation of the
 * last sign, or empty.
 *
 * ok, now, ms to hold, epoch, generation, and what was taken away since
 */

static const char  ngx_ims_lease_hello_text[] =
    NGX_IMS_LEASE_LUA
"local m = call('HMGET', mark, 'run', 'hold', 'epoch', 'g')\n"
"if not m[4] or m[1] ~= ARGV[3] then\n"
"  local e = txt(born())\n"
"  m[2], m[3] = txt(now + ARGV[4]), e\n"
"  call('HSET', mark, 'run', ARGV[3], 'hold', m[2], 'epoch', e)\n"
"end\n"
"call('SET', p .. 'h:' .. host, ARGV[5], 'PX', ARGV[6])\n"
"local out = { 'ok', txt(now), txt(math.max(m[2] - now, 0)), m[3],\n"
"  call('HGET', mark, 'g') }\n"
"if ARGV[7] ~= '' then\n"
"  local x = call('ZRANGEBYSCORE', p .. 'x', '(' .. ARGV[7], '+inf',\n"
"    'WITHSCORES', 'LIMIT', 0, 200)\n"
"  for i = 1, #x, 2 do out[#out + 1] = x[i] end\n"
"  if #x == 400 then out[5] = txt(tonumber(x[400])) end\n"
"end\n"
"return out\n";


/*
 * An identity for a user.  3: user, 4: ms of the lease, 5: ms of quarantine, 6:
 * after this it is too late, 7: name of the claim, 8: "any", "only" the first
 * one, or "look" without leasing, 9: one that he is to leave, or empty, 10: and
 * following: those he may have.
 *
 * ok, identity, generation, end, fresh, browsers elsewhere, URL there; pairs
 * busy; pairs
 *         of those before that others have: number, ms until they may be free
 * hold, ms
 * none | new | late
 */

static const char  ngx_ims_lease_claim_text[] =
    NGX_IMS_LEASE_LUA
"if now > tonumber(ARGV[6]) then return { 'late' } end\n"
"local m = call('HMGET', mark, 'g', 'hold')\n"
"if not m[1] then return { 'new' } end\n"
"local user, look = ARGV[3], ARGV[8] == 'look'\n"
"local ms, resting = tonumber(ARGV[4]), tonumber(ARGV[5])\n"
"local mine = call('GET', ukey(user))\n"
"local leave\n"
"if mine then\n"
"  local v = call('HMGET', ikey(mine), 'u', 'g', 'e', 'b', 'r')\n"
"  if v[1] ~= user then\n"
"    mine = false\n"
"  elseif mine == ARGV[9]\n"
"    or ARGV[8] == 'only' and mine ~= ARGV[10] then\n"
"    leave = v\n"
"  else\n"
"    local over = v[5] or tonumber(v[3]) <= now\n"
"    if look and over then return { 'none' } end\n"
"    if not look then\n"
"      v[3] = txt(now + ms)\n"
"      if over then\n"
"        v[2], v[4] = txt(born()), false\n"
"        call('HDEL', ikey(mine), 'b', 'r')\n"
"        call('HSET', ikey(mine), 'c', ARGV[7])\n"
"      else\n"
"        call('HDEL', ikey(mine), 'c')\n"
"      end\n"
"      call('HSET', ikey(mine), 'g', v[2], 'e', v[3])\n"
"      last(mine, user, now + ms + resting)\n"
"    end\n"
"    local url = v[4] and v[4] ~= host\n"
"      and call('GET', p .. 'h:' .. v[4])\n"
"    return { 'ok', mine, v[2], v[3], over and '1' or '0',\n"
"      url and '1' or '0', url or '' }\n"
"  end\n"
"end\n"
"if look then return { 'none' } end\n"
"local wait = tonumber(m[2] or '0') - now\n"
"if wait > 0 then return { 'hold', txt(wait) } end\n"
"local out = { 'busy' }\n"
"for i = 10, #ARGV do\n"
"  local id = ARGV[i]\n"
"  local k = ikey(id)\n"
"  local u = call('HGET', k, 'u')\n"
"  if not u or u == user then\n"
"    if leave then\n"
"      if not leave[5] then tell(mine, user, leave[2]) end\n"
"      rest(mine, user, resting)\n"
"    end\n"
"    local g, e = txt(born()), txt(now + ms)\n"
"    call('HSET', k, 'u', user, 'g', g, 'e', e, 'c', ARGV[7])\n"
"    call('HDEL', k, 'b', 'r')\n"
"    call('SET', ukey(user), id)\n"
"    last(id, user, now + ms + resting)\n"
"    local got = { 'ok', id, g, e, '1', '0', '' }\n"
"    for n = 2, #out do got[#got + 1] = out[n] end\n"
"    return got\n"
"  end\n"
"  out[#out + 1] = txt(i - 10)\n"
"  out[#out + 1] = txt(call('PTTL', k))\n"
"end\n"
"return out\n";


/*
 * A lease that a host has.  3: user, 4: identity, 5: generation, 6: ms of lease
 * from now, 7: ms of quarantine, 8: "1" when it has not ended by what the
 * server said, 9: "1" when he has browsers here.
 *
 * Of two users with one identity, or two identities of one user, the older
 * lease stays.  ok, generation, "1" when another one had to go | lost | new
 */

static const char  ngx_ims_lease_assert_text[] =
    NGX_IMS_LEASE_LUA
"if call('EXISTS', mark) == 0 then return { 'new' } end\n"
"local user, id, g = ARGV[3], ARGV[4], ARGV[5]\n"
"local function older(v) return ARGV[8] == '1'\n"
"  and tonumber(v) > tonumber(g) end\n"
"local v = call('HMGET', ikey(id), 'u', 'g', 'r')\n"
"local foe = v[1] and v[1] ~= user\n"
"if foe and not (v[3] and ARGV[8] == '1' or older(v[2])) then\n"
"  return { 'lost' }\n"
"end\n"
"if v[1] == user and v[3] then return { 'lost' } end\n"
"local other = call('GET', ukey(user))\n"
"if other and other ~= id then\n"
"  local o = call('HMGET', ikey(other), 'u', 'g', 'r')\n"
"  if o[1] == user and not o[3] then\n"
"    if not older(o[2]) then return { 'lost' } end\n"
"    tell(other, user, o[2])\n"
"    rest(other, user, tonumber(ARGV[7]))\n"
"  end\n"
"end\n"
"if foe then\n"
"  tell(id, v[1], v[2])\n"
"  if call('GET', ukey(v[1])) == id then call('DEL', ukey(v[1])) end\n"
"elseif v[1] then\n"
"  g = v[2]\n"
"end\n"
"local top = tonumber(call('HGET', mark, 'g') or '0')\n"
"if tonumber(g) > top then call('HSET', mark, 'g', g) end\n"
"if foe then call('DEL', ikey(id)) end\n"
"call('HSET', ikey(id), 'u', user, 'g', g, 'e', txt(now + ARGV[6]))\n"
"call('HDEL', ikey(id), 'c')\n"
"if ARGV[9] == '1' then\n"
"  call('HSET', ikey(id), 'b', host)\n"
"elseif call('HGET', ikey(id), 'b') == host then\n"
"  call('HDEL', ikey(id), 'b')\n"
"end\n"
"call('SET', ukey(user), id)\n"
"last(id, user, now + ARGV[6] + ARGV[7])\n"
"return { 'ok', g, foe and '1' or '0' }\n";


/*
 * A lease ends.  3: user, 4: identity, or empty: his, 5: generation, or empty,
 * 6: ms of quarantine, 7: only if this claim made it and nobody used it since,
 * or empty.  ok | none
 */

static const char  ngx_ims_lease_release_text[] =
    NGX_IMS_LEASE_LUA
"local user, id = ARGV[3], ARGV[4]\n"
"if id == '' then id = call('GET', ukey(user)) end\n"
"if not id then return { 'none' } end\n"
"local v = call('HMGET', ikey(id), 'u', 'g', 'c')\n"
"if v[1] ~= user or ARGV[5] ~= '' and v[2] ~= ARGV[5]\n"
"  or ARGV[7] ~= '' and v[3] ~= ARGV[7] then\n"
"  return { 'none' }\n"
"end\n"
"if ARGV[7] == '' then tell(id, user, v[2]) end\n"
"rest(id, user, tonumber(ARGV[6]))\n"
"return { 'ok' }\n";


static ngx_ims_redis_script_t  ngx_ims_lease_scripts[] = {
    { ngx_ims_lease_hello_text, sizeof(ngx_ims_lease_hello_text) - 1, "" },
    { ngx_ims_lease_claim_text, sizeof(ngx_ims_lease_claim_text) - 1, "" },
    { ngx_ims_lease_assert_text, sizeof(ngx_ims_lease_assert_text) - 1, "" },
    { ngx_ims_lease_release_text, sizeof(ngx_ims_lease_release_text) - 1, "" }
};


ngx_ims_redis_script_t *
ngx_ims_lease_script(ngx_ims_lease_script_e script)
{
    return &ngx_ims_lease_scripts[script];
}


void
ngx_ims_lease_args(ngx_ims_lease_live_t *live, ngx_ims_lease_args_t *a,
    ngx_str_t *args, ngx_uint_t max, u_char *buf, size_t size)
{
    a->args = args;
    a->max = max;
    a->n = 0;
    a->p = buf;
    a->last = buf + size;

    args[a->n++] = live->mark;
    args[a->n++] = live->share->prefix;
    args[a->n++] = live->host;
}


void
ngx_ims_lease_arg(ngx_ims_lease_args_t *a, u_char *p, size_t len)
{
    if (a->n < a->max) {
        a->args[a->n].data = p;
        a->args[a->n++].len = len;
    }
}


void
ngx_ims_lease_arg_number(ngx_ims_lease_args_t *a, int64_t n)
{
    u_char  *start;

    start = a->p;
    a->p = ngx_slprintf(a->p, a->last, "%L", n);

    ngx_ims_lease_arg(a, start, a->p - start);
}


void
ngx_ims_lease_arg_user(ngx_ims_lease_args_t *a, u_char *user)
{
    u_char  *start;

    if (a->last - a->p < 2 * NGX_IMS_DIGEST_LEN) {
        return;
    }

    start = a->p;
    a->p = ngx_hex_dump(a->p, user, NGX_IMS_DIGEST_LEN);

    ngx_ims_lease_arg(a, start, a->p - start);
}


void
ngx_ims_lease_arg_identity(ngx_ims_lease_args_t *a, ngx_ims_pool_t *pool,
    uint32_t lease)
{
    u_char  *start;

    if (a->last - a->p < NGX_IMS_MAX_IMPU) {
        return;
    }

    start = a->p;
    a->p += ngx_ims_pool_share_text(pool, lease, a->p);

    ngx_ims_lease_arg(a, start, a->p - start);
}


ngx_int_t
ngx_ims_lease_eval(ngx_ims_lease_live_t *live, ngx_ims_lease_script_e script,
    ngx_ims_lease_args_t *a, ngx_ims_redis_reply_pt handler, void *data)
{
    ngx_int_t  rc;

    rc = ngx_ims_redis_eval(live->redis, ngx_ims_lease_script(script), 1,
                            a->args, a->n, handler, data);

    if (rc == NGX_OK && script != NGX_IMS_LEASE_HELLO) {
        (void) ngx_atomic_fetch_add(&live->pool->zone.sh->share.asked, 1);
    }

    return rc;
}


uint64_t
ngx_ims_lease_number(ngx_ims_redis_reply_t *reply, ngx_uint_t i)
{
    uint64_t   n;
    ngx_str_t  s;

    s = ngx_ims_redis_part(reply, i);

    for (n = 0; s.len && *s.data >= '0' && *s.data <= '9'; s.len--) {
        n = n * 10 + (*s.data++ - '0');
    }

    return n;
}


ngx_uint_t
ngx_ims_lease_is(ngx_ims_redis_reply_t *reply, ngx_uint_t i,
    const char *word)
{
    ngx_str_t  s;

    s = ngx_ims_redis_part(reply, i);

    return s.len == ngx_strlen(word)
           && ngx_strncmp(s.data, word, s.len) == 0;
}


int64_t
ngx_ims_lease_now(void)
{
    ngx_time_t  *tp;

    tp = ngx_timeofday();

    return (int64_t) tp->sec * 1000 + tp->msec;
}
