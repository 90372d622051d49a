# Copyright (C) the IMS portal authors

test_ngx_ims_txn_SRCS = ngx_ims_portal_module/ngx_ims_txn.c \
	ngx_ims_portal_module/ngx_ims_txn_client.c \
	ngx_ims_portal_module/ngx_ims_txn_server.c \
	ngx_ims_portal_module/ngx_ims_sip.c \
	ngx_ims_portal_module/ngx_ims_sip_addr.c \
	ngx_ims_portal_module/ngx_ims_sip_edit.c \
	ngx_ims_portal_module/ngx_ims_sip_frame.c \
	ngx_ims_portal_module/ngx_ims_sip_start.c \
	ngx_ims_portal_module/ngx_ims_sip_text.c \
	ngx_ims_portal_module/ngx_ims_sip_uri.c \
	ngx_ims_portal_module/ngx_ims_str.c \
	t/unit/nginx/ngx_standin.c
test_ngx_ims_txn_CFLAGS = -I t/unit/nginx -Wno-unused-parameter
test_ngx_ims_txn_LIBS = -lcrypto
