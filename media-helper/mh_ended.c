
/*
 * Copyright (C) the IMS portal authors
 */


/*
 * Owns the ring of calls whose media ended by itself.  No timers.
 */


#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include <re.h>

#include "mh_ended.h"


struct mh_ended_one {
    char                  *call_id;     /* NULL: no memory */
    enum mh_ended_reason   reason;
};


struct mh_ended {
    struct mh_ended_one  ring[MH_ENDED_MAX];
    uint64_t             last;          /* number of the newest, 0: none yet */
};


static void mh_ended_destroy(void *data);


int
mh_ended_alloc(struct mh_ended **ep)
{
    struct mh_ended  *ended;

    ended = mem_zalloc(sizeof(*ended), mh_ended_destroy);
    if (ended == NULL) {
        return ENOMEM;
    }

    *ep = ended;

    return 0;
}


static void
mh_ended_destroy(void *data)
{
    unsigned          i;
    struct mh_ended  *ended = data;

    for (i = 0; i < MH_ENDED_MAX; i++) {
        mem_deref(ended->ring[i].call_id);
    }
}


void
mh_ended_add(struct mh_ended *ended, const char *call_id,
    enum mh_ended_reason reason)
{
    struct mh_ended_one  *one;

    one = &ended->ring[++ended->last % MH_ENDED_MAX];

    one->call_id = mem_deref(one->call_id);
    one->reason = reason;

    (void) str_dup(&one->call_id, call_id);
}


void
mh_ended_since(const struct mh_ended *ended, uint64_t since,
    struct mh_ended_part *part)
{
    size_t       len;
    uint64_t     oldest, seq;
    const char  *reason;

    oldest = (ended->last > MH_ENDED_MAX) ? ended->last - MH_ENDED_MAX + 1 : 1;

    part->lost = (since > ended->last || since + 1 < oldest);
    part->first = part->lost ? oldest : since + 1;
    part->n = 0;
    part->seq = part->first - 1;

    len = 0;

    for (seq = part->first; seq <= ended->last && part->n < MH_ENDED_TOLD
                            && len < MH_ENDED_TEXT; seq++)
    {
        len += strlen(mh_ended_get(ended, seq, &reason));
        part->n++;
        part->seq = seq;
    }
}


const char *
mh_ended_get(const struct mh_ended *ended, uint64_t seq, const char **reason)
{
    const struct mh_ended_one  *one;

    static const char *const  reasons[] = {
        "media lost", "no media", "dtls failed", "no answer"
    };

    one = &ended->ring[seq % MH_ENDED_MAX];

    *reason = reasons[one->reason];

    return one->call_id ? one->call_id : "";
}
