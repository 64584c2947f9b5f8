"""The bench of the schedule reckons with files that are right. No figure is judged."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

BENCHMARKS = Path(__file__).resolve().parents[2] / "benchmarks"


@pytest.fixture
def bench(monkeypatch):
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    import schedule

    return schedule


def test_its_workflow_is_right_and_asks_for_every_model(bench, tmp_path):
    path = bench.steps_of_models(tmp_path, 40)
    command = [Path(sys.executable).with_name("bridge-run"), "check", "--offline", "--strict", str(path)]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    plan = bench.plan_of(path, 2)
    assert {step.model.entry.key for step in plan.steps} == set(bench.MODELS)
    assert plan.servers[0].max_loaded == 2
