"""``bridge-run lock`` and ``--locked``: what servers are, written down, compared, and standing in for them."""
