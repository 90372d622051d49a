
/*
 * Copyright (C) the IMS portal authors
 */


/*
 * Owns the table of options.  Each has one handler, which returns NULL or
 * what is wrong with the value.
 */


#include <grp.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <re.h>

#include "mh_conf.h"
#include "mh_conf_value.h"
#include "mh_ice.h"
#include "mh_listen.h"
#include "mh_srtp.h"


#define MH_VERSION  "0.1"


enum {
    MH_CONF_PORT_MIN = 30000,
    MH_CONF_PORT_MAX = 39999,
    MH_CONF_WEB_PORT = 10000,
    MH_CONF_MEDIA_TIMEOUT = 60,
    MH_CONF_OFFER_TIMEOUT = 240,
    MH_CONF_CPU = 97,
    MH_CONF_LATE = 500
};


typedef const char *(mh_conf_set_h)(struct mh_conf *conf, const char *value);


struct mh_conf_option {
    char            letter;
    const char     *value;      /* its name, NULL if there is none */
    mh_conf_set_h  *set;
    const char     *help;
};


static const char *mh_conf_web(struct mh_conf *conf, const char *value);
static const char *mh_conf_ims(struct mh_conf *conf, const char *value);
static const char *mh_conf_public(struct mh_conf *conf, const char *value);
static const char *mh_conf_control(struct mh_conf *conf, const char *value);
static const char *mh_conf_peer(struct mh_conf *conf, const char *value);
static const char *mh_conf_group(struct mh_conf *conf, const char *value);
static const char *mh_conf_tcp(struct mh_conf *conf, const char *value);
static const char *mh_conf_ports(struct mh_conf *conf, const char *value);
static const char *mh_conf_max(struct mh_conf *conf, const char *value);
static const char *mh_conf_cpu(struct mh_conf *conf, const char *value);
static const char *mh_conf_late(struct mh_conf *conf, const char *value);
static const char *mh_conf_media(struct mh_conf *conf, const char *value);
static const char *mh_conf_offer(struct mh_conf *conf, const char *value);
static const char *mh_conf_consent(struct mh_conf *conf,
    const char *value);
static const char *mh_conf_dscp(struct mh_conf *conf, const char *value);
static const char *mh_conf_video(struct mh_conf *conf, const char *value);
static const char *mh_conf_backend(struct mh_conf *conf, const char *value);
static const char *mh_conf_user(struct mh_conf *conf, const char *value);
static const char *mh_conf_pid(struct mh_conf *conf, const char *value);
static const char *mh_conf_learn(struct mh_conf *conf, const char *value);
static const char *mh_conf_foreground(struct mh_conf *conf,
    const char *value);
static const char *mh_conf_debug(struct mh_conf *conf, const char *value);
static const char *mh_conf_test(struct mh_conf *conf, const char *value);
static const char *mh_conf_check(struct mh_conf *conf);
static const char *mh_conf_pair(struct mh_conf *conf);
static void mh_conf_usage(FILE *f);
static void mh_conf_letters(char *letters, size_t size);


