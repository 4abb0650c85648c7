# Every target sets up what it needs: `make reproduce` and `make test` work in a fresh clone.
PYTHON := .venv/bin/python
SCALE ?=
ARGS ?=
.DEFAULT_GOAL := help
.PHONY: help demo reproduce reproduce-cifar10 reproduce-cifar100 reproduce-imagenet plan watch figures report site \
	notebooks bench bench-gpu bench-growth test pytest test-slow lint clean

help:  ## Show this help
	@awk 'BEGIN {FS = ":.*## "} /^[a-z0-9-]+:.*## / {printf "  make %-20s %s\n", $$1, $$2}' Makefile
	@echo "What they call: .venv/bin/mixup-repro --help"

# Python 3.11 to 3.13, the newest there is. Exact versions come from requirements.lock.
.venv/installed: pyproject.toml requirements.lock
	@found=; for p in python3.13 python3.12 python3.11 python3 python; do \
	  if $$p -c 'import sys, venv; sys.exit(not (3, 11) <= sys.version_info < (3, 14))' 2>/dev/null; \
	  then found=$$p; break; fi; done; \
	if [ -z "$$found" ]; then echo "error: Python 3.11, 3.12 or 3.13 is needed; install one and run make again" >&2; exit 2; fi; \
	echo "installing into .venv with $$found (a few minutes, once)"; \
	[ -x $(PYTHON) ] || $$found -m venv .venv
	@$(PYTHON) -m pip install --quiet --disable-pip-version-check --constraint requirements.lock --editable '.[dev]'
	@$(PYTHON) -m pip install --quiet --disable-pip-version-check --constraint requirements.lock --no-deps imagecorruptions
	@touch $@

# The longest first: they are trained side by side.
ITEMS = carratino2020/fig4_digits carratino2020/temperature_digits carratino2020/fig5_digits \
	chidambaram2022/fig3_moons carratino2020/fig8_moons carratino2020/fig9_moons \
	notes/linearity_digits notes/calibration_digits notes/strength_digits notes/membership_digits \
	carratino2020/fig1_ring carratino2020/fig1_arch carratino2020/ablation_digits \
	chidambaram2022/fig1 chidambaram2022/fig8_x10_2 chidambaram2022/fig8_x10_10

# Figure 1 of Carratino et al. with half of its epochs and 3 of its 10 data sets.
DEMO = experiment=carratino2020/fig1_ring recipe.epochs=100 seeds=3 hardware.device=cpu
demo: .venv/installed  ## Mixup beside ERM on points in the plane: one picture, half a minute on 2 cores
	@$(PYTHON) scripts/train.py -m $(DEMO)
	@$(PYTHON) scripts/report.py $(DEMO)

reproduce: .venv/installed  ## Train and draw every item that needs no download (minutes on 2 cores)
	@code=0; $(PYTHON) scripts/reproduce.py $(ITEMS) || code=$$?; \
	$(PYTHON) scripts/report.py || code=$$?; exit $$code

# The paper's network is ResNet-34; SCALE=short trains LeNet for 40 epochs, which a CPU can.
NETWORK := $(if $(filter short,$(SCALE)),_lenet)
GPUS := $(shell nvidia-smi --list-gpus 2>/dev/null | wc -l)
# Several GPUs train the runs of CIFAR side by side, as the cores do where there is no GPU, and share
# each run of ImageNet.
SIDE_BY_SIDE := $(if $(filter 1,$(GPUS)),,hardware=node)
TORCHRUN = $(PYTHON) -m torch.distributed.run --standalone --nproc-per-node=$(if $(filter-out 0,$(GPUS)),$(GPUS),1)

# $(1) the item, $(2) what starts train.py, $(3) more fields
define reproduce_item
	@if [ -z "$(SCALE)" ] && ! $(PYTHON) -c 'import sys, torch; sys.exit(not torch.cuda.is_available())'; then \
	  echo "no GPU here, so nothing was trained; make $@ SCALE=short trains less. By size:" >&2; \
	  $(PYTHON) scripts/plan.py --ladder experiment=carratino2020/$(1) hardware=node $(ARGS); exit 2; fi
	@$(PYTHON) scripts/plan.py experiment=carratino2020/$(1) $(if $(SCALE),scale=$(SCALE)) $(3) $(ARGS)
	@code=0; $(2) scripts/train.py -m experiment=carratino2020/$(1) $(if $(SCALE),scale=$(SCALE)) $(3) $(ARGS) || code=$$?; \
	$(PYTHON) scripts/report.py || code=$$?; exit $$code
endef

