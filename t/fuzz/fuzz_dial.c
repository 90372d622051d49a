/* Copyright (C) the IMS portal authors */

/*
 * Feeds the dial plan.  Whatever is typed, what comes out is a URI of digits
 * and known parameters, says the same when it is dialled again, is not barred,
 * and is no emergency number that was not one before.  The input is a byte that
 * chooses the plan, then a URI.
 */


#include <stdlib.h>

#include "../../ngx_ims_portal_module/ngx_ims_str.c"
#include "../../ngx_ims_portal_module/ngx_ims_sip.c"
#include "../../ngx_ims_portal_module/ngx_ims_sip_addr.c"
#include "../../ngx_ims_portal_module/ngx_ims_sip_edit.c"
#include "../../ngx_ims_portal_module/ngx_ims_sip_frame.c"
#include "../../ngx_ims_portal_module/ngx_ims_sip_start.c"
#include "../../ngx_ims_portal_module/ngx_ims_sip_text.c"
#include "../../ngx_ims_portal_module/ngx_ims_sip_uri.c"
#include "../../ngx_ims_portal_module/ngx_ims_dial.c"
#include "../../ngx_ims_portal_module/ngx_ims_dial_read.c"


#define need(cond)  do { if (!(cond)) { abort(); } } while (0)


int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);


static ngx_ims_str_t       services[] = { ngx_ims_str("115"),
                                          ngx_ims_str("*21#") };
static ngx_ims_str_t       barred[] = { ngx_ims_str("88"),
                                        ngx_ims_str("4990") };
static ngx_ims_dial_sos_t  sos[] = {
    { ngx_ims_str("112"), { 0, NULL } },
    { ngx_ims_str("110"), ngx_ims_str("police") }
};

static const ngx_ims_str_t  host = ngx_ims_str("a.example");


static void
plan_of(uint8_t choice, ngx_ims_dial_plan_t *plan)
{
    static const ngx_ims_dial_plan_t  all = {
        .plan = 1,
        .domain = ngx_ims_str("ims.example"),
        .country = ngx_ims_str("49"),
        .trunk = ngx_ims_str("0"),
        .international = ngx_ims_str("00"),
        .area = ngx_ims_str("30"),
        .context = ngx_ims_str("a.example"),
        .service_context = ngx_ims_str("+49"),
        .extension_min = 2,
        .extension_max = 5,
        .subscriber_min = 6,
        .subscriber_max = 8,
        .services = services,
        .nservices = 2,
        .barred = barred,
        .nbarred = 2,
        .sos = sos,
        .nsos = 2
    };

    *plan = all;
    plan->sip = choice & 1;

    if (choice & 2) {
        plan->trunk.len = 0;
    }

    if (choice & 4) {
        plan->international.len = 0;
    }

    if (choice & 8) {
        plan->area.len = 0;
    }
}


int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    int                     emergency;
    size_t                  i;
    unsigned char          *copy;
    ngx_ims_str_t           uri, digits;
    ngx_ims_dial_t          d, again;
    ngx_ims_sip_uri_t       u;
    ngx_ims_dial_plan_t     plan;
    ngx_ims_dial_result_e   rc;

    if (size < 2 || size > 1000) {
        return 0;
    }

    plan_of(data[0], &plan);

    copy = malloc(size - 1);
    need(copy != NULL);
    memcpy(copy, data + 1, size - 1);

    uri.data = copy;
    uri.len = size - 1;

    emergency = ngx_ims_dial_emergency(&plan, &uri, &d);

    need(emergency == (d.uri.len != 0));
    need(!emergency || memcmp(d.uri.data, "urn:service:sos", 15) == 0);
    need(!emergency || ngx_ims_sip_parse_uri(&d.uri, &u) == NGX_IMS_OK);

    rc = ngx_ims_dial(&plan, &uri, &host, &d);

    need((d.why != NULL) == (rc > NGX_IMS_DIAL_NUMBER));
    need((d.uri.len != 0) == (rc == NGX_IMS_DIAL_NUMBER));

    if (rc == NGX_IMS_DIAL_NUMBER) {
        need(d.uri.len <= NGX_IMS_DIAL_URI);
        need(ngx_ims_sip_parse_uri(&d.uri, &u) == NGX_IMS_OK);

        for (i = 0; i < d.uri.len; i++) {
            need(d.uri.data[i] > ' ' && d.uri.data[i] < 0x7f
                 && strchr("\"<>,?\\", d.uri.data[i]) == NULL);
        }

        if (d.number.data[0] == '+') {
            digits.data = d.number.data + 1;
            digits.len = d.number.len - 1;

            need(ngx_ims_dial_digits(&digits, 0) && digits.len <= 15);
            need(digits.len < 2 || memcmp(digits.data, "88", 2) != 0);
            need(digits.len < 4 || memcmp(digits.data, "4990", 4) != 0);
        }

        need(emergency || !ngx_ims_dial_emergency(&plan, &d.uri, &again));

        rc = ngx_ims_dial(&plan, &d.uri, &host, &again);

        need(rc == NGX_IMS_DIAL_NUMBER && again.uri.len == d.uri.len
             && memcmp(again.uri.data, d.uri.data, d.uri.len) == 0);
    }

    free(copy);

    return 0;
}
