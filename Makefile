# make demo: the whole journey on this machine. make test: every test. make demo-stop: everything given back.
# make docs: the documentation as a site, in docs/_build/html.
# make dist: the wheel and the sdist, in dist, and their tests.
# Each target sets up what it needs; nothing has to be installed by hand.

VENV := .venv
BIN := $(VENV)/bin
DEPLOYMENT := config/practice.yaml
TEST_PACKAGES := chromium chromium-driver openssh-client openssh-server curl rabbitmq-server
INSTALL := DEBIAN_FRONTEND=noninteractive apt-get install -qqy --no-install-recommends -o Dpkg::Use-Pty=0

.PHONY: setup demo demo-stop dist docs test test-packages
.SILENT:

setup: $(VENV)/.practice

# What the demonstration needs is in the extra `practice`, what the documentation needs in `docs`, what the tests need in `test`.
$(VENV)/.practice $(VENV)/.docs $(VENV)/.test: $(VENV)/.%: pyproject.toml
	echo "· Python environment $(VENV)"
	python3 -c 'import ensurepip' 2>/dev/null || { apt-get update -qq && $(INSTALL) python3-venv; } >/dev/null
	test -x $(BIN)/python || python3 -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[$*]'
	touch $@

demo: setup
	$(BIN)/zerojhub practice build
	$(BIN)/zerojhub practice start
	eval "$$($(BIN)/zerojhub practice env)" && $(BIN)/zerojhub up -f $(DEPLOYMENT)
	echo "login: demo / practice"

demo-stop: setup
	$(BIN)/zerojhub practice stop

docs: $(VENV)/.docs
	$(BIN)/python -m sphinx --fail-on-warning --keep-going --quiet --builder html docs docs/_build/html
	echo "docs: docs/_build/html/index.html"

dist: $(VENV)/.test
	$(BIN)/python -m pytest -q tests/dist
	echo "dist: $$(echo dist/*)"

test-packages:
	dpkg -s $(TEST_PACKAGES) >/dev/null 2>&1 || { echo "· Debian packages $(TEST_PACKAGES)"; apt-get update -qq && $(INSTALL) $(TEST_PACKAGES) >/dev/null; }

test: $(VENV)/.test test-packages
	$(BIN)/ruff check zerojhub tests docs
	$(BIN)/ruff format --check zerojhub tests docs
	$(BIN)/zerojhub practice build --all
	$(BIN)/python -m pytest
