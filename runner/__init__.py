"""bridge-run: checked-in workflows of AI agents on models you own."""

__version__ = "0.1.0"
