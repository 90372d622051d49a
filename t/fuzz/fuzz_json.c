/* FUZZ_CFLAGS: */

/*
 * Copyright (C) the IMS portal authors
 *
 * ng over JSON: any bytes are read or refused within their bounds; what was
 * read is a tree that can be walked; what a bencoded value becomes is JSON
 * that is read again.
 */

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "../../ngx_ims_portal_module/ngx_ims_ng.c"
#include "../../ngx_ims_portal_module/ngx_ims_str.c"
#include "../../media-helper/mh_json.c"
#include "../../media-helper/mh_json_out.c"


enum { NODES = 64 };


static void
check_tree(const ngx_ims_ng_node_t *node, size_t left)
{
    unsigned  i, at;

    if (node->skip == 0 || node->skip > left) {
        abort();
    }

    at = 1;

    for (i = 0; i < node->count; i++) {

        if (at >= node->skip) {
            abort();
        }

        check_tree(node + at, node->skip - at);
        at += node[at].skip;
    }

    if (at != node->skip) {
        abort();
    }
}


int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    int                       rc;
    size_t                    used, n;
    uint8_t                  *copy, *room;
    static uint8_t            out[65536];
    static ngx_ims_ng_node_t  nodes[NODES];

    if (size > 8192) {
        return 0;
    }

    copy = malloc(size + 1);
    room = malloc(size + 1);
    memcpy(copy, data, size);

    rc = mh_json_parse(copy, size, nodes, NODES, room, &used);

    if (used > size) {
        abort();
    }

    if (rc == NGX_IMS_NG_OK) {
        check_tree(nodes, NODES);
    }

    n = mh_json_write(copy, size, out, sizeof(out));

    /* a NUL is written, but not taken from anybody */

    if (n && (out[0] == '{' || out[0] == '[')
        && memchr(data, '\0', size) == NULL)
    {
        free(room);
        room = malloc(n);

        rc = mh_json_parse(out, n, nodes, NODES, room, &used);

        if (rc == NGX_IMS_NG_INVALID || (rc == NGX_IMS_NG_OK && used != n)) {
            abort();
        }
    }

    free(copy);
    free(room);

    return 0;
}
