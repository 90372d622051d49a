test_ngx_ims_jwt_libjwt_SRCS = $(test_ngx_ims_jwt_SRCS)
test_ngx_ims_jwt_libjwt_LIBS = -ljwt -ljansson -lcrypto
