# Copyright (C) the IMS portal authors

test_mh_transport_SRCS = media-helper/mh_dtls.c media-helper/mh_dtls_ctx.c \
	media-helper/mh_dtls_bio.c media-helper/mh_dtls_fp.c \
	media-helper/mh_dtls_record.c media-helper/mh_ice.c \
	media-helper/mh_io.c media-helper/mh_tcp.c media-helper/mh_path.c \
	media-helper/mh_srtp.c media-helper/mh_srtp_evp.c \
	media-helper/mh_srtp_stream.c
test_mh_transport_CFLAGS = -D_GNU_SOURCE -DHAVE_INET6 -DHAVE_STDBOOL_H \
	-I media-helper -I/usr/include/re
test_mh_transport_LIBS = -lre -lssl -lcrypto -lz

# it is a part of the test

$(BUILD)/test_mh_transport: $(TOP)/media-helper/mh_transport.c
