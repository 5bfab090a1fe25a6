# Penstock. `make help` says what there is; `make demo` and `make test` need nothing but a Debian 12
# machine, root and the network.

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
.NOTPARALLEL:

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
CODE := operator e2e tests

# Compiled modules are kept, whatever the environment says: else each of the hundreds of processes
# that the tests start compiles the package anew.
unexport PYTHONDONTWRITEBYTECODE

# What `install` installs, and where.
RELEASE ?= penstock
NAMESPACE ?= penstock-system
# The image's name. With IMAGE_TAG the image is taken as it is there; without, it is built, loaded
# into the cluster, and tagged with the hash of its content, so that a change rolls out.
IMAGE ?= penstock.local/penstock
IMAGE_TAG ?=
# More for helm, such as HELM_ARGS="--set settings.workers=4".
HELM_ARGS ?=
# More for `make bench-hostile`, such as BENCH_ARGS="-k h4".
BENCH_ARGS ?=
# More for pytest, such as PYTEST_ARGS="-k retry -x".
PYTEST_ARGS ?=

.PHONY: help
help: ## Say what there is
	@awk 'BEGIN {FS = ":.*## "} /^[a-z0-9-]+:.*## / {printf "  \033[1m%-20s\033[0m %s\n", $$1, $$2}' \
	    $(MAKEFILE_LIST)

# --- Development --------------------------------------------------------------------------------

.PHONY: dev
dev: $(VENV)/.ready ## Make .venv: the package, editable, and the locked tools of development

# The stamp holds what was installed: a second call does nothing, a changed lock file installs anew.
$(VENV)/.ready: requirements-dev.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
	    || { echo "Python 3.11 or newer is needed; name one by PYTHON=…" >&2; exit 1; }
	@# Debian's Python makes no environment without that package, and what makes ours asks for no other.
	@if [ ! -x $(BIN)/pip ] && ! $(PYTHON) -c 'import ensurepip' 2>/dev/null; then \
	    echo "installing python3-venv"; \
	    apt-get -qq update && apt-get -qq install -y --no-install-recommends python3-venv; \
	fi
	@[ -x $(BIN)/pip ] || $(PYTHON) -m venv --clear $(VENV)
	@echo "installing the locked packages into $(VENV): about half a minute"
	$(BIN)/pip install --quiet --disable-pip-version-check --require-hashes -r requirements-dev.lock
	$(BIN)/pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	@touch $@

# Versions and hashes, and nothing of where they came from.
LOCK = $(BIN)/uv pip compile pyproject.toml --quiet --universal --python-version 3.11 \
    --generate-hashes --no-annotate --no-header --no-emit-index-url --no-emit-find-links

.PHONY: lock
lock: dev ## Write the lock files anew for what pyproject.toml asks for (UPGRADE=1: the newest)
	$(LOCK) --all-extras $(if $(UPGRADE),--upgrade) -o requirements.lock
	$(LOCK) --all-extras $(if $(UPGRADE),--upgrade) -c requirements.lock --group dev -o requirements-dev.lock
	$(LOCK:pyproject.toml=) --group build -c requirements-dev.lock -o requirements-build.lock

.PHONY: format
format: dev ## Format the code, and repair what can be repaired
	$(BIN)/ruff check --fix-only --quiet $(CODE)
	$(BIN)/ruff format $(CODE)

.PHONY: generate
generate: dev ## Write CRDs, JSON Schema and Kustomize base anew from the models and the chart
	$(BIN)/python -m penstock.schema

.PHONY: verify-generated
verify-generated: dev ## Fail where a generated file is stale
	@$(BIN)/python -m penstock.schema --check

.PHONY: lint
lint: dev verify-generated ## Format, style, types, layers, generated files
	$(BIN)/ruff format --check $(CODE)
	$(BIN)/ruff check $(CODE)
	$(BIN)/mypy --strict $(CODE)
	$(BIN)/lint-imports

# --- Tests --------------------------------------------------------------------------------------

# Two for each CPU: half of a test's time, on the average, is waiting for a process or a clock. Who
# has nothing left to do takes over some of what another has: the long tests of a file stand together.
WORKERS := -n $(shell echo $$((2 * $$(nproc)))) --dist worksteal

.PHONY: unit
unit: dev ## Unit tests: no cluster, no network
	$(BIN)/python -m pytest tests $(WORKERS) $(PYTEST_ARGS)

