/*
 * Copyright (C) the IMS portal authors
 *
 * Calls whose ICE and DTLS run into a want of memory: -n of them, and in each
 * another allocation fails (oom_shim.c), from the first check to the first
 * packet.  Whether such a call comes up is left open; the next one has to.
 */

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "call.h"
#include "result.h"


enum {
    WARM = 5,
    REPLIES = 3,                /* of a call; each is kept, for a minute */
    FAILED_MS = 600,            /* for a call that need not come up */
    GOOD_MS = 20000
};


struct page {
    int64_t  countdown;
    int64_t  count;
    int64_t  live;
    int64_t  failed;
};


static volatile struct page  *page;
static int64_t                replies;


static volatile struct page *
page_open(const char *name)
{
    int    fd;
    void  *p;

    fd = open(name, O_RDWR);
    p = mmap(NULL, sizeof(struct page), PROT_READ|PROT_WRITE, MAP_SHARED, fd,
             0);
    close(fd);

    return p == MAP_FAILED ? NULL : p;
}


/*
 * The at-th allocation fails, or none for 0.
 *
 * @return 1 if the call came up; *taken: the allocations from the check on
 */

static int
one(struct ng *ng, int64_t at, int ms, int64_t *taken)
{
    int          up;
    int64_t      before;
    struct call  c;

    replies += REPLIES;
    call_init(&c, ng, "127.0.0.1", BROWSER_OFFERS, ALL_PROFILES);

    up = (call_setup(&c, "actpass", "passive") == 1);

    before = page->count;
    page->countdown = at;
    up = up && browser_connect(&c.web, ms) && pass_up(&c, 1, 8, 1, 160)
         && pass_down(&c, 2, 8, 1, 160);
    page->countdown = 0;

    if (taken != NULL) {
        *taken = page->count - before;
    }

    call_delete(&c);
    call_close(&c);

    return up;
}


int
main(int argc, char **argv)
{
    int        opt, i, good;
    long       n, up, k;
    int64_t    taken, live, failed;
    struct ng  ng;

    n = 40;

    while ((opt = getopt(argc, argv, "c:f:n:")) != -1) {
        switch (opt) {

        case 'c':
            ng_spec = optarg;
            break;

        case 'f':
            page = page_open(optarg);
            break;

        case 'n':
            n = strtol(optarg, NULL, 10);
            break;

        default:
            return 2;
        }
    }

    if (ng_spec == NULL || page == NULL
        || srtp_init() != srtp_err_status_ok || ng_open(&ng, ng_spec) != 0)
    {
        fprintf(stderr, "mh_oom: no control socket, or no file\n");
        return 2;
    }

    pass_wait_ms = 10000;
    good = 1;
    taken = 0;

    for (i = 0; i < WARM; i++) {
        good = good && one(&ng, 0, GOOD_MS, &taken);
    }

    live = page->live - replies;
    good = good && one(&ng, 0, GOOD_MS, NULL);
    ok(good, "calls, each takes %ld allocations for ICE and DTLS",
       (long) taken);
    n = (taken < n) ? (long) taken : n;
    failed = page->failed;
    up = 0;
    good = 1;
    pass_wait_ms = FAILED_MS;

    for (k = 0; k < n; k++) {
        up += one(&ng, 1 + k * taken / n, FAILED_MS, NULL);

        if (k % 8 == 7) {
            pass_wait_ms = 10000;
            good = good && one(&ng, 0, GOOD_MS, NULL);
            pass_wait_ms = FAILED_MS;
        }
    }

    ok(page->failed > failed || taken == 0, "%ld times one of them fails",
       (long) (page->failed - failed));
    ok(good, "the next call comes up, %ld of those did", up);

    pass_wait_ms = 10000;
    good = 1;

    for (i = 0; i < WARM; i++) {
        good = good && one(&ng, 0, GOOD_MS, NULL);
    }

    ok(good, "and so afterwards");

    /* the caller knows how many ended calls are remembered */

    printf("# %ld are left\n", (long) (page->live - replies - live));

    ng_close(&ng);

    return done_testing();
}
