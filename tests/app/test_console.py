"""Text on its way out."""

from __future__ import annotations

import io
import subprocess
import sys
from pathlib import Path

import pytest

from runner.app.console import allows_colour


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize(
    ("terminal", "environment", "wanted", "allowed"),
    [
        (True, {}, True, True),
        (True, {}, False, False),
        (True, {"NO_COLOR": "1"}, True, False),
        (True, {"NO_COLOR": ""}, True, True),
        (True, {"TERM": "dumb"}, True, False),
        (False, {}, True, False),
        (False, {"FORCE_COLOR": "1"}, True, True),
        (False, {"FORCE_COLOR": "0"}, True, False),
        (False, {"FORCE_COLOR": "1", "NO_COLOR": "1"}, True, False),
        (False, {"FORCE_COLOR": "1"}, False, False),
    ],
)
def test_when_colours_are_allowed(terminal: bool, environment: dict[str, str], wanted: bool, allowed: bool) -> None:
    stream = Terminal() if terminal else io.StringIO()
    assert allows_colour(stream, environment, wanted=wanted) is allowed


def test_a_closed_pipe_ends_nothing() -> None:
    program = (
        "import sys; from runner.app.console import say, tell\n"
        "for _ in range(9999): say('x' * 100)\n"
        "tell('still here'); sys.exit(7)"
    )
    line = f'"{sys.executable}" -c "$0" | head -c 1; echo " ${{PIPESTATUS[0]}}"'
    done = subprocess.run(
        ["bash", "-c", line, program], cwd=Path(__file__).parents[2], capture_output=True, text=True, timeout=60
    )
    assert (done.stdout, done.stderr) == ("x 7\n", "still here\n")
