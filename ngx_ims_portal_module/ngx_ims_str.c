/*
 * Copyright (C) the IMS portal authors
 *
 * What all pure codecs need to judge bytes: UTF-8.
 */


#include "ngx_ims_str.h"


int
ngx_ims_utf8(const unsigned char *p, size_t len)
{
    int       n;
    uint64_t  x;

    while (len) {

        if (len >= 8) {
            memcpy(&x, p, 8);

            if ((x & 0x8080808080808080ULL) == 0) {
                p += 8;
                len -= 8;
                continue;
            }
        }

        n = ngx_ims_utf8_char(p, len);

        if (n == 0) {
            return 0;
        }

        p += n;
        len -= n;
    }

    return 1;
}


int
ngx_ims_utf8_char(const unsigned char *p, size_t len)
{
    int            i, n;
    unsigned char  low, high;

    low = 0x80;
    high = 0xbf;

    if (p[0] < 0x80) {
        return 1;

    } else if (p[0] >= 0xc2 && p[0] <= 0xdf) {
        n = 2;

    } else if (p[0] >= 0xe0 && p[0] <= 0xef) {
        n = 3;
        low = (p[0] == 0xe0) ? 0xa0 : 0x80;
        high = (p[0] == 0xed) ? 0x9f : 0xbf;

    } else if (p[0] >= 0xf0 && p[0] <= 0xf4) {
        n = 4;
        low = (p[0] == 0xf0) ? 0x90 : 0x80;
        high = (p[0] == 0xf4) ? 0x8f : 0xbf;

    } else {
        return 0;
    }

    if (len < (size_t) n || p[1] < low || p[1] > high) {
        return 0;
    }

    for (i = 2; i < n; i++) {

        if ((p[i] & 0xc0) != 0x80) {
            return 0;
        }
    }

    return n;
}


int
ngx_ims_plain(const unsigned char *p, size_t len)
{
    int       n, chars;
    uint32_t  c;

    for (chars = 0; len; chars++) {

        n = ngx_ims_utf8_char(p, len);

        if (n == 0) {
            return -1;
        }

        c = (n == 1) ? p[0]
            : (n == 2) ? (p[0] & 0x1fU) << 6 | (p[1] & 0x3fU)
            : (n == 3) ? (p[0] & 0x0fU) << 12 | (p[1] & 0x3fU) << 6
                         | (p[2] & 0x3fU)
            : 0x10000;

        if (c < 0x20 || (c >= 0x7f && c < 0xa0)
            || (c >= 0x200e && c <= 0x200f) || (c >= 0x2028 && c <= 0x202e)
            || (c >= 0x2066 && c <= 0x2069))
        {
            return -1;
        }

        p += n;
        len -= n;
    }

    return chars;
}
