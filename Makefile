# Two commands: `make demo` shows the product on bare hosts, `make test` proves it. Both do all set-up by themselves.
SHELL := bash
.SHELLFLAGS := -eu -o pipefail -c
.DELETE_ON_ERROR:
.NOTPARALLEL:

BIN := .venv/bin
LAB := $(BIN)/python lab/lab.py
# A plain `su` leaves the directories of system programs out.
export PATH := $(CURDIR)/$(BIN):$(PATH):/usr/sbin:/sbin
# What a person's own environment sets must not change what this project does.
unexport ANSIBLE_CONFIG ANSIBLE_COLLECTIONS_PATH ANSIBLE_INVENTORY

# Tests of the controller touch no host of the lab, which all others share. Those that fork want a process without threads.
FORKING := tests/controller/test_fingerprints.py
SIDE_BY_SIDE := -n 2 --dist worksteal --ignore $(FORKING)
# Run tests with the oldest and with the newest ansible-core.
on_each_core = for core in floor next; do PATH="$(CURDIR)/.venv-$$core/bin:$$PATH" .venv-$$core/bin/python -m pytest -q $(1); done

.PHONY: help setup lab app lint unit checks browser pictures scenarios matrix test test-long ubuntu demo demo-nogo schema benchmark-verify benchmark-converge clean

help: ## Show this list
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 12

setup: .venv/.ready .collections/ansible_collections/gonogo/preflight ## Make the virtual environment, the collection link and the lab's passwords
	@$(LAB) secrets

.venv/.ready: requirements/controller.txt requirements/dev.txt requirements/unit.txt tools/setup.sh
	@tools/setup.sh controller
	@touch $@

.venv-unit/.ready: requirements/unit.txt tools/setup.sh
	@tools/setup.sh unit
	@touch $@

.venv-floor/.ready .venv-next/.ready .venv-bench/.ready: .venv-%/.ready: requirements/%.txt tools/setup.sh
	@tools/setup.sh $*
	@touch $@

.venv-app/.ready: examples/app/requirements-test.txt tools/setup.sh
	@tools/setup.sh app
	@touch $@

.collections/ansible_collections/gonogo/preflight:
	@mkdir -p $(@D) && ln -sfn ../../.. $@

lab: setup ## Start the lab: engine, image, hosts
	@$(LAB) up

lint: setup ## ansible-lint, ruff, mypy, ansible-test sanity
	@tools/lint.sh

unit: .venv-unit/.ready .venv-app/.ready ## Unit tests, without Ansible and without the lab; those of the example application
	@.venv-unit/bin/python -m pytest -q tests/unit
	@.venv-app/bin/python -m pytest -q examples/app/tests

app: lab
	@$(BIN)/python examples/app/build_image.py

browser: setup ## Open the report in a browser
	@tools/setup.sh browser
	@$(BIN)/python -m pytest -q tests/browser

pictures: setup ## Take the pictures of docs/ anew
	@tools/setup.sh browser
	@GONOGO_PICTURES=docs $(BIN)/python -m pytest -q tests/browser -k picture

checks: setup .venv-unit/.ready .venv-app/.ready # Each keeps one processor busy.
	@mkdir -p .cache
	@$(MAKE) --no-print-directory lint >.cache/lint.log 2>&1 & lint=$$!; status=0; \
	  $(MAKE) --no-print-directory unit || status=$$?; wait $$lint || status=$$?; cat .cache/lint.log; exit $$status

test: checks browser app ## Every check and every test
	@$(BIN)/python -m pytest -q $(SIDE_BY_SIDE) tests/controller
	@$(BIN)/python -m pytest -q $(FORKING) tests/lab
	@$(MAKE) --no-print-directory matrix scenarios

scenarios: app ## The Molecule scenarios: a closed gate, three hosts, one host
	@for scenario in gate_closed fleet default; do $(BIN)/molecule test -s $$scenario; done

matrix: app .venv-floor/.ready .venv-next/.ready ## The oldest and the newest ansible-core: refusals, and the lab verified
	@$(call on_each_core,$(SIDE_BY_SIDE) tests/controller/test_bad_input.py)
	@$(call on_each_core,$(FORKING) tests/matrix)

test-long: app .venv-floor/.ready .venv-next/.ready ## The long proofs that `make test` leaves out
	@$(BIN)/python -m pytest -q -m long tests/controller tests/lab
	@$(call on_each_core,$(SIDE_BY_SIDE) tests/controller)
	@$(MAKE) --no-print-directory ubuntu

ubuntu: export GONOGO_LAB_IMAGE := ubuntu:24.04
ubuntu: setup ## The proofs of hosts and access on Ubuntu 24.04; its hosts take the place of the lab's
	@$(LAB) up --fresh
	@$(BIN)/python examples/app/build_image.py
	@$(BIN)/python -m pytest -q -m "long or not long" $(addprefix tests/lab/test_,$(addsuffix .py,bare_to_go ssh lockout firewall fail2ban accounts os docker items))
	@$(LAB) remove lab-app lab-data lab-watch

demo: app ## Provision bare hosts, verify them, deploy on GO
	@lab/demo.sh

demo-nogo: app ## Break Redis persistence, see NO-GO, mend it with the command of the report
	@$(BIN)/python lab/demo_nogo.py

schema: setup ## Write checklists/schema.json anew
	@$(BIN)/python tools/schema.py

benchmark-verify: app .venv-bench/.ready ## Time verification beside other ways to check the same, write docs/benchmarks.md
	@$(BIN)/python benchmarks/verify/run.py

benchmark-converge: app ## Time provisioning of a bare and of a converged host, write docs/benchmarks.md
	@$(BIN)/python benchmarks/converge/run.py

clean: ## Remove the lab and everything that make has made
	@python3 lab/lab.py clean
	@rm -rf .venv .venv-* .collections .cache .ansible .mypy_cache .ruff_cache .pytest_cache .hypothesis reports tests/output
	@find . \( -name __pycache__ -o -name '.*_cache' \) -type d -prune -exec rm -rf {} +
