/* FUZZ_LIBS: -lexpat */
/* Copyright (C) the IMS portal authors */


/*
 * Feeds bodies of NOTIFY to the reader of registration information.  What it
 * says must fit together, and the same document says the same again.
 */


#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif

#include <stdlib.h>

#include "../../ngx_ims_portal_module/ngx_ims_str.c"
#include "../../ngx_ims_portal_module/ngx_ims_sip_addr.c"
#include "../../ngx_ims_portal_module/ngx_ims_sip_text.c"
#include "../../ngx_ims_portal_module/ngx_ims_sip_uri.c"
#include "../../ngx_ims_portal_module/ngx_ims_reginfo.c"


#define need(cond)  do { if (!(cond)) { abort(); } } while (0)

#define S(text)     { sizeof(text) - 1, (unsigned char *) text }


int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);


int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    ngx_ims_str_t      aor = S("sip:u001@acme.ims.operator.example");
    ngx_ims_str_t      user = S("b05c4ba3e");
    ngx_ims_reginfo_t  info, again;

    if (ngx_ims_reginfo_parse(data, size, &aor, &user, &info) != NGX_IMS_OK) {
        return 0;
    }

    need(size <= NGX_IMS_REGINFO_MAX);
    need(info.known || (!info.terminated && !info.contact));
    need(info.contact || !info.gone);
    need(info.event <= NGX_IMS_REGINFO_REJECTED);

    need(ngx_ims_reginfo_parse(data, size, &aor, &user, &again) == NGX_IMS_OK);
    need(info.version == again.version && info.full == again.full
         && info.gone == again.gone && info.event == again.event
         && info.terminated == again.terminated);

    return 0;
}
