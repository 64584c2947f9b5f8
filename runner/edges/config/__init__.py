"""The configuration files: ``bridge.toml`` and ``[tool.bridge-run]``."""
