# Roomkeeper on one machine. Every target names what it needs; `tools/need` says what is missing.
.DEFAULT_GOAL := help
SHELL := bash
.SHELLFLAGS := -euo pipefail -c
MAKEFLAGS += --no-print-directory

cargo_deny_version := 0.20.2
# Next to the servers that tools/build keeps, so that a fresh clone builds it no more than those.
cache := $(or $(ROOMKEEPER_TOOLS_CACHE),$(or $(XDG_CACHE_HOME),$(HOME)/.cache)/roomkeeper/tools)
cargo_deny := $(cache)/cargo-deny-$(cargo_deny_version)/bin/cargo-deny
bash_scripts := tools/build tools/image tools/need tools/page tools/together tests/support/node.sh .ci/run
sh_scripts := tests/support/leash.sh

.PHONY: help demo test soak faults oldest check tools crds chart page bench need need-page need-test

help: ## List the targets
	@awk -F ':.*## ' '/^[a-z]+:.*## /{printf "make %-7s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

# The demo counts its time from here, so that building is part of it.
demo: export DEMO_STARTED := $(shell date +%s)
demo: need ## Show the life of a Room on this machine, and stay up; DEMO_KUBECONFIG=FILE uses that cluster
	tools/together 'tools/build etcd kube-apiserver kube-controller-manager kubectl livekit-server livekit-client' \
		'cargo test --locked --no-run --quiet --test demo'
	cargo test --locked --test demo

# What needs a node builds the image first, which takes one core for minutes, and then mostly waits: the processor is left to the others.
# Browsers take all there is, so that nothing is beside them: calls from outside of the node come with the page.
test: need-test need-page ## Run all tests, against real servers
	tools/together 'cargo test --locked --no-run' tools/build
	tools/together 'cargo test --locked -- --skip node:: --skip page::' 'cargo test --locked --test servers node:: -- --skip node::media::'
	cargo test --locked -- page:: node::media::

# One at a time, because each of them alone is as much as a machine carries.
soak: need-page tools ## Run at full length the tests whose repetitions `make test` cuts short
	PROPTEST_CASES=20000 cargo test --locked --lib domain::
	ROOMKEEPER_SOAK=1 cargo test --locked --test servers -- --test-threads=1 --nocapture rooms::capacity:: door::taken_away:: node::failover:: node::image:: faults::churn::
	ROOMKEEPER_SOAK=1 cargo test --locked --test servers -- --include-ignored page::firefox::

# A failure names its plan or its seed: ROOMKEEPER_PLAN or ROOMKEEPER_SEED has that tried again. Each fuzzer goes on for ten minutes: those that need
# no server all at the same time.
faults: need-test tools ## Attack Roomkeeper with failing requests, old views, bad edits and outages, and fuzz what strangers can send
	ROOMKEEPER_FAULTS=all cargo test --locked --test servers -- --nocapture faults:: outages::
	ROOMKEEPER_FAULTS=all cargo test --locked --lib -- --test-threads=32 fuzz::
	ROOMKEEPER_FAULTS=all cargo test --locked --test servers -- --nocapture door::fuzz::

# Without what newer ones alone have: an API server that sets the finalizer.
oldest: need-test ## Run tests with the oldest Kubernetes and LiveKit that Roomkeeper is said to work with
	tools/build --oldest
	ROOMKEEPER_TOOLS=$(CURDIR)/.tools/oldest cargo test --locked --test servers -- api:: contract:: rooms:: operations:: privilege:: door::signalling \
		--skip where_the_cluster_sets_the_finalizer

check: need ## Run what needs no server: format, lints, shell scripts, licences and bans of dependencies
	cargo fmt --check
	cargo clippy --locked --all-targets -- -D warnings
	@if command -v shellcheck >/dev/null; then (set -x; shellcheck $(bash_scripts); shellcheck --shell=sh $(sh_scripts)); \
	else echo 'check: WARNING: THE SHELL SCRIPTS ARE NOT CHECKED: install shellcheck' >&2; fi
	@$(MAKE) $(cargo_deny)
	$(cargo_deny) --locked check bans licenses sources

tools: need ## Build the pinned servers of tests and demo into .tools/bin, what is missing of them
	tools/build

crds: need ## Write crds/ and docs/reference/api.md anew from the types in src/api
	UPDATE_GENERATED=1 cargo test --locked --test files -- crds:: api_reference::

chart: crds ## Write anew what is generated for charts/ and from it: CRDs, schema of a class, table of values, accounts of the demo
	UPDATE_GENERATED=1 cargo test --locked --test files chart::
	tools/build helm
	UPDATE_GENERATED=1 cargo test --locked --test servers chart::accounts

page: need-page ## Build web/dist/ anew from web/src, with the packages of web/package-lock.json
	tools/page build

image: need ## Build the image, with buildah, podman or docker
	tools/image

bench: tools ## Run the benchmarks
	cargo bench --locked --bench rooms --bench door --bench failover --bench media
	cargo bench --locked --bench scale -- throughput 300 steady 300 burst 1000 idle 1000 5000 ends 1000 openings 1000 counts 50 --runs=5

need:
	@tools/need

need-page:
	@tools/need page

need-test:
	@tools/need test

# It runs for seconds, so it is built in a hurry.
$(cargo_deny):
	env --unset=CARGO_BUILD_BUILD_DIR CARGO_PROFILE_RELEASE_LTO=off CARGO_PROFILE_RELEASE_CODEGEN_UNITS=16 CARGO_PROFILE_RELEASE_OPT_LEVEL=0 \
		cargo install --locked --version $(cargo_deny_version) --root $(@D:/bin=) cargo-deny
