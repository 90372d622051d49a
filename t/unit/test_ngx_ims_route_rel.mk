test_ngx_ims_route_rel_SRCS = ngx_ims_portal_module/ngx_ims_route_rel.c \
	ngx_ims_portal_module/ngx_ims_sip.c \
	ngx_ims_portal_module/ngx_ims_sip_addr.c \
	ngx_ims_portal_module/ngx_ims_sip_edit.c \
	ngx_ims_portal_module/ngx_ims_sip_frame.c \
	ngx_ims_portal_module/ngx_ims_sip_start.c \
	ngx_ims_portal_module/ngx_ims_sip_text.c \
	ngx_ims_portal_module/ngx_ims_sip_uri.c \
	ngx_ims_portal_module/ngx_ims_str.c
