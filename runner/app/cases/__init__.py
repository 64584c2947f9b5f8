"""``bridge-run test``: test files, their cases, and what came of each."""
