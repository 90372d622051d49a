# Copyright (C) the IMS portal authors

test_mh_log_CFLAGS = -D_GNU_SOURCE -DHAVE_STDBOOL_H -DHAVE_INET6 \
	-I media-helper -I/usr/include/re
test_mh_log_LIBS = -lre
