# Everything that a person or a CI does with this repository. `make demo` and `make test` need Rust, Go and
# npm, and no other step before them; what is slow to make is cached in ~/.cache/moorage.

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
.NOTPARALLEL:

export PATH := $(HOME)/.cargo/bin:/usr/local/go/bin:$(PATH)

CACHE := $(or $(XDG_CACHE_HOME),$(HOME)/.cache)/moorage
TARGET := $(or $(CARGO_TARGET_DIR),target)
BIN := $(TARGET)/debug
PHASE := .ci/phase
DENY_VERSION := 0.20.2
DENY := $(CACHE)/cargo-deny-$(DENY_VERSION)/bin/cargo-deny
FUZZ_VERSION := 0.13.2
FUZZ := $(CACHE)/cargo-fuzz-$(FUZZ_VERSION)/bin/cargo-fuzz
IMAGE ?= moorage:dev

##@ For everyone

.PHONY: help
help: ## Say what there is
	@awk 'BEGIN {FS = ":.*## "} /^##@/ {printf "\n%s\n", substr($$0, 5)} \
		/^[a-z-]+:.*## / {printf "  make %-15s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

.PHONY: demo
demo: ## Declare a Runtime and a hostname, pay for another, and watch (ONCE=1, GATEWAY=fake, CLUSTER=current)
	@cargo build --workspace --bins
	@ONCE='$(ONCE)' GATEWAY='$(GATEWAY)' CLUSTER='$(CLUSTER)' exec $(BIN)/testbed demo

.PHONY: test
test: ## Lint, generated files, and every layer of tests
	@$(PHASE) --begin
	@$(PHASE) "prepare: packages" .ci/packages
	@$(MAKE) --no-print-directory lint
	@# With the tests come the programs: built apart they would need many crates a second time.
	@$(PHASE) "build: tests and programs" cargo test --workspace --no-run
	@$(PHASE) "generated files" .ci/generated
	@$(PHASE) "prepare: control plane" $(BIN)/testbed build
	@$(PHASE) "prepare: OpenClaw" $(BIN)/testbed images
	@$(PHASE) "tests" .ci/tests
	@$(PHASE) "tests of documentation" cargo test --workspace --doc
	@$(PHASE) --summary

.PHONY: lint
lint: $(DENY) ## Formatting, clippy, dependencies
	@$(PHASE) "lint: formatting" cargo fmt --all --check
	@$(PHASE) "lint: dependencies" $(DENY) --log-level error check bans licenses sources
	@$(PHASE) "lint: clippy" cargo clippy --workspace --all-targets -- -D warnings

.PHONY: bench
bench: ## Measure speed, calls and memory with many Runtimes and hostnames (BENCH='--help' for what can be set)
	cargo build --workspace --bins --release
	@exec $(TARGET)/release/testbed bench $(BENCH)

.PHONY: bench-webhooks
bench-webhooks: ## Measure the payment providers' webhooks under load (RATE=2000 LASTS=60 ORDERS=2000 SLOW=100)
	cargo build --workspace --bins --release
	@MOORAGE_BIN_DIR='$(abspath $(TARGET))/release' MOORAGE_WEBHOOK_RATE='$(or $(RATE),2000)' \
		MOORAGE_WEBHOOK_SECONDS='$(or $(LASTS),60)' MOORAGE_WEBHOOK_ORDERS='$(or $(ORDERS),2000)' \
		MOORAGE_WEBHOOK_SLOW='$(or $(SLOW),100)' cargo test -p moorage --test webhook_load -- --nocapture

##@ For those who change it

.PHONY: build
build: ## Build every program
	cargo build --workspace --bins

.PHONY: fmt
fmt: ## Format the code
	cargo fmt --all

.PHONY: crds
crds: build ## Write what is generated from code: crds/, parts of the chart and of docs/
	.ci/generate .

.PHONY: generated
generated: build
	@$(PHASE) "generated files" .ci/generated

.PHONY: fuzz
fuzz: $(FUZZ) ## Feed octets to what reads strangers' (TARGET=dns_answer LASTS=60); needs a nightly Rust
	@target='$(or $(TARGET),dns_answer)'; mkdir -p "fuzz/corpus/$$target"; \
	rustup run nightly $(FUZZ) run "$$target" "fuzz/corpus/$$target" "fuzz/seeds/$$target" -- \
		-max_total_time='$(or $(LASTS),60)' -max_len=4096

.PHONY: image
image: ## Build the operator's image (IMAGE=name:tag) with docker, podman or buildah
	@host=$$(rustc -vV | sed -n 's/^host: //p'); \
	RUSTFLAGS='-C target-feature=+crt-static' cargo build --release --locked -p moorage --bin moorage --target "$$host"; \
	install -D -m 0555 '$(TARGET)'"/$$host/release/moorage" target/image/moorage; \
	install -D -m 0444 /etc/ssl/certs/ca-certificates.crt target/image/ca-certificates.crt
	@for tool in docker podman buildah; do \
		$$tool info >/dev/null 2>&1 || continue; \
		isolation=(); [ $$tool != buildah ] || isolation=(--isolation chroot); \
		exec $$tool build "$${isolation[@]}" --file Dockerfile --tag '$(IMAGE)' target/image; \
	done; \
	echo 'error: neither docker, podman nor buildah works here' >&2; exit 1

.PHONY: clean
clean: ## Remove what cargo built (the cache in ~/.cache/moorage stays)
	cargo clean

$(DENY):
	@$(PHASE) "prepare: cargo-deny" cargo install --quiet --locked --no-default-features \
		--version $(DENY_VERSION) --root $(CACHE)/cargo-deny-$(DENY_VERSION) cargo-deny

$(FUZZ):
	@$(PHASE) "prepare: cargo-fuzz" cargo install --quiet --locked \
		--version $(FUZZ_VERSION) --root $(CACHE)/cargo-fuzz-$(FUZZ_VERSION) cargo-fuzz
