# Copyright (C) the IMS portal authors

test_ngx_ims_media_ng_SRCS = ngx_ims_portal_module/ngx_ims_media_ng.c \
	ngx_ims_portal_module/ngx_ims_media_sdp.c \
	ngx_ims_portal_module/ngx_ims_ng.c \
	t/unit/nginx/ngx_standin.c
test_ngx_ims_media_ng_CFLAGS = -I t/unit/nginx -Wno-unused-parameter
