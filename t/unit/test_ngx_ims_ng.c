
/*
 * Copyright (C) the IMS portal authors
 */


/*
 * The bencode codec: what is accepted, what is refused and where, every
 * truncation of every sample right before a forbidden page, and the writer
 * at every size that is too small.
 */


#include <inttypes.h>

#include "tap.h"
#include "ngx_ims_ng.h"


static const char  *samples[] = {
    "d7:command4:pinge",
    "d6:result4:pong3:sdp0:e",
    "d3:sdp10:v=0\r\no=- 13:ICE6:remove5:flagsl13:trust-address"
    "6:strictee",
    "d9:directionl3:web3:imse13:received-froml3:IP49:192.0.2.1e"
    "12:totals-dummyd3:RTPd7:packetsi9007199254740993eeee",
    "i-9223372036854775808e",
    "i9223372036854775807e",
    "i0e",
    "0:",
    "le",
    "de",
    "lllleeee",
    "l1:ai1e0:dee",
    NULL
};


typedef struct {
    const char  *text;
    int          rc;
    size_t       offset;
} refused_t;


static const refused_t  refused[] = {
    { "x", NGX_IMS_NG_INVALID, 0 },
    { "e", NGX_IMS_NG_INVALID, 0 },
    { "-1:", NGX_IMS_NG_INVALID, 0 },
    { "01:a", NGX_IMS_NG_INVALID, 0 },
    { "1x", NGX_IMS_NG_INVALID, 0 },
    { "i01e", NGX_IMS_NG_INVALID, 0 },
    { "i-0e", NGX_IMS_NG_INVALID, 0 },
    { "ie", NGX_IMS_NG_INVALID, 0 },
    { "i-e", NGX_IMS_NG_INVALID, 0 },
    { "i1x", NGX_IMS_NG_INVALID, 0 },
    { "i9223372036854775808e", NGX_IMS_NG_INVALID, 0 },
    { "i-9223372036854775809e", NGX_IMS_NG_INVALID, 0 },
    { "i99999999999999999999e", NGX_IMS_NG_INVALID, 0 },
    { "di1e1:ae", NGX_IMS_NG_INVALID, 1 },
    { "dle1:ae", NGX_IMS_NG_INVALID, 1 },
    { "d1:ae", NGX_IMS_NG_INVALID, 4 },
    { "d1:a1:b1:ce", NGX_IMS_NG_INVALID, 10 },
    { "l1:a?e", NGX_IMS_NG_INVALID, 4 },
    { "262145:a", NGX_IMS_NG_LIMIT, 0 },
    { "9999999:a", NGX_IMS_NG_LIMIT, 0 },
    { "99999999999999999999999:a", NGX_IMS_NG_LIMIT, 0 },
    { "lllllllllllllllll", NGX_IMS_NG_LIMIT, 16 },
    { NULL, 0, 0 }
};


static int
parse(const char *text, ngx_ims_ng_node_t *nodes, size_t max, size_t *used)
{
    return ngx_ims_ng_parse((const u_char *) text, strlen(text), nodes, max,
                            used);
}


static void
test_truncations(void)
{
    int                 rc, bad;
    size_t              i, n, len, used;
    unsigned char      *copy;
    ngx_ims_ng_node_t   nodes[64];

    for (i = 0; samples[i]; i++) {

        len = strlen(samples[i]);
        bad = 0;

        for (n = 0; n <= len; n++) {
            copy = guarded_copy(samples[i], n);
            rc = ngx_ims_ng_parse(copy, n, nodes, 64, &used);

            if (n < len && (rc != NGX_IMS_NG_AGAIN || used != n)) {
                bad++;
            }

            if (n == len && (rc != NGX_IMS_NG_OK || used != n)) {
                bad++;
            }

            guarded_free(copy, n);
        }

        ok(bad == 0, "sample %zu whole, and every prefix wants more", i);
    }
}


static void
test_refused(void)
{
    int                rc;
    size_t             i, used;
    ngx_ims_ng_node_t  nodes[64];

    for (i = 0; refused[i].text; i++) {
        rc = parse(refused[i].text, nodes, 64, &used);

        ok(rc == refused[i].rc && used == refused[i].offset,
           "refused at %zu: %s", refused[i].offset, refused[i].text);
    }
}


