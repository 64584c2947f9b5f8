"""The exit codes of the command line, the only place that numbers them."""

from __future__ import annotations

from enum import IntEnum


class Exit(IntEnum):
    """What a process started by a person or by CI says when it ends."""

    OK = 0
    STEP_FAILED = 1
    USAGE = 2
    FILE = 3
    CANNOT_SERVE = 4
    OUTSIDE = 5
    HISTORY = 6
    WAITING = 8
    BUG = 70
    INTERRUPTED = 130
