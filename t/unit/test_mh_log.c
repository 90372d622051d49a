/*
 * Copyright (C) the IMS portal authors
 *
 * How many lines of the log somebody can cause.
 */

#include "tap.h"
#include "../../media-helper/mh_clock.h"

static uint64_t  test_now = 1000000;

#define mh_clock() test_now

#include "../../media-helper/mh_log.c"


static FILE  *real;
static char  *text;
static size_t text_len;


static void
begin(void)
{
    real = stderr;
    stderr = open_memstream(&text, &text_len);
}


/* what was written since, times left out, lines joined with "|" */

static const char *
end(void)
{
    char         *line, *save, *p;
    static char   out[8192];

    (void) fclose(stderr);
    stderr = real;

    out[0] = '\0';

    for (line = strtok_r(text, "\n", &save); line != NULL;
         line = strtok_r(NULL, "\n", &save))
    {
        p = strchr(line, ' ');
        (void) snprintf(out + strlen(out), sizeof(out) - strlen(out), "%s|",
                        p ? p + 1 : line);
    }

    free(text);

    return out;
}


static void
is_log(const char *expected, const char *name)
{
    const char  *got;

    got = end();
    is_str(got, strlen(got), expected, name);
}


static void
burst(unsigned n)
{
    unsigned  i;

    for (i = 1; i <= n; i++) {
        mh_info("call \"%u\" removed", i);
    }
}


static void
test_limit(void)
{
    const char  *first;

    first = "[info] call \"1\" removed|[info] call \"2\" removed|"
            "[info] call \"3\" removed|[info] call \"4\" removed|"
            "[info] call \"5\" removed|";

    begin();
    burst(5);
    is_log(first, "so many lines a second are written");

    begin();
    burst(100000);
    mh_log_tick(test_now + 999);
    is_log("", "and no more");

    begin();
    mh_warn("another \"%s\"", "x");
    mh_err("and another");
    is_log("[warn] another \"x\"|[error] and another|",
           "of another kind they are");

    test_now += 1000;

    begin();
    mh_log_tick(test_now);
    is_log("[info] 100000 more like: call \"100000\" removed|",
           "a second later comes how many there were");

    begin();
    mh_log_tick(test_now + 1000);
    is_log("", "once");

    begin();
    burst(5);
    is_log(first, "a new second, new lines");
}


/* without a tick between, the next line of the kind tells it */

static void
test_next(void)
{
    test_now += 5000;

    begin();
    burst(7);
    test_now += 1000;
    burst(1);
    (void) end();

    begin();
    burst(5);
    test_now += 1000;
    burst(1);
    is_log("[info] call \"1\" removed|[info] call \"2\" removed|"
           "[info] call \"3\" removed|[info] call \"4\" removed|"
           "[info] 1 more like: call \"5\" removed|"
           "[info] call \"1\" removed|", "or the next line tells");

    mh_log_tick(UINT64_MAX);
}


static void
test_last(void)
{
    char         name[2000];
    unsigned     i;
    const char  *out, *more;

    memset(name, 'n', sizeof(name));
    name[sizeof(name) - 1] = '\0';
    name[1] = '\n';
    test_now += 5000;

    begin();

    for (i = 0; i < 7; i++) {
        mh_warn("\"%s\" is long", name);
    }

    mh_log_tick(test_now + 1000);

    out = end();
    more = strstr(out, "[warn] 2 more like: \"n?nnn");

    ok(more != NULL && strlen(more) < 256 && strlen(out) < 6000,
       "a long line is cut, and makes no second one");
}


int
main(void)
{
    test_limit();
    test_next();
    test_last();

    return done_testing();
}
