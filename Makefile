PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin

DEMO := .venv-demo/bin
OUT := demo-output

.PHONY: demo test check format

demo: .venv-demo/.ready
	mkdir -p $(OUT)
	$(DEMO)/fetalclip-edge stream --device demo --output-video $(OUT)/demo.mkv \
		--output-jsonl $(OUT)/demo.jsonl --summary $(OUT)/summary.json
	$(DEMO)/python examples/compare_with_truth.py $(OUT)/demo.jsonl
	@echo "annotated video, record and summary are in $(OUT)/"

test: $(VENV)/.ready
	$(BIN)/python -m pytest

check: $(VENV)/.ready
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

format: $(VENV)/.ready
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

# torch and torchvision are installed together, so that they are a pair
$(VENV)/.ready: pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --upgrade pip
	$(BIN)/python -m pip install --quiet torch torchvision
	$(BIN)/python -m pip install --quiet -e ".[train,dev]"
	touch $@

.venv-demo/.ready: pyproject.toml
	$(PYTHON) -m venv .venv-demo
	.venv-demo/bin/python -m pip install --quiet --upgrade pip
	.venv-demo/bin/python -m pip install --quiet -e ".[cpu]"
	touch $@
