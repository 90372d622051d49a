test_mh_rtcp_SRCS = media-helper/mh_rtcp.c
test_mh_rtcp_CFLAGS = -I media-helper
