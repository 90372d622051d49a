
/*
 * Copyright (C) the IMS portal authors
 */


/*
 * The command line.
 */


#ifndef MH_CONF_H
#define MH_CONF_H


#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include <re.h>

#include "mh_ctl.h"
#include "mh_web.h"


enum mh_conf_result {
    MH_CONF_RUN = 0,
    MH_CONF_DONE,               /* -h, -V: said and done */
    MH_CONF_ERROR               /* told on stderr */
};


struct mh_conf {
    const char  *controls[MH_CTL_SOCKS];
    unsigned     controlc;
    const char  *peers[MH_CTL_PEERS];
    unsigned     peerc;
    gid_t        group;                     /* of socket files, or -1 */

    struct sa    web[MH_WEB_SOCKS];         /* with the port */
    struct sa    web_public[MH_WEB_SOCKS];  /* the same, as told to browsers */
    unsigned     webc;
    unsigned     publicc;                   /* of web_public, before they are
                                               sorted */
    uint16_t     tcp_port;                  /* of ICE over TCP, 0 = none */
    struct sa    ims[MH_WEB_SOCKS];
    unsigned     imsc;
    uint16_t     port_min;
    uint16_t     port_max;

    unsigned     max_calls;
    unsigned     max_cpu;                   /* percent of a core, 0 = any */
    unsigned     max_late;                  /* ms, 0 = any */
    unsigned     media_timeout;             /* seconds */
    unsigned     offer_timeout;
    unsigned     consent;                   /* seconds */
    int          tos;
    int          tos_video;
    unsigned     video_cap;         /* kbit/s, 0 = none */
    bool         learn;

    const char  *backend;
    const char  *user;
    const char  *pid_file;
    bool         foreground;
    bool         debug;
    bool         test;
};


/*
 * Reads and checks the options; sets defaults first.
 *
 * @param conf  out; strings are argv's
 */
enum mh_conf_result mh_conf_parse(struct mh_conf *conf, int argc,
    char **argv);


#endif /* MH_CONF_H */
