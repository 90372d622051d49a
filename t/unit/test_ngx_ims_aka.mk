# Copyright (C) the IMS portal authors

test_ngx_ims_aka_SRCS = ngx_ims_portal_module/ngx_ims_aka.c
test_ngx_ims_aka_LIBS = -lcrypto
