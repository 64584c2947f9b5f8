"""``bridge-run check``: findings of many files, told in many forms, and mended where that is certain."""
