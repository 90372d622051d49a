# Copyright (C) the IMS portal authors

test_ngx_ims_txn_server_SRCS = $(test_ngx_ims_txn_SRCS)
test_ngx_ims_txn_server_CFLAGS = $(test_ngx_ims_txn_CFLAGS)
test_ngx_ims_txn_server_LIBS = $(test_ngx_ims_txn_LIBS)
