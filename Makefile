# A few verbs. Each makes what it needs: a virtual environment, pinned packages, the GL library for the camera.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
PIP_FLAGS := --quiet --disable-pip-version-check --progress-bar off

.PHONY: help demo test test-long check gl clean

help:  ## what there is
	@grep -E '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 14

demo: $(STAMP) gl  ## an agent learns cartpole-swingup for 5 minutes; ends with the path of a report
	@MUJOCO_GL=$${MUJOCO_GL:-egl} $(BIN)/python -m robot_agent.cli.demo

test: $(STAMP) $(VENV)/triton-3.6 gl  ## the tests, all but the long ones
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -m "not long"

test-long: $(STAMP) gl  ## the tests that learn for minutes
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -m long

check: $(STAMP)  ## format, lint, types, and the direction of imports
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	PYTHONPATH=.:kernels:sim:bodies:ros_nodes:calibration:bags $(BIN)/lint-imports

gl:  ## the library that renders the camera, if it is missing
	@if ldconfig -p 2>/dev/null | grep -q libEGL.so.1 && ls /usr/lib/*/dri/swrast_dri.so >/dev/null 2>&1; then :; \
	elif [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then \
		{ apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq libegl1 libgl1-mesa-dri >/dev/null; } || \
		echo "GL could not be installed: the camera is ray-cast, slower but real"; \
	else \
		echo "no GL: the camera is ray-cast, slower but real; for GL run: sudo apt-get install -y libegl1 libgl1-mesa-dri"; \
	fi

clean:  ## remove the virtual environment
	rm -rf $(VENV)

$(VENV)/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))' || \
		{ echo "$(PYTHON) is $$($(PYTHON) --version), expected 3.11 to 3.13: run make PYTHON=python3.11"; exit 1; }
	@$(PYTHON) -m venv $(VENV) || { rm -rf $(VENV); echo "no venv module: run sudo apt-get install -y python3-venv"; exit 1; }

$(VENV)/triton-3.6: | $(STAMP)
	@echo "installing the oldest supported Triton for the tests of its kernels"
	@$(BIN)/python -m pip install $(PIP_FLAGS) --no-deps --target $@.partial 'triton==3.6.*'
	@mv $@.partial $@

$(STAMP): pyproject.toml constraints.txt | $(VENV)/bin/python
	@echo "installing into $(VENV) (a few minutes the first time)"
	@$(BIN)/python -m pip install $(PIP_FLAGS) -c constraints.txt torch
	@$(BIN)/python -m pip install $(PIP_FLAGS) -c constraints.txt -e '.[test,dev]'
	@touch $@
