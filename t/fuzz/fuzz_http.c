/* Copyright (C) the IMS portal authors */


/*
 * Feeds the reader of HTTP heads: its spans lie in the head, its sizes within
 * the limits, and less than a head is never taken for one.
 */

/* FUZZ_CFLAGS: -D_GNU_SOURCE -DHAVE_INET6 -I/usr/include/re */
/* FUZZ_LIBS: -lre */


#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "../../media-helper/mh_http.c"


int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);


static void
inside(const struct pl *pl, const char *p, size_t len)
{
    if (pl->l && (pl->p < p || pl->p + pl->l > p + len)) {
        abort();
    }
}


int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    int             rc;
    char           *copy;
    struct mh_http  h, less;

    copy = malloc(size + 1);
    memcpy(copy, data, size);

    rc = mh_http_parse(&h, copy, size, 1000);

    if (rc == 0) {
        inside(&h.method, copy, h.size);
        inside(&h.path, copy, h.size);
        inside(&h.type, copy, h.size);

        if (h.size > size || h.size > MH_HTTP_HEAD + 1 || h.body > 1000
            || mh_http_parse(&less, copy, h.size - 1, 1000) != -1)
        {
            abort();
        }
    }

    free(copy);

    return 0;
}
