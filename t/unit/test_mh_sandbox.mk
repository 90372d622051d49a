# Copyright (C) the IMS portal authors

test_mh_sandbox_CFLAGS = -D_GNU_SOURCE -DMH_SECCOMP -I media-helper
test_mh_sandbox_LIBS = -lseccomp
