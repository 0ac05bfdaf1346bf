# The whole developer's guide:
#   make run     the workbench at http://127.0.0.1:7860, with demo data the first time
#   make test    the whole suite, in a browser too
#   make test-fast   without the browser and without what starts and kills programs: under 3 minutes on 2 cores
#   make lint    style and types, and the tests of the scripts (these need Node, nothing else does)
#   make bench   what the README claims about speed and accuracy
#   make docs    the documentation site, into build/docs
#   make screenshots   the README's pictures, into docs/pages
#   make extra-NAME  a package that few people need; pyproject.toml names them under optional-dependencies
# Everything is installed into .venv; delete that folder to begin again. Three switches say what a new one takes:
#   TORCH=cpu    PyTorch without CUDA, from PyTorch's own index
#   LOCKED=1     with run: the versions of docs/requirements.lock, each file compared with its digest
#   FAISS=gpu    faiss with CUDA, or FAISS=cpu without; by itself make looks for an NVIDIA driver

SHELL := bash
.SHELLFLAGS := -eu -o pipefail -c
# Python keeps what it compiles, whatever the shell says: otherwise every start compiles our modules again.
unexport PYTHONDONTWRITEBYTECODE
.DEFAULT_GOAL := run
.PHONY: run test test-fast lint bench docs screenshots lock browser chosen
.DELETE_ON_ERROR:

PYTHON ?= $(shell command -v python3.11 || command -v python3)
HOST ?= 127.0.0.1
PORT ?= 7860
TORCH ?=
FAISS ?=
LOCKED ?=
TORCH_INDEX := https://download.pytorch.org/whl/cpu
PY := .venv/bin/python

# Installs Debian packages $(1) where that needs no password, one call after another; elsewhere says what is needed $(2).
define debian_install
	if command -v apt-get >/dev/null && { [ "$$(id -u)" = 0 ] || sudo -n true 2>/dev/null; }; then \
	  sudo=$$([ "$$(id -u)" = 0 ] || echo sudo); \
	  $$sudo env DEBIAN_FRONTEND=noninteractive flock /var/lib/apt \
	    sh -c 'apt-get update -q && apt-get install -y -q --no-install-recommends "$$@"' apt $(1); \
	else echo "$(2)" >&2; exit 1; fi
endef

# An option $(1) of pip, from its environment or else its files.
pip_option = "$$($(PY) -m pip config list | sed -nE "s/^(:env:|global)\.$(1)='(.*)'\$$/\2/p" | sed q)"

# Installs packages $(1) by uv, which takes a third of pip's time, with pip's options, which it does not read; pip then checks
# them and installs what uv could not. Only pip compares digests as LOCKED wants it.
define install
	@[ -n "$(LOCKED)" ] || { $(PY) -m pip install -q --upgrade --target .venv/uv uv && \
	  UV_DEFAULT_INDEX=$(call pip_option,index-url) UV_EXTRA_INDEX_URL=$(call pip_option,extra-index-url) \
	  UV_FIND_LINKS=$(call pip_option,find-links) UV_CONSTRAINT=$(call pip_option,constraint) \
	  SSL_CERT_FILE=$(call pip_option,cert) UV_INDEX_STRATEGY=unsafe-best-match \
	  .venv/uv/bin/uv pip install --python $(PY) $(1); } || echo "uv did not install everything; pip installs the rest." >&2
	$(PY) -m pip install $(1)
endef

run: .venv/run.stamp
	@exec $(PY) -m exdd_core serve --demo --host $(HOST) --port $(PORT)

# A worker more than cores, as tests in a browser wait a lot, and 4 at most; the tests of a file stay together, since they
# share what is costly to make.
WORKERS := $(shell cores=$$(getconf _NPROCESSORS_ONLN 2>/dev/null || echo 2); echo $$((cores < 4 ? cores + 1 : 4)))
# glibc keeps freed memory for the process: tests took 9 % less time than with new pages from the system (84 s, 92 s).
PYTEST := MALLOC_MMAP_THRESHOLD_=33554432 MALLOC_TRIM_THRESHOLD_=1073741824 $(PY) -m pytest -n $(WORKERS) --dist loadfile --no-loadscope-reorder

test: .venv/test.stamp browser
	$(PYTEST)

test-fast: .venv/test.stamp
	$(PYTEST) -m "not browser and not slow"

lint: .venv/test.stamp assets/node_modules/stamp
	$(PY) -m ruff check .
	$(PY) -m ruff format --check . || { echo "Run: $(PY) -m ruff format ." >&2; exit 1; }
	$(PY) -m mypy
	.venv/bin/lint-imports
	cd assets && npx eslint .
	cd assets && npx prettier --check . || { echo "Run: cd assets && npx prettier --write ." >&2; exit 1; }
	cd assets && npx tsc
	cd assets && node --test

# The versions in .venv and what they need, for every system, with the digests of their files; needs uv.
lock: .venv/run.stamp
	sed -e 's/;.*//' -e '/^#/d' requirements.txt | uv pip compile -q --universal --python-version 3.11 --generate-hashes \
	  --no-annotate --no-header -c <($(PY) -m pip freeze | grep ==) - -o docs/requirements.lock

bench: .venv/test.stamp
	$(PY) -m tests.bench

docs: .venv/test.stamp
	$(PY) -m docs.build

