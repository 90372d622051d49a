# The IMS portal for nginx.  "make demo" and "make test" are the two that a
# newcomer needs; both install what they need from Debian's packages and npm.

NGINX_SRC ?= /usr/share/nginx/src
BUILD     ?= $(CURDIR)/build
SANITIZE  ?=

.PHONY: all module helper login web clean

all: module helper login web

# against Debian's nginx-dev, which has headers and configure but no sources

module:
	./tools/build-module "$(NGINX_SRC)" "$(BUILD)" "$(SANITIZE)"

helper:
	$(MAKE) -C media-helper $(if $(SANITIZE),SANITIZE=1)

login:
	$(MAKE) -C conf-examples/site/login

web:
	cd web && npm ci --no-audit --no-fund && npm run build

clean:
	rm -rf $(BUILD)
	$(MAKE) -C media-helper clean
	$(MAKE) -C conf-examples/site/login clean
	$(MAKE) -C t/unit clean
	$(MAKE) -C t/fuzz clean
	$(MAKE) -C t/media clean
