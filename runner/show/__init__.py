"""Telling: findings, plans, progress, results; readers of events."""
