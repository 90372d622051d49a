# Copyright (C) the IMS portal authors

test_mh_http_SRCS = media-helper/mh_http.c
test_mh_http_CFLAGS = -D_GNU_SOURCE -DHAVE_INET6 -I media-helper \
	-I/usr/include/re
test_mh_http_LIBS = -lre
