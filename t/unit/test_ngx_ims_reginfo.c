/*
 * Copyright (C) the IMS portal authors
 *
 * Registration information in the shapes that cores send, and in those that
 * nobody should.
 */


#include "tap.h"

#include "ngx_ims_reginfo.h"


#define HEAD(version, state)                                                  \
    "<?xml version=\"1.0\"?>\n"                                               \
    "<reginfo xmlns=\"urn:ietf:params:xml:ns:reginfo\" version=\"" version    \
    "\" state=\"" state "\">\n"

#define REGISTRATION(aor, state)                                              \
    "<registration aor=\"" aor "\" id=\"r1\" state=\"" state "\">\n"

#define CONTACT(uri, state, more)                                             \
    "<contact id=\"c1\" state=\"" state "\" " more "><uri>" uri               \
    "</uri></contact>\n"

#define END  "</registration></reginfo>"

#define AOR   "sip:u1@ims.example"
#define USER  "b0123456789"
#define URI   "sip:" USER "@127.0.0.1:5060"


static ngx_ims_reginfo_t  info;


static int
parse(const char *text, size_t len)
{
    int             rc;
    ngx_ims_str_t   aor = ngx_ims_str(AOR), user = ngx_ims_str(USER);
    unsigned char  *copy;

    copy = guarded_copy(text, len);
    rc = ngx_ims_reginfo_parse(copy, len, &aor, &user, &info);
    guarded_free(copy, len);

    return rc;
}


static void
good(const char *text, const char *name)
{
    is_int(parse(text, strlen(text)), NGX_IMS_OK, name);
}


static void
bad(const char *text, const char *name)
{
    is_int(parse(text, strlen(text)), NGX_IMS_INVALID, name);
}


static void
test_shapes(void)
{
    good(HEAD("2", "full") REGISTRATION(AOR, "active")
         CONTACT(URI, "active", "event=\"registered\" expires=\"540\"") END,
         "the first NOTIFY");
    is_int(info.version, 2, "version 2");
    is_int(info.full, 1, "full");
    is_int(info.known, 1, "our aor");
    is_int(info.terminated, 0, "active");
    is_int(info.contact, 1, "our contact");
    is_int(info.gone, 0, "active");

    good(HEAD("4", "partial") REGISTRATION(AOR, "terminated") END,
         "terminated, without a contact");
    is_int(info.version, 4, "version 4");
    is_int(info.full, 0, "partial");
    is_int(info.terminated, 1, "terminated");
    is_int(info.contact, 0, "no contact");

    good(HEAD("3", "partial") REGISTRATION(AOR, "active")
         CONTACT("sip:other@127.0.0.1", "terminated", "event=\"rejected\"")
         CONTACT("\n  " URI ";transport=tcp  ", "terminated",
                 "event=\"probation\" retry-after=\"30\"")
         CONTACT("sip:third@127.0.0.1", "active", "event=\"created\"") END,
         "several contacts");
    is_int(info.gone, 1, "ours is terminated");
    is_int(info.event, NGX_IMS_REGINFO_PROBATION, "probation");
    is_int(info.retry_after, 30, "for 30 s");

    good(HEAD("0", "full") REGISTRATION("sip:u2@ims.example", "terminated")
         CONTACT(URI, "terminated", "event=\"rejected\"") END,
         "another aor");
    is_int(info.known, 0, "is not ours");
    is_int(info.contact, 0, "nor its contact");

    good(HEAD("0", "full") "</reginfo>", "nothing");
    is_int(info.known, 0, "nothing of ours");

    good("<r:reginfo xmlns:r=\"urn:ietf:params:xml:ns:reginfo\" "
         "xmlns=\"x\" version=\"1\" state=\"full\"><a/>"
         "<r:registration aor=\"SIP:u1@IMS.example\" id=\"x\" "
         "state=\"active\"><r:contact id=\"1\" state=\"terminated\" "
         "event=\"rejected\"><r:display-name>x</r:display-name>"
         "<uri>no</uri><r:uri>sip:" USER "@h?a=1&amp;b=2</r:uri>"
         "<x:y xmlns:x=\"z\"><x:uri>sip:no</x:uri></x:y></r:contact>"
         "</r:registration></r:reginfo>", "prefixes and extensions");
    is_int(info.gone, 1, "found");
    is_int(info.event, NGX_IMS_REGINFO_REJECTED, "rejected");
}


