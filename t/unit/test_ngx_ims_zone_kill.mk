# Copyright (C) the IMS portal authors

test_ngx_ims_zone_kill_SRCS = ngx_ims_portal_module/ngx_ims_binding.c \
	ngx_ims_portal_module/ngx_ims_binding_end.c \
	ngx_ims_portal_module/ngx_ims_dialog.c \
	ngx_ims_portal_module/ngx_ims_dialog_cseq.c \
	ngx_ims_portal_module/ngx_ims_dialog_usage.c \
	ngx_ims_portal_module/ngx_ims_pool.c \
	ngx_ims_portal_module/ngx_ims_pool_claim.c \
	ngx_ims_portal_module/ngx_ims_pool_find.c \
	ngx_ims_portal_module/ngx_ims_pool_kept.c \
	ngx_ims_portal_module/ngx_ims_pool_key.c \
	ngx_ims_portal_module/ngx_ims_pool_list.c \
	ngx_ims_portal_module/ngx_ims_pool_map.c \
	ngx_ims_portal_module/ngx_ims_pool_reserve.c \
	ngx_ims_portal_module/ngx_ims_pool_retire.c \
	ngx_ims_portal_module/ngx_ims_pool_safe.c \
	ngx_ims_portal_module/ngx_ims_pool_state.c \
	ngx_ims_portal_module/ngx_ims_pool_text.c \
	ngx_ims_portal_module/ngx_ims_shared_lock.c \
	ngx_ims_portal_module/ngx_ims_sip.c \
	ngx_ims_portal_module/ngx_ims_sip_addr.c \
	ngx_ims_portal_module/ngx_ims_sip_frame.c \
	ngx_ims_portal_module/ngx_ims_sip_start.c \
	ngx_ims_portal_module/ngx_ims_sip_text.c \
	ngx_ims_portal_module/ngx_ims_sip_uri.c \
	ngx_ims_portal_module/ngx_ims_str.c \
	ngx_ims_portal_module/ngx_ims_zone.c \
	ngx_ims_portal_module/ngx_ims_zone_open.c \
	ngx_ims_portal_module/ngx_ims_zone_rebuild.c \
	t/unit/nginx/ngx_standin.c
test_ngx_ims_zone_kill_CFLAGS = -I t/unit/nginx -D_GNU_SOURCE -DSTANDIN_STRINGS \
	-Wno-unused-parameter
test_ngx_ims_zone_kill_LIBS = -lcrypto
