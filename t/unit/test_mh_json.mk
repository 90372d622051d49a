# Copyright (C) the IMS portal authors

test_mh_json_SRCS = media-helper/mh_json.c media-helper/mh_json_out.c \
	ngx_ims_portal_module/ngx_ims_ng.c ngx_ims_portal_module/ngx_ims_str.c
test_mh_json_CFLAGS = -I media-helper -I ngx_ims_portal_module
