"""The bench of the bridge does what it says, in small. No figure is judged."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

BENCHMARKS = Path(__file__).resolve().parents[2] / "benchmarks"


@pytest.fixture
def bridge(monkeypatch):
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    import bridge
    import measure

    return bridge, measure


def script(*arguments: str) -> str:
    command = [sys.executable, str(BENCHMARKS / "bridge.py"), *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


def test_calls_are_made_and_what_they_leave_is_told(bridge):
    _, measure = bridge
    with measure.zero_server() as server:
        told = json.loads(script("calls", server.url, "3"))
        assert server.span() > 0, "the server was asked"
    assert told.keys() == {"warm", "end"}
    assert told["end"] > 1_000_000


def test_a_task_whose_server_does_not_start_has_no_speed(bridge):
    _, measure = bridge
    with measure.zero_server() as server:
        with pytest.raises(subprocess.CalledProcessError):
            script("task", server.url, "sh", "-c", "exit 3")
        assert server.span() == 0
