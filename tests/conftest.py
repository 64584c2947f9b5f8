"""Puts ``tests/`` on the path, so that tests share what lies in ``tests/kit``; decides which processes are measured."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

# A shell that starts the tests in the background has Ctrl-C ignored, by them and by every command they start; and some
# of the tests are about Ctrl-C.
signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(autouse=True, scope="session")
def measurement() -> Iterator[Mapping[str, str]]:
    """What makes a Python process measure its coverage, taken out of our own environment.

    It costs a process a quarter of a second, so only those get it that it is given to.
    """
    names = [name for name in os.environ if name.startswith("COVERAGE_PROCESS")]
    taken = {name: os.environ.pop(name) for name in names}
    yield taken
    os.environ.update(taken)
