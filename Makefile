# `make` alone lists the targets. HOST, PORT and every setting of .env.example are read from the environment.
PYTHON ?= python3
BIN := .venv/bin
PYTEST = $(BIN)/python -m pytest -n logical --maxprocesses 8 $(PYTEST_ARGS)
PUBLIC_INDEX := env -u PIP_FIND_LINKS -u PIP_EXTRA_INDEX_URL PIP_CONFIG_FILE=/dev/null
MESSAGES := $(wildcard locale/*/LC_MESSAGES/*.po)

.DEFAULT_GOAL := help
.PHONY: help venv run test lint bench demo lock messages chromium

help: ## list the targets
	@sed -n 's/^\([a-z]*\):.*## \(.*\)/make \1\t\2/p' Makefile | expand -t 16

venv: .venv/.installed .venv/.messages ## make .venv with the locked dependencies

run: venv ## serve the dashboard on HOST (127.0.0.1) and PORT (8000)
	@exec $(BIN)/python manage.py serve

demo: venv ## the same with sample sessions
	@exec $(BIN)/python manage.py serve --samples

test: venv chromium ## everything on SQLite, then all but the browser on PostgreSQL
	@command -v git >/dev/null || { echo "The tests need git: apt-get install git"; exit 1; }
	@status=0; \
	TEST_DATABASE=sqlite $(PYTEST) || status=1; \
	TEST_DATABASE=postgres $(PYTEST) -m "not e2e" || status=1; \
	exit $$status

lint: venv ## ruff, mypy, djlint and the check for missing migrations
	@status=0; \
	$(BIN)/ruff check . || status=1; \
	$(BIN)/ruff format --check . || status=1; \
	$(BIN)/mypy manage.py dashboard sessions_app tests || status=1; \
	$(BIN)/djlint --check --quiet templates || status=1; \
	$(BIN)/djlint --lint --quiet templates || status=1; \
	$(BIN)/python manage.py makemigrations --check --dry-run || status=1; \
	exit $$status

bench: venv ## measure ingest, pages and search
	@$(BIN)/python -m tests.bench

lock: venv ## write requirements.lock anew from pyproject.toml, from the public index
	$(PUBLIC_INDEX) CUSTOM_COMPILE_COMMAND="make lock" $(BIN)/pip-compile --quiet --upgrade \
		--all-extras --allow-unsafe --generate-hashes --strip-extras --no-emit-index-url \
		--no-emit-find-links --no-emit-trusted-host --output-file requirements.lock pyproject.toml

messages: venv ## collect new texts (needs gettext) and compile the translations
	@command -v xgettext >/dev/null || { echo "To collect texts install gettext: apt-get install gettext"; exit 1; }
	$(BIN)/python manage.py makemessages --all --no-location --no-wrap --ignore '.venv/*' --ignore 'data/*'
	$(BIN)/python locale/compile.py

# libatomic: Playwright brings a Node.js that needs it.
chromium:
	@command -v chromium >/dev/null && $(PYTHON) -c 'import ctypes; ctypes.CDLL("libatomic.so.1")' \
		2>/dev/null && exit 0; \
	if [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then \
		apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq \
			--no-install-recommends chromium libatomic1 >/dev/null; \
	else echo "The browser tests need Chromium: apt-get install chromium libatomic1 (as root)"; \
		exit 1; fi

.venv/.installed: requirements.lock
	@command -v $(PYTHON) >/dev/null || \
		{ echo "Python is missing: apt-get install python3 python3-venv"; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] < (3, 13))' || \
		{ echo "Python 3.11 or 3.12 is needed: install it and run make PYTHON=python3.11"; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || \
		{ echo "Python's venv is missing: apt-get install python3-venv"; exit 1; }
	@echo "Installing the locked dependencies into .venv ..."
	@test -x $(BIN)/python || $(PYTHON) -m venv .venv
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes \
		--only-binary :all: -r requirements.lock
	@touch $@

.venv/.messages: .venv/.installed locale/compile.py $(MESSAGES)
	@$(BIN)/python locale/compile.py
	@touch $@
