# SPDX-License-Identifier: GPL-3.0-or-later
# The one way to demonstrate, check and measure the project. PYTHON may name another Python, 3.11 or newer.

PYTHON ?= python3

BOOTSTRAP := $(PYTHON) tests/tools/bootstrap.py
PY := .venv/bin/python
GATES := $(PY) tests/tools/gates.py

.DEFAULT_GOAL := help
.PHONY: help venv venv-demo demo demo-clean validate schema test lint types docs units sanity ansible-test-units \
	build transcripts molecule test-playbooks secrets test-rounds test-demo acceptance bench load mutations fuzz rounds \
	faults hostile clean

help: ## list the targets
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/\1|\2/p' Makefile | while IFS='|' read -r target text; do \
		printf '  make %-20s %s\n' "$$target" "$$text"; done

venv: ## make .venv with everything that the gates need
	@$(BOOTSTRAP) requirements-dev.txt

venv-demo:
	@$(BOOTSTRAP) requirements.txt

demo: venv-demo ## converge a fleet of model hosts on this machine
	@$(PY) tests/demo.py

demo-clean: venv-demo ## remove the demonstration's hosts
	@$(PY) tests/demo.py --clean

validate: venv-demo ## check the records of a fleet; FLEET=file, by default the example's
	@$(PY) scripts/fleet.py validate $(if $(FLEET),--fleet $(FLEET))

schema: venv-demo ## write schemas/ from the tables of keys
	@$(PY) scripts/fleet.py schema schemas

test: venv ## everything that must hold: all gates from lint to sanity
	@$(GATES)

lint: venv ## ruff, yamllint, ansible-lint
	@$(GATES) $@

types: venv ## mypy
	@$(GATES) $@

docs: venv ## documentation of plugins and roles, changelog fragments
	@$(GATES) $@

units: venv ## unit tests, by pytest alone
	@$(GATES) $@

build: venv ## build the collection, install it elsewhere, use it from there
	@$(GATES) $@

transcripts: venv ## replay recordings of a real host on the model; DIR=folder
	@$(GATES) $@

molecule: venv ## the whole collection on model hosts
	@$(GATES) $@

test-playbooks: venv ## upgrade.yml, rollback.yml and move.yml on a rack of model hosts
	@$(GATES) $@

secrets: venv ## look for passwords wherever they must not be, while runs set and change them, and fail
	@$(GATES) $@

test-rounds: venv ## some rounds of what `make rounds` does
	@$(GATES) $@

test-demo: venv ## the demonstration in a folder of its own, which ends with an error where it is not as it says
	@$(GATES) $@

sanity: venv ## ansible-test sanity
	@$(GATES) $@

ansible-test-units: venv ## ansible-test units: the same tests, as Ansible runs them
	@$(GATES) $@

acceptance: venv ## the whole collection on a real FreeBSD host: JAILISP_HOST, _PORT, _USER, _KEY, _DISK, _BASE
	@$(GATES) $@

bench: venv ## measure times, processes and memory
	@$(GATES) $@

load: venv ## see that nothing grows faster than the number of jails on a host and of hosts
	@$(GATES) $@

mutations: venv ## break the inventory, one thing at a time: the compiler must refuse it, or it must be harmless
	@$(GATES) $@

fuzz: venv ## feed anything to the parsers, the modules and the inventory: no traceback, no endless work
	@$(GATES) $@

rounds: venv ## change the records of 50 jails at random, 200 times: each run foretold, right, and followed by none
	@$(GATES) $@

faults: venv ## kill convergences at every command and file, let each fail and hang: the next run must converge
	@$(GATES) $@

hostile: venv ## let a customer attack from inside, in every known way, all that is done with his jail
	@$(GATES) $@

clean: ## remove whatever make has made, the demonstration apart
	rm -rf .venv .build .ansible .hypothesis tests/output *.tar.gz
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
