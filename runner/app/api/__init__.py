"""``import runner``: workflows from Python."""
