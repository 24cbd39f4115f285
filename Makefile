# The targets of the project; "make" alone lists them.
PYTHON ?= python3
BIN := .venv/bin
export PATH := $(CURDIR)/$(BIN):$(PATH)
.DEFAULT_GOAL := help
.PHONY: help setup run test test-slow faults cluster cluster-faults lint report-zip bench site pages clean

help: ## list the targets
	@grep -E '^[a-z-]+:.*##' Makefile | sed -E 's/:.*## /\t/' | expand -t 14

setup: $(BIN)/.installed ## make .venv from pinned versions
$(BIN)/.installed: constraints.txt pyproject.toml
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check torch -c constraints.txt
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[dev,torchvision,expression,series,video,tiff,geotiff,zarr,transport,slurm,s3]'
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt --no-deps cdt sktime  # data only
	@touch $@

run: setup ## run the default experiments, print the verdicts and the path of the report
	@snakemake --quiet rules host reason
	@echo && cat logs/report.log

test: setup ## the fast tests
	@pytest -n 2 --dist loadfile --no-loadscope-reorder  # what tests of a file share is made once

test-slow: setup ## Snakemake, DVC and several processes for real
	@pytest -m slow -n 3 --dist loadfile --no-loadscope-reorder  # one more than cores: they wait

faults: setup ## kill, starve and cut off training 50 times
	@FAULTS=50 pytest -m slow tests/faults

cluster: setup ## train on a Slurm cluster that is started on this host (as root)
	@pytest -m cluster -rs tests/cluster

cluster-faults: setup ## 20 times: time limit, preemption, cancellation, killed rank, lost node (30 min)
	@FAULTS=20 pytest -m cluster -k fault -rs -s tests/cluster

lint: setup ## format and lint checks
	ruff check .
	ruff format --check .
	snakefmt --check Snakefile workflow
	pytest -k lint tests/workflow/test_graph.py  # snakemake --lint, less the container it asks for

report-zip: setup ## the figures and run times as a Snakemake report
	snakemake --report results/snakemake-report.zip

bench: setup ## the benchmarks that fit a workstation; figures in benchmarks/RESULTS.md
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[bench]'
	for name in masks augmentation overhead train_step; do python benchmarks/$$name.py; done
	python benchmarks/gpu.py || python benchmarks/gpu.py --smoke

site: setup ## the documentation as pages: site/index.html
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[docs]'
	NO_MKDOCS_2_WARNING=1 mkdocs build --strict  # not --quiet, which drops the warnings that strict counts

pages: setup ## run the start page and the tutorials as they stand (ten minutes)
	@pytest -m pages -n 2

clean: ## remove results, not data or checkpoints
	rm -rf results logs
