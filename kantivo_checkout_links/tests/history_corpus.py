"""Seeds of random histories that once found a difference; they always run.

A seed means the same history only while the steps stay as they are: who changes a step
runs ``make histories``, and replaces seeds here by new ones that fail without the fix.
"""

# What was wrong, by seed.
CORPUS: dict[int, str] = {}
