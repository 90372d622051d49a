test_ngx_ims_ng_SRCS = ngx_ims_portal_module/ngx_ims_ng.c
