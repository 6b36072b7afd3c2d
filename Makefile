# The commands of isobay. `make help` lists them.

UV_OPTIONS = --frozen --compile-bytecode --quiet
export ISOBAY_DATA_DIR ?= $(CURDIR)/data
export UV_PYTHON_PREFERENCE ?= system
# A site's own certificate authority is in the system's store, where there is one.
ifneq ($(wildcard /etc/ssl/certs/ca-certificates.crt),)
export UV_SYSTEM_CERTS ?= 1
endif
UV = $(shell scripts/find-uv)

# libvirt's Python library is compiled against the system's libvirt, where that is there; the rest works without it.
sync = (pkg-config --exists libvirt 2>/dev/null && $(UV) sync $(UV_OPTIONS) $(1) --extra libvirt) \
	|| $(UV) sync $(UV_OPTIONS) $(1)

.DEFAULT_GOAL := help
.PHONY: help run test check bench fuzz setup setup-tests

help: ## List the commands
	@grep -E '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## (.*)/  make \1\t\2/' | expand -t 18

run: setup ## Set everything up and serve on 127.0.0.1:8080 (ISOBAY_… variables change that)
	@scripts/packages run
	@exec .venv/bin/isobay serve

test: ## Set up what the tests need and run them
	@scripts/packages test
	@$(MAKE) --no-print-directory setup-tests
	@ISOBAY_DATA_DIR= .venv/bin/pytest --numprocesses $(or $(JOBS),2) --dist loadfile $(TESTS)

check: setup-tests ## Lint, check the types and the rules between rooms
	@.venv/bin/ruff check .
	@.venv/bin/ruff format --check .
	@.venv/bin/mypy
	@.venv/bin/lint-imports

bench: ## Measure against peers and floors; several minutes
	@scripts/packages bench
	@$(MAKE) --no-print-directory setup-tests
	@for workload in inspection lists imports uploads downloads foreign instances; do \
		.venv/bin/python bench/$$workload.py || exit 1; done

fuzz: setup-tests ## Fuzz the image reader for longer (COUNT=1000000 SEED=1)
	@.venv/bin/python -m tests.fuzz.run --count $(or $(COUNT),1000000) --seed $(or $(SEED),1) --time

setup: # A virtual environment with what isobay needs to run
	@scripts/install-uv
	@$(call sync,--no-dev --inexact)
	@.venv/bin/python -m compileall -q src

setup-tests: # The same with what the tests and checks need
	@scripts/install-uv
	@$(call sync,)
	@.venv/bin/python -m compileall -q src
