/*
 * Copyright (C) the IMS portal authors
 *
 * Dial plans over tables of what users and attackers type.  Every URI stands at
 * the edge of a guarded page.
 */


#include "ngx_ims_dial.h"
#include "tap.h"


typedef struct {
    const char             *in;
    ngx_ims_dial_result_e   rc;
    const char             *out;             /* NULL: unchanged, or refused */
} typed_t;


static ngx_ims_str_t  services[] = { ngx_ims_str("116117"),
                                     ngx_ims_str("*21#") };
static ngx_ims_str_t  barred[] = { ngx_ims_str("882"), ngx_ims_str("4990"),
                                   ngx_ims_str("49137") };
static ngx_ims_str_t  allowed[] = { ngx_ims_str("4990012") };
static ngx_ims_str_t  premium[] = { ngx_ims_str("49180"),
                                    ngx_ims_str("4990012") };

static ngx_ims_dial_sos_t  sos[] = {
    { ngx_ims_str("112"), { 0, NULL } },
    { ngx_ims_str("110"), ngx_ims_str("police") }
};


static const ngx_ims_dial_plan_t  german = {
    .plan = 1,
    .domain = ngx_ims_str("ims.operator.example"),
    .country = ngx_ims_str("49"),
    .trunk = ngx_ims_str("0"),
    .international = ngx_ims_str("00"),
    .area = ngx_ims_str("30"),
    .context = ngx_ims_str("acme.example"),
    .service_context = ngx_ims_str("+49"),
    .extension_min = 3,
    .extension_max = 5,
    .subscriber_min = 6,
    .subscriber_max = 8,
    .services = services,
    .nservices = 2,
    .barred = barred,
    .nbarred = 3,
    .allowed = allowed,
    .nallowed = 1,
    .premium = premium,
    .npremium = 2,
    .sos = sos,
    .nsos = 2
};


static const ngx_ims_str_t  own = ngx_ims_str("pbx.acme.example");


static int
same(const ngx_ims_str_t *s, const char *expected)
{
    return s->len == strlen(expected)
           && (s->len == 0 || memcmp(s->data, expected, s->len) == 0);
}


static void
run(const ngx_ims_dial_plan_t *plan, const typed_t *t, size_t n,
    const char *title)
{
    size_t                  i;
    ngx_ims_str_t           s;
    ngx_ims_dial_t          d;
    ngx_ims_dial_result_e   rc;

    for (i = 0; i < n; i++) {
        s.len = strlen(t[i].in);
        s.data = guarded_copy(t[i].in, s.len);

        rc = ngx_ims_dial(plan, &s, &own, &d);

        ok(rc == t[i].rc
           && same(&d.uri, t[i].out ? t[i].out : "")
           && (d.why != NULL) == (rc > NGX_IMS_DIAL_NUMBER),
           "%s: \"%.60s\": %d \"%.*s\" %s", title, t[i].in, (int) rc,
           (int) d.uri.len, d.uri.data, d.why ? d.why : "");

        guarded_free(s.data, s.len);
    }
}


#define RUN(plan, t, title)  run(plan, t, sizeof(t) / sizeof((t)[0]), title)

#define PASS     NGX_IMS_DIAL_PASS, NULL
#define SHORT    NGX_IMS_DIAL_SHORT, NULL
#define UNKNOWN  NGX_IMS_DIAL_UNKNOWN, NULL
#define BARRED   NGX_IMS_DIAL_BARRED, NULL
#define N        NGX_IMS_DIAL_NUMBER