static const struct mh_conf_option  mh_conf_options[] = {
    { 'A', "addr", mh_conf_peer,
      "may use control over UDP, TCP, HTTP (loopback); may repeat" },
    { 'a', "addr[,addr]", mh_conf_public,
      "addresses told to browsers, behind 1:1 NAT" },
    { 'B', "kbit/s", mh_conf_video,
      "video that a browser may send at most (0, what the IMS says)" },
    { 'b', "name", mh_conf_backend, "SRTP backend" },
    { 'C', "percent", mh_conf_cpu,
      "CPU of a core from which new calls are refused (97)" },
    { 'c', "socket", mh_conf_control,
      "unix:PATH, seqpacket:PATH, udp:, tcp: or http:ADDR:PORT; may repeat" },
    { 'D', "ms", mh_conf_late,
      "delay of the loop from which new calls are refused (500)" },
    { 'd', NULL, mh_conf_foreground, "stay in the foreground" },
    { 'e', "seconds", mh_conf_consent,
      "a browser's consent lasts, 1 to 30 (30)" },
    { 'g', "group", mh_conf_group, "group of control socket files" },
    { 'i', "addr[,addr]", mh_conf_ims, "IMS side" },
    { 'l', NULL, mh_conf_learn,
      "learn the IMS side's address from its first packet" },
    { 'm', "calls", mh_conf_max, "calls at once (0, no limit)" },
    { 'n', NULL, mh_conf_test, "test the options and exit" },
    { 'o', "seconds", mh_conf_offer, "life of an unanswered offer (240)" },
    { 'P', "file", mh_conf_pid, "process id of the daemon" },
    { 'p', "min-max", mh_conf_ports, "ports on the IMS side (30000-39999)" },
    { 'q', "dscp", mh_conf_dscp, "marks, 0 to 63: audio[,video] (0)" },
    { 'T', "port", mh_conf_tcp,
      "ICE over TCP as well, on this port of the browser side (none)" },
    { 't', "seconds", mh_conf_media, "life of a call without media (60)" },
    { 'u', "user", mh_conf_user, "to become, when started by root" },
    { 'v', NULL, mh_conf_debug, "debug lines in the log" },
    { 'w', "addr[,addr][:port]", mh_conf_web,
      "browser side, up to 8 addresses (port 10000)" },
    { 0, NULL, NULL, NULL }
};


enum mh_conf_result
mh_conf_parse(struct mh_conf *conf, int argc, char **argv)
{
    int                           c;
    char                          letters[128];
    const char                   *reason;
    const struct mh_conf_option  *o;

    memset(conf, 0, sizeof(*conf));

    conf->group = (gid_t) -1;
    conf->port_min = MH_CONF_PORT_MIN;
    conf->port_max = MH_CONF_PORT_MAX;
    conf->media_timeout = MH_CONF_MEDIA_TIMEOUT;
    conf->offer_timeout = MH_CONF_OFFER_TIMEOUT;
    conf->consent = MH_ICE_CONSENT_MS / 1000;
    conf->max_cpu = MH_CONF_CPU;
    conf->max_late = MH_CONF_LATE;
    conf->backend = "evp";

    mh_conf_letters(letters, sizeof(letters));

    while ((c = getopt(argc, argv, letters)) != -1) {

        if (c == 'h') {
            mh_conf_usage(stdout);
            return MH_CONF_DONE;
        }

        if (c == 'V') {
            (void) printf("media-helper %s, srtp backends: %s\n",
                          MH_VERSION, mh_srtp_backends());
            return MH_CONF_DONE;
        }

        for (o = mh_conf_options; o->letter && o->letter != c; o++) {
            /* void */
        }

        if (o->letter == 0) {
            mh_conf_usage(stderr);
            return MH_CONF_ERROR;
        }

        reason = o->set(conf, optarg);

        if (reason != NULL) {
            (void) fprintf(stderr, "media-helper: option \"-%c\": %s \"%s\"\n",
                           c, reason, optarg ? optarg : "");
            return MH_CONF_ERROR;
        }
    }

    reason = (optind < argc) ? "unexpected argument" : mh_conf_check(conf);

    if (reason != NULL) {
        (void) fprintf(stderr, "media-helper: %s\n", reason);
        return MH_CONF_ERROR;
    }

    return MH_CONF_RUN;
}


static const char *
mh_conf_web(struct mh_conf *conf, const char *value)
{
    unsigned     i;
    uint16_t     port;
    const char  *reason;

    port = MH_CONF_WEB_PORT;

    reason = mh_conf_addrs(value, conf->web, &conf->webc, &port);

    for (i = 0; i < conf->webc; i++) {
        sa_set_port(&conf->web[i], port);
    }

    return reason;
}


