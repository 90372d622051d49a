# Copyright (C) the IMS portal authors
#
# What hurts the helper: each is a program of its own on the same client.

HARD := strangers flood oom

all: $(HARD:%=$(HERE)build/mh_%)

$(HARD:%=$(HERE)build/mh_%): $(HERE)build/mh_%: $(HERE)%.c \
		$(addprefix $(HERE),$(CALL)) $(wildcard $(HERE)*.h)
	mkdir -p $(HERE)build
	cd $(HERE) && $(CC) $(OPT) $(WARN) -I/usr/include/re $(CFLAGS) -o $@ \
		$*.c $(CALL) $(LDFLAGS) -lre -lsrtp2 -lssl -lcrypto

all: $(HERE)build/oom_shim.so

$(HERE)build/oom_shim.so: $(HERE)oom_shim.c
	mkdir -p $(HERE)build
	$(CC) $(OPT) $(WARN) -fPIC -shared -o $@ $<
