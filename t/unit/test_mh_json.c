
/*
 * Copyright (C) the IMS portal authors
 */


/* ng over JSON: what is read, what is refused, what a reply becomes */


#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "mh_json.h"
#include "tap.h"


#define NODES  32

#define DEEP_16  "[[[[[[[[[[[[[[[[]]]]]]]]]]]]]]]]"


static ngx_ims_ng_node_t  nodes[NODES];
static uint8_t            room[4096];
static size_t             used;


/* from a copy of its own size, so that a read behind it is seen */

static int
parse(const char *text)
{
    int              rc;
    size_t           len;
    static uint8_t  *copy;

    free(copy);

    len = strlen(text);
    copy = malloc(len ? len : 1);
    memcpy(copy, text, len);

    rc = mh_json_parse(copy, len, nodes, NODES, room, &used);

    return rc;
}


static int
string_is(const char *key, const char *value)
{
    const ngx_ims_ng_node_t  *node;

    node = ngx_ims_ng_get_str(nodes, key);

    return node != NULL && node->len == strlen(value)
           && memcmp(node->data, value, node->len) == 0;
}


static void
test_read(void)
{
    ok(parse("{\"command\": \"offer\", \"call-id\":\"a\\u0062c\",\r\n\t"
             "\"flags\" : [ \"trust address\", \"symmetric\" ],"
             "\"replace\": [], \"codec\":{\"strip\":[\"opus\"]}, \"TOS\":184,"
             "\"n\":-12, \"f\":7.9, \"yes\":true, \"no\":false,"
             "\"nothing\":null, \"call id\":\"x\"} rest")
       == NGX_IMS_NG_OK, "a request");
    ok(used > 5 && nodes[0].type == NGX_IMS_NG_DICT, "is a dictionary");
    ok(string_is("command", "offer"), "a string");
    ok(string_is("call_id", "abc"), "an escape; the first of two names");
    ok(ngx_ims_ng_has(nodes, "flags", "symmetric"), "a list");
    ok(!ngx_ims_ng_has(nodes, "replace", "origin"), "an empty one");
    ok(ngx_ims_ng_has(ngx_ims_ng_get(nodes, "codec"), "strip", "opus"),
       "a dictionary in it");
    ok(ngx_ims_ng_get_int(nodes, "TOS", 0) == 184, "a number");
    ok(ngx_ims_ng_get_int(nodes, "n", 0) == -12, "a negative one");
    ok(ngx_ims_ng_get_int(nodes, "f", 0) == 7, "a fraction is cut off");
    ok(ngx_ims_ng_get_int(nodes, "yes", 0) == 1
       && ngx_ims_ng_get_int(nodes, "no", 1) == 0, "true and false");
    ok(string_is("nothing", ""), "null");

    ok(parse("{\"a\":\"\\\"\\\\\\/\\b\\f\\n\\r\\t\"}") == NGX_IMS_NG_OK
       && string_is("a", "\"\\/\b\f\n\r\t"), "short escapes");
    ok(parse("{\"a\":\"\\u00e9\\u20ac\\ud83d\\ude00z\"}") == NGX_IMS_NG_OK
       && string_is("a", "\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80z"),
       "escapes of two, three and four bytes");
    ok(parse("{\"a\":9223372036854775807,\"b\":-9223372036854775808}")
       == NGX_IMS_NG_OK
       && ngx_ims_ng_get_int(nodes, "a", 0) == INT64_MAX
       && ngx_ims_ng_get_int(nodes, "b", 0) == INT64_MIN, "large numbers");
    ok(parse(DEEP_16) == NGX_IMS_NG_OK, "deep");
}


