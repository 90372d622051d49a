/* Copyright (C) the IMS portal authors */


/*
 * Feeds the RTCP filter.  Whatever a checked datagram becomes must be a
 * valid datagram again, and a rewritten SSRC must be found when it is
 * written back.
 */


#include <stdlib.h>

#include "../../media-helper/mh_rtcp.c"


int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);


int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    bool                 full, reduced;
    size_t               len, room;
    uint8_t             *buf;
    unsigned             flags;
    struct mh_rtcp_seen  seen;

    full = (mh_rtcp_check(data, size, false) == 0);
    reduced = (mh_rtcp_check(data, size, true) == 0);

    if (full && !reduced) {
        abort();
    }

    for (flags = 0; flags < 4; flags++) {
        room = size + (reduced ? MH_RTCP_RR_SIZE : 0);
        buf = malloc(room + 1);

        if (size) {
            memcpy(buf, data, size);
        }

        len = size;

        if (mh_rtcp_filter(buf, &len, room, flags, &seen) == 0) {

            if (len > room) {
                abort();
            }

            if (reduced && len
                && mh_rtcp_check(buf, len, flags & MH_RTCP_TO_RSIZE) != 0)
            {
                abort();
            }

            (void) mh_rtcp_ssrc_rewrite(buf, len, seen.ssrc, 0x55aa55aa);
            (void) mh_rtcp_ssrc_rewrite(buf, len, 0x55aa55aa, seen.media);

            if (reduced && len
                && mh_rtcp_check(buf, len, flags & MH_RTCP_TO_RSIZE) != 0)
            {
                abort();
            }

        } else if (reduced) {
            abort();
        }

        free(buf);
    }

    return 0;
}
