"""Painted walls: the LM Studio simulator."""