reproduce-cifar10: .venv/installed  ## Carratino Fig. 4 on CIFAR-10: ResNet-34 on GPUs; SCALE=short: LeNet on a CPU
	$(call reproduce_item,fig4_cifar10$(NETWORK),$(PYTHON),$(SIDE_BY_SIDE))

reproduce-cifar100: .venv/installed  ## The same on CIFAR-100
	$(call reproduce_item,fig4_cifar100$(NETWORK),$(PYTHON),$(SIDE_BY_SIDE))

reproduce-imagenet: .venv/installed  ## The same on ImageNet, ResNet-50 on all GPUs: ARGS=dataset.root=<folder>
	$(call reproduce_item,fig4_imagenet,$(TORCHRUN))

# Table 2, a row a target: the Mixup runs of reproduce-imagenet on a released folder. Where it lies,
# and what it must hold, is in configs/benchmark/; or ARGS=benchmark.root=<folder>.
TABLE2 = imagenet-c imagenet-c-resized imagenet-a imagenet-a-200 imagenet-v2 imagenet-vid-robust \
	ytbb-robust objectnet
.PHONY: $(TABLE2)
imagenet-c:  ## Carratino Table 2, ImageNet-C as released; ARGS as in reproduce-imagenet
imagenet-c-resized:  ## The same, resized as in the authors' code
imagenet-a:  ## ImageNet-A among 1000 classes
imagenet-a-200:  ## ImageNet-A among its 200
imagenet-v2:  ## ImageNetV2, matched frequency
imagenet-vid-robust:  ## ImageNet-Vid-Robust, accuracy (pm-10)
ytbb-robust:  ## YTBB-Robust, accuracy (pm-10)
objectnet:  ## ObjectNet, its 113 classes of ImageNet
$(TABLE2): .venv/installed
	@$(TORCHRUN) scripts/evaluate.py -m experiment=carratino2020/table2_imagenet benchmark=$(subst -,_,$@) \
	  $(if $(SCALE),scale=$(SCALE)) $(ARGS)
	@$(PYTHON) scripts/report.py

plan: .venv/installed  ## Runs done and missing, hours, disk: make plan ITEM=carratino2020/fig4_digits ARGS=--probe
	@$(PYTHON) scripts/reproduce.py --plan $(or $(ITEM),$(ITEMS)) $(if $(SCALE),scale=$(SCALE)) $(ARGS)

watch: .venv/installed  ## The same table, live while they train: make watch ITEM=carratino2020/fig4_digits
	@$(PYTHON) scripts/plan.py experiment=$(or $(ITEM),$(error ITEM=<paper>/<grid> names the experiment)) \
	  $(if $(SCALE),scale=$(SCALE)) $(ARGS) --watch 5

figures: .venv/installed  ## Draw every figure and table again from the committed results
	@$(PYTHON) scripts/report.py --no-collect

report: .venv/installed  ## Merge runs, draw, write REPORT.md, README's verdicts, and the site
	@$(PYTHON) scripts/report.py
	@$(PYTHON) scripts/site.py

site: .venv/installed  ## Write the results as pages, from results/ alone: site/index.html
	@$(PYTHON) scripts/site.py

notebooks: .venv/installed  ## Execute the notebooks in place
	@$(PYTHON) scripts/notebooks.py

bench: .venv/installed  ## Print our speed beside the plain loop's, measured in one process
	@$(PYTHON) scripts/bench.py

bench-gpu: .venv/installed  ## The same on a GPU, with the share of the chip's limit
	@$(PYTHON) scripts/bench_gpu.py

bench-growth: .venv/installed  ## Seconds of report, plan and a sweep for 500 and 1,000 finished runs
	@$(PYTHON) scripts/bench_growth.py

test: .venv/installed  ## Lint, and the tests that take minutes at most
	@$(MAKE) --no-print-directory -j 2 lint pytest

pytest:
	@OMP_NUM_THREADS=1 $(PYTHON) -m pytest -n auto --maxprocesses 4

# In one process: a full-scale run in each of several would need their memory at once.
test-slow: .venv/installed  ## The slow tests alone
	@$(PYTHON) -m pytest -m slow

lint: .venv/installed  ## Check style and format with ruff, types with mypy
	@$(PYTHON) -m ruff check .
	@$(PYTHON) -m ruff format --check .
	@$(PYTHON) -m mypy

clean:  ## Remove caches; runs, data, results and .venv stay
	@rm -rf .pytest_cache .ruff_cache .mypy_cache .hypothesis .hydra build *.egg-info
	@find . -name __pycache__ -not -path './.venv/*' -prune -exec rm -rf {} +
