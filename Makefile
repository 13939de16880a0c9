.DEFAULT_GOAL := help
SHELL := /bin/bash
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
KIND := $(BIN)/python -m tests.kind
# Tests wait more than they compute, so a few more workers than cores are useful.
PYTEST := $(BIN)/pytest -n 3 --dist worksteal
# Long enough for all the waits of a test together, so that the one that fails is named.
E2E := $(BIN)/pytest --timeout=2400
# Compiled tests are kept: each worker would take five seconds to compile them anew.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: help
help: ## Show this help
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sort | awk -F':.*## ' '{printf "  %-18s %s\n", $$1, $$2}'

$(VENV)/.installed: requirements-dev.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "Python >= 3.11 is needed; set PYTHON=/path/to/python3.11"; exit 1; }
	@echo "installing the Python environment into $(VENV)"
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV) || { echo "python3-venv is missing: apt-get install python3-venv"; exit 1; }
	@test -x $(BIN)/uv || $(BIN)/pip install --quiet --disable-pip-version-check "uv>=0.9"
	@VIRTUAL_ENV=$(VENV) $(BIN)/uv pip install --quiet --require-hashes -r requirements-dev.lock
	@VIRTUAL_ENV=$(VENV) $(BIN)/uv pip install --quiet --no-deps --editable .
	@touch $@

.PHONY: install
install: $(VENV)/.installed ## Make the Python environment

.PHONY: lock
lock: install ## Renew the lock files
	$(BIN)/uv pip compile pyproject.toml --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header --quiet -o requirements.lock
	$(BIN)/uv pip compile pyproject.toml --group dev --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header --quiet -o requirements-dev.lock
	$(BIN)/uv pip compile tests/dynamo/requirements.in --overrides tests/dynamo/overrides.txt --python-version 3.11 --python-platform linux --generate-hashes --no-emit-index-url --no-header --quiet -o tests/dynamo/requirements.lock

.PHONY: fmt
fmt: install ## Format the code
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

.PHONY: lint
lint: install check-crds ## Lint, types, layers, standard-library guard
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	@test ! -e operator/__init__.py || { echo "operator/__init__.py would shadow the standard library's operator: delete it"; exit 1; }

.PHONY: crds
crds: install ## Write the CRDs from the models
	$(BIN)/aifactory crds --output crds

.PHONY: check-crds
check-crds: install ## Fail if crds/ differs from the models
	@$(BIN)/aifactory crds --output .build/crds
	@diff -ru crds .build/crds || { echo "crds/ is out of date: run make crds"; exit 1; }

.PHONY: test-fast
test-fast: install ## Lint, unit and golden tests
	$(MAKE) --no-print-directory lint
	$(PYTEST) tests/unit tests/golden tests/kind

.PHONY: test-simulated
test-simulated: install ## The simulator, and runs of the control law on it while something goes wrong
	$(PYTEST) tests/simulate tests/robustness

.PHONY: test-integration
test-integration: install ## Tests against a real API server, without a kubelet
	$(KIND) binaries
	@# Those of one file share what they have started.
	$(PYTEST) --dist loadscope --timeout=900 tests/integration

.PHONY: test-outages
test-outages: install ## The operator or Prometheus stops, on a kind cluster that is up
	$(E2E) tests/e2e/outages

.PHONY: test-services
test-services: install ## Services from their creation on, on a kind cluster that is up
	$(E2E) tests/e2e/services -n 6 --dist load --maxschedchunk 1

.PHONY: test-clusterless
test-clusterless: test-fast ## All tests that need no kind cluster, but for simulated ones
	$(MAKE) --no-print-directory test-integration

.PHONY: test
test: kind-up ## Everything: lint, unit, golden, simulated, integration, end-to-end on kind
	$(KIND) binaries
	@# Of each pair one computes while the other waits.
	$(MAKE) --no-print-directory -j2 test-clusterless test-outages
	$(MAKE) --no-print-directory -j2 test-services test-simulated PYTEST="nice -n 19 $(PYTEST)"

.PHONY: test-live
test-live: kind-up ## Shapes of load on kind against what the simulator predicts; wants a machine with nothing else to do
	$(E2E) tests/e2e/live

.PHONY: kind-up
kind-up: install ## Bring up the kind cluster with all images
	$(KIND) up
	$(KIND) images

.PHONY: kind-down
kind-down: install ## Remove the kind cluster
	$(KIND) down

.PHONY: demo
demo: kind-up ## Show the operator scale simulated GPU model servers under load, on the kind cluster (kind-up)
	$(BIN)/python -m tests.demo

.PHONY: demo-down
demo-down: kind-down ## Remove what the demo made, which is the whole kind cluster: the same as kind-down

.PHONY: bench-reconcile
bench-reconcile: install ## Measure reconcile speed and memory against the control plane's own limit
	$(KIND) binaries
	$(BIN)/python -m tests.bench.reconcile

.PHONY: bench-autoscaling
bench-autoscaling: install ## Compare autoscaling policies on recorded traces, simulated
	$(BIN)/python -m tests.bench.autoscaling

.PHONY: bench-shapes
bench-shapes: install ## The same on made-up loads: steps, spikes, noise, bursts and others
	$(BIN)/python -m tests.bench.autoscaling --shapes

.PHONY: bench-promises
bench-promises: install ## What another share of requests to be attained costs on the traces
	$(BIN)/python -m tests.bench.autoscaling --promises

.PHONY: bench-hindsight
bench-hindsight: install ## What those would need on the traces who know all but the future
	$(BIN)/python -m tests.bench.autoscaling --hindsight

.PHONY: bench-ramp
bench-ramp: install ## All policies on the benchmark of llm-d's guide, simulated
	$(BIN)/python -m tests.bench.autoscaling --ramp

.PHONY: clean-cache
clean-cache: install ## Delete cached build results
	$(KIND) clean-cache