static const char *
mh_conf_ims(struct mh_conf *conf, const char *value)
{
    const char  *reason;

    reason = mh_conf_addrs(value, conf->ims, &conf->imsc, NULL);

    if (reason == NULL
        && (conf->imsc > 2 || (conf->imsc == 2 && sa_af(&conf->ims[0])
                                                  == sa_af(&conf->ims[1]))))
    {
        return "one address of each family at most in";
    }

    return reason;
}


static const char *
mh_conf_public(struct mh_conf *conf, const char *value)
{
    return mh_conf_addrs(value, conf->web_public, &conf->publicc, NULL);
}


static const char *
mh_conf_control(struct mh_conf *conf, const char *value)
{
    if (conf->controlc == MH_CTL_SOCKS) {
        return "too many control sockets at";
    }

    if (!mh_listen_valid(value)) {
        return "invalid control socket";
    }

    conf->controls[conf->controlc++] = value;

    return NULL;
}


static const char *
mh_conf_peer(struct mh_conf *conf, const char *value)
{
    struct sa  sa;

    if (conf->peerc == MH_CTL_PEERS) {
        return "too many addresses at";
    }

    if (sa_set_str(&sa, value, 0) != 0) {
        return "invalid address";
    }

    conf->peers[conf->peerc++] = value;

    return NULL;
}


static const char *
mh_conf_group(struct mh_conf *conf, const char *value)
{
    struct group  *gr;

    gr = getgrnam(value);
    if (gr == NULL) {
        return "no such group";
    }

    conf->group = gr->gr_gid;

    return NULL;
}


static const char *
mh_conf_ports(struct mh_conf *conf, const char *value)
{
    char      text[16], *dash;
    unsigned  min, max;

    if (strlen(value) >= sizeof(text)) {
        return "invalid port range";
    }

    (void) strcpy(text, value);
    dash = strchr(text, '-');

    if (dash == NULL) {
        return "invalid port range";
    }

    *dash = '\0';

    if (mh_conf_number(text, 65535, &min) != NULL
        || mh_conf_number(dash + 1, 65535, &max) != NULL
        || min == 0 || min + (min % 2) >= max)
    {
        return "invalid port range";
    }

    conf->port_min = (uint16_t) min;
    conf->port_max = (uint16_t) max;

    return NULL;
}


static const char *
mh_conf_tcp(struct mh_conf *conf, const char *value)
{
    unsigned  n;

    if (mh_conf_number(value, 65535, &n) != NULL || n == 0) {
        return "invalid port";
    }

    conf->tcp_port = (uint16_t) n;

    return NULL;
}


static const char *
mh_conf_max(struct mh_conf *conf, const char *value)
{
    return mh_conf_number(value, 1000000, &conf->max_calls);
}


static const char *
mh_conf_cpu(struct mh_conf *conf, const char *value)
{
    return mh_conf_number(value, 100, &conf->max_cpu);
}


static const char *
mh_conf_late(struct mh_conf *conf, const char *value)
{
    return mh_conf_number(value, 60000, &conf->max_late);
}


static const char *
mh_conf_media(struct mh_conf *conf, const char *value)
{
    return mh_conf_number(value, 86400, &conf->media_timeout);
}


static const char *
mh_conf_offer(struct mh_conf *conf, const char *value)
{
    return mh_conf_number(value, 86400, &conf->offer_timeout);
}


static const char *
mh_conf_consent(struct mh_conf *conf, const char *value)
{
    const char  *reason;

    /* RFC 7675 5.1: 30 s at most */

    reason = mh_conf_number(value, MH_ICE_CONSENT_MS / 1000, &conf->consent);

    return (reason == NULL && conf->consent == 0) ? "invalid number" : reason;
}


static const char *
mh_conf_video(struct mh_conf *conf, const char *value)
{
    return mh_conf_number(value, 1000000, &conf->video_cap);
}


