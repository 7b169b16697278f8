# `make` lists the targets. A fresh machine needs git, make and npm: everything else is fetched into the project.

SHELL := /bin/sh
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.SUFFIXES:

VERSION := $(shell sed -n 's/^  "version": "\(.*\)",$$/\1/p' package.json)
BUN_VERSION := $(shell sed -n 's/^  "packageManager": "bun@\(.*\)",$$/\1/p' package.json)

# The Bun on the PATH serves only if it is the very version that the project is tested with; otherwise that version is
# taken from npm into .bun/.
ifeq ($(shell bun --version 2>/dev/null),$(BUN_VERSION))
BUN := bun
LOCAL_BUN :=
else
LOCAL_BUN := .bun/$(BUN_VERSION)/bun
BUN := $(LOCAL_BUN)
endif

# The file that says that node_modules is what bun.lock asks for.
PACKAGES := node_modules/.installed

# What is compiled in as the commit: "-dirty" when something that goes into the binary differs from it. A build from an
# archive may name its commit itself: make build COMMIT=0123456789ab
BUILD_INPUTS := src package.json bun.lock tsconfig.json Makefile
COMMIT ?= $(shell \
	if [ -e .git ] && id=$$(git rev-parse --short=12 HEAD 2>/dev/null); then \
		[ -z "$$(git status --porcelain -- $(BUILD_INPUTS))" ] || id=$$id-dirty; echo $$id; \
	else echo unknown; fi)

##@ Run
.PHONY: run dev
run: $(PACKAGES) ## start the hub from source (make run ARGS="--port 9000")
	@exec $(BUN) src/main.ts $(ARGS)

dev: $(PACKAGES) ## the same, restarted on every change of the source
	@exec $(BUN) --watch --no-clear-screen src/main.ts $(ARGS)

##@ Verify
.PHONY: test bench fuzz soak check format readme
test: $(PACKAGES) ## everything, as CI does (make test STAGES="unit wire" runs only these)
	@$(BUN) test/run.ts $(STAGES)

bench: $(PACKAGES) dist/vectra-hub ## the benchmarks, against other servers too, into dist/bench (make bench ARGS=--help)
	@$(BUN) test/bench/all.ts $(ARGS)

fuzz: $(PACKAGES) dist/vectra-hub ## an hour of seeded fuzzing of the binary (make fuzz ARGS="--seed 7 --seconds 60")
	@$(BUN) test/fuzz/main.ts $(ARGS)

soak: $(PACKAGES) dist/vectra-hub ## half an hour of churn, bursts and restarts, into dist/soak (make soak ARGS="--minutes 3")
	@$(BUN) test/soak/main.ts $(ARGS)

check: $(PACKAGES) ## lint, formatting and types
	@$(BUN) run --silent check

format: $(PACKAGES) ## rewrite the files as `check` wants them, where that is mechanical
	@$(BUN) run --silent format

readme: $(PACKAGES) ## rewrite the tables of README.md that come from the source
	@$(BUN) test/readme/write.ts

##@ Build
.PHONY: build clean distclean
build: dist/vectra-hub ## compile the one executable, dist/vectra-hub

clean: ## remove what was built
	rm -rf dist .*.bun-build

distclean: clean ## remove what was fetched, too
	rm -rf node_modules .bun

.PHONY: client
client: dist/client/index.js ## bundle the TypeScript client and its types into dist/client

.PHONY: image
image: dist/vectra-hub.oci.tar ## pack it into a container image, dist/vectra-hub.oci.tar

.PHONY: help
help: ## this list
	@awk 'BEGIN { FS = ":.*## " } \
		/^##@ / { printf "\n%s\n", substr($$0, 5) } \
		/^[a-z-]+:.*## / { printf "  make %-10s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

