# Everything is in tools/, which needs Python's standard library only.
# Arguments: make test ARGS="-k refund"    make demo ARGS=--once
# make histories ARGS=7 (one by its seed)    make check-stripe STRIPE_KEY=sk_test_…
PYTHON ?= python3
COMMANDS = setup demo screenshots test compat histories fuzz faults account-tests check-stripe \
	bench lint shell run pot wheel checks ci clean

.PHONY: help $(COMMANDS)

help:
	@$(PYTHON) -m tools help

$(COMMANDS):
	@$(PYTHON) -m tools $@ $(ARGS)
