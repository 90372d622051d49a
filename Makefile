# The IMS portal for nginx.
#
#   make demo               installs what it needs, builds, starts everything on
#                           loopback, prints a URL (ADDR=... for https elsewhere)
#   make test               installs, builds, runs all tests
#
#   make                    builds all;  make module | helper | login | web
#   make test-SUITE         one suite of tools/test
#   make module SANITIZE=address,undefined BUILD=...
#   make install            the module and the helper, below DESTDIR
#   make fuzz TIME=60       the fuzzers;  make bench  the measurements
#   make soak               everything at once, with faults, for ten minutes
#   make flood              a million of each malformed packet for the helper

NGINX_SRC   ?= /usr/share/nginx/src
MODULES_DIR ?= /usr/lib/nginx/modules
BUILD       ?= $(CURDIR)/build
SANITIZE    ?=
TIME        ?= 60

.PHONY: all module helper login web demo demo-packages test test-packages \
	fuzz flood soak bench install clean

all: module helper login web

# against Debian's nginx-dev, which has headers and configure but no sources

module:
	./tools/build-module "$(NGINX_SRC)" "$(BUILD)" "$(SANITIZE)"

helper:
	$(MAKE) -C media-helper

login:
	$(MAKE) -C conf-examples/site/login

web: web/dist/ims-phone.js

web/node_modules/.package-lock.json: web/package-lock.json
	cd web && npm ci --no-audit --no-fund
	touch $@

web/dist/ims-phone.js: web/node_modules/.package-lock.json \
		$(wildcard web/*.js web/src/*.js web/*.mjs)
	cd web && npm run build

demo-packages:
	./tools/install-packages demo

demo: demo-packages
	$(MAKE) all
	$(MAKE) -C t/core/farend
	./conf-examples/demo/run

test-packages:
	./tools/install-packages test

test: test-packages
	$(MAKE) all
	./tools/test

test-%:
	./tools/test $*

fuzz:
	./tools/install-packages fuzz
	$(MAKE) -C t/fuzz run TIME=$(TIME)

flood:
	$(MAKE) -C media-helper
	FLOOD=1000000 prove -v t/media/flood.t

soak:
	./tools/install-packages test
	$(MAKE) module helper
	./t/soak/soak
	TEST_IMS_KILLS=5000 $(MAKE) -C t/unit check T=ngx_ims_zone_kill
	TEST_IMS_KILLS=300 prove t/killed_anywhere.t

bench:
	./tools/install-packages bench
	$(MAKE) all
	./bench/run
	./bench/edges
	./bench/growth
	./bench/media
	./bench/tokens
	./bench/logins
	$(MAKE) -C bench ../build/bench/leases
	./build/bench/leases

install: module helper
	install -D -m 644 $(BUILD)/ngx_ims_portal_module.so \
		$(DESTDIR)$(MODULES_DIR)/ngx_ims_portal_module.so
	$(MAKE) -C media-helper install DESTDIR=$(DESTDIR)

clean:
	rm -rf $(BUILD) web/dist web/node_modules
	$(MAKE) -C media-helper clean
	$(MAKE) -C conf-examples/site/login clean
	$(MAKE) -C t/core/farend clean
	$(MAKE) -C t/unit clean
	$(MAKE) -C t/fuzz clean
	$(MAKE) -C t/media clean
