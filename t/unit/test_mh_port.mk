# Copyright (C) the IMS portal authors

test_mh_port_SRCS = media-helper/mh_port.c media-helper/mh_limits.c media-helper/mh_log.c
test_mh_port_CFLAGS = -D_GNU_SOURCE -DHAVE_INET6 -I media-helper \
	-I/usr/include/re
test_mh_port_LIBS = -lre
