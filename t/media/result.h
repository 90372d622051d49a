/*
 * Copyright (C) the IMS portal authors
 *
 * TAP for a program of several files.
 */

#ifndef RESULT_H
#define RESULT_H


/* one result; @return cond */
int ok(int cond, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));

/* one result: two numbers are equal */
int is_int(long long got, long long expected, const char *name);

/* prints the plan; @return the exit code */
int done_testing(void);


#endif /* RESULT_H */
