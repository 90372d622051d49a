# Copyright (C) the IMS portal authors

test_ngx_ims_limit_SRCS = ngx_ims_portal_module/ngx_ims_limit.c \
	ngx_ims_portal_module/ngx_ims_limit_rate.c \
	ngx_ims_portal_module/ngx_ims_limit_table.c \
	t/unit/nginx/ngx_standin.c
test_ngx_ims_limit_CFLAGS = -I t/unit/nginx -Wno-unused-parameter
