/*
 * Copyright (C) the IMS portal authors
 *
 * What one browser and one connection are made of, in bytes, for the table of
 * bench/run: name and size, a line each.
 */


#include "ngx_ims_session.h"

#include <stdio.h>


int
main(void)
{
    printf("session %zu\n", sizeof(ngx_ims_session_t));
    printf("connection %zu\n", sizeof(ngx_connection_t));
    printf("event %zu\n", sizeof(ngx_event_t));
    printf("lease %zu\n", sizeof(ngx_ims_lease_sh_t));
    printf("binding %zu\n", sizeof(ngx_ims_binding_sh_t));
    printf("dialog %zu\n", sizeof(ngx_ims_dialog_sh_t));
    printf("chunk %zu\n", sizeof(ngx_ims_chunk_sh_t));

    return 0;
}
