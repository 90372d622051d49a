/*
 * Copyright (C) the IMS portal authors
 *
 * The JWT codec with the allocator of test_ngx_ims_jwt_oom.c.
 */


#include <stdlib.h>
#include <openssl/evp.h>
#include <jansson.h>


void *test_malloc(size_t n);
void *test_calloc(size_t n, size_t size);
void test_free(void *p);

#define malloc  test_malloc
#define calloc  test_calloc
#define free    test_free

#include "../../ngx_ims_portal_module/ngx_ims_jws.c"
#include "../../ngx_ims_portal_module/ngx_ims_jwk.c"
#include "../../ngx_ims_portal_module/ngx_ims_jwk_pem.c"
#include "../../ngx_ims_portal_module/ngx_ims_jwk_import.c"
#include "../../ngx_ims_portal_module/ngx_ims_jwt.c"
#include "../../ngx_ims_portal_module/ngx_ims_jwt_claim.c"
