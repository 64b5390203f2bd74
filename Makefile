# One word a task; `make` alone lists them.

.DEFAULT_GOAL := help
.PHONY: help filter demo up test lint check bench clean

TARGET := wasm32-wasip1
export POSTERN_WASM := $(CURDIR)/dist/postern.wasm

# Runs what follows with ENVOY set, or not at all; likewise REDIS_SERVER and LIMIT_SERVICE, and NODE.
WITH_ENVOY := envoy=$$(tools/envoy) && ENVOY=$$envoy
USE_LIMITS := export REDIS_SERVER=$${limits% *} LIMIT_SERVICE=$${limits\#* } && $(WITH_ENVOY)
WITH_LIMITS := limits=$$(tools/limits) && $(USE_LIMITS)
WITH_ALL := node=$$(tools/node) && export NODE=$$node && $(WITH_LIMITS)

help: ## list the tasks
	@sed -n 's/^\([a-z]*\):.*## /\1\t/p' $(MAKEFILE_LIST) | expand -t 10

filter: ## build the filter: dist/postern.wasm
	@test -d "$$(rustc --print target-libdir --target $(TARGET))" || rustup target add $(TARGET)
	cargo rustc --lib --crate-type cdylib -p postern --target $(TARGET) --profile filter
	@mkdir -p dist
	cp target/$(TARGET)/filter/postern.wasm dist/postern.wasm

demo: filter ## show in a real Envoy who may do what, and why
	@limits=$$(tools/limits) || true; $(USE_LIMITS) cargo run --quiet -p postern-demo

up: filter ## start the demo and leave it running until Ctrl-C
	@$(WITH_ENVOY) cargo run --quiet -p postern-demo -- up

test: ## all checks and all tests
	@# What is fetched for the tests comes while the lints run; what is missing is told when it is needed.
	@{ tools/node && tools/envoy; } >/dev/null & \
		$(MAKE) --no-print-directory lint filter; status=$$?; wait; exit $$status
	$(WITH_ALL) cargo test --workspace

lint: ## formatting and lints
	cargo fmt --all --check
	cargo clippy --workspace --all-targets -- -D warnings
	cargo clippy -p postern --lib --target $(TARGET) -- -D warnings

check: ## the example policies, and their tests
	cargo run --quiet -p postern-cli --bin postern -- \
		check $(filter-out %.test.yaml,$(wildcard policies/*.yaml))
	cargo run --quiet -p postern-cli --bin postern -- test policies --min-coverage 100

bench: filter ## how long things take; ARGS=--quick for a first look
	@command -v wrk >/dev/null || { [ "$$(id -u)" = 0 ] && apt-get install -y wrk >&2; } || \
		echo "wrk is not installed: on Debian, apt-get install wrk" >&2
	cargo build --release --target $(TARGET) --target-dir target --manifest-path benches/filters/Cargo.toml
	@$(WITH_ENVOY) BENCH_FILTERS=target/$(TARGET)/release \
		cargo run --release -p postern-benches -- $(ARGS)

clean: ## remove what was built
	cargo clean
	rm -rf dist .run demo/provider/node_modules
