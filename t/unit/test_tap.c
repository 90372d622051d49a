/*
 * Copyright (C) the IMS portal authors
 *
 * The test bench itself: a guarded copy holds what was given, and the byte
 * behind it cannot be read.
 */


#include <signal.h>
#include <sys/wait.h>

#include "tap.h"


static int
dies(unsigned char *p)
{
    int    status;
    pid_t  pid;

    pid = fork();

    if (pid == 0) {
        signal(SIGSEGV, SIG_DFL);
        _exit(*(volatile unsigned char *) p == 'x' ? 3 : 4);
    }

    if (pid == -1 || waitpid(pid, &status, 0) != pid) {
        return 0;
    }

    return WIFSIGNALED(status) && WTERMSIG(status) == SIGSEGV;
}


int
main(void)
{
    size_t          i, sizes[] = { 0, 1, 4095, 4096, 4097 };
    unsigned char  *p, data[4097];

    memset(data, 'x', sizeof(data));

    for (i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
        p = guarded_copy(data, sizes[i]);

        ok(memcmp(p, data, sizes[i]) == 0, "copy of %zu bytes", sizes[i]);
        ok(dies(p + sizes[i]), "the byte behind %zu is guarded", sizes[i]);

        guarded_free(p, sizes[i]);
    }

    return done_testing();
}
