# `make` alone says what there is. Needs GNU make, bash and Python 3.11.

SHELL := bash
.SHELLFLAGS := -eu -o pipefail -c
.ONESHELL:
.DEFAULT_GOAL := help
MAKEFLAGS += --no-builtin-rules --no-print-directory

PORT ?= 8000
ARGS ?=
PY := .venv/bin/python
# Three at a time on two cores: while one waits for a killed process to return, the others compute.
PYTEST := $(PY) -m pytest -q -n 3 --dist loadgroup

# A stamp carries the checksum of what was installed, so a change of the requirements is seen and a new
# clone's file times do not matter.
checksum = $(shell cat $(1) | cksum | tr -cd 0-9)
RUN_STAMP := .venv/.run-$(call checksum,requirements.txt constraints.txt)
DEV_STAMP := .venv/.dev-$(call checksum,requirements.txt requirements-dev.txt constraints.txt)

.PHONY: help install run test pytest lint bench format clean

help:
	@cat <<'END'
	make install   create .venv and install what the product needs (a few minutes the first time)
	make run       install, then start everything on http://127.0.0.1:$(PORT) (PORT= changes it); Ctrl-C stops it
	make test      make lint, then all tests (ARGS= goes to pytest)
	make pytest    the tests alone
	make lint      rules, format, types, templates, imports, house rules, migrations
	make format    put code and templates into shape
	make bench     measure the classifier, the queue and the way from upload to result
	make clean     delete .venv and caches; data in var/ stays
	END


define find_python
is_311() { "$$@" -c 'import sys; sys.exit(sys.version_info[:2] != (3, 11))' 2>/dev/null; }
python=''
for candidate in $(if $(PYTHON),'$(PYTHON)',python3.11 python3 python); do
  if is_311 "$$candidate"; then python="$$candidate"; break; fi
done
if [ -z "$$python" ]; then
  echo 'Python 3.11 is needed and was not found$(if $(PYTHON), as $(PYTHON)): install it, or say where it is: make $(or $(MAKECMDGOALS),install) PYTHON=/path/to/python3.11' >&2
  exit 1
fi
endef

# pip lists a hundred packages; the ones that take long are worth a line.
define progress
while IFS= read -r line; do
  case "$$line" in
    *'Downloading '*' MB)'*) name="$${line##*Downloading }"; size="$${line##*(}"; echo "  downloading $${name%%-*} ($${size%%)*})" ;;
    'Installing collected packages: '*) echo "  unpacking $$(($$(wc -w <<<"$$line") - 3)) packages" ;;
  esac
done
endef

# A killed installation leaves its mark, and the next one starts afresh: half a package looks whole to pip.
define install
if [ -e .venv/.unfinished ]; then
  echo 'The last installation was interrupted; starting again with a clean .venv.'
  rm -rf .venv
fi
if ! .venv/bin/python -c 'import sys, pip; sys.exit(sys.version_info[:2] != (3, 11))' 2>/dev/null; then
  $(find_python)
  echo "Creating .venv with $$("$$python" --version)"
  rm -rf .venv
  if ! "$$python" -m venv .venv >/dev/null 2>&1; then
    rm -rf .venv
    echo 'This Python cannot create virtual environments: install its venv package (Debian: apt install python3.11-venv).' >&2
    exit 1
  fi
fi
touch .venv/.unfinished
echo 'Installing $(1) (TensorFlow alone is 250 MB; later starts skip this)'
if ! PIP_ROOT_USER_ACTION=ignore $(PY) -m pip install --disable-pip-version-check --no-input -r $(1) | { $(progress); }; then
  rm -f .venv/.unfinished
  echo 'The installation failed; the reason stands above. The same command tries again.' >&2
  exit 1
fi
endef

install: $(RUN_STAMP)
	@echo "The environment in .venv is complete."

$(RUN_STAMP):
	@$(call install,requirements.txt)
	rm -f .venv/.run-* .venv/.unfinished
	touch $@

$(DEV_STAMP):
	@$(call install,requirements-dev.txt)
	rm -f .venv/.run-* .venv/.dev-* .venv/.unfinished
	touch $(RUN_STAMP) $@


run: install
	@DEBUG=1 DEMO=1 PORT='$(PORT)' exec $(PY) -m dermaplatform.launcher --follow "$$PPID"

bench: install
	@exec $(PY) -m dermaplatform.bench $(ARGS)


lint: export SECRET_KEY = only-for-checks
lint: export DERMA_STATE_DIR = var/lint
lint: $(DEV_STAMP)
	@unset DATABASE_URL REDIS_URL
	step() { printf '%-12s %s\n' "$$1" "$$2"; }
	step ruff 'rules and format'
	$(PY) -m ruff check --quiet .
	$(PY) -m ruff format --check --quiet .
	step mypy 'types'
	$(PY) -m mypy --no-error-summary .
	step djlint 'templates'
	$(PY) -m djlint templates --check --lint --quiet
	step imports 'who may know whom'
	output="$$(.venv/bin/lint-imports --no-logo 2>&1)" || { echo "$$output"; exit 1; }
	step migrations 'none is missing'
	output="$$($(PY) manage.py makemigrations --check --dry-run 2>&1)" || { echo "$$output"; exit 1; }
	step house 'our own rules'
	$(PY) -m pytest -q --no-header tests/test_house_rules.py

pytest: $(DEV_STAMP)
	@$(PYTEST) $(ARGS)

test: lint
	@echo 'tests        on $(if $(DATABASE_URL),PostgreSQL,SQLite) and $(if $(REDIS_URL),Redis,the embedded broker)'
	$(PYTEST) $(ARGS)

format: $(DEV_STAMP)
	@$(PY) -m ruff check --fix --quiet . || true
	$(PY) -m ruff format .
	$(PY) -m djlint templates --reformat --quiet || true

clean:
	@rm -rf .venv .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache var/lint var/test
	find . -name __pycache__ -not -path './var/*' -prune -exec rm -rf {} +
	echo 'Deleted .venv and caches. Your data in var/ is still there.'
