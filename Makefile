# One way to do each thing. `make help` lists them.
PYTHON ?= $(firstword $(foreach name,python3.11 python3.12 python3.13 python3,$(shell command -v $(name))) python3)
VENV ?= .venv
BIN = $(VENV)/bin
SOURCES = src functions images deploy tests examples benchmarks docs
PARALLEL = -n auto --dist loadgroup --no-loadscope-reorder
# a machine with CUDA has torch, so test-gpu installs nothing
GPU_PYTHON ?= $(or $(wildcard $(BIN)/python),python3)
# KiB of addresses that each process of test-attacks may have
ATTACK_MEMORY = 12000000

.DEFAULT_GOAL := help
.PHONY: help install develop demo test test-unit test-schedules test-training test-gpu test-attacks test-inputs fuzz images deploy test-cluster test-outage bench-cluster bench-sweep bench-burst bench-rollout bench-router bench-training bench-switch bench-serving mutate check format docs site clean

help: ## print this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## /{printf "  make %-14s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "Error: knoll needs Python 3.11 or newer"; echo "Fix: make $(MAKECMDGOALS) PYTHON=/path/to/python3.11"; exit 1; }
	@echo "Installing into $(VENV); the first time this takes some minutes"
	$(PYTHON) -m venv $(VENV)

$(BIN)/.installed-%: pyproject.toml | $(BIN)/python
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[$*]'
	@touch $@

install: $(BIN)/.installed-user ## make the virtual environment in .venv, for users
develop: $(BIN)/.installed-dev ## make it with the packages for tests and checks, too

demo: install ## the whole loop on this machine: data, training, canary, prediction
	@$(BIN)/knoll demo

test: develop ## run all tests that need no cluster, on all cores
	$(BIN)/python -m pytest $(PARALLEL) -m "not cluster and not attack and not stress and not gpu and not inputs"

test-unit: develop ## run those of them that need no real S3 server and processes
	$(BIN)/python -m pytest $(PARALLEL) -m "not loop and not cluster and not attack and not stress and not gpu and not inputs"

test-schedules: develop ## play 10,000 random schedules, all pairs of kill points and 1,000 races; SEED=… repeats them
	PYTHONPATH=tests $(BIN)/python -m schedules.run

test-training: develop ## train with several processes, kill 100 trainings, spoil 100; SEED=… kills at other steps
	$(BIN)/python -m pytest -m stress -v

test-gpu: ## train on the NVIDIA GPU of this machine as on its CPU, and print pictures a second; needs no .venv, but torch with CUDA
	PYTHONPATH=src $(GPU_PYTHON) -m pytest --noconftest -rs -s -v -m gpu tests/gpu

test-attacks: develop ## attack the platform on this machine as strangers did, under a memory limit
	ulimit -v $(ATTACK_MEMORY) && $(BIN)/python -m pytest -m "attack and not cluster" -v

test-inputs: develop ## read the pictures and tables that Pillow and csvkit are tested with
	$(BIN)/python -m pytest -m inputs -v

fuzz: develop ## send a million odd requests, pictures, archives, Models and records, for 10 minutes at most; SEED=… repeats them
	PYTHONPATH=tests $(BIN)/python -m fuzz

images: ## build the images with docker, podman, buildah or $$IMAGE_BUILD, and print their sizes
	$(PYTHON) images/build.py

deploy: install ## put knoll on the cluster of the current kubeconfig
	$(BIN)/python deploy/deploy.py

test-cluster: develop ## run the tests that need a cluster, each in its own namespace
	$(BIN)/python -m pytest -m "cluster and not outage" -v

test-outage: develop ## run the test in which $$PROCESS_COMMAND stops the API server and etcd for a minute
	$(BIN)/python -m pytest -m outage -v

bench-cluster: develop ## measure the loop on a cluster beside peers, in its own namespace
	$(BIN)/python benchmarks/cluster.py

bench-sweep: develop ## measure what a tick costs after 100,000 runs
	$(BIN)/python benchmarks/sweep.py

bench-burst: develop ## measure 10,000 notifications at once with two kills, beside a Job for each event
	$(BIN)/python benchmarks/burst.py

bench-rollout: develop ## simulate a rule for rollouts, beside Flagger and Argo; RUNS=… runs a row; writes docs/benchmarks.md
	$(BIN)/python benchmarks/rollout.py --runs $(or $(RUNS),400) --page docs/benchmarks.md

bench-router: develop ## measure what a request costs by way of the router, and whether a shadow delays it
	$(BIN)/python benchmarks/router.py

bench-training: develop ## measure the training loop beside plain torch, checkpoints, and two processes beside one
	$(BIN)/python benchmarks/training.py

bench-switch: develop ## roll out 100 good and bad versions in a row under load, on a real platform on this machine
	PYTHONPATH=tests $(BIN)/python benchmarks/switch.py

bench-serving: develop ## measure the start of a predictor and its answers, beside a stock kserve server
	$(BIN)/python benchmarks/serving.py

mutate: $(BIN)/.installed-mutation ## change the judgement and the state machine of rollouts in each small way; name the changes that no test notices
	$(BIN)/mutmut run $(MUTANTS)
	$(BIN)/mutmut results
	PYTHONPATH=tests $(BIN)/python -m support.mutants

check: develop ## check style, types and layers
	$(BIN)/ruff format --check $(SOURCES)
	$(BIN)/ruff check $(SOURCES)
	$(BIN)/mypy
	$(BIN)/lint-imports

format: develop ## write the style that check wants
	$(BIN)/ruff format $(SOURCES)
	$(BIN)/ruff check --fix $(SOURCES)

docs: develop ## write the pages, and parts of pages, that are made from the code
	$(BIN)/python docs/generate.py

site: develop ## the documentation as a web site, in build/site
	NO_MKDOCS_2_WARNING=1 $(BIN)/python -m mkdocs build --strict

clean: ## remove what make made
	rm -rf $(VENV) build dist .pytest_cache .mypy_cache .ruff_cache .hypothesis mutants src/*.egg-info