.PHONY: apiserver
apiserver: dev ## The controller on etcd and an API server alone (PENSTOCK_SEEDS="7 8": other stories)
	$(BIN)/python -m pytest e2e/apiserver $(WORKERS) $(PYTEST_ARGS)

.PHONY: brokers
brokers: dev ## The listener's drivers on real brokers, which are installed where they are missing
	$(BIN)/python -m pytest e2e/brokers -n 2 --dist loadfile $(PYTEST_ARGS)

.PHONY: e2e
e2e: dev install ## End-to-end tests on the real cluster
	@$(ON_CLUSTER) $(BIN)/python -m e2e.suite $(PYTEST_ARGS)

.PHONY: test-fast
test-fast: lint unit apiserver ## What to run before each commit: all that needs no node to run pods on

.PHONY: test
test: dev lint unit apiserver brokers e2e ## Everything: lint, unit, API server, brokers and end-to-end tests

# --- The cluster, and Penstock on it ------------------------------------------------------------

include e2e/cluster/cluster.mk

# The environment of commands that talk to the cluster. Evaluated when used: it must be up.
ON_CLUSTER = kubeconfig=$$($(CLUSTER) kubeconfig); \
    export KUBECONFIG="$$kubeconfig" PATH="$(CURDIR)/build/cluster/bin:$$PATH";

.PHONY: image
image: ## Build the image from the Dockerfile; print its archive
	@$(CLUSTER) build-image --tag $(IMAGE):dev

.PHONY: install
install: UP_ARGS = $(if $(IMAGE_TAG),,--image $(IMAGE):dev)
install: cluster-up ## Build and load the image, and install or upgrade the chart in the cluster
	@tag="$(IMAGE_TAG)"; \
	if [ -z "$$tag" ]; then \
	    archive=$$($(CLUSTER) build-image --tag $(IMAGE):dev); \
	    tag=$$(basename "$$archive" .tar); tag=$${tag##*-}; \
	    if [ "$${PENSTOCK_CLUSTER:-}" = kind ]; then \
	        archive=$$($(CLUSTER) build-image --tag "$(IMAGE):$$tag"); \
	    fi; \
	    ($(CLUSTER) load "$$archive" "$(IMAGE):$$tag"); \
	fi; \
	echo "installing the chart, and waiting until the controller is ready: about 20 seconds" >&2; \
	$(ON_CLUSTER) \
	kubectl create namespace $(NAMESPACE) --dry-run=client -o yaml \
	    | kubectl label --local -f - -o yaml pod-security.kubernetes.io/enforce=restricted \
	    | kubectl apply --server-side --force-conflicts -f - >/dev/null; \
	helm upgrade --install $(RELEASE) charts/penstock --namespace $(NAMESPACE) \
	    --take-ownership --force-conflicts --hide-notes \
	    --set-string image.repository=$(IMAGE),image.tag="$$tag" $(HELM_ARGS) >/dev/null; \
	(for part in $(RELEASE)-storage $(RELEASE)-git $(RELEASE)-gateway $(RELEASE); do \
	    kubectl --namespace $(NAMESPACE) rollout status deployment/$$part --timeout 180s || exit 1; \
	done) \
	    || { kubectl --namespace $(NAMESPACE) describe pods; \
	         kubectl --namespace $(NAMESPACE) logs deployment/$(RELEASE) --all-containers --tail 50 || true; \
	         exit 1; } >&2

.PHONY: uninstall
uninstall: ## Take Penstock from the cluster again; Flows and Executions stay
	@$(ON_CLUSTER) \
	helm uninstall $(RELEASE) --namespace $(NAMESPACE) --ignore-not-found --wait

.PHONY: demo
demo: dev install ## From nothing to a flow that runs, live: the cluster, the image, Git, the results
	@$(ON_CLUSTER) $(BIN)/python -m e2e.demo

.PHONY: bench
bench: dev install ## Measure against bare Jobs; writes build/bench.json
	@$(ON_CLUSTER) $(BIN)/python -m e2e.bench

.PHONY: bench-hostile
bench-hostile: dev install ## What one tenant can do to another (BENCH_ARGS="-k h4,h7"); writes build/bench-hostile.json
	@$(ON_CLUSTER) $(BIN)/python -m e2e.bench.hostile $(BENCH_ARGS)

# --- The rest -----------------------------------------------------------------------------------

.PHONY: clean
clean: ## Remove what was made here, but for a running cluster
	rm -rf $(VENV) dist .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
	find . -path ./build -prune -o -name __pycache__ -type d -prune -exec rm -rf {} +
