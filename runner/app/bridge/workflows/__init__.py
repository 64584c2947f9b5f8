"""Checked-in workflow files as tools of the bridge."""
