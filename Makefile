# The commands of isobay. `make help` lists them.

UV_OPTIONS = --frozen --compile-bytecode --quiet
export ISOBAY_DATA_DIR ?= $(CURDIR)/data
export UV_PYTHON_PREFERENCE ?= system
# A site's own certificate authority is in the system's store, where there is one.
ifneq ($(wildcard /etc/ssl/certs/ca-certificates.crt),)
export UV_SYSTEM_CERTS ?= 1
endif
UV = $(shell scripts/find-uv)

.DEFAULT_GOAL := help
.PHONY: help run test check bench fuzz setup setup-tests

help: ## List the commands
	@grep -E '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## (.*)/  make \1\t\2/' | expand -t 18

run: setup ## Set everything up and serve on 127.0.0.1:8080 (ISOBAY_… variables change that)
	@scripts/packages run
	@exec .venv/bin/isobay serve

test: setup-tests ## Set up what the tests need and run them
	@scripts/packages test
	@ISOBAY_DATA_DIR= .venv/bin/pytest --numprocesses $(or $(JOBS),2) --dist loadfile $(TESTS)

check: setup-tests ## Lint, check the types and the rules between rooms
	@.venv/bin/ruff check .
	@.venv/bin/ruff format --check .
	@.venv/bin/mypy
	@.venv/bin/lint-imports

bench: setup-tests ## Measure against peers and floors; several minutes
	@scripts/packages bench
	@for workload in inspection lists imports uploads downloads foreign; do .venv/bin/python bench/$$workload.py || exit 1; done

fuzz: setup-tests ## Fuzz the image reader for longer (COUNT=1000000 SEED=1)
	@.venv/bin/python -m tests.fuzz.run --count $(or $(COUNT),1000000) --seed $(or $(SEED),1) --time

setup: # A virtual environment with what isobay needs to run
	@scripts/install-uv
	@$(UV) sync $(UV_OPTIONS) --no-dev --inexact
	@.venv/bin/python -m compileall -q src

setup-tests: # The same with what the tests and checks need
	@scripts/install-uv
	@$(UV) sync $(UV_OPTIONS)
	@.venv/bin/python -m compileall -q src