# The binary must not read a .env file or run a bunfig preload that happens to lie in its working directory.
# The source maps are inside the binary; the copies that are written beside it are not needed.
# src/thread.ts is what further threads run: they find it in the binary because it is an entry point of its own.
# Bytecode, measured on two cores, medians of 41 starts: --version 26 -> 16 ms, until it listens 31 -> 19 ms, memory
# unchanged, the file 1.8 MB (1.7 %) larger. It needs --format=esm because of the await at top level.
dist/vectra-hub: $(PACKAGES) $(shell find $(BUILD_INPUTS)) dist/.commit
	$(BUN) build src/main.ts src/thread.ts --compile --outfile $@ --minify --sourcemap --bytecode --format=esm \
		--no-compile-autoload-dotenv --no-compile-autoload-bunfig \
		--define 'VECTRA_VERSION="$(VERSION)"' --define "VECTRA_COMMIT=\"$$(cat dist/.commit)\""
	@rm -f $@.map $(@D)/*.js.map

dist/client/index.js: $(PACKAGES) $(shell find src/client src/protocol -name '*.ts') src/client/tsconfig.json
	$(BUN) build src/client/index.ts --outfile $@ --target browser --format esm --minify
	@$(BUN) x tsc -p src/client

# What the image holds: the binary, and the libraries at the paths where the system's loader looks for them. Beside it
# lies the empty folder that becomes /data, where the image lets the hub write.
dist/image: dist/vectra-hub
	@rm -rf $@
	@set -eu; umask 022; mkdir -p $@/data $@/rootfs; \
	libraries=$$(ldd dist/vectra-hub | grep -o '/[^ ]*'); \
	cp --dereference --parents $$libraries $@/rootfs/; cp dist/vectra-hub $@/rootfs/

# The Dockerfile without its build stage, in whose place the two folders are put: no base image is fetched. Docker needs
# its engine, and buildx for --build-context; its archives are OCI archives since version 25. Only the docker format has a
# field for HEALTHCHECK, so the image is built in it; podman and buildah leave it out of the archive, docker keeps it.
# The storage of buildah's own is thrown away; vfs works wherever files can be written.
dist/vectra-hub.oci.tar: dist/image Dockerfile .dockerignore
	@set -eu; rm -f $@; tag=vectra-hub:$(VERSION); \
	args="--build-context build=dist/image --build-arg VERSION=$(VERSION) --build-arg COMMIT=$$(cat dist/.commit)"; \
	if docker info >/dev/null 2>&1 && docker buildx version >/dev/null 2>&1; then \
		docker buildx build --load --provenance=false --tag $$tag $$args .; \
		docker image save --output $@ $$tag; \
		tar -tf $@ | grep -qx oci-layout || { echo "Docker before version 25 saves no OCI archive." >&2; exit 1; }; \
	elif command -v podman >/dev/null; then \
		podman build --format docker --tag $$tag $$args .; \
		podman save --quiet --format oci-archive --output $@ $$tag; \
	elif command -v buildah >/dev/null; then \
		storage=$$(mktemp -d); trap 'rm -rf "$$storage"' EXIT; \
		buildah() { command buildah --root "$$storage/root" --runroot "$$storage/run" --storage-driver vfs "$$@"; }; \
		buildah build --quiet --format docker --tag $$tag $$args .; \
		buildah push --quiet $$tag oci-archive:$@:$$tag; \
	else \
		echo "make image needs docker with a running engine and buildx, or podman, or buildah." >&2; exit 1; \
	fi

# Looked at every time, written only when the commit changed, so that only then the binary is built anew.
dist/.commit: FORCE
	@mkdir -p dist
	@commit='$(COMMIT)'; [ "$$commit" = "$$(cat $@ 2>/dev/null)" ] || echo "$$commit" > $@

.PHONY: FORCE
FORCE:

$(PACKAGES): package.json bun.lock bunfig.toml | $(LOCAL_BUN)
	@$(BUN) install --frozen-lockfile
	@touch $@

# npm's package "bun" is a launcher that an install script replaces with the real program. Install scripts may be
# disabled, so they are not used: the program is in the package of the platform. Of those for glibc, musl and so on the
# one that runs here is taken.
.bun/%/bun:
	@command -v npm >/dev/null || { echo "Needs Bun $* on the PATH, or npm to fetch it." >&2; exit 1; }
	@echo "Fetching Bun $* into .bun/"
	@npm install --prefix '.bun/$*' --no-save --no-package-lock --ignore-scripts --include=optional \
		--no-audit --no-fund --loglevel=error 'bun@$*'
	@cd '.bun/$*' && for program in node_modules/@oven/bun-*/bin/bun node_modules/bun/bin/bun.exe; do \
		if [ "$$("$$program" --version 2>/dev/null)" = '$*' ]; then exec ln -sf "$$program" bun; fi; \
	done; echo "npm's package bun@$* holds no program that runs on this machine." >&2; exit 1
