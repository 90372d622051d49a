# Copyright (C) the IMS portal authors

test_mh_bundle_SRCS = media-helper/mh_bundle.c media-helper/mh_rtcp.c
test_mh_bundle_CFLAGS = -D_GNU_SOURCE -DHAVE_INET6 -I media-helper \
	-I/usr/include/re
test_mh_bundle_LIBS = -lre
