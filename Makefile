# The one interface to the lab. Every target sets up what it needs; `make help` lists them.
# All paths are relative, so that a checkout may lie in a folder with spaces in its name.

# No feature of make beyond 3.81 is used, which is what macOS ships.

SHELL := /bin/bash
.DELETE_ON_ERROR:
.DEFAULT_GOAL := help
MAKEFLAGS += --no-print-directory

PY := .venv/bin/python
LAB := $(PY) -m lab
PYTEST := $(PY) -m pytest -q
BUF := .venv/bin/buf
NPM := npm --prefix frontend --no-fund --no-audit --no-update-notifier
export BUF_CACHE_DIR := .venv/.buf-cache
# Extra arguments of every pip install, as in: make install PIP_FLAGS="--find-links wheels"
PIP_FLAGS ?=
# Arguments for pytest, as in: make test-unit t=tests/gateway
t ?=
s ?=

FRONTEND_SOURCES := $(shell find frontend -path frontend/node_modules -prune -o -path frontend/dist -prune -o -type f ! -name '*.tsbuildinfo' -print 2>/dev/null)

.PHONY: help install frontend assets up down ps logs dev proto proto-check fmt lint types check \
  test test-unit test-integration test-e2e test-frontend browser strace bench soak compose-up compose-down clean

help: ## This list
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## / { printf "  make %-18s %s\n", $$1, $$2 }' Makefile

# ---- set-up; each stamp is made again when what it was made from changes

install: .venv/.installed .venv/.kernels frontend/node_modules/.installed ## Python environment and front-end packages
	@:

.venv/.installed: pyproject.toml shared/pyproject.toml constraints.txt
	@if ! $(PY) -m pip --version >/dev/null 2>&1; then \
	  $(MAKE) .python-venv; \
	fi
	@echo "installing Python packages (a few minutes the first time)"
	@$(PY) -m pip install -q --disable-pip-version-check $(PIP_FLAGS) -c constraints.txt \
	  -e './shared[model]' -e '.[dev]'
	@# The book's package asks for TensorFlow, Jupyter and Python up to 3.13.0; its models, which are a
	@# reference in tests, for torch alone.
	@$(PY) -m pip install -q --disable-pip-version-check $(PIP_FLAGS) -c constraints.txt \
	  --no-deps --ignore-requires-python llms-from-scratch
	@touch $@

