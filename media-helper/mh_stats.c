
/*
 * Copyright (C) the IMS portal authors
 */


/*
 * The table of the helper's figures.  They are copied together first, from
 * whoever counts them, and the rows say where in the copy each one is.
 */


#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <re.h>

#include "mh_cmd.h"
#include "mh_ctl.h"
#include "mh_stats.h"


struct mh_stats {
    struct mh_calls_stat  calls;
    struct mh_io_stat     io;
    struct mh_web_stat    web;
    struct mh_tcp_stat    tcp;
    struct mh_load        load;
    struct mh_ctl_stat    ctl;
};


struct mh_stats_row {
    const char           *name;
    enum mh_stats_kind    kind;
    const char           *help;
    size_t                offset;
    size_t                size;     /* 4 or 8 */
};


#define MH_STATS(field)                                                       \
    offsetof(struct mh_stats, field),                                         \
    sizeof(((struct mh_stats *) NULL)->field)


static const struct mh_stats_row  mh_stats_rows[] = {

    { "calls", MH_STATS_GAUGE, "Calls now", MH_STATS(calls.current) },
    { "calls total", MH_STATS_COUNTER, "Calls begun",
      MH_STATS(calls.total) },
    { "calls refused", MH_STATS_COUNTER,
      "Calls refused for want of room or of ports",
      MH_STATS(calls.refused) },
    { "calls timed out", MH_STATS_COUNTER,
      "Calls that ended without a delete", MH_STATS(calls.timeouts) },
    { "port pairs used", MH_STATS_GAUGE, "Port pairs in use, IMS side",
      MH_STATS(calls.ports_used) },
    { "port pairs total", MH_STATS_GAUGE, "Port pairs that there are",
      MH_STATS(calls.ports_total) },

    { "ims rtp packets", MH_STATS_COUNTER,
      "RTP packets received from the IMS",
      MH_STATS(calls.rtp[MH_SDP_IMS].packets) },
    { "ims rtp bytes", MH_STATS_COUNTER,
      "Bytes of these, without SRTP",
      MH_STATS(calls.rtp[MH_SDP_IMS].bytes) },
    { "ims rtp errors", MH_STATS_COUNTER,
      "RTP packets from the IMS that were dropped",
      MH_STATS(calls.rtp[MH_SDP_IMS].errors) },
    { "ims rtcp packets", MH_STATS_COUNTER,
      "RTCP packets received from the IMS",
      MH_STATS(calls.rtcp[MH_SDP_IMS].packets) },
    { "ims rtcp bytes", MH_STATS_COUNTER,
      "Bytes of these, without SRTP",
      MH_STATS(calls.rtcp[MH_SDP_IMS].bytes) },
    { "ims rtcp errors", MH_STATS_COUNTER,
      "RTCP packets from the IMS that were dropped",
      MH_STATS(calls.rtcp[MH_SDP_IMS].errors) },
    { "ims packets lost", MH_STATS_COUNTER,
      "RTP packets from the IMS that did not arrive",
      MH_STATS(calls.lost[MH_SDP_IMS]) },
    { "web rtp packets", MH_STATS_COUNTER,
      "RTP packets received from browsers",
      MH_STATS(calls.rtp[MH_SDP_WEB].packets) },
    { "web rtp bytes", MH_STATS_COUNTER,
      "Bytes of these, without SRTP",
      MH_STATS(calls.rtp[MH_SDP_WEB].bytes) },
    { "web rtp errors", MH_STATS_COUNTER,
      "RTP packets from browsers that were dropped",
      MH_STATS(calls.rtp[MH_SDP_WEB].errors) },
    { "web rtcp packets", MH_STATS_COUNTER,
      "RTCP packets received from browsers",
      MH_STATS(calls.rtcp[MH_SDP_WEB].packets) },
    { "web rtcp bytes", MH_STATS_COUNTER,
      "Bytes of these, without SRTP",
      MH_STATS(calls.rtcp[MH_SDP_WEB].bytes) },
    { "web rtcp errors", MH_STATS_COUNTER,
      "RTCP packets from browsers that were dropped",
      MH_STATS(calls.rtcp[MH_SDP_WEB].errors) },
    { "web packets lost", MH_STATS_COUNTER,
      "RTP packets from browsers that did not arrive",
      MH_STATS(calls.lost[MH_SDP_WEB]) },

    { "datagrams received", MH_STATS_COUNTER,
      "Datagrams received by media sockets", MH_STATS(io.received) },
    { "datagrams truncated", MH_STATS_COUNTER,
      "Datagrams dropped for their length", MH_STATS(io.truncated) },
    { "web datagrams sent", MH_STATS_COUNTER,
      "Datagrams sent to browsers", MH_STATS(io.sent) },
    { "web send errors", MH_STATS_COUNTER,
      "Datagrams that could not be sent to browsers",
      MH_STATS(io.send_errors) },

    { "stun", MH_STATS_COUNTER, "STUN messages of browsers",
      MH_STATS(web.stun) },
    { "stun refused", MH_STATS_COUNTER,
      "STUN messages answered with an error, or dropped",
      MH_STATS(web.stun_refused) },
    { "dtls", MH_STATS_COUNTER, "DTLS datagrams of browsers",
      MH_STATS(web.dtls) },
    { "srtp", MH_STATS_COUNTER, "SRTP and SRTCP datagrams of browsers",
      MH_STATS(web.media) },
    { "foreign", MH_STATS_COUNTER,
      "Datagrams dropped because no ICE check came from there",
      MH_STATS(web.foreign) },
    { "unknown", MH_STATS_COUNTER,
      "Datagrams dropped that are no STUN, DTLS, RTP or RTCP",
      MH_STATS(web.unknown) },
    { "transports", MH_STATS_GAUGE, "Transports to browsers",
      MH_STATS(web.transports) },

    { "tcp connections", MH_STATS_GAUGE, "Connections of ICE over TCP",
      MH_STATS(tcp.current) },
    { "tcp strangers", MH_STATS_GAUGE,
      "Those of them that no check has passed on yet",
      MH_STATS(tcp.strangers) },
    { "tcp accepted", MH_STATS_COUNTER, "Connections accepted",
      MH_STATS(tcp.accepted) },
    { "tcp refused", MH_STATS_COUNTER,
      "Connections closed for want of a check, or of room",
      MH_STATS(tcp.refused) },
    { "tcp broken", MH_STATS_COUNTER,
      "Connections closed for a frame that is too long",
      MH_STATS(tcp.broken) },
    { "tcp dropped", MH_STATS_COUNTER,
      "Frames dropped because a browser read too slowly",
      MH_STATS(tcp.dropped) },
    { "web datagrams dropped", MH_STATS_COUNTER,
      "Datagrams of browsers that the kernel dropped, its buffer being full",
      MH_STATS(load.drops_web) },
    { "ims datagrams dropped", MH_STATS_COUNTER,
      "Datagrams of the IMS side that the kernel dropped",
      MH_STATS(load.drops_ims) },
    { "cpu percent", MH_STATS_GAUGE,
      "CPU of one core, in the last second", MH_STATS(load.cpu) },
    { "loop delay", MH_STATS_GAUGE,
      "Milliseconds that the loop was late, at most, in the last second",
      MH_STATS(load.late) },
    { "overloads", MH_STATS_COUNTER,
      "Times that new calls began to be refused for the load",
      MH_STATS(load.periods) },

    { "control requests", MH_STATS_COUNTER, "Requests that were answered",
      MH_STATS(ctl.requests.total) },
    { "control repeated", MH_STATS_COUNTER,
      "Those of them that were answered before, by their cookie",
      MH_STATS(ctl.requests.repeated) },
    { "control broken", MH_STATS_COUNTER, "Requests that could not be read",
      MH_STATS(ctl.requests.broken) },
    { "control connections", MH_STATS_GAUGE, "Control connections",
      MH_STATS(ctl.conns.current) },
    { "control refused", MH_STATS_COUNTER,
      "Control connections closed for want of room, or of a permission",
      MH_STATS(ctl.conns.refused) },
    { "control expired", MH_STATS_COUNTER,
      "Control connections closed for their slowness",
      MH_STATS(ctl.conns.expired) },
};


void
mh_stats_walk(const struct mh_cmd *cmd, mh_stats_h *h, void *arg)
{
    size_t                      i;
    uint32_t                    small;
    uint64_t                    value;
    const uint8_t              *p;
    struct mh_stats             stats;
    const struct mh_stats_row  *row;

    mh_calls_stat(cmd->calls, &stats.calls);
    stats.io = *mh_io_stat(cmd->io);
    stats.web = *mh_web_stat(cmd->web);
    mh_web_tcp_stat(cmd->web, &stats.tcp);
    stats.load = *cmd->load;
    mh_ctl_stat(cmd->ctl, &stats.ctl);

    for (i = 0; i < sizeof(mh_stats_rows) / sizeof(mh_stats_rows[0]); i++) {
        row = &mh_stats_rows[i];
        p = (const uint8_t *) &stats + row->offset;

        if (row->size == sizeof(value)) {
            memcpy(&value, p, sizeof(value));

        } else {
            memcpy(&small, p, sizeof(small));
            value = small;
        }

        h(row->name, row->kind, row->help, value, arg);
    }
}
