# Copyright (C) the IMS portal authors

test_ngx_ims_digest_SRCS = ngx_ims_portal_module/ngx_ims_digest.c \
	ngx_ims_portal_module/ngx_ims_digest_answer.c \
	ngx_ims_portal_module/ngx_ims_aka.c \
	ngx_ims_portal_module/ngx_ims_sip.c \
	ngx_ims_portal_module/ngx_ims_sip_addr.c \
	ngx_ims_portal_module/ngx_ims_sip_start.c \
	ngx_ims_portal_module/ngx_ims_sip_text.c \
	ngx_ims_portal_module/ngx_ims_sip_uri.c \
	ngx_ims_portal_module/ngx_ims_str.c
test_ngx_ims_digest_LIBS = -lcrypto