static void
test_german(void)
{
    static const typed_t  t[] = {

        /* what people type */

        { "tel:+49301234567", N, "tel:+49301234567" },
        { "tel:+49-(30)-123.45.67", N, "tel:+49301234567" },
        { "tel:00493012345;phone-context=+49", N, "tel:+493012345" },
        { "tel:0015550100;phone-context=acme.example", N, "tel:+15550100" },
        { "tel:030-1234567", N, "tel:+49301234567" },
        { "tel:1234567", N, "tel:+49301234567" },
        { "tel:123;phone-context=acme.example", N,
          "tel:123;phone-context=acme.example" },
        { "tel:12345", N, "tel:12345;phone-context=acme.example" },
        { "tel:116117", N, "tel:116117;phone-context=+49" },
        { "tel:116-117", N, "tel:116117;phone-context=+49" },
        { "tel:*21#", N, "tel:*21#;phone-context=+49" },
        { "TEL:+49301234567", N, "tel:+49301234567" },

        /* the same as SIP URIs */

        { "sip:0301234567@ims.operator.example", N, "tel:+49301234567" },
        { "sip:0301234567@IMS.Operator.Example.;lr", N, "tel:+49301234567" },
        { "sip:030123456@acme.ims.operator.example:5070", N,
          "tel:+4930123456" },
        { "sip:123@pbx.acme.example", N, "tel:123;phone-context=acme.example" },
        { "sips:0301234567@any.example;user=phone", N, "tel:+49301234567" },
        { "sip:0301234567@[2001:db8::1];user=phone", N, "tel:+49301234567" },
        { "sip:0301234567@[2001:db8::1]:5060;USER=Phone", N,
          "tel:+49301234567" },
        { "sip:%2b49%2030%201234567@ims.operator.example", N,
          "tel:+49301234567" },
        { "sip:030(123)4567;phone-context=+49@ims.operator.example", N,
          "tel:+49301234567" },
        { "sip:0301234567:secret@ims.operator.example?Subject=x", N,
          "tel:+49301234567" },
        { "sip:116117@ims.operator.example", N,
          "tel:116117;phone-context=+49" },
        { "sip:%2a21%23@ims.operator.example", N,
          "tel:*21#;phone-context=+49" },

        /* parameters */

        { "tel:+49301234567;ext=89", N, "tel:+49301234567;ext=89" },
        { "tel:+49301234567;ext=89;isub=1411", N,
          "tel:+49301234567;isub=1411;ext=89" },
        { "tel:+49301234567;ext=abc;isub=%00", N, "tel:+49301234567" },
        { "tel:+49301234567;cic=+1-6789;npdi;rn=+1-555", N,
          "tel:+49301234567" },
        { "tel:1234567;phone-context=+4940", N, "tel:+49401234567" },
        { "tel:1234;phone-context=+1-555-0100", N, "tel:+155501001234" },
        { "tel:+49301234567;phone-context=x.example", N,
          "tel:+49301234567" },
        { "tel:123;phone-context=x.example", UNKNOWN },
        { "tel:123;phone-context=", N, "tel:123;phone-context=acme.example" },
        { "tel:123;phone-context", UNKNOWN },
        { "tel:123;phone-context=+49*", UNKNOWN },
        { "tel:123;phone-context=+11111111111111111111111111111111111",
          UNKNOWN },

        /* not numbers of ours */

        { "sip:mary@ims.operator.example", PASS },
        { "sip:u001@acme.ims.operator.example", PASS },
        { "sip:0301234567@elsewhere.example", PASS },
        { "sip:0301234567@xims.operator.example", PASS },
        { "sip:0301234567@192.0.2.1", PASS },
        { "sip:0301234567@[2001:db8::1]", PASS },
        { "sip:12@elsewhere.example", PASS },
        { "sip:ims.operator.example", PASS },
        { "sip:...@ims.operator.example", PASS },
        { "sip:*@ims.operator.example", PASS },
        { "sip:0800-FLOWERS@ims.operator.example;user=phone", PASS },
        { "sip:12+34@ims.operator.example", PASS },
        { "sip:++4930123456@ims.operator.example", PASS },
        { "sip:030%00123456@ims.operator.example", PASS },
        { "sip:030%0d%0a123456@ims.operator.example", PASS },
        { "urn:service:counseling", PASS },
        { "mailto:112@ims.operator.example", PASS },
        { "", PASS }, { "tel:", PASS }, { "sip:", PASS }, { "tel:+", PASS },
        { "tel:abc", PASS }, { "tel:%31%32%33", PASS }, { "112", PASS },

        /* too short, too long, nothing */

        { "tel:+4930", SHORT },
        { "tel:0", SHORT },
        { "tel:00", SHORT },
        { "tel:12", SHORT },
        { "tel:001", N, "tel:001;phone-context=acme.example" },
        { "tel:+1234567890123456", UNKNOWN },
        { "tel:+0301234567", UNKNOWN },
        { "tel:+49*30", PASS },
        { "sip:+49*30@ims.operator.example", UNKNOWN },
        { "tel:*", UNKNOWN }, { "tel:#", UNKNOWN }, { "tel:**", UNKNOWN },
        { "tel:*22#", UNKNOWN },
        { "tel:123456789", UNKNOWN },
        { "tel:00030123456", UNKNOWN },
        { "tel:01234567890123456789", UNKNOWN },

        /* barred, by any way */

        { "tel:+88212345678", BARRED },
        { "tel:0088212345678", BARRED },
        { "tel:0-0-8-8-2-12345678", BARRED },
        { "tel:0900123456", N, "tel:+49900123456" },
        { "tel:0901123456", BARRED },
        { "tel:0137-1234567", BARRED },
        { "tel:12345678;phone-context=+882", BARRED },
        { "sip:+88212345678@elsewhere.example", BARRED },
        { "sip:%2B88212345678@192.0.2.1", BARRED },
        { "sip:00882%31%32345678@[2001:db8::1]:5060", BARRED },
        { "sip:+88212345678@elsewhere.example;user=phone", BARRED }
    };

    RUN(&german, t, "German");
}


