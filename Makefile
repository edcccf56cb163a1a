# Everything is installed into .venv, once; it is brought up to date when its requirements change.
PYTHON ?= python3
BIN := .venv/bin
INSTALLED := .venv/installed
DOCS_INSTALLED := .venv/installed-docs
MUTANTS_INSTALLED := .venv/installed-mutants
INSTALL = $(BIN)/python -m pip --disable-pip-version-check install --quiet --constraint constraints.txt
COMPILE_BYTECODE = $(BIN)/python -m compileall -qq -j 0 .venv/lib || true  # on all cores; pip takes one
BUILT_WITH = hatchling editables jaxlib setuptools

PYTEST_WORKERS = -n 2 --dist worksteal

# Processes that tests start import ltr faster from bytecode; so it is written, whatever the environment says.
WITH_BYTECODE = PYTHONDONTWRITEBYTECODE=

# The tests that need no compiled program, and one whole run.
CHECKED = tests/analysis tests/config tests/export tests/pruning tests/registry tests/report tests/store \
  tests/test_cli.py tests/test_golden.py tests/test_project.py --ignore tests/report/page/test_browser.py

# The longer proofs that nothing is lost, whatever happens to a run.
FAULTS = tests/kills tests/store tests/data/importing/test_damaged.py tests/commands/test_damage.py \
  tests/commands/test_every_file.py tests/commands/test_faults.py tests/experiment/test_determinism.py \
  tests/experiment/test_resume.py tests/test_faults.py tests/test_interrupts.py tests/test_streams.py

# Measuring coverage by sys.monitoring costs next to nothing; Python has it from 3.12 on.
COVERAGE_CORE = $(shell $(BIN)/python -c 'import sys; sys.version_info >= (3, 12) and print("COVERAGE_CORE=sysmon")')

run: ARGS ?= prune_rate=0.2 rounds=15

.DEFAULT_GOAL := help
.PHONY: help setup run check test coverage mutants golden test-oldest lint format bench docs dist faults sanitize audit clean

help: ## Show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-11s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

setup: $(INSTALLED) ## Install ltr and its tools into .venv (PYTHON=python3.12 to choose another Python)

run: $(INSTALLED) ## Find lottery tickets in handwritten digits (ARGS="rounds=5 seed=1" to choose knobs)
	$(BIN)/ltr run $(ARGS)

check: $(INSTALLED) lint ## Lint, a small run against its golden numbers, and the fastest tests: within a minute
	$(WITH_BYTECODE) $(BIN)/python -m pytest -q $(PYTEST_WORKERS) $(CHECKED) $(ARGS)

test: $(INSTALLED) ## Run the tests (ARGS="-k masks" to choose some)
	$(WITH_BYTECODE) $(BIN)/python -m pytest $(PYTEST_WORKERS) $(ARGS)

coverage: $(INSTALLED) ## Run the tests, and count the lines of ltr that they reach, in their own processes too
	$(BIN)/coverage erase
	$(COVERAGE_CORE) $(BIN)/coverage run -m pytest $(PYTEST_WORKERS) $(ARGS)
	$(BIN)/coverage combine --quiet
	$(BIN)/coverage report

mutants: $(MUTANTS_INSTALLED) ## Mutate masks, pruning and statistics, and say which mutants the tests let live (ARGS="ltr.core.masks*")
	$(BIN)/mutmut run --max-children 2 $(ARGS)
	$(BIN)/mutmut results
	$(BIN)/mutmut export-cicd-stats
	$(BIN)/python scripts/mutants.py

golden: $(INSTALLED) ## Say which numbers of the golden run moved (ARGS=--write writes them anew)
	$(BIN)/python scripts/golden.py $(ARGS)

test-oldest: $(INSTALLED) ## Run most tests with the oldest versions that pyproject.toml allows, in .venv-oldest
	scripts/test_oldest.sh $(PYTHON) $(ARGS)

lint: $(INSTALLED) ## Check style, types and the layers of the architecture
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/lint-imports

format: $(INSTALLED) ## Rewrite the code in the project's style
	$(BIN)/ruff check --fix
	$(BIN)/ruff format

bench: $(INSTALLED) ## Measure training speed (ARGS="model=conv2 dataset=cifar10"); installs PyTorch to compare
	-$(INSTALL) --no-build-isolation --editable ".[bench]"
	$(BIN)/ltr bench $(ARGS)

docs: $(DOCS_INSTALLED) ## Build the documentation site, site/index.html, run its notebook and check its links
	PATH="$(CURDIR)/$(BIN):$$PATH" NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict
	$(BIN)/python scripts/check_links.py

dist: $(INSTALLED) ## Build dist/, the wheel and the source distribution, and run each in a fresh environment
	rm -rf dist
	$(BIN)/hatchling build
	scripts/try_distribution.sh dist/*.whl
	scripts/try_distribution.sh dist/*.tar.gz

faults: $(INSTALLED) ## Kill, damage and starve runs, two hours of it, and say how many survived (docs/reliability.md)
	$(BIN)/python -m pytest -m slow -s -rA $(FAULTS) $(ARGS)

sanitize: $(INSTALLED) ## Run the kernels' C++ under the address and undefined-behaviour sanitizers
	$(BIN)/python -m pytest -m slow tests/kernels

audit: $(INSTALLED) ## Check licences, and known vulnerabilities of the pinned versions where the network answers
	$(INSTALL) --no-build-isolation --editable ".[audit]"
	$(BIN)/python scripts/audit.py

clean: ## Remove .venv and caches; runs in outputs/ stay
	rm -rf .venv .venv-oldest dist site mutants .coverage .coverage.* .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis
	find ltr scripts tests -name __pycache__ -prune -exec rm -rf {} +

# Nothing is built in isolation: ltr's kernels need the jaxlib that they will run with, and antlr4, of which there
# is no wheel, a setuptools that makes wheels.
# A Python without ensurepip (Debian's, without python3-venv) can still lend its own pip, if it has one.
$(INSTALLED): pyproject.toml constraints.txt hatch_build.py $(wildcard ltr/kernels/*.cc ltr/kernels/*.h ltr/kernels/*.inc)
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
	  || { echo "ltr needs Python 3.11 or later: make $(MAKECMDGOALS) PYTHON=python3.12" >&2; exit 1; }
	@$(PYTHON) -c 'import ensurepip' 2>/dev/null && $(PYTHON) -m venv .venv \
	  || { $(PYTHON) -m pip --version >/dev/null 2>&1 && $(PYTHON) -m venv --without-pip .venv \
	       && $(PYTHON) -m pip --python $(BIN)/python install --quiet pip; } \
	  || { echo "$(PYTHON) cannot make a virtual environment: apt-get install python3-venv, then again" >&2; exit 1; }
	@echo "Installing ltr into .venv, once: a minute or two"
	@$(INSTALL) $(BUILT_WITH)
	@$(INSTALL) --no-build-isolation --no-compile --editable ".[dev]"
	@$(COMPILE_BYTECODE)
	@touch $@

$(DOCS_INSTALLED): $(INSTALLED)
	@echo "Installing what builds the documentation into .venv"
	@$(INSTALL) --no-build-isolation --editable ".[docs]"
	@touch $@

$(MUTANTS_INSTALLED): $(INSTALLED)
	@echo "Installing what makes mutants into .venv"
	@$(INSTALL) --no-build-isolation --editable ".[mutants]"
	@touch $@
