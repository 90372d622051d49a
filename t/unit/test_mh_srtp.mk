# Copyright (C) the IMS portal authors

test_mh_srtp_SRCS = media-helper/mh_srtp.c media-helper/mh_srtp_evp.c \
	media-helper/mh_srtp_stream.c media-helper/mh_srtp_libsrtp2.c
test_mh_srtp_CFLAGS = -I media-helper -I/usr/include/re -DMH_SRTP_LIBSRTP2
test_mh_srtp_LIBS = -lre -lsrtp2 -lcrypto
