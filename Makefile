# Everything a developer needs, from a fresh clone on. GNU make 3.81 is enough, as on macOS.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PYTEST := $(BIN)/pytest
COVERAGE := $(BIN)/coverage
TOOL := PYTHONPATH=tools $(BIN)/python -m
# The dependencies of releases.
PINNED := tools/release/requirements.txt
PACKAGING := tools/release/package-requirements.txt
RELEASE := PYTHONPATH=provider:tools
# How many tests run at a time: two for each core, because they wait, too; beyond sixteen memory is
# what is short.
WORKERS ?= $(shell $(PYTHON) -c 'import os; \
  n = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 2; \
  print(min(16, 2 * n))')
# The tests whose coverage `make test` measures: a plugin that is measured takes twice as long, so of
# those with Terraform no more than the floor needs.
MEASURED := tests/unit tests/protocol $(patsubst %,tests/acceptance/test_%.py,configuration \
  data_sources encryption ephemeral import install move profiles query rotating_token)
# What `make mutants` changes: files or folders.
MODULES ?= provider/crusoe_provider/tokens provider/crusoe_provider/api
# Which Terraform: see tools/harness/terraforms.py.
TERRAFORM ?=
export TERRAFORM

# What is installed leaves a file behind. The demonstration needs a part only, and is content with
# the whole where that is installed.
INSTALLED := $(VENV)/.installed
comma := ,
NEWEST := $(if $(filter newest,$(TERRAFORM)),newest-terraform)
PLAY := $(if $(wildcard $(INSTALLED)),$(INSTALLED),$(VENV)/.installed-demo$(NEWEST))

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: help install demo playground test coverage unit protocol acceptance soak bench compare mutants release \
	package checksums lock audit licences proto schema docs pictures fmt lint types clean check-terraform

help: ## List the targets
	@awk 'BEGIN { FS = ":.*## " } /^[a-z-]+:.*## / { printf "  make %-12s %s\n", $$1, $$2 }' Makefile
	@echo
	@echo "  KEEP=1 make demo stops before the token is revoked, as make playground does."
	@echo "  TERRAFORM=newest, oldest or a path, to tofu perhaps, says what to run instead of the"
	@echo "  terraform on the path: make acceptance TERRAFORM=newest"

install: $(INSTALLED) ## Make the virtual environment in .venv and install everything into it

$(INSTALLED): pyproject.toml
	$(make-venv)
	$(BIN)/python -m pip install --quiet --editable '.[dev]'
	@touch $@

$(VENV)/.installed-demo$(NEWEST): pyproject.toml
	$(make-venv)
	$(BIN)/python -m pip install --quiet --editable '.[demo$(if $(NEWEST),$(comma)$(NEWEST))]'
	@touch $@

define make-venv
@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
  echo "Python 3.11 or newer is needed, and $(PYTHON) is not. Try make PYTHON=python3.12 ..." >&2; \
  exit 1; }
$(PYTHON) -m venv $(VENV)
endef

demo: $(PLAY) ## Show the life of a storage token, from plan to destroy, on a local API
	$(BIN)/python tools/demo.py $(if $(KEEP),--keep)

playground: $(PLAY) ## The same, but leave the token and the local API to you until Ctrl-C
	$(BIN)/python tools/demo.py --keep

test: install ## Run every check and every test
	@$(MAKE) --no-print-directory lint
	@$(MAKE) --no-print-directory types
	@$(MAKE) --no-print-directory check-terraform
	$(call measure,$(MEASURED))
	$(PYTEST) -n $(WORKERS) $(filter-out $(MEASURED),$(wildcard tests/acceptance/test_*.py))

coverage: install check-terraform ## Measure the coverage of every test, plugin processes included
	$(call measure,tests)

define measure
rm -rf build/coverage
$(COVERAGE) run -m pytest -n $(WORKERS) $(1)
$(COVERAGE) combine --quiet
$(COVERAGE) report
endef

unit: install ## Run the tests of single modules
	$(PYTEST) -n $(WORKERS) tests/unit

protocol: install ## Run the tests of the plugin process, with a gRPC client in Terraform's place
	$(PYTEST) -n $(WORKERS) tests/protocol

acceptance: install check-terraform ## Run the tests with the real Terraform, or the one of TERRAFORM=
	$(PYTEST) -n $(WORKERS) tests/acceptance

