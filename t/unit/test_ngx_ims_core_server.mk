# Copyright (C) the IMS portal authors

test_ngx_ims_core_server_SRCS = ngx_ims_portal_module/ngx_ims_core_server.c \
	ngx_ims_portal_module/ngx_ims_core_route.c \
	ngx_ims_portal_module/ngx_ims_sip_addr.c \
	ngx_ims_portal_module/ngx_ims_sip_text.c \
	ngx_ims_portal_module/ngx_ims_sip_uri.c \
	ngx_ims_portal_module/ngx_ims_str.c \
	t/unit/nginx/ngx_standin.c
test_ngx_ims_core_server_CFLAGS = -I t/unit/nginx -Wno-unused-parameter
