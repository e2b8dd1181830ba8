# Two commands after git clone, nothing else by hand: make demo, make test.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
DATASETS ?= ../shared/data

.DEFAULT_GOAL := help
.PHONY: help demo test soak check bench bench-model bench-scale bench-secure-sum bench-tokens bench-deploy bench-rings bench-borrowing proto results clean

help:  ## this list
	@grep -E '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## /\1\t/' | expand -t 18

demo: $(VENV)/.simulate  ## train over twelve real lenders and draw the report
	$(BIN)/python simulate.py
	@echo "open out/demo/report.html in a browser"

test: $(VENV)/.dev  ## run all tests but the long ones of make soak
	$(BIN)/python -m pytest -n 3 --dist worksteal

soak: $(VENV)/.dev  ## tests that take long: a real list in full, 200 kill points (docs/faults.md), production, rings over Ray
	LIANFANG_DATASETS=$(DATASETS) $(BIN)/python -m pytest -m soak

check: $(VENV)/.dev  ## lint, types, architecture contracts
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy shared client server simulate.py
	$(BIN)/lint-imports --no-logo

bench: bench-model bench-scale bench-secure-sum bench-tokens bench-deploy bench-rings bench-borrowing  ## all measurements (long; needs the data sets in $(DATASETS))

bench-model: $(VENV)/.dev  ## shared model against pooled LightGBM on every data set
	LIANFANG_DATASETS=$(DATASETS) $(BIN)/python tests/bench/model.py --partitions all --families network blend --out bench-out/model.json

bench-scale: $(VENV)/.dev  ## memory and time up to two million rows
	$(BIN)/python tests/bench/scale.py

bench-secure-sum: $(VENV)/.dev  ## secure sum against Flower's SecAgg+ and a plain sum
	$(BIN)/python tests/bench/secure_sum.py

bench-tokens: $(VENV)/.dev  ## tokens and screening against openmined-psi
	$(BIN)/pip install --quiet --disable-pip-version-check -e '.[peers]'
	$(BIN)/python tests/bench/tokens.py

bench-deploy: $(VENV)/.dev  ## real processes: rounds beside Flower's defaults, start-up, kill -9
	$(BIN)/python tests/bench/deploy.py

bench-rings: $(VENV)/.dev  ## detection of fraud rings up to a million people, and how well; RAY=1: in parts over Ray, too
	$(if $(RAY),$(BIN)/python tests/bench/rings_ray.py)
	$(BIN)/python tests/bench/rings_quality.py
	$(BIN)/python tests/bench/case_desk.py
	$(BIN)/python tests/bench/rings.py

bench-borrowing: $(VENV)/.dev  ## borrowing elsewhere: records, two batches over real processes, the demo's pairs of loans
	$(BIN)/python tests/bench/borrowing.py

proto: $(VENV)/.dev  ## generate shared/wire/*_pb2*.py from the .proto files
	$(BIN)/python -m grpc_tools.protoc -I . --python_out=. --pyi_out=. --grpc_python_out=. shared/wire/*.proto

results: $(VENV)/.dev  ## write docs/results.md from fresh measurements
	$(BIN)/python simulate.py --seeds 0 1 2 --out out/results
	$(MAKE) bench
	$(BIN)/python tests/bench/results.py

# pip alone knows the small CPU build of torch, so it is asked for by itself first.
$(VENV)/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "Python 3.11 or newer is needed: make PYTHON=python3.11 …"; exit 1; }
	@echo "installing into $(VENV): 2 to 4 minutes, about 2 GB"
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --disable-pip-version-check torch==2.13.0

$(VENV)/.simulate: pyproject.toml | $(VENV)/bin/python
	$(BIN)/pip install --quiet --disable-pip-version-check -e '.[simulate]'
	touch $@

$(VENV)/.dev: pyproject.toml | $(VENV)/bin/python
	$(BIN)/pip install --quiet --disable-pip-version-check -e '.[dev]'
	touch $@ $(VENV)/.simulate

clean:  ## remove what was made here (not the virtual environment)
	rm -rf out bench-out .mypy_cache .ruff_cache .pytest_cache .hypothesis
