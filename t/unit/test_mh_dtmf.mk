# Copyright (C) the IMS portal authors

test_mh_dtmf_SRCS = media-helper/mh_dtmf.c
test_mh_dtmf_CFLAGS = -D_GNU_SOURCE -DHAVE_INET6 -DHAVE_STDBOOL_H \
	-I media-helper -I/usr/include/re
test_mh_dtmf_LIBS = -lre
