
/*
 * Copyright (C) the IMS portal authors
 */


/*
 * Calls whose media ended without the proxy's doing, for proxies that ask: the
 * last MH_ENDED_MAX of them, numbered from 1 on.  Who asks names the number
 * that he knows, and is told of those behind it.
 */


#ifndef MH_ENDED_H
#define MH_ENDED_H


#include <stdbool.h>
#include <stdint.h>


enum mh_ended_limits {
    MH_ENDED_MAX = 1024,        /* calls remembered */
    MH_ENDED_TOLD = 64,         /* of them in one reply, */
    MH_ENDED_TEXT = 16384       /* and about so many bytes */
};


enum mh_ended_reason {
    MH_ENDED_MEDIA_LOST = 0,    /* consent is gone, the call is there */
    MH_ENDED_NO_MEDIA,          /* removed after the media timeout */
    MH_ENDED_DTLS_FAILED,       /* the call is there */
    MH_ENDED_NO_ANSWER          /* removed, its offer was never answered */
};


struct mh_ended;


/* what one reply tells: see mh_ended_since() */

struct mh_ended_part {
    uint64_t  first;            /* number of the first one told */
    unsigned  n;                /* 0: there is nothing new */
    uint64_t  seq;              /* of the last one told: to ask with next */
    bool      lost;             /* there were others before the first, or who
                                   asks knows the numbers of another process */
};


/*
 * @param ep  set on success; free it with mem_deref()
 *
 * @return 0 or ENOMEM
 */
int mh_ended_alloc(struct mh_ended **ep);

/* call_id is copied; without memory the event is lost, and told as that */
void mh_ended_add(struct mh_ended *ended, const char *call_id,
    enum mh_ended_reason reason);

/* What to tell who knows of all up to number since */
void mh_ended_since(const struct mh_ended *ended, uint64_t since,
    struct mh_ended_part *part);

/*
 * @param seq     one that mh_ended_since() named
 * @param reason  out: the word for it
 *
 * @return the call-id, "" if there was no memory for it; valid until the next
 *         mh_ended_add()
 */
const char *mh_ended_get(const struct mh_ended *ended, uint64_t seq,
    const char **reason);


#endif /* MH_ENDED_H */
