/* Copyright (C) the IMS portal authors */


/*
 * Feeds the bencode reader.  What it accepts must come out of the writer
 * byte for byte, and every prefix of it must ask for more.
 */


#include <stdlib.h>

#include "../../ngx_ims_portal_module/ngx_ims_ng.c"


int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);


static void
copy(ngx_ims_ng_writer_t *w, const ngx_ims_ng_node_t *node)
{
    ngx_ims_ng_iter_t         it;
    const ngx_ims_ng_node_t  *child;

    switch (node->type) {

    case NGX_IMS_NG_STRING:
        ngx_ims_ng_write_str(w, node->data, node->len);
        return;

    case NGX_IMS_NG_INTEGER:
        ngx_ims_ng_write_int(w, node->integer);
        return;

    case NGX_IMS_NG_DICT:
        ngx_ims_ng_write_dict(w);
        break;

    default:
        ngx_ims_ng_write_list(w);
    }

    ngx_ims_ng_iter(&it, node);

    while ((child = ngx_ims_ng_next(&it)) != NULL) {
        copy(w, child);
    }

    ngx_ims_ng_write_end(w);
}


int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    int                  rc;
    u_char              *buf;
    size_t               used, used2, cookie, body, n;
    ngx_ims_ng_writer_t  w;
    ngx_ims_ng_node_t    nodes[64], nodes2[64];

    body = 0;

    if (ngx_ims_ng_split(data, size, &cookie, &body) != NGX_IMS_NG_OK) {
        body = 0;
    }

    data += body;
    size -= body;

    rc = ngx_ims_ng_parse(data, size, nodes, 64, &used);

    if (used > size) {
        abort();
    }

    if (rc != NGX_IMS_NG_OK) {
        return 0;
    }

    (void) ngx_ims_ng_get(nodes, "call-id");
    (void) ngx_ims_ng_get_int(nodes, "ttl", 0);
    (void) ngx_ims_ng_has(nodes, "flags", "trust address");

    buf = malloc(used);
    ngx_ims_ng_write_init(&w, buf, used);
    copy(&w, nodes);

    if (ngx_ims_ng_write_done(&w) != used || memcmp(buf, data, used) != 0) {
        abort();
    }

    /* a few prefixes are enough here; the unit test does them all */

    for (n = 0; n < used; n += used / 16 + 1) {
        rc = ngx_ims_ng_parse(data, n, nodes2, 64, &used2);

        if (rc != NGX_IMS_NG_AGAIN || used2 != n) {
            abort();
        }
    }

    free(buf);

    return 0;
}
