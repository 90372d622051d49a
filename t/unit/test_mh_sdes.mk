# Copyright (C) the IMS portal authors

test_mh_sdes_SRCS = media-helper/mh_sdes.c media-helper/mh_keys.c \
	media-helper/mh_srtp.c media-helper/mh_srtp_evp.c \
	media-helper/mh_srtp_stream.c media-helper/mh_srtp_libsrtp2.c
test_mh_sdes_CFLAGS = -D_GNU_SOURCE -DHAVE_INET6 -DHAVE_STDBOOL_H \
	-I media-helper -I/usr/include/re -DMH_SRTP_LIBSRTP2
test_mh_sdes_LIBS = -lre -lsrtp2 -lcrypto
