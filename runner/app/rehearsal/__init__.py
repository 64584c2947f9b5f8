"""``--rehearse`` and ``--faults``: runs on painted walls, to see every way that a workflow can go."""
