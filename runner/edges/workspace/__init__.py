"""Where a run works when not in place, and git."""