static void
test_other_plans(void)
{
    ngx_ims_dial_plan_t  plan;

    static const typed_t  nanp[] = {
        { "tel:1-555-010-0123", N, "sip:+15550100123@home.example;user=phone" },
        { "tel:5550100123", N, "sip:+15550100123@home.example;user=phone" },
        { "tel:1234", N,
          "sip:1234;phone-context=+1555@home.example;user=phone" },
        { "tel:011-49-30-123456", N,
          "sip:+4930123456@home.example;user=phone" },
        { "tel:*67#", N,
          "sip:*67%23;phone-context=+1@home.example;user=phone" },
        { "tel:+15550100123;ext=7", N,
          "sip:+15550100123;ext=7@home.example;user=phone" },
        { "tel:555010", SHORT },
        { "tel:55501001234", UNKNOWN }
    };

    static const typed_t  closed[] = {
        { "tel:+34910123456", N, "tel:+34910123456" },
        { "tel:910123456", N, "tel:+34910123456" },
        { "tel:0049301234567", N, "tel:+49301234567" },
        { "tel:123", SHORT },
        { "tel:1234567890", UNKNOWN }
    };

    static const typed_t  bare[] = {
        { "tel:+34910123456", N, "tel:+34910123456" },
        { "tel:910123456", UNKNOWN },
        { "tel:1", UNKNOWN }
    };

    static const typed_t  none[] = {
        { "tel:+34910123456", PASS }, { "tel:1", PASS },
        { "sip:1@ims.operator.example;user=phone", PASS }
    };

    static ngx_ims_str_t        star[] = { ngx_ims_str("*67#") };
    static const ngx_ims_str_t  us = ngx_ims_str("1");
    static const ngx_ims_str_t  us_intl = ngx_ims_str("011");
    static const ngx_ims_str_t  us_context = ngx_ims_str("+1555");
    static const ngx_ims_str_t  us_service = ngx_ims_str("+1");
    static const ngx_ims_str_t  home = ngx_ims_str("home.example");
    static const ngx_ims_str_t  es = ngx_ims_str("34");
    static const ngx_ims_str_t  intl = ngx_ims_str("00");

    memset(&plan, 0, sizeof(plan));
    RUN(&plan, none, "no plan");

    plan.plan = 1;
    plan.sip = 1;
    plan.domain = home;
    plan.country = us;
    plan.trunk = us;
    plan.international = us_intl;
    plan.extension_min = plan.extension_max = 4;
    plan.subscriber_min = plan.subscriber_max = 10;
    plan.context = us_context;
    plan.service_context = us_service;
    plan.services = star;
    plan.nservices = 1;
    RUN(&plan, nanp, "North America");

    memset(&plan, 0, sizeof(plan));
    plan.plan = 1;
    plan.domain = home;
    plan.country = es;
    plan.international = intl;
    plan.subscriber_min = plan.subscriber_max = 9;
    RUN(&plan, closed, "closed plan");

    memset(&plan, 0, sizeof(plan));
    plan.plan = 1;
    plan.domain = home;
    plan.country = es;
    RUN(&plan, bare, "nothing but a country");
}


