test_ngx_ims_jwk_SRCS = t/unit/jwt_make.c ngx_ims_portal_module/ngx_ims_jwt.c \
	ngx_ims_portal_module/ngx_ims_jwk.c ngx_ims_portal_module/ngx_ims_jws.c \
	ngx_ims_portal_module/ngx_ims_jwk_pem.c \
	ngx_ims_portal_module/ngx_ims_jwk_import.c \
	ngx_ims_portal_module/ngx_ims_jwt_claim.c
test_ngx_ims_jwk_LIBS = -ljansson -lcrypto
