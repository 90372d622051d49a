# Copyright (C) the IMS portal authors

test_mh_dtls_peer_SRCS = media-helper/mh_dtls.c media-helper/mh_dtls_ctx.c \
	media-helper/mh_dtls_bio.c media-helper/mh_dtls_fp.c \
	media-helper/mh_dtls_record.c
test_mh_dtls_peer_CFLAGS = -I media-helper -I/usr/include/re
test_mh_dtls_peer_LIBS = -lre -lssl -lcrypto