static void
test_refused(void)
{
    size_t  i;

    static const struct {
        const char  *text;
        int          rc;
    } bad[] = {
        { "{,}", NGX_IMS_NG_INVALID },
        { "{\"a\":1,}", NGX_IMS_NG_INVALID },
        { "{\"a\" 1}", NGX_IMS_NG_INVALID },
        { "{a:1}", NGX_IMS_NG_INVALID },
        { "{1:1}", NGX_IMS_NG_INVALID },
        { "[1,]", NGX_IMS_NG_INVALID },
        { "[1 2]", NGX_IMS_NG_INVALID },
        { "[01]", NGX_IMS_NG_INVALID },
        { "[-]", NGX_IMS_NG_INVALID },
        { "[+1]", NGX_IMS_NG_INVALID },
        { "[1.]", NGX_IMS_NG_INVALID },
        { "[.5]", NGX_IMS_NG_INVALID },
        { "[1e3]", NGX_IMS_NG_INVALID },
        { "[9223372036854775808]", NGX_IMS_NG_LIMIT },
        { "[-9223372036854775809]", NGX_IMS_NG_LIMIT },
        { "[99999999999999999999999]", NGX_IMS_NG_LIMIT },
        { "[tru]", NGX_IMS_NG_INVALID },
        { "[nul1]", NGX_IMS_NG_INVALID },
        { "[\"\n\"]", NGX_IMS_NG_INVALID },
        { "[\"\\x\"]", NGX_IMS_NG_INVALID },
        { "[\"\\u12g4\"]", NGX_IMS_NG_INVALID },
        { "[\"\\u0000\"]", NGX_IMS_NG_INVALID },
        { "[\"\\ud83d\"]", NGX_IMS_NG_INVALID },
        { "[\"\\ud83d\\u0041\"]", NGX_IMS_NG_INVALID },
        { "[\"\\ude00\"]", NGX_IMS_NG_INVALID },
        { "[" DEEP_16 "]", NGX_IMS_NG_LIMIT },
        { "[1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1]",
          NGX_IMS_NG_LIMIT },
        { "", NGX_IMS_NG_AGAIN }
    };

    for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        ok(parse(bad[i].text) == bad[i].rc, "refused: %zu", i);
    }
}


/* whatever has not come yet is asked for, not read */

static void
test_part(void)
{
    int      again;
    char     part[256];
    size_t   i, len;

    static const char  whole[] = "{\"a\":\"x\\u00e9\\ud83d\\ude00\\n\","
        "\"b\":[1,-2.5,true,null,{}],\"c\":\"\"}";

    len = strlen(whole);
    again = 1;

    for (i = 0; i < len; i++) {
        memcpy(part, whole, i);
        part[i] = '\0';
        again &= (parse(part) == NGX_IMS_NG_AGAIN && used == i);
    }

    ok(again, "every part is a part");
    ok(parse(whole) == NGX_IMS_NG_OK && used == len, "the whole is not");
}


static int
written(const char *ben, const char *json)
{
    size_t   n;
    uint8_t  out[256];

    n = mh_json_write((const uint8_t *) ben, strlen(ben), out, sizeof(out));

    if (json == NULL) {
        return n == 0;
    }

    return n == strlen(json) && memcmp(out, json, n) == 0;
}


static void
test_write(void)
{
    uint8_t  out[8];

    ok(written("d6:result2:ok1:nli1ei-2eed1:xleee", NULL)
       && written("d6:result2:ok1:nli1ei-2eede1:xlee",
                  NULL), "a dictionary of an odd number");
    ok(written("d6:result2:ok1:nli1ei-2edee1:xd1:yleee",
               "{\"result\":\"ok\",\"n\":[1,-2,{}],\"x\":{\"y\":[]}}"),
       "a reply");
    ok(written("d1:s9:\"\\\r\n\t\x01\x7f\xc3\xa9"
               "e", "{\"s\":\"\\\"\\\\\\r\\n\\u0009\\u0001\\u007f\xc3\xa9\"}"),
       "what must be escaped");
    ok(written("d1:s4:a\xff\xc3"
               "be", "{\"s\":\"a\xef\xbf\xbd\xef\xbf\xbd" "b\"}"),
       "what is not UTF-8");
    ok(written("3:\xed\xa0\x80", "\"\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\""),
       "a surrogate in UTF-8 is none");
    ok(written("d2:ab", NULL) && written("d", NULL) && written("i1", NULL)
       && written("9:x", NULL) && written("", NULL) && written("e", NULL)
       && written("i-e", NULL) && written("ie", NULL) && written("i1]e", NULL)
       && written("di1ei2ee", NULL) && written("i1ei2e", NULL),
       "what is no value");
    ok(mh_json_write((const uint8_t *) "6:abcdef", 8, out, 8) == 8
       && mh_json_write((const uint8_t *) "6:abcdef", 8, out, 7) == 0,
       "what does not fit");
}


int
main(void)
{
    test_read();
    test_refused();
    test_part();
    test_write();

    return done_testing();
}
