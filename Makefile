.DEFAULT_GOAL := help
PYTHON ?= python3
BIN := .venv/bin
RUN_READY := .venv/.run-ready
DEV_READY := .venv/.dev-ready
INSTALL := $(BIN)/python -m pip install --quiet --disable-pip-version-check

.PHONY: help demo test lint synth soak bench lock clean

help: ## list the targets
	@grep -hE '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 10

$(RUN_READY): requirements.lock pyproject.toml
	test -x $(BIN)/python || $(PYTHON) -m venv .venv
	$(INSTALL) --require-hashes --requirement requirements.lock
	$(INSTALL) --no-deps --no-build-isolation --editable .
	touch $@

$(DEV_READY): $(RUN_READY) requirements-dev.lock
	$(INSTALL) --require-hashes --requirement requirements-dev.lock
	touch $@

demo: $(RUN_READY) ## train a model on drawn cookies, deploy it on a virtual device, ask it about unseen images
	$(BIN)/python examples/cookies/generate.py --out build/cookies
	$(BIN)/edgepipe run examples/cookies/pipeline.yaml --param dataset=build/cookies

test: lint ## lint, type-check and run every test but the soak suites
	$(BIN)/python -m pytest -n 2 -m "not soak and not e2e"

lint: $(DEV_READY)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

synth: $(DEV_READY) ## write the platform's CloudFormation templates to cdk.out, offline
	$(BIN)/python -m stacks.app

soak: $(DEV_READY) ## the long suites
	$(BIN)/python -m pytest -m soak

bench: $(DEV_READY) ## ratios against named peers, measured in one run
	$(BIN)/python -m bench

lock: ## rewrite the lock files from pyproject.toml (needs uv)
	uv pip compile --quiet --universal --generate-hashes --python-version 3.11 --extra local --extra edge --extra build pyproject.toml --output-file requirements.lock
	uv pip compile --quiet --universal --generate-hashes --python-version 3.11 --extra dev --extra stacks --constraint requirements.lock pyproject.toml --output-file requirements-dev.lock

clean: ## remove what demo and test made
	rm -rf .venv .edgepipe build cdk.out