static void
test_premium(void)
{
    size_t                  i;
    ngx_ims_str_t           s;
    ngx_ims_dial_t          d;
    ngx_ims_dial_result_e   rc;

    static const struct {
        const char  *in;
        int          premium;
    } t[] = {
        { "tel:0180-123456", 1 }, { "tel:+49180123456", 1 },
        { "tel:0900-123456", 1 }, { "tel:030-123456", 0 },
        { "tel:49180", 0 }, { "sip:+49180123456@elsewhere.example", 1 },
        { "sip:mary@elsewhere.example", 0 }
    };

    for (i = 0; i < sizeof(t) / sizeof(t[0]); i++) {
        s.len = strlen(t[i].in);
        s.data = guarded_copy(t[i].in, s.len);
        rc = ngx_ims_dial(&german, &s, &own, &d);

        ok(rc <= NGX_IMS_DIAL_NUMBER && d.premium == t[i].premium,
           "premium: \"%s\": %d", t[i].in, d.premium);

        guarded_free(s.data, s.len);
    }
}


static void
test_emergency(void)
{
    size_t               i;
    ngx_ims_str_t        s;
    ngx_ims_dial_t       d;
    ngx_ims_dial_plan_t  plan;

    static const struct {
        const char  *in;
        const char  *urn;                    /* NULL: none */
        int          bare;                   /* without a dial plan, too */
    } t[] = {
        { "urn:service:sos", "urn:service:sos", 1 },
        { "URN:Service:SOS", "urn:service:sos", 1 },
        { "urn:service:sos.police", "urn:service:sos.police", 1 },
        { "urn:service:sos.ANIMAL-control", "urn:service:sos.animal-control",
          1 },
        { "urn:service:sos.%00", "urn:service:sos", 1 },
        { "urn:service:sos.x;y=z", "urn:service:sos", 1 },
        { "urn:service:sosx", NULL, 1 },
        { "urn:service:counseling", NULL, 1 },
        { "tel:112", "urn:service:sos", 1 },
        { "tel:1-1-2", "urn:service:sos", 1 },
        { "tel:+112", "urn:service:sos", 1 },
        { "tel:112;phone-context=+49", "urn:service:sos", 1 },
        { "tel:112;phone-context=x.example;ext=1", "urn:service:sos", 1 },
        { "tel:110", "urn:service:sos.police", 1 },
        { "sip:112@ims.operator.example", "urn:service:sos", 1 },
        { "sip:112@any.example", "urn:service:sos", 1 },
        { "sips:112@[2001:db8::1]:5061", "urn:service:sos", 1 },
        { "sip:%31%31%32@any.example;user=phone", "urn:service:sos", 1 },
        { "sip:(112)@any.example", "urn:service:sos", 1 },
        { "sip:112;phone-context=+49@any.example", "urn:service:sos", 1 },
        { "sip:112:x@any.example", "urn:service:sos", 1 },
        { "tel:0112", "urn:service:sos", 0 },
        { "tel:+49112", "urn:service:sos", 0 },
        { "tel:0049-110", "urn:service:sos.police", 0 },
        { "tel:49112", NULL, 1 },
        { "tel:1120", NULL, 1 },
        { "tel:11", NULL, 1 },
        { "tel:*112", NULL, 1 },
        { "tel:112#", NULL, 1 },
        { "sip:112a@any.example", NULL, 1 },
        { "sip:112", NULL, 1 },
        { "sip:mary@112.example", NULL, 1 },
        { "", NULL, 1 }
    };

    plan = german;
    plan.plan = 0;
    plan.country.len = 0;
    plan.trunk.len = 0;
    plan.international.len = 0;

    for (i = 0; i < sizeof(t) / sizeof(t[0]); i++) {
        s.len = strlen(t[i].in);
        s.data = guarded_copy(t[i].in, s.len);

        ok(ngx_ims_dial_emergency(&german, &s, &d) == (t[i].urn != NULL)
           && same(&d.uri, t[i].urn ? t[i].urn : "")
           && ngx_ims_dial_emergency(&plan, &s, &d)
              == (t[i].urn != NULL && t[i].bare),
           "emergency: \"%s\": \"%.*s\"", t[i].in, (int) d.uri.len,
           d.uri.data);

        guarded_free(s.data, s.len);
    }
}


