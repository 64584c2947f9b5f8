"""Text on its way out of the process: stdout for results, stderr for all else, and neither ever breaks a run.

A reader that goes away (``| head -1``) or an encoding that lacks a letter must change no exit code.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from typing import TextIO


def say(text: str) -> None:
    """A result: to stdout, with one newline at its end."""
    _write(sys.stdout, text)


def tell(text: str) -> None:
    """Anything else a person should read: to stderr, with one newline at its end."""
    _write(sys.stderr, text)


def allows_colour(stream: TextIO, environment: Mapping[str, str], *, wanted: bool) -> bool:
    """Whether to write ANSI colours: https://no-color.org first, then FORCE_COLOR, then a terminal that can."""
    if not wanted or environment.get("NO_COLOR"):
        return False
    if environment.get("FORCE_COLOR", "0") != "0":
        return True
    return stream.isatty() and environment.get("TERM") != "dumb"


def _write(stream: TextIO, text: str) -> None:
    if not text:
        return
    try:
        stream.write(text if text.endswith("\n") else text + "\n")
        stream.flush()
    except BrokenPipeError:
        leave_quietly(stream)


def leave_quietly(stream: TextIO) -> None:
    """Send what is still buffered nowhere, so that the interpreter's last flush stays silent too."""
    with open(os.devnull, "wb") as nowhere:  # noqa: PTH123 - the null device is no path of ours
        os.dup2(nowhere.fileno(), stream.fileno())