soak: install check-terraform ## Run the long tests: random sequences, fuzzing, scale; 90 minutes
	CHAOS_SEQUENCES=$${CHAOS_SEQUENCES:-200} CHAOS_STEPS=$${CHAOS_STEPS:-12} \
	  FUZZ_EXAMPLES=5000 HYPOTHESIS_PROFILE=soak \
	  $(PYTEST) -n $(WORKERS) --timeout 3600 tests/unit tests/protocol/test_fuzzed.py \
	  tests/acceptance/test_chaos.py
	SCALE_USERS=200 SCALE_KEYS=20000 SCALE_APPLIES=1000 SCALE_CYCLES=1000 SCALE_TOKENS=1000 \
	  SCALE_COMMANDS=100 $(PYTEST) --capture no tests/acceptance/test_scale.py
	SCALE_LAUNCHERS=200 $(PYTEST) tests/protocol/test_warm_starts.py -k many

bench: install check-terraform ## Measure how long users wait, beside other providers
	$(TOOL) bench

compare: install check-terraform ## Compare the plugin host with plain tf, fault by fault
	$(TOOL) bench.compare_with_plain_tf

mutants: $(VENV)/.installed-mutants ## Change tokens/ and api/, or MODULES=, and print what no unit test notices
	$(BIN)/python tools/mutants.py $(MODULES)

$(VENV)/.installed-mutants: $(INSTALLED)
	$(BIN)/python -m pip install --quiet --editable '.[mutants]'
	@touch $@

release: ## Build the packages of VERSION=x.y.z into dist, signed with GPG_KEY if that is set
	@$(PYTHON) tools/release/version.py check "$(VERSION)"
	$(PYTHON) -m venv --clear build/release
	build/release/bin/python -m pip install --quiet --require-hashes -r $(PINNED)
	$(RELEASE) build/release/bin/python -m release.build
	@$(MAKE) --no-print-directory checksums

package: ## Build the wheel and the sdist into dist/python, and check them
	$(PYTHON) -m venv --clear build/package
	build/package/bin/python -m pip install --quiet --require-hashes -r $(PACKAGING)
	rm -rf dist/python
	build/package/bin/python -m build --no-isolation --outdir dist/python .
	build/package/bin/python -m twine check --strict dist/python/*

checksums: ## Write the checksums of the packages in dist, as part of a release
	@$(PYTHON) tools/release/version.py check "$(VERSION)"
	$(RELEASE) $(PYTHON) -m release.checksums $(if $(GPG_KEY),--gpg-key "$(GPG_KEY)")

lock: install ## Pin the newest dependencies for releases, with their hashes
	$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --upgrade --generate-hashes \
	  --no-emit-index-url --custom-compile-command "make lock" --extra release \
	  --output-file $(PINNED) pyproject.toml
	$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --upgrade --generate-hashes \
	  --no-emit-index-url --custom-compile-command "make lock" --group package \
	  --output-file $(PACKAGING)

audit: install ## Look the pinned dependencies up among the known vulnerabilities
	$(BIN)/pip-audit --require-hashes --disable-pip --requirement $(PINNED)
	$(BIN)/pip-audit --require-hashes --disable-pip --requirement $(PACKAGING)

licences: install ## Print which software a release bundles, and under which licences
	@$(TOOL) release.contents

schema: install check-terraform ## Write the provider's schema to schemas/, as Terraform shows it
	$(BIN)/python tools/schema.py > schemas/provider-schema.json

proto: install ## Compile the messages of Terraform's protocol
	$(BIN)/python tools/proto.py

docs: schema ## Write the reference in docs/ from the schema and the examples
	$(BIN)/python tools/docs.py

pictures: install check-terraform ## Draw the pictures of the README anew, from real output
	$(BIN)/python tools/pictures.py

fmt: install check-terraform ## Format Python and Terraform code
	$(BIN)/ruff check --fix --exit-zero --quiet
	$(BIN)/ruff format
	"$$($(TOOL) harness.terraforms)" fmt -recursive examples

lint: install check-terraform ## Check style, format and the layers of the architecture
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/lint-imports
	"$$($(TOOL) harness.terraforms)" fmt -check -diff -recursive examples

types: install ## Check the types
	$(BIN)/mypy

clean: ## Delete all that these targets make, but not what you wrote in the playground
	@$(PYTHON) tools/demo_folder.py .demo
	rm -rf $(VENV) .bench .hypothesis .import_linter_cache .mypy_cache .pytest_cache .ruff_cache
	rm -rf .terraforms build dist
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

check-terraform: install
	@$(TOOL) harness.terraforms >/dev/null
