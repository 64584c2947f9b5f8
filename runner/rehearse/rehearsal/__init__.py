"""Answers made up from schemas and stubs, so that a run without models goes every way."""
