# Roomkeeper on one machine. Every target names what it needs; `tools/need` says what is missing.
.DEFAULT_GOAL := help
SHELL := bash
.SHELLFLAGS := -euo pipefail -c
MAKEFLAGS += --no-print-directory

cargo_deny_version := 0.20.2
cargo_deny := .tools/cargo-deny-$(cargo_deny_version)/bin/cargo-deny
bash_scripts := tools/build tools/need .ci/run
sh_scripts := tests/support/leash.sh
# Taken before anything is built, so that the demo counts from the command that was typed.
demo_started := $(shell date +%s)

.PHONY: help demo test check tools crds bench need

help: ## List the targets
	@awk -F ':.*## ' '/^[a-z]+:.*## /{printf "make %-7s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

demo: tools ## Start everything on this machine and walk through a call; DEMO_KUBECONFIG=FILE uses that cluster instead
	DEMO_STARTED=$(demo_started) DEMO_KUBECONFIG='$(DEMO_KUBECONFIG)' cargo test --locked --test demo

test: tools ## Run all tests, against real servers
	cargo test --locked

check: need ## Run what needs no server: format, lints, shell scripts, licences and bans of dependencies
	cargo fmt --check
	cargo clippy --locked --all-targets -- -D warnings
	@if command -v shellcheck >/dev/null; then (set -x; shellcheck $(bash_scripts); shellcheck --shell=sh $(sh_scripts)); \
	else echo 'check: WARNING: THE SHELL SCRIPTS ARE NOT CHECKED: install shellcheck' >&2; fi
	@$(MAKE) $(cargo_deny)
	$(cargo_deny) --locked check bans licenses sources

tools: need ## Build the pinned servers of tests and demo into .tools/bin, what is missing of them
	tools/build

crds: need ## Write crds/ anew from the types in src/api
	UPDATE_GENERATED=1 cargo test --locked --test generated

bench: need ## Run the benchmarks
	cargo bench --locked

need:
	@tools/need

$(cargo_deny):
	cargo install --locked --version $(cargo_deny_version) --root $(@D:/bin=) cargo-deny
