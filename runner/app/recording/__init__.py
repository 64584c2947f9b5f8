"""``--record`` and ``--replay``: runs that are written down, and runs that need nothing but that."""
