# Two commands do everything: `make reproduce` and `make test`. `make help` lists the rest.
PYTHON ?= python3
CORES ?= 2
VENV := .venv
BIN := $(VENV)/bin
SNAKEMAKE := PATH="$(CURDIR)/$(BIN):$$PATH" $(BIN)/snakemake --cores $(CORES)
GPU_RESULTS ?= results/gpu.json
GPU_OPTIONS ?=
QUICK := --configfile configs/quick.yaml

.DEFAULT_GOAL := help
.PHONY: help setup reproduce quick published results record test test-faults test-slurm lint format bench bench-gpu clean

help: ## List the commands.
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/  make \1\t\2/p' $(MAKEFILE_LIST) | expand -t 20

setup: ## Make the virtual environment in .venv, when the pins have changed or it is broken.
	@PYTHON="$(PYTHON)" sh envs/set_up.sh $(VENV)

reproduce: setup ## Run the main job: config.yaml, from corpora to report.
	@$(SNAKEMAKE) report

quick: setup ## The same rules at small scale, in under three minutes.
	@$(SNAKEMAKE) report $(QUICK)

published: setup ## Analyse the paper's own numbers; trains nothing.
	@$(SNAKEMAKE) published

results: setup ## Rebuild pages, figures and tables of docs/RESULTS.md and docs/results/ from the recorded runs.
	@for config in docs/results/*/config.json; do \
	    run=$$(basename $$(dirname $$config)); \
	    $(BIN)/python -m workflow_scripts.records restore --recorded docs/results/$$run \
	        --run results/recorded/$$run --config results/recorded/$$run.json && \
	    $(SNAKEMAKE) report --configfile results/recorded/$$run.json || exit 1; done
	@$(BIN)/python -m workflow_scripts.records write --runs results/recorded --documents docs/results/*.md
	@$(BIN)/python -m workflow_scripts.records fill --runs results/recorded --template docs/results/findings.md.j2 --page docs/RESULTS.md

record: setup ## Keep the small tables of a finished run in docs/results: make record RUN=real.
	@$(BIN)/python -m workflow_scripts.records keep --run results/$(RUN) --recorded docs/results/$(RUN)

test: setup ## Run the tests, in two processes.
	@PATH="$(CURDIR)/$(BIN):$$PATH" $(BIN)/python -m pytest -n 2 --no-loadscope-reorder

test-faults: setup ## Damage files, kill runs, feed nonsense: the long version of what test does.
	@PATH="$(CURDIR)/$(BIN):$$PATH" PLUMBLINE_DAMAGES=500 PLUMBLINE_KILLS=100 PLUMBLINE_INPUTS=1000 $(BIN)/python -m pytest -m faults -rA

test-slurm: setup ## Run the tests on a real Slurm of one node, which is installed (as root) and started for it.
	@sh tests/slurm/install.sh
	@PATH="$(CURDIR)/$(BIN):$$PATH" PLUMBLINE_SLURM=1 $(BIN)/python -m pytest tests/slurm

lint: setup ## ruff, mypy, snakefmt and snakemake --lint.
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy
	@$(BIN)/snakefmt --check Snakefile rules
	@$(SNAKEMAKE) --lint

format: setup ## Format Python and Snakemake files.
	@$(BIN)/ruff format .
	@$(BIN)/ruff check --fix .
	@$(BIN)/snakefmt Snakefile rules

bench: setup ## Measure what the documentation claims (minutes).
	@for name in fisher architectures distance training coverage statistics mixing ranking selecting; do \
	    echo "== benchmarks.$$name"; $(BIN)/python -m benchmarks.$$name || exit 1; done

bench-gpu: ## Measure on a GPU with the Python given: make bench-gpu PYTHON=python3
	@$(PYTHON) -m benchmarks.gpu --output $(GPU_RESULTS) $(GPU_OPTIONS)

clean: ## Remove results and caches; the virtual environment stays.
	rm -rf results .snakemake .pytest_cache .mypy_cache .ruff_cache .hypothesis
