/*
 * Copyright (C) the IMS portal authors
 *
 * TAP; see result.h.
 */

#include <stdarg.h>
#include <stdio.h>

#include "result.h"


static int  count;
static int  failed;


int
ok(int cond, const char *fmt, ...)
{
    va_list  args;

    failed += !cond;
    printf("%sok %d - ", cond ? "" : "not ", ++count);

    va_start(args, fmt);
    vprintf(fmt, args);
    va_end(args);

    printf("\n");
    fflush(stdout);

    return cond;
}


int
is_int(long long got, long long expected, const char *name)
{
    if (!ok(got == expected, "%s", name)) {
        printf("# got %lld, expected %lld\n", got, expected);
    }

    return got == expected;
}


int
done_testing(void)
{
    printf("1..%d\n", count);
    fflush(stdout);

    return failed != 0;
}
