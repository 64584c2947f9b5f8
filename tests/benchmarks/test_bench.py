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
    files.failing(tmp_path, 3, "10ms")
    files.long_talk(tmp_path, 3, "text")
    files.refused(tmp_path, 2)
    files.bounded(tmp_path)
    command = [Path(sys.executable).with_name("bridge-run"), "check", "--offline", "--strict", "."]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_every_other_prompt_is_refused_and_asked_again_after_its_wait(bench, tmp_path):
    files, measure = bench
    with measure.zero_server("--fail") as server:
        assert floor("retry", server.url, "2", "0.04") == ""
        failed, _, failed_again = server.watch().gaps
        assert min(failed, failed_again) >= 0.04
        measure.bridge_run(tmp_path, str(files.failing(tmp_path, 2, "10ms")), "--quiet", url=server.url).run()
        assert len(server.watch().gaps) == 3
    assert [event["type"] for event in measure.newest_journal(tmp_path)].count("step_retried") == 2


def test_a_long_talk_reads_every_file(bench, tmp_path):
    files, measure = bench
    path = str(files.long_talk(tmp_path, 3, "text"))
    options = ("--tool-rounds", "3", "--tool", "read", "--arguments", '{"path": "part-{}.txt"}')
    with measure.zero_server(*options) as server:
        assert floor("read", server.url, str(tmp_path / "parts")) == "done\n"
        assert len(server.watch().gaps) == 3
        measure.bridge_run(tmp_path, path, "--quiet", url=server.url).run()
        assert len(server.watch().gaps) == 3
    returned = [event for event in measure.newest_journal(tmp_path) if event["type"] == "tool_returned"]
    assert [event["is_error"] for event in returned] == [False, False, False]


def test_a_stream_comes_in_as_many_pieces_as_asked_for(bench):
    _, measure = bench
    with measure.zero_server("--tokens", "4", "--pace", "0.1") as server:
        assert floor("prompt", server.url) == " w0 w1 w2 w3\n"
