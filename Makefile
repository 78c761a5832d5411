# Each target that needs the environment builds it first, in .venv. Variables:
#   EXTRA=cpu|cu112  MXNet for the CPU or the GPU (default: what is built, else what nvidia-smi suggests)
#   NOTEBOOKS=work   the folder that JupyterLab opens; in work/ are your own copies of the chapters
#   PORT=8888        JupyterLab's port (default: the first free one from 8888)
#   BROWSER=none     JupyterLab opens no browser
#   CHAPTER=...      the chapter that `make reference` is about
#   HUB=https://...  the JupyterHub that `make links` writes links for
#   ISA=AVX2         `make bench` uses no wider vector instructions, and writes RESULTS-AVX2.md
#   WORKERS=2        how many processes `make scale` trains with
#   CHECKPOINT=...   the folder where `make scale` keeps its training
#   UPGRADE=1        `make lock` takes the newest versions
#   PYTHON=python3   the Python that builds the environment

PYTHON ?= $(if $(shell command -v python3 2>&1),python3,python)
EXTRA ?=
NOTEBOOKS ?= work
CHAPTER ?= batch_norm
WORKERS ?= 2
BIN := .venv/bin
FILES := $(sort $(wildcard notebooks/*.ipynb notebooks/zh/*.ipynb))
SPHINX := sphinx-build --fail-on-warning --keep-going --quiet -c docs
COMPILE = $(PYTHON) tools/bootstrap.py uv pip compile --quiet --universal --python-version 3.11 --generate-hashes \
	--custom-compile-command 'make lock' $(if $(UPGRADE),--upgrade)

# Jupyter and uv stop where they cannot write into the home, as in a container with any user's number
ifneq ($(shell test -w "$$HOME" && echo yes),yes)
export HOME := $(CURDIR)/build/home
endif

.PHONY: help env lab test notebooks translation lint handout links book lock audit reference bench scale clean

help: ## List the targets
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "make %-11s %s\n", $$1, $$2 }' Makefile

env: ## Build the environment in .venv, unless it is up to date
	@command -v $(PYTHON) >/dev/null || { echo "There is no $(PYTHON) on PATH: install Python 3.8 or newer." >&2; exit 1; }
	@$(PYTHON) tools/bootstrap.py env "$(EXTRA)"

lab: env ## Open your own copies of the chapters, in work/, in JupyterLab
	@$(if $(filter work,$(NOTEBOOKS)),$(PYTHON) tools/work.py)
	$(BIN)/jupyter-lab --ip=127.0.0.1 --ServerApp.root_dir="$(NOTEBOOKS)" \
		$(if $(PORT),--port=$(PORT) --ServerApp.port_retries=0) \
		$(if $(filter none,$(BROWSER)),--no-browser) \
		$(if $(filter 0,$(shell id -u)),--allow-root)

test: env ## Run every notebook against its stored outputs, and the tests, side by side
	@# notebooks first: they take the longest
	$(BIN)/pytest --numprocesses=auto --dist=loadfile --no-loadscope-reorder --nbval $(FILES) tests

notebooks: env ## Keep what the chapters define in the package, run every notebook and store its outputs
	$(BIN)/python tools/chapters.py save
	@# lines that MXNet prints from C++ are no output of a cell: nbval does not see them
	D2L_PROGRESS=$$(mktemp -d)/progress.json $(BIN)/jupyter-nbconvert --to notebook --execute --inplace \
		--ExecutePreprocessor.extra_arguments=--IPKernelApp.capture_fd_output=False \
		--ExecutePreprocessor.store_widget_state=False --ExecutePreprocessor.record_timing=False \
		$(FILES)
	@# what a cell prints may come in parts
	$(BIN)/jupyter-nbconvert --to notebook --inplace --coalesce-streams $(FILES)
	$(BIN)/python tools/chapters.py clean

translation: env ## Put new sentences into the Chinese catalogue, and list what the Chinese edition lacks
	$(BIN)/python tools/translation.py

lint: env ## Check style, format and spelling
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	@# ruff would write "# @save"
	@for name in $(FILES); do \
		sed 's/"#@save/"# @save/' $$name | $(BIN)/ruff format --quiet --diff --stdin-filename $$name - || exit 1; done
	$(BIN)/codespell

lock: ## Compile requirements/*.txt from pyproject.toml
	echo setuptools | $(COMPILE) - -o requirements/build.txt
	$(COMPILE) pyproject.toml --extra cpu -o requirements/cpu.txt
	$(COMPILE) pyproject.toml --extra cu112 -c requirements/cpu.txt -o requirements/cu112.txt
	$(COMPILE) pyproject.toml --extra dev -c requirements/cpu.txt -c requirements/cu112.txt -o requirements/dev.txt
	$(COMPILE) --group book -o requirements/book.txt
	$(PYTHON) tools/bootstrap.py uv run --quiet --no-project --python 3.11 --with packaging tools/environments.py

reference: env ## Compute the reference results of CHAPTER
	$(BIN)/python benchmarks/reference.py $(CHAPTER)

bench: env ## Measure d2lhelpers against d2lzh and PyTorch and write benchmarks/RESULTS*.md
	$(PYTHON) tools/bootstrap.py bench
	$(BIN)/python benchmarks/run.py $(ISA)

scale: env ## Train LeNet in WORKERS processes of this machine
	$(BIN)/python benchmarks/scale.py --workers=$(WORKERS) --checkpoint="$(CHECKPOINT)"

book: ## Build the web book in build/book from the stored notebooks
	$(PYTHON) tools/bootstrap.py uv venv --quiet --clear --python 3.11 build/venv
	$(PYTHON) tools/bootstrap.py uv pip sync --quiet --python build/venv --require-hashes requirements/book.txt
	rm -rf build/book build/chapters
	mkdir -p build/chapters/en build/chapters/zh
	cp docs/index.md notebooks/*.ipynb build/chapters/en
	build/venv/bin/$(SPHINX) build/chapters/en build/book
	cp docs/index.zh.md build/chapters/zh/index.md
	cp notebooks/zh/*.ipynb build/chapters/zh
	build/venv/bin/$(SPHINX) -t zh build/chapters/zh build/book/zh
	@echo "The book begins at build/book/index.html."

handout: ## Write the chapters without solutions to build/handout
	$(PYTHON) tools/handout.py

links: ## Print the links for Binder and JupyterHub, from the remote of git
	@$(PYTHON) tools/links.py "$(HUB)"

audit: ## Look for known vulnerabilities of the locked versions
	$(PYTHON) tools/bootstrap.py uv tool run pip-audit --strict --disable-pip --require-hashes \
		-r requirements/cpu.txt -r requirements/cu112.txt -r requirements/dev.txt -r requirements/book.txt

clean: ## Remove the environment, the project's uv and all caches
	rm -rf .venv .tools .pytest_cache .ruff_cache .hypothesis build *.egg-info
	find . -type d '(' -name __pycache__ -o -name .ipynb_checkpoints ')' -prune -exec rm -rf {} +