# Parts of the training step in C++. Without a compiler the lab is slower and nothing else.
.venv/.kernels: .venv/.installed $(wildcard shared/lab/kernels/*.*)
	@command -v g++ >/dev/null 2>&1 || $(MAKE) .debian-package package=g++ || true
	@$(PY) -m lab.kernels
	@touch $@

.PHONY: .python-venv
.python-venv:
	@for name in python3 python3.13 python3.12 python3.11; do \
	  "$$name" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || continue; \
	  "$$name" -c 'import ensurepip' 2>/dev/null || $(MAKE) .debian-package package=python3-venv; \
	  exec "$$name" -m venv --clear .venv; \
	done; \
	echo "The lab needs Python 3.11 or newer; none of python3, python3.11 … is one." >&2; exit 1

# Installs what is missing where that is possible, else names it.
.PHONY: .debian-package
.debian-package:
	@if [ "$$(id -u)" != 0 ] || ! command -v apt-get >/dev/null; then \
	  echo "The package $(package) is missing; on Debian: sudo apt-get install $(package)" >&2; exit 1; \
	fi
	@echo "installing the Debian package $(package)"
	@apt-get update -qq
	@DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $(package) >/dev/null

frontend/node_modules/.installed: frontend/package.json frontend/package-lock.json
	@if ! node -e 'process.exit(parseInt(process.versions.node) < 20 ? 1 : 0)' 2>/dev/null; then \
	  echo "The dashboard needs Node 20 or newer with npm." >&2; exit 1; \
	fi
	@echo "installing front-end packages"
	@$(NPM) ci --ignore-scripts --loglevel=error
	@touch $@

frontend: frontend/dist/index.html ## Build the dashboard, when its sources changed

frontend/dist/index.html: frontend/node_modules/.installed $(FRONTEND_SOURCES)
	@echo "building the dashboard"
	@$(NPM) run --silent build
	@touch $@

assets: .venv/.installed ## Tokenizer and corpora; the story is optional
	@$(LAB) assets fetch --optional the-verdict

# ---- the cluster

up: install frontend assets ## Start everything, wait until it is ready, print the address
	@$(LAB) up

down: .venv/.installed ## Stop everything
	@$(LAB) down

ps: .venv/.installed ## The processes
	@$(LAB) ps

logs: .venv/.installed ## Newest log lines of all, or of one: make logs s=trainer
	@$(LAB) logs $(s)

dev: install assets ## The cluster, with Vite and hot reload on port 3000
	@$(LAB) down >/dev/null
	@LAB_GATEWAY__PORTS=8000 $(LAB) up
	@trap '$(LAB) down' EXIT; $(NPM) run dev -- --port 3000 --strictPort --host 127.0.0.1

compose-up: ## The same in containers
	docker compose up --build --detach --wait

compose-down: ## Stop the containers; volumes stay
	docker compose down

# ---- checks; CI runs `make test` and nothing a person cannot run

proto: install ## Generate Python and TypeScript from proto/
	@$(PY) proto/generate.py

proto-check: install ## Lint the protos, compare the generated code, look for breaking changes
	@$(BUF) lint
	@$(PY) proto/generate.py --check
	@if git cat-file -e main:proto 2>/dev/null; then \
	  $(BUF) breaking --against "$$(git rev-parse --git-common-dir)#branch=main"; \
	else \
	  echo "proto-check: there is no branch main to compare the protos with"; \
	fi

fmt: install ## Format everything
	@$(PY) -m ruff check --fix-only -q .
	@$(PY) -m ruff format -q .
	@$(NPM) run --silent fmt

lint: install ## ruff, eslint, prettier
	@$(PY) -m ruff check .
	@$(PY) -m ruff format --check .
	@$(NPM) run --silent lint

types: install ## mypy --strict, tsc
	@$(PY) -m mypy shared services tests proto
	@$(NPM) run --silent types

test-frontend: install ## vitest and a build
	@$(NPM) run --silent test
	@$(NPM) run --silent build
	@touch frontend/dist/index.html

test-unit: .venv/.kernels ## Everything that starts no process; a part of it: make test-unit t=tests/gateway
	@$(PYTEST) -m "not integration and not e2e and not bench and not soak" $(t)

test-integration: .venv/.kernels strace ## Real nats-server, real services on free ports
	@$(PYTEST) -m "integration and not bench and not soak" $(t)

test-e2e: install frontend browser ## A whole cluster and a real browser
	@$(PYTEST) -m "e2e and not bench and not soak" $(t)

check: lint types proto-check test-unit test-frontend ## Everything that is quick

# Each stage is its own make, so that a failure can say how to repeat just that stage.
STAGES := install lint types proto-check test-unit test-frontend test-integration test-e2e
test: ## Everything, setting up what it needs
	@for stage in $(STAGES); do \
	  echo "== make $$stage"; began=$$SECONDS; \
	  $(MAKE) "$$stage" || { \
	    echo "== FAILED after $$((SECONDS - began)) s; repeat it with: make $$stage" >&2; exit 1; }; \
	  echo "== $$stage took $$((SECONDS - began)) s"; \
	done; \
	echo "== all of make test passed in $$SECONDS s"

bench: install ## Measurements
	@$(PYTEST) -m bench -s $(t)

soak: install strace ## The long form of the proofs: many kills, faults and mutations
	@$(PYTEST) -m soak -s $(t)

browser:
	@for name in chromium chromium-browser google-chrome; do \
	  command -v "$$name" >/dev/null 2>&1 && exit 0; \
	done; \
	$(MAKE) .debian-package package=chromium

# Faults at system calls. Without it those tests are skipped, and say so.
strace:
	@command -v strace >/dev/null 2>&1 || $(MAKE) .debian-package package=strace || true

clean: ## Remove everything that was made, but not the data in .lab
	@if [ -x $(PY) ]; then $(LAB) down; fi
	@rm -rf .venv frontend/node_modules frontend/dist .mypy_cache .pytest_cache .ruff_cache .hypothesis \
	  shared/lab/kernels/built
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +
