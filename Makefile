# make demo: the whole journey on this machine. make demo-stop: everything given back.
# make check: lint, formatting, types, unit tests, documentation; needs Python and no root, on Linux or macOS.
# make test: check, the APIs of the practice cloud, a journey on each road, a browser. Debian, as root.
# make test-all: every test. make coverage: every test, and the lines that they run.
# make docs: the documentation as a site, in docs/_build/html.
# make dist: the wheel, the sdist and their bill of materials, in dist, and their tests.
# make constraints: newer versions of the packages that all of these install. make audit: known vulnerabilities of them.
# make benchmark: speed and memory, side by side with what a person would do instead.
# Each target sets up what it needs; nothing has to be installed by hand.

VENV := .venv
BIN := $(VENV)/bin
PYTEST := -m pytest
# Or every start of a program compiles all of its modules again, and every test run all of its tests.
unexport PYTHONDONTWRITEBYTECODE
RUN := $(BIN)/python $(PYTEST)
SIDE_BY_SIDE := $(BIN)/python -m tests.side_by_side
CONSTRAINTS := tests/constraints.txt
DEPLOYMENT := config/practice.yaml
TEST_PACKAGES := chromium chromium-driver libnss3-tools openssh-client openssh-server curl iproute2 procps rabbitmq-server slapd
APT := DEBIAN_FRONTEND=noninteractive apt-get -qq -o Dpkg::Use-Pty=0 -o DPkg::Lock::Timeout=600
INSTALL := $(APT) install -y --no-install-recommends

# A third of the unit tests each, by the letters that their files begin with: many of them wait.
UNITS := unit-a-c unit-d-l unit-m-z
# The journeys, in parts that take about the same time.
JOURNEYS_1 := $(wildcard tests/journey/test_[a-enru]*.py)
JOURNEYS_2 := $(wildcard tests/journey/test_[f-l]*.py tests/journey/test_ma*.py)
JOURNEYS_3 := $(filter-out $(JOURNEYS_1) $(JOURNEYS_2),$(wildcard tests/journey/test_*.py))

.PHONY: setup demo demo-stop check lint types unit $(UNITS) docs docs-site dist constraints audit benchmark test-setup test-packages test test-all coverage
.SILENT:

setup: $(VENV)/.practice

$(BIN)/python:
	echo "· Python environment $(VENV)"
	python3 -c 'import ensurepip' 2>/dev/null || { $(APT) update && $(INSTALL) python3-venv; } >/dev/null
	python3 -m venv $(VENV)

# What the demonstration needs is in the extra `practice`, what `make check` needs in `check`, what the tests need in `test`.
$(VENV)/.practice $(VENV)/.check $(VENV)/.test: $(VENV)/.%: pyproject.toml $(CONSTRAINTS) | $(BIN)/python
	echo "· Python packages for $(@:$(VENV)/.%=%)"
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint $(CONSTRAINTS) \
	    --editable '.[$(@:$(VENV)/.%=%)]'
	touch $@

# Each has what the one before it has.
$(VENV)/.check: $(VENV)/.practice
$(VENV)/.test: $(VENV)/.check

demo: setup
	$(BIN)/zerojhub practice build
	$(BIN)/zerojhub practice start
	eval "$$($(BIN)/zerojhub practice env)" && $(BIN)/zerojhub up -f $(DEPLOYMENT)
	echo "login: demo / practice"

demo-stop: setup
	$(BIN)/zerojhub practice stop

check: $(VENV)/.check
	$(MAKE) --no-print-directory --jobs 4 unit lint types docs-site

lint: $(VENV)/.check
	$(BIN)/ruff check --quiet zerojhub tests docs
	$(BIN)/ruff format --quiet --check zerojhub tests docs

types: $(VENV)/.check
	$(BIN)/mypy --no-error-summary

unit: $(UNITS)
$(UNITS): unit-%: $(VENV)/.check
	$(RUN) -q -m unit tests/unit/test_[$*]*.py

docs: docs-site
	echo "docs: docs/_build/html/index.html"

dist: $(VENV)/.check
	$(RUN) -q tests/distribution
	echo "dist: $$(echo dist/*)"

constraints: | $(BIN)/python
	$(BIN)/python -m pip install --quiet --disable-pip-version-check uv
	$(BIN)/uv pip compile --quiet --upgrade --all-extras --universal --python-version 3.11 --no-header --no-annotate \
	    --output-file $(CONSTRAINTS) pyproject.toml

audit: | $(BIN)/python
	$(BIN)/python -m pip install --quiet --disable-pip-version-check pip-audit
	$(BIN)/pip-audit --progress-spinner off --no-deps --requirement $(CONSTRAINTS)

benchmark: $(VENV)/.test
	$(BIN)/python -m benchmarks

docs-site: $(VENV)/.check
	$(BIN)/python -m sphinx --fail-on-warning --keep-going --quiet --builder html docs docs/_build/html

test-packages: | $(BIN)/python
	dpkg -s $(TEST_PACKAGES) >/dev/null 2>&1 || \
	{ echo "· Debian packages $(TEST_PACKAGES)"; $(APT) update && $(INSTALL) $(TEST_PACKAGES) >/dev/null; }

test-setup: $(BIN)/python
	$(MAKE) --no-print-directory --jobs 2 $(VENV)/.test test-packages

# Journeys mostly wait, and leave the processors to the tests of the APIs.
test: test-setup
	$(SIDE_BY_SIDE) check '$(MAKE) check' apis '$(RUN) -m "contract or browser or host"' \
	    machines '$(BIN)/zerojhub practice build -q --with object-store && $(RUN) -m "journey or helm or kubernetes or stores"'

# Generated examples: `make check` tries few of them, this target many. The journeys run on three practice clouds.
test-all: export HYPOTHESIS_PROFILE := many
test-all: test-setup
	$(BIN)/zerojhub practice build -q --all
	$(SIDE_BY_SIDE) check '$(MAKE) check' \
	    apis '$(RUN) -m "contract or faults or agreement or browser or host or dist or helm or helm4 or kubernetes or stores or backups or certificates"' \
	    machines-1 'tests/apart zerojhub-1 $(RUN) -m practice $(JOURNEYS_1)' \
	    machines-2 'tests/apart zerojhub-2 $(RUN) -m practice $(JOURNEYS_2)' \
	    machines-3 'tests/apart zerojhub-3 $(RUN) -m practice $(JOURNEYS_3)'

coverage: test-setup
	$(BIN)/python -m coverage erase
	$(MAKE) test-all PYTEST='-m coverage run -m pytest'
	$(BIN)/python -m coverage combine --quiet
	$(BIN)/python -m coverage report
