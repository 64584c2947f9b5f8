"""Doing: the scheduler, the step kinds, the conversation."""
