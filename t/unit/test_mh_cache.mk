# Copyright (C) the IMS portal authors

test_mh_cache_SRCS = media-helper/mh_cache.c
test_mh_cache_CFLAGS = -D_GNU_SOURCE -DHAVE_INET6 -I media-helper \
	-I/usr/include/re
test_mh_cache_LIBS = -lre
