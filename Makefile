# `make demo` shows what fairsweep does; `make test` runs the tests, `make test-all` the slow ones too.
# Each installs what it needs, once.
VENV := .venv
BIN := $(VENV)/bin
PYTHON ?= python3
INSTALLED := $(VENV)/.installed
# Two files of tests at a time, each with a Ray cluster of its own; SIDE_BY_SIDE= runs one after the other.
SIDE_BY_SIDE ?= -n 2 --dist loadfile --no-loadscope-reorder

.PHONY: demo test test-all check lint docs lock clean

demo: $(INSTALLED)
	$(BIN)/fairsweep run jobs/demo.yaml

test: check
	$(BIN)/python -m pytest $(SIDE_BY_SIDE) -m "not slow"

test-all: check
	$(BIN)/python -m pytest $(SIDE_BY_SIDE)

check: $(INSTALLED)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

lint: $(INSTALLED)
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .
	$(BIN)/mypy

# The pages of docs/ that the code itself knows; a test says when they are old.
docs: $(INSTALLED)
	$(BIN)/python -m fairsweep.terminal.handbook docs

$(INSTALLED): requirements.lock pyproject.toml
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@echo "Installing into $(VENV): about 7 GB, a few minutes the first time."
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements.lock
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps -e .
	@touch $@

# The one way the lock changes: resolve pyproject.toml anew.
lock: $(INSTALLED)
	$(BIN)/python -m pip install --quiet uv
	$(BIN)/uv pip compile pyproject.toml --extra run --extra test --python-version 3.11 --quiet --upgrade --no-emit-index-url \
		--no-emit-find-links --no-annotate --custom-compile-command "make lock" --output-file requirements.lock

clean:
	rm -rf $(VENV)