static void
event(const char *name, ngx_ims_reginfo_event_e expected)
{
    char  text[1024];

    snprintf(text, sizeof(text), HEAD("1", "partial")
             REGISTRATION(AOR, "terminated")
             CONTACT(URI, "terminated", "event=\"%s\"") END, name);

    good(text, name);
    is_int(info.event, expected, name);
}


static void
test_bad(void)
{
    size_t       i, len;
    static char  big[NGX_IMS_REGINFO_MAX + 2];

    const char  *whole = HEAD("2", "full") REGISTRATION(AOR, "active")
                         CONTACT(URI, "active", "event=\"registered\"") END;

    for (i = 0, len = strlen(whole); i < len; i++) {
        if (parse(whole, i) != NGX_IMS_INVALID) {
            ok(0, "cut at %zu", i);
        }
    }

    ok(1, "cut at every byte");

    bad("", "empty");
    bad("reginfo", "no XML");
    bad("<reginfo version=\"1\" state=\"full\"/>", "no namespace");
    bad("<x xmlns=\"urn:ietf:params:xml:ns:reginfo\"/>", "another root");
    bad(HEAD("x", "full") "</reginfo>", "a version that is no number");
    bad(HEAD("-1", "full") "</reginfo>", "negative");
    bad(HEAD("4294967296", "full") "</reginfo>", "too large a version");
    bad(HEAD("1", "half") "</reginfo>", "another state");
    bad(HEAD("1", "full") "<registration/></reginfo>", "no aor");
    bad(HEAD("1", "full") REGISTRATION(AOR, "active")
        CONTACT(URI, "terminated", "event=\"probation\" retry-after=\"x\"")
        END, "a time that is no number");

    bad("<?xml version=\"1.0\"?><!DOCTYPE reginfo [<!ENTITY a \"aaaaaaaa\">"
        "<!ENTITY b \"&a;&a;&a;&a;&a;&a;&a;&a;\">"
        "<!ENTITY c \"&b;&b;&b;&b;&b;&b;&b;&b;\">]>"
        "<reginfo xmlns=\"urn:ietf:params:xml:ns:reginfo\" version=\"1\" "
        "state=\"full\">&c;</reginfo>", "a bomb");
    bad("<!DOCTYPE reginfo SYSTEM \"file:///etc/passwd\">"
        "<reginfo xmlns=\"urn:ietf:params:xml:ns:reginfo\" version=\"1\" "
        "state=\"full\"/>", "a document type");

    len = snprintf(big, sizeof(big), HEAD("1", "full"));

    for (i = 0; i < 20; i++) {
        len += snprintf(big + len, sizeof(big) - len, "<a>");
    }

    for (i = 0; i < 20; i++) {
        len += snprintf(big + len, sizeof(big) - len, "</a>");
    }

    snprintf(big + len, sizeof(big) - len, "</reginfo>");
    bad(big, "too deep");

    memset(big, ' ', sizeof(big));
    memcpy(big, HEAD("1", "full"), strlen(HEAD("1", "full")));
    memcpy(big + NGX_IMS_REGINFO_MAX - 10, "</reginfo>", 10);
    is_int(parse(big, NGX_IMS_REGINFO_MAX), NGX_IMS_OK, "as large as may be");
    is_int(parse(big, NGX_IMS_REGINFO_MAX + 1), NGX_IMS_INVALID,
           "one byte more");

    /* a URI that does not fit is not ours */

    len = snprintf(big, sizeof(big), HEAD("1", "full")
                   REGISTRATION(AOR, "active")
                   "<contact id=\"1\" state=\"terminated\" "
                   "event=\"rejected\"><uri>" URI ";x=");
    memset(big + len, 'y', NGX_IMS_REGINFO_URI);
    len += NGX_IMS_REGINFO_URI;
    snprintf(big + len, sizeof(big) - len, "</uri></contact>" END);
    good(big, "a long URI");
    is_int(info.contact, 0, "is passed over");
}


int
main(void)
{
    test_shapes();

    event("deactivated", NGX_IMS_REGINFO_DEACTIVATED);
    event("probation", NGX_IMS_REGINFO_PROBATION);
    event("expired", NGX_IMS_REGINFO_EXPIRED);
    event("unregistered", NGX_IMS_REGINFO_UNREGISTERED);
    event("rejected", NGX_IMS_REGINFO_REJECTED);
    event("refreshed", NGX_IMS_REGINFO_OTHER);

    test_bad();

    return done_testing();
}
