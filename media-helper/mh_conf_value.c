
/*
 * Copyright (C) the IMS portal authors
 */


/* Reads numbers and addresses of options.  Owns nothing, no timer. */


#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <re.h>

#include "mh_conf.h"
#include "mh_conf_value.h"


enum {
    MH_CONF_TEXT = 160
};


static int mh_conf_split(char **p, char **port);
static const char *mh_conf_addr(const char *text, struct sa *addrs,
    unsigned *n);


const char *
mh_conf_number(const char *value, unsigned max, unsigned *n)
{
    char           *end;
    unsigned long   v;

    if (value[0] < '0' || value[0] > '9') {
        return "invalid number";
    }

    errno = 0;
    v = strtoul(value, &end, 10);

    if (errno || *end != '\0' || v > max) {
        return "invalid number";
    }

    *n = (unsigned) v;

    return NULL;
}


const char *
mh_conf_addrs(const char *value, struct sa *addrs, unsigned *n,
    uint16_t *port)
{
    char         text[MH_CONF_TEXT], *p, *next, *digits;
    unsigned     number;
    const char  *reason;

    *n = 0;

    if (strlen(value) >= sizeof(text)) {
        return "invalid address";
    }

    (void) strcpy(text, value);

    for (p = text; p != NULL; p = next) {
        next = strchr(p, ',');

        if (next != NULL) {
            *next++ = '\0';
        }

        if (mh_conf_split(&p, &digits) != 0) {
            return "invalid address";
        }

        if (digits != NULL) {

            if (port == NULL || next != NULL
                || mh_conf_number(digits, 65535, &number) != NULL
                || number == 0)
            {
                return "invalid port of an address in";
            }

            *port = (uint16_t) number;
        }

        reason = mh_conf_addr(p, addrs, n);
        if (reason != NULL) {
            return reason;
        }
    }

    return NULL;
}


/* ends the address at *p, which goes behind its '[', and finds its port */

static int
mh_conf_split(char **p, char **port)
{
    char  *colon, *end;

    *port = NULL;

    if (**p == '[') {
        (*p)++;
        end = strchr(*p, ']');

        if (end == NULL || (end[1] != ':' && end[1] != '\0')) {
            return EINVAL;
        }

        *end = '\0';
        colon = (end[1] == ':') ? end + 1 : NULL;

    } else {
        colon = strchr(*p, ':');

        if (colon != NULL && strchr(colon + 1, ':') != NULL) {
            /* IPv6 without a port */
            colon = NULL;
        }
    }

    if (colon != NULL) {
        *colon = '\0';
        *port = colon + 1;
    }

    return 0;
}


static const char *
mh_conf_addr(const char *text, struct sa *addrs, unsigned *n)
{
    unsigned   i;
    struct sa  sa;

    /* libre leaves the flow and the scope of IPv6 as they are */

    memset(&sa, 0, sizeof(sa));

    if (sa_set_str(&sa, text, 0) != 0 || sa_is_any(&sa)) {
        return "invalid address";
    }

    /* it says nothing without an interface, and no router knows it */

    if (sa_is_linklocal(&sa)) {
        return "link-local address in";
    }

    if (*n == MH_WEB_SOCKS) {
        return "too many addresses in";
    }

    for (i = 0; i < *n; i++) {
        if (sa_cmp(&addrs[i], &sa, SA_ADDR)) {
            return "the same address twice in";
        }
    }

    sa_cpy(&addrs[(*n)++], &sa);

    return NULL;
}
