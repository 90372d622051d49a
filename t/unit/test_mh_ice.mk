test_mh_ice_SRCS = media-helper/mh_ice.c
test_mh_ice_CFLAGS = -DHAVE_STDBOOL_H -I/usr/include/re -I media-helper
test_mh_ice_LIBS = -lre -lz
