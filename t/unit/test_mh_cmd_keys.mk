# Copyright (C) the IMS portal authors

test_mh_cmd_keys_SRCS = media-helper/mh_cmd_keys.c \
	media-helper/mh_cmd_flags.c media-helper/mh_cmd_media.c \
	media-helper/mh_log.c \
	media-helper/mh_sdes.c ngx_ims_portal_module/ngx_ims_ng.c
test_mh_cmd_keys_CFLAGS = -D_GNU_SOURCE -DHAVE_INET6 -DHAVE_STDBOOL_H \
	-I media-helper -I/usr/include/re
test_mh_cmd_keys_LIBS = -lre
