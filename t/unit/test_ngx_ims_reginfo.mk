# Copyright (C) the IMS portal authors

test_ngx_ims_reginfo_SRCS = ngx_ims_portal_module/ngx_ims_reginfo.c \
	ngx_ims_portal_module/ngx_ims_sip_addr.c \
	ngx_ims_portal_module/ngx_ims_sip_text.c \
	ngx_ims_portal_module/ngx_ims_sip_uri.c \
	ngx_ims_portal_module/ngx_ims_str.c
test_ngx_ims_reginfo_LIBS = -lexpat
