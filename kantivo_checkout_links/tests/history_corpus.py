"""Seeds of random histories that once found a difference; they always run.

A seed means the same history only while the steps stay as they are: who changes a step
runs ``make histories``, and replaces seeds here by new ones that fail without the fix.
"""

# What was wrong, by seed.
CORPUS: dict[int, str] = {
    21: "refunds of a reclassified sale were rounded one by one: a cent of tax stayed",
    24: "a dispute whose money came back in parts stayed disputed",
    52: "the check didn't know that what is lost before a reclassification stays",
    171: "the check took a cent for the unit of a company in yen",
}
