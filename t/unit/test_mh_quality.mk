# Copyright (C) the IMS portal authors

test_mh_quality_SRCS = media-helper/mh_quality.c media-helper/mh_rtcp.c
test_mh_quality_CFLAGS = -I media-helper