/* long ones, and every length up to the limits */

static void
test_long(void)
{
    int                     bad, i, k;
    char                    text[1024];
    ngx_ims_str_t           s;
    ngx_ims_dial_t          d;
    ngx_ims_dial_plan_t     plan;
    ngx_ims_dial_result_e   rc;

    static const char *const  form[] = {
        "tel:%.*s", "tel:+%.*s", "sip:%.*s@ims.operator.example",
        "sip:%.*s@elsewhere.example", "tel:7;phone-context=+%.*s",
        "tel:+49301234567;ext=%.*s", "tel:+49301234567;isub=%.*s"
    };

    char  digits[301];

    memset(digits, '7', sizeof(digits));
    plan = german;

    for (k = 0; k < (int) (sizeof(form) / sizeof(form[0])); k++) {

        for (bad = 0, i = 0; i <= 300; i++) {
            s.len = snprintf(text, sizeof(text), form[k], i, digits);
            s.data = guarded_copy(text, s.len);

            rc = ngx_ims_dial(&plan, &s, &own, &d);

            bad += (k < 3 && i > 15 && rc != NGX_IMS_DIAL_UNKNOWN)
                   || (k == 3 && rc != NGX_IMS_DIAL_PASS)
                   || (k > 4 && rc != NGX_IMS_DIAL_NUMBER)
                   || d.uri.len > NGX_IMS_DIAL_URI;

            (void) ngx_ims_dial_emergency(&plan, &s, &d);

            guarded_free(s.data, s.len);
        }

        ok(bad == 0, "0 to 300 digits in %s: %d bad", form[k], bad);
    }

    s.len = sizeof(digits);
    s.data = (unsigned char *) digits;
    plan.context = s;
    plan.domain = s;
    plan.sip = 1;

    s.len = 7;
    s.data = (unsigned char *) "tel:123";
    ok(ngx_ims_dial(&plan, &s, &own, &d) == NGX_IMS_DIAL_UNKNOWN
       && d.uri.len == 0, "names that do not fit");
}


static void
test_digits(void)
{
    ngx_ims_str_t  s;

    static const ngx_ims_str_t  good = ngx_ims_str("0123456789");
    static const ngx_ims_str_t  star = ngx_ims_str("*21#");
    static const ngx_ims_str_t  plus = ngx_ims_str("+49");

    s = good;
    s.len = 0;

    ok(ngx_ims_dial_digits(&good, 0) && ngx_ims_dial_digits(&star, 1)
       && !ngx_ims_dial_digits(&star, 0) && !ngx_ims_dial_digits(&plus, 1)
       && !ngx_ims_dial_digits(&s, 1), "digits");
}


int
main(void)
{
    test_german();
    test_other_plans();
    test_premium();
    test_emergency();
    test_long();
    test_digits();

    return done_testing();
}
