# Copyright (C) the IMS portal authors

test_mh_feedback_SRCS = media-helper/mh_feedback.c media-helper/mh_rtcp.c \
	media-helper/mh_nack.c
test_mh_feedback_CFLAGS = -D_GNU_SOURCE -DHAVE_INET6 -I media-helper \
	-I/usr/include/re
test_mh_feedback_LIBS = -lre
