# Everything is in tools/, which needs Python's standard library only.
# Arguments: make test ARGS="-k refund"    make demo ARGS=--once
PYTHON ?= python3

.PHONY: help setup demo screenshots test lint shell run pot clean ci

help:
	@$(PYTHON) -m tools help

setup demo screenshots test lint shell run pot clean ci:
	@$(PYTHON) -m tools $@ $(ARGS)
