/*
 * Copyright (C) the IMS portal authors
 *
 * A small client of the ng protocol, one command at a time.
 */

#ifndef NG_H
#define NG_H

#include <stddef.h>


enum {
    NG_MAX = 65536
};


struct ng {
    int       fd;
    char      out[NG_MAX];
    size_t    out_len;
    char      in[NG_MAX];       /* the last reply, without its cookie */
    size_t    in_len;
};


/* spec: unix:PATH, seqpacket:PATH or udp:ADDR:PORT; @return 0 or -1 */
int ng_open(struct ng *ng, const char *spec);
void ng_close(struct ng *ng);

/* builds a command: begin, then any number of the others, then send */
void ng_begin(struct ng *ng, const char *command);
void ng_str(struct ng *ng, const char *key, const char *value);
void ng_list(struct ng *ng, const char *key, const char *words);

/* @return 1 if the result is "ok" or "pong", 0 if not, -1 without a reply */
int ng_send(struct ng *ng);

/* sends the last command once more with the same cookie */
int ng_again(struct ng *ng);

/* as ng_send(), in pieces of one octet */
int ng_send_pieces(struct ng *ng);

/* sends bytes as they are and takes what comes in 200 ms */
void ng_raw(struct ng *ng, const void *data, size_t len);

/* a string of the reply's top dictionary, NUL-terminated in a static
   buffer until the next call, "" when it is not there */
const char *ng_get(struct ng *ng, const char *key);


#endif /* NG_H */
