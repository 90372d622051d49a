/*
 * Copyright (C) the IMS portal authors
 *
 * STUN for the browser; see check.h.
 */

#include <stdint.h>
#include <string.h>
#include <netinet/in.h>
#include <re.h>

#include "check.h"


/* hands out what is in mb if it worked */

static size_t
done(uint8_t *out, struct mbuf *mb, int err)
{
    size_t  len;

    len = (err == 0 && mb->end <= 256) ? mb->end : 0;
    memcpy(out, mb->buf, len);
    mem_deref(mb);

    return len;
}


size_t
check_request(uint8_t *buf, unsigned tid, const char *username,
    const char *pwd, enum check_mode mode)
{
    int           err;
    uint8_t       id[12];
    uint32_t      priority;
    uint64_t      tie;
    struct mbuf  *mb;

    mb = mbuf_alloc(256);
    if (mb == NULL) {
        return 0;
    }

    memset(id, 0x5a, sizeof(id));
    memcpy(id, &tid, sizeof(tid));
    priority = 1853824767;
    tie = 0x1122334455667788;

    err = stun_msg_encode(mb, STUN_METHOD_BINDING, STUN_CLASS_REQUEST, id,
                          NULL, (const uint8_t *) pwd, strlen(pwd), true, 0,
                          mode == CHECK_NOMINATE ? 4 : 3,
                          STUN_ATTR_USERNAME, username,
                          STUN_ATTR_PRIORITY, &priority,
                          mode == CHECK_CONTROLLED ? STUN_ATTR_CONTROLLED
                                                   : STUN_ATTR_CONTROLLING,
                          &tie, STUN_ATTR_USE_CAND, "");

    return done(buf, mb, err);
}


static size_t
success(uint8_t *out, const uint8_t *tid, const char *pwd,
    const struct sa *mapped)
{
    int           err;
    struct mbuf  *mb;

    mb = mbuf_alloc(256);
    if (mb == NULL) {
        return 0;
    }

    err = stun_msg_encode(mb, STUN_METHOD_BINDING, STUN_CLASS_SUCCESS_RESP,
                          tid, NULL, (const uint8_t *) pwd, strlen(pwd), true,
                          0, 1, STUN_ATTR_XOR_MAPPED_ADDR, mapped);

    return done(out, mb, err);
}


int
check_take(const uint8_t *buf, size_t len, const struct sockaddr *from,
    const char *pwd, const char *peer_pwd, uint8_t *reply,
    size_t *reply_len)
{
    int                        code;
    struct sa                  src;
    struct mbuf               *mb;
    struct stun_msg           *msg;
    struct stun_attr          *attr;
    struct stun_unknown_attr   unknown;

    code = CHECK_BAD;
    msg = NULL;

    mb = mbuf_alloc(len);
    if (mb == NULL) {
        return code;
    }

    (void) mbuf_write_mem(mb, buf, len);
    mb->pos = 0;

    if (stun_msg_decode(&msg, mb, &unknown) != 0
        || stun_msg_chk_fingerprint(msg) != 0)
    {
        goto out;
    }

    switch (stun_msg_class(msg)) {

    case STUN_CLASS_REQUEST:
        if (stun_msg_chk_mi(msg, (const uint8_t *) pwd, strlen(pwd)) == 0
            && sa_set_sa(&src, from) == 0)
        {
            *reply_len = success(reply, stun_msg_tid(msg), pwd, &src);
            code = CHECK_REQUEST;
        }

        break;

    case STUN_CLASS_SUCCESS_RESP:
        if (stun_msg_chk_mi(msg, (const uint8_t *) peer_pwd,
                            strlen(peer_pwd)) == 0
            && stun_msg_attr(msg, STUN_ATTR_XOR_MAPPED_ADDR) != NULL)
        {
            code = 200;
        }

        break;

    case STUN_CLASS_ERROR_RESP:
        attr = stun_msg_attr(msg, STUN_ATTR_ERR_CODE);
        code = (attr != NULL) ? attr->v.err_code.code : CHECK_BAD;
        break;

    default:
        break;
    }

out:

    mem_deref(msg);
    mem_deref(mb);

    return code;
}
