"""The story: load, resolve, plan, run, report."""