static void
test_access(void)
{
    int                       n;
    size_t                    used;
    ngx_ims_ng_node_t         nodes[64];
    ngx_ims_ng_iter_t         it;
    const ngx_ims_ng_node_t  *node, *key;

    is_int(parse("d7:call id3:abc8:from-tag1:f6:to_tag1:t"
                 "5:flagsl13:trust address8:mid-listi7ee"
                 "3:ICE5:force3:ttli60e1:n3:1203:bad2:x15:codecd5:strip"
                 "l4:opuseee" "trailing",
                 nodes, 64, &used), NGX_IMS_NG_OK, "a request");

    is_int(nodes[0].type, NGX_IMS_NG_DICT, "is a dictionary");
    is_int(nodes[0].count, 18, "of nine pairs");
    is_int(nodes[0].len, used, "its length is what was used");

    node = ngx_ims_ng_get(&nodes[0], "call-id");
    ok(ngx_ims_ng_is(node, "abc"), "hyphen finds space");
    ok(ngx_ims_ng_get(&nodes[0], "from_tag") != NULL,
       "underscore finds hyphen");
    ok(ngx_ims_ng_get(&nodes[0], "to tag") != NULL, "space finds underscore");
    ok(ngx_ims_ng_get(&nodes[0], "Call-ID") == NULL, "case matters in keys");
    ok(ngx_ims_ng_get(&nodes[0], "call") == NULL, "a prefix is not a key");
    ok(ngx_ims_ng_get(&nodes[0], "call-idx") == NULL, "nor is a longer one");
    ok(ngx_ims_ng_get_str(&nodes[0], "ttl") == NULL, "ttl is no string");
    is_int(ngx_ims_ng_get_int(&nodes[0], "ttl", -1), 60, "an integer");
    is_int(ngx_ims_ng_get_int(&nodes[0], "n", -1), 120,
           "an integer in a string");
    is_int(ngx_ims_ng_get_int(&nodes[0], "bad", -1), -1, "not a number");
    is_int(ngx_ims_ng_get_int(&nodes[0], "none", -7), -7, "not there");
    ok(ngx_ims_ng_has(&nodes[0], "flags", "trust-address"), "a flag");
    ok(!ngx_ims_ng_has(&nodes[0], "flags", "mid"), "not a flag");
    ok(ngx_ims_ng_has(&nodes[0], "ICE", "force"), "one string as a list");
    ok(!ngx_ims_ng_has(&nodes[0], "codec", "strip"),
       "a dictionary is no list");
    ok(ngx_ims_ng_has(ngx_ims_ng_get(&nodes[0], "codec"), "strip", "opus"),
       "a list in a dictionary in a dictionary");
    ok(ngx_ims_ng_is_nocase(ngx_ims_ng_get(&nodes[0], "ICE"), "Force")
       && !ngx_ims_ng_is(ngx_ims_ng_get(&nodes[0], "ICE"), "Force"),
       "case in values");

    ngx_ims_ng_iter(&it, &nodes[0]);

    for (n = 0; (node = ngx_ims_ng_next_pair(&it, &key)) != NULL; n++) {
        /* void */
    }

    is_int(n, 9, "walked over nine pairs");

    ngx_ims_ng_iter(&it, ngx_ims_ng_get(&nodes[0], "flags"));
    ok(ngx_ims_ng_is(ngx_ims_ng_next(&it), "trust_address"), "first flag");
    ok(ngx_ims_ng_is(ngx_ims_ng_next(&it), "mid list"), "second flag");
    is_int(ngx_ims_ng_next(&it)->integer, 7, "an integer in a list");
    ok(ngx_ims_ng_next(&it) == NULL, "and no fourth");

    ngx_ims_ng_iter(&it, ngx_ims_ng_get(&nodes[0], "ICE"));
    ok(ngx_ims_ng_next(&it) == NULL, "a string has no children");
    ok(ngx_ims_ng_get(NULL, "x") == NULL, "no dictionary, no value");
    ok(!ngx_ims_ng_is(NULL, "x"), "no node, not equal");

    is_int(parse("d1:a0:e", nodes, 2, &used), NGX_IMS_NG_LIMIT,
           "more nodes than there is room for");
    is_int(parse("d1:a0:e", nodes, 3, &used), NGX_IMS_NG_OK,
           "exactly as many");
    is_int(parse("d4:a\"b4:a\\\"be1:e", nodes, 64, &used),
           NGX_IMS_NG_INVALID, "a length that is wrong");
}


