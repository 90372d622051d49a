# Copyright (C) the IMS portal authors

test_mh_load_CFLAGS = -D_GNU_SOURCE -I media-helper
