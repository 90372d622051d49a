test_ngx_ims_ws_SRCS = ngx_ims_portal_module/ngx_ims_ws.c \
	ngx_ims_portal_module/ngx_ims_str.c
test_ngx_ims_ws_LIBS = -lcrypto
