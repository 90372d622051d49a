/*
 * Copyright (C) the IMS portal authors
 *
 * TAP output and guarded memory for the unit tests.  A test is one main()
 * that calls ok(), is_int(), is_mem(), is_str() and ends with
 * "return done_testing();".  One header, included by one file per program.
 */


#ifndef _TAP_H_INCLUDED_
#define _TAP_H_INCLUDED_


#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <sys/mman.h>


static int  tap_count;
static int  tap_failed;


/*
 * One result, printed as a TAP line; fmt and its arguments name it.
 * Returns cond, so that a test may stop what depends on it.
 */
static __attribute__((format(printf, 2, 3), unused)) int
ok(int cond, const char *fmt, ...)
{
    va_list  args;

    tap_count++;

    if (!cond) {
        tap_failed++;
    }

    printf("%sok %d - ", cond ? "" : "not ", tap_count);

    va_start(args, fmt);
    vprintf(fmt, args);
    va_end(args);

    printf("\n");
    fflush(stdout);

    return cond;
}


/* a comment line of TAP */
static __attribute__((format(printf, 1, 2), unused)) void
diag(const char *fmt, ...)
{
    va_list  args;

    printf("# ");

    va_start(args, fmt);
    vprintf(fmt, args);
    va_end(args);

    printf("\n");
    fflush(stdout);
}


/* two numbers are equal; both are printed when they are not */
static __attribute__((unused)) int
is_int(long long got, long long expected, const char *name)
{
    if (!ok(got == expected, "%s", name)) {
        diag("got %lld, expected %lld", got, expected);
        return 0;
    }

    return 1;
}


static __attribute__((unused)) void
tap_dump(const char *what, const void *data, size_t len)
{
    size_t                i;
    const unsigned char  *p;

    p = data;

    printf("# %s (%zu bytes): ", what, len);

    for (i = 0; i < len; i++) {

        if (p[i] >= 0x20 && p[i] < 0x7f && p[i] != '\\') {
            putchar(p[i]);

        } else {
            printf("\\x%02x", p[i]);
        }
    }

    printf("\n");
    fflush(stdout);
}


/* the same bytes; both are printed when they are not */
static __attribute__((unused)) int
is_mem(const void *got, size_t got_len, const void *expected,
    size_t expected_len, const char *name)
{
    int  same;

    same = (got_len == expected_len
            && (got_len == 0 || memcmp(got, expected, got_len) == 0));

    if (!ok(same, "%s", name)) {
        tap_dump("got", got, got_len);
        tap_dump("expected", expected, expected_len);
    }

    return same;
}


/* as is_mem(), expected is a string; len bytes at got need no terminator */
static __attribute__((unused)) int
is_str(const void *got, size_t len, const char *expected, const char *name)
{
    return is_mem(got, len, expected, strlen(expected), name);
}


/*
 * A copy of len bytes that ends right before a page that may not be touched,
 * so that reading one byte too many ends the test.  Freed with
 * guarded_free(copy, len), both with the same len.
 */
static __attribute__((unused)) unsigned char *
guarded_copy(const void *data, size_t len)
{
    size_t          page, room;
    unsigned char  *base;

    page = (size_t) sysconf(_SC_PAGESIZE);
    room = (len + page - 1) / page * page;

    base = mmap(NULL, room + page, PROT_READ|PROT_WRITE,
                MAP_PRIVATE|MAP_ANONYMOUS, -1, 0);

    if (base == MAP_FAILED || mprotect(base + room, page, PROT_NONE) != 0) {
        perror("guarded_copy");
        exit(2);
    }

    if (len != 0) {
        memcpy(base + room - len, data, len);
    }

    return base + room - len;
}


static __attribute__((unused)) void
guarded_free(unsigned char *copy, size_t len)
{
    size_t  page, room;

    page = (size_t) sysconf(_SC_PAGESIZE);
    room = (len + page - 1) / page * page;

    munmap(copy + len - room, room + page);
}


/* prints the plan; returns the exit code of the test */
static __attribute__((unused)) int
done_testing(void)
{
    printf("1..%d\n", tap_count);

    if (tap_failed) {
        diag("%d of %d failed", tap_failed, tap_count);
    }

    fflush(stdout);

    return tap_failed ? 1 : 0;
}


#endif /* _TAP_H_INCLUDED_ */
