/*
 * Copyright (C) the IMS portal authors
 *
 * A core that says yes: each SIP request that comes by UDP is answered 200 at
 * once, a REGISTER as an S-CSCF does it, with the Contact and the Path that
 * came, a Service-Route and the associated identity.
 *
 * usage: core ADDRESS PORT
 */


#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>


/* copied from the request, in the order they have there */

static const char  *kept[] = {
    "Via:", "From:", "To:", "Call-ID:", "CSeq:", "Path:", "Contact:", NULL
};


/* one line of the request into the answer; the new end */

static char *
core_line(char *p, const char *line, size_t len, int reg, const char *own)
{
    const char  *uri, *end;
    const char **name;

    for (name = kept; *name != NULL; name++) {
        if (strncasecmp(line, *name, strlen(*name)) == 0) {
            break;
        }
    }

    if (*name == NULL || (!reg && **name == 'C' && (*name)[1] == 'o')) {
        return p;
    }

    memcpy(p, line, len);
    p += len;

    if (strcmp(*name, "To:") != 0) {
        return p + sprintf(p, "\r\n");
    }

    p += sprintf(p, ";tag=core\r\n");

    uri = memchr(line, '<', len);
    end = memchr(line, '>', len);

    if (reg && uri != NULL && end != NULL) {
        p += sprintf(p, "P-Associated-URI: %.*s\r\n"
                     "Service-Route: <sip:orig@%s;lr>\r\n",
                     (int) (end - uri + 1), uri, own);
    }

    return p;
}


/* the answer to a request; its length, 0: none */

static size_t
core_answer(char *in, char *out, const char *own)
{
    int    reg;
    char  *p, *line, *end;

    reg = (strncmp(in, "REGISTER ", 9) == 0);

    if (strncmp(in, "SIP/2.0 ", 8) == 0 || strncmp(in, "ACK ", 4) == 0) {
        return 0;
    }

    line = strstr(in, "\r\n");
    p = out + sprintf(out, "SIP/2.0 200 OK\r\n");

    while (line != NULL) {
        line += 2;
        end = strstr(line, "\r\n");

        if (end == NULL || end == line) {
            break;
        }

        p = core_line(p, line, end - line, reg, own);
        line = end;
    }

    p += sprintf(p, "Content-Length: 0\r\n\r\n");

    return p - out;
}


int
main(int argc, char **argv)
{
    int                 fd, size;
    char                own[64];
    ssize_t             n;
    socklen_t           len;
    struct sockaddr_in  sin;

    static char  in[65536], out[2 * 65536];

    if (argc != 3) {
        fprintf(stderr, "usage: core ADDRESS PORT\n");
        return 2;
    }

    memset(&sin, 0, sizeof(sin));
    sin.sin_family = AF_INET;
    sin.sin_port = htons(atoi(argv[2]));

    fd = socket(AF_INET, SOCK_DGRAM, 0);
    size = 4 * 1024 * 1024;

    if (fd == -1
        || inet_pton(AF_INET, argv[1], &sin.sin_addr) != 1
        || setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &size, sizeof(size)) == -1
        || bind(fd, (struct sockaddr *) &sin, sizeof(sin)) == -1)
    {
        perror("core");
        return 1;
    }

    snprintf(own, sizeof(own), "%.40s:%.6s", argv[1], argv[2]);

    for ( ;; ) {
        len = sizeof(sin);
        n = recvfrom(fd, in, sizeof(in) - 1, 0, (struct sockaddr *) &sin,
                     &len);

        if (n <= 0) {
            continue;
        }

        in[n] = '\0';
        n = core_answer(in, out, own);

        if (n > 0) {
            (void) sendto(fd, out, n, 0, (struct sockaddr *) &sin, len);
        }
    }
}
