"""The bench measures what it says: its server answers, its floor works, its files are right. No figure is judged."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

BENCHMARKS = Path(__file__).resolve().parents[2] / "benchmarks"


@pytest.fixture
def bench(monkeypatch):
    """``import files, measure`` as run.py does."""
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    import files
    import measure

    return files, measure


def floor(*arguments):
    command = [sys.executable, str(BENCHMARKS / "floor.py"), *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


def test_the_floor_gets_its_answer_and_the_server_keeps_the_time(bench):
    _, measure = bench
    with measure.zero_server("--delay", "40") as server:
        assert floor("chain", server.url, "3") == "done\n"
        assert server.span() >= 0.12
        assert server.span() == 0


def test_a_failed_process_has_no_speed(bench, tmp_path):
    _, measure = bench
    command = measure.Command(argv=(sys.executable, "-c", "raise SystemExit('no')"), cwd=tmp_path, env={})
    with pytest.raises(RuntimeError, match=r"ended with 1:\nno"):
        command.run()


def test_the_files_of_the_bench_are_right(bench, tmp_path):
    files, _ = bench
    files.one_prompt(tmp_path)
    files.chain(tmp_path, 3)
    files.fan(tmp_path, 5, 4)
    files.tools(tmp_path, ["node", "server.js"])
    files.realistic(tmp_path, 4)
    command = [Path(sys.executable).with_name("bridge-run"), "check", "--offline", "--strict", "."]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
