"""The order of the work in which models are loaded as few times as possible."""