static void
test_split(void)
{
    int                    i, rc;
    char                   buf[300];
    size_t                 cookie, body, n;
    static const char      whole[] = "5323_1 d7:command4:pinge";
    static const struct {
        const char        *text;
        int                rc;
        size_t             cookie;
        size_t             body;
    } tests[] = {
        { "d7:command4:pinge", NGX_IMS_NG_OK, 0, 0 },
        { "d7abc d7:command4:pinge", NGX_IMS_NG_OK, 5, 6 },
        { "d7", NGX_IMS_NG_AGAIN, 0, 0 },
        { "", NGX_IMS_NG_AGAIN, 0, 0 },
        { " d", NGX_IMS_NG_INVALID, 0, 0 },
        { "a\nb d", NGX_IMS_NG_INVALID, 0, 0 },
        { "a ", NGX_IMS_NG_OK, 1, 2 },
        { "c {\"command\":\"ping\"}", NGX_IMS_NG_OK, 1, 2 }
    };

    for (i = 0; i < 8; i++) {
        rc = ngx_ims_ng_split((const u_char *) tests[i].text,
                              strlen(tests[i].text), &cookie, &body);
        ok(rc == tests[i].rc && cookie == tests[i].cookie
           && body == tests[i].body, "split %d", i);
    }

    for (n = 0, i = 0; n < sizeof(whole); n++) {
        rc = ngx_ims_ng_split((const u_char *) whole, n, &cookie, &body);
        i += (rc == (n < 7 ? NGX_IMS_NG_AGAIN : NGX_IMS_NG_OK));
    }

    is_int(i, sizeof(whole), "every truncation of a cookie");

    memset(buf, 'c', sizeof(buf));
    buf[255] = ' ';
    is_int(ngx_ims_ng_split((u_char *) buf, 300, &cookie, &body),
           NGX_IMS_NG_OK, "the longest cookie");
    buf[255] = 'c';
    is_int(ngx_ims_ng_split((u_char *) buf, 300, &cookie, &body),
           NGX_IMS_NG_LIMIT, "one byte more");
}


static void
write_all(ngx_ims_ng_writer_t *w)
{
    ngx_ims_ng_write_raw(w, "c1 ", 3);
    ngx_ims_ng_write_dict(w);
    ngx_ims_ng_write_key_word(w, "command", "offer");
    ngx_ims_ng_write_key_str(w, "sdp", "v=0\0", 4);
    ngx_ims_ng_write_key_list(w, "flags");
    ngx_ims_ng_write_word(w, "a");
    ngx_ims_ng_write_int(w, INT64_MIN);
    ngx_ims_ng_write_list(w);
    ngx_ims_ng_write_end(w);
    ngx_ims_ng_write_end(w);
    ngx_ims_ng_write_key_dict(w, "d");
    ngx_ims_ng_write_key_int(w, "i", 0);
    ngx_ims_ng_write_key_int(w, "j", INT64_MAX);
    ngx_ims_ng_write_end(w);
    ngx_ims_ng_write_str(w, "empty", 5);
    ngx_ims_ng_write_str(w, NULL, 0);
    ngx_ims_ng_write_end(w);
}


static void
test_write(void)
{
    int                       bad;
    char                      buf[256];
    size_t                    n, len, cookie, body, used;
    unsigned char            *copy;
    ngx_ims_ng_node_t         nodes[64];
    ngx_ims_ng_writer_t       w;
    const ngx_ims_ng_node_t  *node;
    static const char         expected[] =
        "c1 d7:command5:offer3:sdp4:v=0\0" "5:flagsl1:a"
        "i-9223372036854775808elee1:dd1:ii0e1:ji9223372036854775807ee"
        "5:empty0:e";

    ngx_ims_ng_write_init(&w, buf, sizeof(buf));
    write_all(&w);
    len = ngx_ims_ng_write_done(&w);
    is_mem(buf, len, expected, sizeof(expected) - 1, "written");

    is_int(ngx_ims_ng_split((u_char *) buf, len, &cookie, &body),
           NGX_IMS_NG_OK, "split again");
    is_int(ngx_ims_ng_parse((u_char *) buf + body, len - body, nodes, 64,
                            &used), NGX_IMS_NG_OK, "read again");
    is_int(used, len - body, "to the end");

    node = ngx_ims_ng_get(ngx_ims_ng_get(nodes, "d"), "j");
    ok(node && node->integer == INT64_MAX, "largest integer");

    bad = 0;
    memset(buf, 0, sizeof(buf));

    for (n = 0; n < len; n++) {
        copy = guarded_copy(buf, n);
        ngx_ims_ng_write_init(&w, copy, n);
        write_all(&w);
        bad += (ngx_ims_ng_write_done(&w) != 0);
        guarded_free(copy, n);
    }

    is_int(bad, 0, "every size that is too small is noticed");

    ngx_ims_ng_write_init(&w, buf, sizeof(buf));
    ngx_ims_ng_write_dict(&w);
    is_int(ngx_ims_ng_write_done(&w), 0, "still open");

    ngx_ims_ng_write_end(&w);
    is_int(ngx_ims_ng_write_done(&w), 2, "closed");

    ngx_ims_ng_write_end(&w);
    is_int(ngx_ims_ng_write_done(&w), 0, "closed once too often");
}


int
main(void)
{
    test_truncations();
    test_refused();
    test_access();
    test_split();
    test_write();

    return done_testing();
}
