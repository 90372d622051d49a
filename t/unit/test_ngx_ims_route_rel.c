/*
 * Copyright (C) the IMS portal authors
 *
 * Reliable provisional answers (RFC 3262): numbers read, demands turned into
 * offers, answers made reliable and plain again, a PRACK that becomes an
 * UPDATE.
 */


#include "ngx_ims_route.h"
#include "tap.h"


static ngx_ims_sip_hdr_t    hdrs[NGX_IMS_SIP_MAX_HEADERS];
static ngx_ims_sip_msg_t    m;
static ngx_ims_sip_edit_t   edits[32];
static ngx_ims_sip_edits_t  e;
static unsigned char        text[4096], arena[2048], out[8192];


static ngx_ims_str_t
str(const char *s)
{
    ngx_ims_str_t  v;

    v.data = (unsigned char *) s;
    v.len = strlen(s);

    return v;
}


/* a message of a start line, what every one has, and these lines */

static void
begin(const char *start, const char *cseq, const char *lines)
{
    int  n;

    n = snprintf((char *) text, sizeof(text),
                 "%s\r\n"
                 "Via: SIP/2.0/UDP 192.0.2.1;branch=z9hG4bK1\r\n"
                 "From: <sip:a@example.org>;tag=a\r\n"
                 "To: <sip:b@example.org>;tag=b\r\n"
                 "Call-ID: c\r\n"
                 "CSeq: %s\r\n"
                 "%s\r\n", start, cseq, lines);

    if (ngx_ims_sip_parse(&m, text, n, hdrs, NGX_IMS_SIP_MAX_HEADERS, 1)
        != NGX_IMS_OK)
    {
        ok(0, "the message is well formed: %s", m.error);
        exit(1);
    }

    ngx_ims_sip_edits_init(&e, edits, 32, arena, sizeof(arena));
}


static void
begin_answer(unsigned status, const char *lines)
{
    char  start[64];

    snprintf(start, sizeof(start), "SIP/2.0 %u Words", status);
    begin(start, "7 INVITE", lines);
}


static int
has(const char *line)
{
    return strstr((char *) out, line) != NULL;
}


static void
splice(void)
{
    size_t  len;

    if (ngx_ims_sip_splice(&e, &m, out, sizeof(out) - 1, &len) != NGX_IMS_OK) {
        ok(0, "there is room");
        exit(1);
    }

    out[len] = '\0';
}


static void
numbers(void)
{
    uint32_t  rseq, cseq;

    static const struct {
        unsigned     status;
        const char  *lines;
        uint32_t     rseq;
    } answers[] = {
        { 183, "Require: 100rel\r\nRSeq: 4294967295\r\n", 4294967295u },
        { 180, "Require: timer, 100REL\r\nRSeq: 1\r\n", 1 },
        { 180, "RSeq: 1\r\n", 0 },
        { 180, "Require: 100rel\r\n", 0 },
        { 180, "Require: 100rel\r\nRSeq: 4294967296\r\n", 0 },
        { 180, "Require: 100rel\r\nRSeq: x\r\n", 0 },
        { 100, "Require: 100rel\r\nRSeq: 1\r\n", 0 },
        { 200, "Require: 100rel\r\nRSeq: 1\r\n", 0 }
    };

    static const char  *bad[] = {
        "", "RAck: 1 7\r\n", "RAck: 1 7 \r\n", "RAck: 1 7 UPDATE\r\n",
        "RAck: x 7 INVITE\r\n", "RAck: 1 x INVITE\r\n",
        "RAck: 4294967296 7 INVITE\r\n"
    };

    for (size_t i = 0; i < sizeof(answers) / sizeof(answers[0]); i++) {
        begin_answer(answers[i].status, answers[i].lines);
        ok(ngx_ims_route_rseq(&m) == answers[i].rseq, "RSeq of answer %zu", i);
    }

    begin("PRACK sip:b@example.org SIP/2.0", "8 PRACK",
          "RAck: 776656 \t7\r\n  INVITE\r\n");
    ok(ngx_ims_route_rack(&m, &rseq, &cseq) && rseq == 776656 && cseq == 7,
       "RAck, folded");

    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        begin("PRACK sip:b@example.org SIP/2.0", "8 PRACK", bad[i]);
        ok(!ngx_ims_route_rack(&m, &rseq, &cseq), "bad RAck %zu", i);
    }
}


