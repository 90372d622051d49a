# Copyright (C) the IMS portal authors
#
# mh_srtp_evp.c is included by the test, which needs its session keys.

test_mh_srtp_rfc_SRCS = media-helper/mh_srtp_stream.c
test_mh_srtp_rfc_CFLAGS = -I media-helper -I/usr/include/re
test_mh_srtp_rfc_LIBS = -lre -lcrypto
