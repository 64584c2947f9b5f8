"""Repairs of a file's findings, where they are certain."""
