
/* Copyright (C) the IMS portal authors */

/*
 * What the far end hears: the last second of its ring of samples, through a
 * Hann window and a Fourier transform.
 */

#define _GNU_SOURCE

#include "farend.h"

#include <math.h>
#include <string.h>


/* radix 2, in place; n is a power of two */

static void
fft(double *re, double *im, size_t n)
{
    double  t, ur, ui, wr, wi;
    size_t  i, j, k, len;

    for (i = 1, j = 0; i < n; i++) {
        for (k = n >> 1; j & k; k >>= 1) {
            j ^= k;
        }

        j ^= k;

        if (i < j) {
            t = re[i], re[i] = re[j], re[j] = t;
            t = im[i], im[i] = im[j], im[j] = t;
        }
    }

    for (len = 2; len <= n; len <<= 1) {
        for (k = 0; k < len / 2; k++) {
            wr = cos(-2 * M_PI * (double) k / (double) len);
            wi = sin(-2 * M_PI * (double) k / (double) len);

            for (i = k; i < n; i += len) {
                j = i + len / 2;
                ur = re[j] * wr - im[j] * wi;
                ui = re[j] * wi + im[j] * wr;
                re[j] = re[i] - ur;
                im[j] = im[i] - ui;
                re[i] += ur;
                im[i] += ui;
            }
        }
    }
}


void
fe_rtp_measure(const struct fe_rtp *r, double *db, double *freq,
    double *share)
{
    static double  re[FE_RING], im[FE_RING], power[FE_RING / 2];

    double  sum, total, near, a, b, c, s;
    size_t  i, n, peak;

    n = r->heard < FE_RING ? r->heard : FE_RING;
    sum = 0;
    memset(im, 0, sizeof(im));

    for (i = 0; i < FE_RING; i++) {
        s = i < n ? r->ring[(r->heard - n + i) % FE_RING] / 32768.0 : 0;
        sum += s * s;
        re[i] = n ? s * (0.5 - 0.5 * cos(2 * M_PI * (double) i / (double) n))
                  : 0;
    }

    *freq = 0;
    *share = 0;
    *db = n && sum > 0 ? 10 * log10(sum / (double) n) : -100;

    if (*db < -90) {
        return;
    }

    fft(re, im, FE_RING);
    total = near = 0;
    peak = 20;

    for (i = 20; i < FE_RING / 2 - 1; i++) {
        power[i] = re[i] * re[i] + im[i] * im[i];
        total += power[i];
        peak = power[i] > power[peak] ? i : peak;
    }

    for (i = peak - 6; i <= peak + 6 && i < FE_RING / 2 - 1; i++) {
        near += i >= 20 ? power[i] : 0;
    }

    *freq = (double) peak * FE_RATE / FE_RING;
    *share = total > 0 ? near / total : 0;

    if (peak > 20 && peak < FE_RING / 2 - 2) {
        a = log(power[peak - 1] + 1e-12);
        b = log(power[peak] + 1e-12);
        c = log(power[peak + 1] + 1e-12);

        if (a - 2 * b + c < 0) {
            *freq += 0.5 * (a - c) / (a - 2 * b + c) * FE_RATE / FE_RING;
        }
    }
}
