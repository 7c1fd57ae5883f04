# make demo: the whole journey on this machine. make test: every test. make demo-stop: everything given back.
# Each target sets up what it needs; nothing has to be installed by hand.

VENV := .venv
BIN := $(VENV)/bin
DEPLOYMENT := config/practice.yaml

.PHONY: setup demo demo-stop test
.SILENT:

setup: $(VENV)/.ready

$(VENV)/.ready: pyproject.toml
	echo "· Python environment $(VENV)"
	python3 -c 'import ensurepip' 2>/dev/null || { apt-get update -q >/dev/null && apt-get install -qy --no-install-recommends python3-venv >/dev/null; }
	test -x $(BIN)/python || python3 -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[practice,test]'
	touch $@

demo: setup
	$(BIN)/zerojhub practice build
	$(BIN)/zerojhub practice start
	eval "$$($(BIN)/zerojhub practice env)" && $(BIN)/zerojhub up -f $(DEPLOYMENT)
	echo "login: demo / practice"

demo-stop: setup
	$(BIN)/zerojhub practice stop

test: setup
	$(BIN)/ruff check zerojhub tests
	$(BIN)/ruff format --check zerojhub tests
	$(BIN)/zerojhub practice build
	$(BIN)/python -m pytest