static const char *
mh_conf_dscp(struct mh_conf *conf, const char *value)
{
    char         audio[4];
    size_t       len;
    unsigned     n, video;
    const char  *reason;

    len = strcspn(value, ",");

    if (len >= sizeof(audio)) {
        return "invalid number";
    }

    memcpy(audio, value, len);
    audio[len] = '\0';

    reason = mh_conf_number(audio, 63, &n);

    if (reason != NULL) {
        return reason;
    }

    video = n;

    if (value[len] == ',') {
        reason = mh_conf_number(&value[len + 1], 63, &video);

        if (reason != NULL) {
            return reason;
        }
    }

    conf->tos = (int) n << 2;
    conf->tos_video = (int) video << 2;

    return NULL;
}


static const char *
mh_conf_backend(struct mh_conf *conf, const char *value)
{
    if (mh_srtp_backend_set(value) != 0) {
        return "not in this build:";
    }

    conf->backend = value;

    return NULL;
}


static const char *
mh_conf_user(struct mh_conf *conf, const char *value)
{
    conf->user = value;

    return NULL;
}


static const char *
mh_conf_pid(struct mh_conf *conf, const char *value)
{
    conf->pid_file = value;

    return NULL;
}


static const char *
mh_conf_learn(struct mh_conf *conf, const char *value)
{
    (void) value;

    conf->learn = true;

    return NULL;
}


static const char *
mh_conf_foreground(struct mh_conf *conf, const char *value)
{
    (void) value;

    conf->foreground = true;

    return NULL;
}


static const char *
mh_conf_debug(struct mh_conf *conf, const char *value)
{
    (void) value;

    conf->debug = true;

    return NULL;
}


static const char *
mh_conf_test(struct mh_conf *conf, const char *value)
{
    (void) value;

    conf->test = true;

    return NULL;
}


/* what only all options together tell */

static const char *
mh_conf_check(struct mh_conf *conf)
{
    if (conf->controlc == 0) {
        return "no control socket, option \"-c\"";
    }

    if (conf->webc == 0) {
        return "no browser side, option \"-w\"";
    }

    if (conf->imsc == 0) {
        return "no IMS side, option \"-i\"";
    }

    return mh_conf_pair(conf);
}


/*
 * The first address of a family in -a is that of the first one of the family
 * in -w, and so on.
 */

static const char *
mh_conf_pair(struct mh_conf *conf)
{
    bool       used[MH_WEB_SOCKS];
    unsigned   i, k;
    struct sa  public[MH_WEB_SOCKS];

    memcpy(public, conf->web_public, sizeof(public));
    memset(used, 0, sizeof(used));

    for (i = 0; i < conf->webc; i++) {
        sa_cpy(&conf->web_public[i], &conf->web[i]);

        for (k = 0; k < conf->publicc; k++) {

            if (!used[k] && sa_af(&public[k]) == sa_af(&conf->web[i])) {
                sa_cpy(&conf->web_public[i], &public[k]);
                sa_set_port(&conf->web_public[i], sa_port(&conf->web[i]));
                used[k] = true;
                break;
            }
        }
    }

    for (k = 0; k < conf->publicc; k++) {
        if (!used[k]) {
            return "an address of option \"-a\" has none of its family in "
                   "option \"-w\"";
        }
    }

    return NULL;
}


static void
mh_conf_usage(FILE *f)
{
    const struct mh_conf_option  *o;

    (void) fprintf(f, "usage: media-helper -c socket -w addr[,addr][:port] "
                   "-i addr[,addr] [options]\n");

    for (o = mh_conf_options; o->letter; o++) {
        (void) fprintf(f, "  -%c %-19s %s\n", o->letter,
                       o->value ? o->value : "", o->help);
    }

    (void) fprintf(f, "  -h %-19s this text\n  -V %-19s version\n", "", "");
}


static void
mh_conf_letters(char *letters, size_t size)
{
    size_t                        n;
    const struct mh_conf_option  *o;

    n = 0;

    for (o = mh_conf_options; o->letter && n + 5 < size; o++) {
        letters[n++] = o->letter;

        if (o->value != NULL) {
            letters[n++] = ':';
        }
    }

    letters[n++] = 'h';
    letters[n++] = 'V';
    letters[n] = '\0';
}
