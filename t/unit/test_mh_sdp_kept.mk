test_mh_sdp_kept_SRCS = media-helper/mh_sdp.c media-helper/mh_sdp_attr.c \
	media-helper/mh_sdp_map.c media-helper/mh_sdp_plan.c \
	media-helper/mh_sdp_out.c \
	media-helper/mh_sdp_refused.c media-helper/mh_sdes.c
test_mh_sdp_kept_CFLAGS = -DHAVE_STDBOOL_H -I/usr/include/re -I media-helper
