# Copyright (C) the IMS portal authors

test_ngx_ims_recover_ended_SRCS = \
	ngx_ims_portal_module/ngx_ims_recover_ended.c \
	t/unit/nginx/ngx_standin.c
test_ngx_ims_recover_ended_CFLAGS = -I t/unit/nginx -DSTANDIN_STRINGS \
	-Wno-unused-parameter