static void
demands(void)
{
    begin("INVITE sip:b@example.org SIP/2.0", "7 INVITE",
          "Require: precondition, 100rel\r\nSupported: timer\r\n");
    ngx_ims_route_unrequire(&e, &m);
    splice();
    ok(!has("Require: precondition, 100rel") && has("Require: precondition"),
       "the demand goes, the other stays");
    ok(has("Supported: timer\r\n") && has("Supported: 100rel\r\n"),
       "it is offered");

    begin("INVITE sip:b@example.org SIP/2.0", "7 INVITE",
          "Require: 100rel\r\nSupported: 100rel, timer\r\n");
    ngx_ims_route_unrequire(&e, &m);
    splice();
    ok(!has("Require:"), "it was alone");
    ok(!has("Supported: 100rel\r\n"), "and offered before");
}


static void
answers(void)
{
    begin_answer(180, "");
    ngx_ims_route_reliable(&e, &m, 9);
    splice();
    ok(has("Require: 100rel\r\n") && has("RSeq: 9\r\n"), "made reliable");

    begin_answer(180, "Require: 100rel, timer\r\nRSeq: 5\r\n");
    ngx_ims_route_reliable(&e, &m, 6);
    splice();
    ok(has("Require: 100rel, timer\r\n") && has("RSeq: 6\r\n")
       && !has("RSeq: 5"), "another number");

    begin_answer(180, "Require: 100rel, timer\r\nRSeq: 5\r\n");
    ngx_ims_route_reliable(&e, &m, 0);
    splice();
    ok(has("Require: timer\r\n") && !has("RSeq") && !has("100rel"),
       "made plain");
}


static void
update(void)
{
    ngx_ims_str_t    contact;
    ngx_ims_route_t  r;

    memset(&r, 0, sizeof(r));
    r.method = str("UPDATE");
    r.rack = str("1 8 INVITE");
    contact = str("sip:far@192.0.2.9");

    begin("PRACK sip:b@example.org SIP/2.0", "8 PRACK",
          "RAck: 1 7 INVITE\r\n");
    ngx_ims_route_update(&e, &m, &r, &contact);
    splice();
    ok(strncmp((char *) out, "UPDATE sip:b@example.org SIP/2.0\r\n", 34) == 0,
       "a PRACK becomes an UPDATE");
    ok(!has("RAck"), "without RAck");
    ok(has("Contact: <sip:far@192.0.2.9>\r\n"), "with a Contact");

    begin("PRACK sip:b@example.org SIP/2.0", "8 PRACK",
          "RAck: 1 7 INVITE\r\nContact: <sip:own@192.0.2.9>\r\n");
    ngx_ims_route_names(&e, &m, &r);
    splice();
    ok(has("RAck: 1 8 INVITE\r\n"), "RAck as the other side counts");

    begin("PRACK sip:b@example.org SIP/2.0", "8 PRACK",
          "Contact: <sip:own@192.0.2.9>\r\n");
    r.from = str("<sip:x@example.org>;tag=x");
    r.to = str("<sip:y@example.org>;tag=y");
    ngx_ims_route_names(&e, &m, &r);
    ngx_ims_route_update(&e, &m, &r, &contact);
    splice();
    ok(has("From: <sip:x@example.org>;tag=x\r\n")
       && has("To: <sip:y@example.org>;tag=y\r\n"), "names of the other side");
    ok(!has("sip:far@") && has("<sip:own@192.0.2.9>"), "its own Contact");
}


int
main(void)
{
    numbers();
    demands();
    answers();
    update();

    return done_testing();
}
