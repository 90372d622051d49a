
/*
 * Copyright (C) the IMS portal authors
 */


/*
 * Owns nothing: it looks, and warns.  No timer.
 */


#include <linux/sock_diag.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>

#include "mh_limits.h"
#include "mh_log.h"


enum {
    MH_LIMITS_BASE = 67108864   /* bytes: what the process needs itself */
};


static void mh_limits_buffer(int fd, int option, const char *sysctl,
    int want);
static int mh_limits_reserved(unsigned min, unsigned max);


void
mh_limits_buffers(int fd, int want)
{
    mh_limits_buffer(fd, SO_RCVBUF, "net.core.rmem_max", want);
    mh_limits_buffer(fd, SO_SNDBUF, "net.core.wmem_max", want);
}


void
mh_limits_ports(unsigned min, unsigned max)
{
    int       n;
    FILE     *f;
    unsigned  low, high;

    f = fopen("/proc/sys/net/ipv4/ip_local_port_range", "re");
    if (f == NULL) {
        return;
    }

    n = fscanf(f, "%u %u", &low, &high);
    (void) fclose(f);

    if (n != 2 || low > max || high < min || mh_limits_reserved(min, max)) {
        return;
    }

    mh_info("ports %u-%u are within net.ipv4.ip_local_port_range %u-%u: "
            "others may take some, see net.ipv4.ip_local_reserved_ports",
            min, max, low, high);
}


void
mh_limits_memory(unsigned calls)
{
    unsigned       i;
    unsigned long  want;
    struct rlimit  rl;

    static const struct {
        int          resource;
        const char  *name;
    } limits[] = {
        { RLIMIT_AS, "address space" },
        { RLIMIT_DATA, "data" }
    };

    want = MH_LIMITS_BASE + (unsigned long) calls * MH_LIMITS_CALL;

    for (i = 0; i < sizeof(limits) / sizeof(limits[0]); i++) {

        if (getrlimit(limits[i].resource, &rl) == 0 && rl.rlim_cur < want) {
            mh_warn("limit of %s is %lu MiB, %u calls may need %lu",
                    limits[i].name, (unsigned long) rl.rlim_cur >> 20,
                    calls, want >> 20);
        }
    }
}


uint32_t
mh_limits_dropped(int fd)
{
    uint32_t   info[SK_MEMINFO_VARS];
    socklen_t  len;

    len = sizeof(info);

    if (getsockopt(fd, SOL_SOCKET, SO_MEMINFO, info, &len) == -1
        || len < sizeof(info[0]) * (SK_MEMINFO_DROPS + 1))
    {
        return 0;
    }

    return info[SK_MEMINFO_DROPS];
}


/* the kernel tells twice of what it counts as room for data, socket(7) */

static void
mh_limits_buffer(int fd, int option, const char *sysctl, int want)
{
    int        got;
    socklen_t  len;

    len = sizeof(got);

    if (getsockopt(fd, SOL_SOCKET, option, &got, &len) == 0
        && got / 2 < want)
    {
        mh_warn("socket buffer of %d KiB instead of %d: %s is too small",
                got / 2 / 1024, want / 1024, sysctl);
    }
}


/* whether "a,b-c,..." of the sysctl holds the whole range in one piece */

static int
mh_limits_reserved(unsigned min, unsigned max)
{
    int       n, found;
    FILE     *f;
    unsigned  low, high;

    f = fopen("/proc/sys/net/ipv4/ip_local_reserved_ports", "re");
    if (f == NULL) {
        return 0;
    }

    found = 0;

    while (!found && fscanf(f, "%u", &low) == 1) {
        high = low;
        n = fgetc(f);

        if (n == '-' && fscanf(f, "%u", &high) == 1) {
            n = fgetc(f);
        }

        found = (low <= min && high >= max);

        if (n != ',') {
            break;
        }
    }

    (void) fclose(f);

    return found;
}
