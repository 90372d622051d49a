test_ngx_ims_jwt_oom_SRCS = t/unit/jwt_make.c t/unit/jwt_oom.c
test_ngx_ims_jwt_oom_LIBS = -ljansson -lcrypto