screenshots: .venv/test.stamp browser
	$(PY) -m tests.page_pictures

EXTRAS := import tomllib; print(*tomllib.load(open("pyproject.toml", "rb"))["project"]["optional-dependencies"]["$*"])
extra-%: .venv/run.stamp
	$(PY) -m pip install $$($(PY) -c '$(EXTRAS)')

# Without windows it takes a sixth of the processor time for each visitor.
SMALLEST_CHROMIUM := apt-cache show chromium-headless-shell >/dev/null 2>&1 && echo chromium-headless-shell || echo chromium

browser:
	@for name in chromium-headless-shell chromium chromium-browser google-chrome; do command -v $$name >/dev/null && exit 0; done; \
	[ -z "$${EXDD_CHROMIUM:-}" ] || exit 0; \
	$(call debian_install,$$($(SMALLEST_CHROMIUM)) fonts-dejavu-core,Browser tests need Chromium: install it with your system's packages or set EXDD_CHROMIUM to its path.)

$(PY):
	@$(PYTHON) -c "import sys; sys.exit(sys.version_info < (3, 11))" \
	  || { echo "ExDD Workbench needs Python 3.11 or newer: set PYTHON, as in 'make run PYTHON=/path/to/python3.11'." >&2; exit 1; }
	@$(PYTHON) -m venv .venv \
	  || { rm -rf .venv; echo "Python cannot make .venv here: install its venv module (Debian: apt-get install python3-venv)." >&2; exit 1; }

# requirements.txt as this machine wants it, rewritten only where that changes. A .venv keeps the faiss that it has until
# somebody sets FAISS: both kinds write into the same folder.
.venv/requirements.txt: requirements.txt chosen | $(PY)
	@case "$(TORCH)" in ""|cpu) ;; *) echo "TORCH is $(TORCH); give cpu, or leave it out." >&2; exit 1;; esac
	@case "$(LOCKED):$(TORCH)" in :*|1:) ;; *) echo "LOCKED is 1 or left out, and has PyTorch with CUDA: leave TORCH out." >&2; exit 1;; esac
	@case "$(FAISS)" in ""|cpu|gpu) ;; *) echo "FAISS is $(FAISS); give cpu or gpu, or leave it out." >&2; exit 1;; esac
	@has() { compgen -G ".venv/lib/python*/site-packages/faiss_$$1-*.dist-info" >/dev/null; }; \
	faiss="$(FAISS)"; \
	if [ -n "$$faiss" ]; then other=$$([ $$faiss = cpu ] && echo gpu || echo cpu); \
	  if has $$other; then $(PY) -m pip uninstall -q -y faiss-$$other; rm -f .venv/*.stamp; fi; \
	elif has gpu; then faiss=gpu; \
	elif has cpu || [ "$(TORCH)" = cpu ]; then faiss=cpu; \
	elif [ -e /dev/nvidiactl ] || [ -e /dev/dxg ] || command -v nvidia-smi >/dev/null; then faiss=gpu; \
	else faiss=cpu; fi; \
	{ if [ "$(TORCH)" = cpu ]; then echo "--extra-index-url $(TORCH_INDEX)"; fi; \
	  if [ -n "$(LOCKED)" ]; then out=faiss-cpu; \
	    if [ $$faiss = cpu ]; then out='(faiss-gpu|nvidia-[a-z-]+-cu12)'; fi; \
	    awk -v out="^$$out==" '/^[a-zA-Z]/ { kept = $$0 !~ out } kept' docs/requirements.lock; \
	  elif [ $$faiss = gpu ]; then cat requirements.txt; \
	  else sed -e '/^faiss-gpu/d' -e '/^faiss-cpu/s/;.*//' requirements.txt; fi; } >$@.new; \
	if cmp -s $@.new $@; then rm $@.new; else mv $@.new $@; fi

.venv/run.stamp: .venv/requirements.txt
	$(call install,-r .venv/requirements.txt)
	@# opencv-python needs two libraries that a bare Debian does not have.
	@$(PY) -c "import cv2" 2>/dev/null || { \
	  $(call debian_install,libgl1 libglib2.0-0,OpenCV does not start: install libGL and glib with your system's packages (Debian: apt-get install libgl1 libglib2.0-0).); }
	@$(PY) -c "import cv2"
	@touch $@

.venv/test.stamp: tests/requirements.txt .venv/run.stamp
	$(call install,-r .venv/requirements.txt -r tests/requirements.txt)
	@# anomalib brings opencv-python-headless, which writes into the same cv2 folder: test what the product ships.
	@if $(PY) -m pip show -q opencv-python-headless 2>/dev/null; then \
	  $(PY) -m pip uninstall -q -y opencv-python-headless; \
	  $(PY) -m pip install -q --force-reinstall --no-deps "opencv-python==$$($(PY) -c 'from importlib.metadata import version; print(version("opencv-python"))')"; \
	fi
	@$(PY) -c "import cv2"
	@touch $@

assets/node_modules/stamp: assets/package.json assets/package-lock.json
	@command -v npm >/dev/null || { \
	  $(call debian_install,nodejs npm,Checking the scripts needs Node 18 or newer with npm: install them with your system's packages.); }
	cd assets && npm ci --ignore-scripts --no-audit --no-fund
	@touch $@
