"""Ctrl-C and SIGTERM at every stage of a run: it ends soon, says so, and leaves nothing but its record."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from kit.leftover import assert_closed, processes_of
from kit.project import Ended, Project, interrupt, wait_until
from kit.servers import ODD
from syrupy.assertion import SnapshotAssertion

pytestmark = pytest.mark.unmeasured  # what a signal ends has no time to write down what it did
Serve = Callable[..., str]
SIGNALS = pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM], ids=lambda number: number.name)
ASK = "version: 1\nname: ask\nsteps:\n  - id: answer\n    task: Say something.\n"
AFTER = "  - {id: after, needs: [answer], task: Go on.}\n"


def odd(project: Project, mode: str, extra: str = "") -> str:
    project.write("odd.py", ODD.read_text("utf-8"))
    return f"mcp_servers:\n  odd: {{command: python, args: [odd.py, {mode}, '{extra}']}}\n"


def stopped(project: Project, at: str, number: int, *options: str) -> Ended:
    """Run ask.yaml until its stderr or its journal shows ``at``, then send the signal."""
    process = project.start("ask.yaml", *options)
    wait_until(lambda: _reached(project, process, at), f"the journal says {at}")
    interrupt(process, number)
    return project.ended(process, timeout=30)


def _reached(project: Project, process: subprocess.Popen[str], at: str) -> bool:
    if process.poll() is not None:
        raise AssertionError(project.ended(process))
    return any(at in (run / "journal.jsonl").read_text("utf-8") for run in project.runs() if _has_journal(run))


def _has_journal(run: Path) -> bool:
    return (run / "journal.jsonl").exists()


def assert_cancelled(project: Project, ended: Ended, *steps: str) -> None:
    assert ended.code == 130, ended
    assert "Traceback" not in ended.err
    assert_closed(project, "cancelled")
    result = project.result()
    assert result["exit_code"] == 130
    assert [id for id, step in result["steps"].items() if step["status"] == "cancelled"] == list(steps)


@SIGNALS
def test_while_servers_start(project: Project, snapshot: SnapshotAssertion, number: int) -> None:
    project.write("ask.yaml", f"version: 1\nname: ask\n{odd(project, 'silent')}steps: [{{id: echo, tool: odd.echo}}]\n")
    ended = stopped(project, "run_started", number)
    assert str(ended) == snapshot
    assert_cancelled(project, ended, "echo")


@SIGNALS
def test_while_the_model_is_silent(project: Project, serve: Serve, snapshot: SnapshotAssertion, number: int) -> None:
    serve([{"say": "At last."}], first_token="60s")
    project.write("ask.yaml", ASK + AFTER)
    ended = stopped(project, "model_asked", number)
    assert str(ended) == snapshot
    assert_cancelled(project, ended, "answer", "after")


@SIGNALS
def test_while_the_model_talks(project: Project, serve: Serve, number: int) -> None:
    serve([{"say": "word " * 2000, "chunk": 5}], tokens_per_second=20)
    project.write("ask.yaml", ASK + AFTER)
    assert_cancelled(project, stopped(project, "model_asked", number), "answer", "after")


@SIGNALS
def test_while_a_tool_works_for_a_model(
    project: Project, serve: Serve, snapshot: SnapshotAssertion, number: int
) -> None:
    serve([{"call": [{"tool": "odd__echo", "arguments": {"message": "slow"}}]}])
    servers = odd(project, "slow", "60")
    project.write("ask.yaml", ASK.replace("steps:", f"{servers}steps:") + "    mcp_servers: [odd]\n")
    ended = stopped(project, "tool_called", number)
    assert str(ended) == snapshot
    assert_cancelled(project, ended, "answer")


@SIGNALS
def test_while_a_tool_step_works(project: Project, number: int) -> None:
    steps = "steps: [{id: echo, tool: odd.echo, arguments: {message: slow}}]\n"
    project.write("ask.yaml", f"version: 1\nname: ask\n{odd(project, 'slow', '60')}{steps}")
    assert_cancelled(project, stopped(project, "tool_called", number), "echo")


RUN = """version: 1
name: ask
steps:
  - {id: done, run: [echo, done]}
  - {id: work, needs: [done], run: [sh, -c, 'sleep 60 & touch up; wait']}
  - {id: after, needs: [work], run: [echo, after]}
"""


@SIGNALS
def test_while_a_command_with_a_child_runs(project: Project, snapshot: SnapshotAssertion, number: int) -> None:
    project.write("ask.yaml", RUN)
    process = project.start("ask.yaml")
    wait_until((project.folder / "up").exists, "the command runs")
    interrupt(process, number)
    ended = project.ended(process)
    assert str(ended) == snapshot
    assert_cancelled(project, ended, "work", "after")
    assert project.result()["steps"]["done"]["output"] == "done"


@SIGNALS
def test_while_it_waits_to_try_again(project: Project, serve: Serve, snapshot: SnapshotAssertion, number: int) -> None:
    serve([{"fault": "empty"}])
    project.write("ask.yaml", ASK + "    retry: {wait: 60s, max_wait: 60s}\n")
    ended = stopped(project, "step_retried", number)
    stable = str(ended)
    assert "next in" in stable
    assert_cancelled(project, ended, "answer")
    assert snapshot == stable[stable.index("ask cancelled") :]


@SIGNALS
def test_before_the_run_while_a_model_server_says_nothing(
    project: Project, snapshot: SnapshotAssertion, number: int
) -> None:
    """Nothing is recorded yet, so nothing is left."""
    with socket.create_server(("127.0.0.1", 0)) as deaf:
        project.write("ask.yaml", ASK)
        process = project.start("ask.yaml", "--endpoint", f"127.0.0.1:{deaf.getsockname()[1]}")
        connection, _ = deaf.accept()
        interrupt(process, number)
        ended = project.ended(process)
        connection.close()
    assert str(ended) == snapshot
    assert not project.runs()
    assert processes_of(project.folder) == []


def test_json_is_still_printed(project: Project) -> None:
    project.write("ask.yaml", RUN)
    process = project.start("ask.yaml", "--output", "json", "--quiet")
    wait_until((project.folder / "up").exists, "the command runs")
    interrupt(process)
    ended = project.ended(process)
    assert json.loads(ended.raw_out) == project.result()
    assert ended.err == ""
    assert_cancelled(project, ended, "work", "after")


STUBBORN = """
import pathlib, signal, time
signal.signal(signal.SIGTERM, lambda *_: pathlib.Path("asked").touch())
pathlib.Path("up").touch()
while True:
    time.sleep(0.05)
"""


def test_a_second_signal_waits_for_nobody(project: Project) -> None:
    """The first asks a command politely, and it goes on; the second ends all at once. The record stays readable."""
    steps = [{"id": "work", "run": ["python", "-c", STUBBORN]}]
    project.write("ask.yaml", {"version": 1, "name": "ask", "steps": steps})
    process = project.start("ask.yaml")
    wait_until((project.folder / "up").exists, "the command runs")
    interrupt(process)
    wait_until((project.folder / "asked").exists, "the command was asked to end")
    interrupt(process)
    ended = project.ended(process)
    assert ended.code == 130, ended
    assert "Traceback" not in ended.err
    wait_until(lambda: not processes_of(project.folder), "no process is left", within=3)
    assert project.journal()[-1]["type"] == "step_started"


def test_a_command_that_ignores_the_polite_word_is_ended(project: Project) -> None:
    steps = [{"id": "work", "run": ["python", "-c", STUBBORN]}]
    project.write("ask.yaml", {"version": 1, "name": "ask", "steps": steps})
    process = project.start("ask.yaml")
    wait_until((project.folder / "up").exists, "the command runs")
    interrupt(process)
    assert_cancelled(project, project.ended(process), "work")


def test_a_terminal_signals_its_whole_group(project: Project) -> None:
    """Ctrl-C reaches every process of the terminal's group: what we started is in none of its, and ends by our hand."""
    steps = "steps: [{id: work, run: [sh, -c, 'trap \"touch hit\" INT; touch up; sleep 60 & wait']}]\n"
    project.write("ask.yaml", f"version: 1\nname: ask\n{steps}")
    process = project.start("ask.yaml", group=True)
    wait_until((project.folder / "up").exists, "the command runs")
    os.killpg(process.pid, signal.SIGINT)
    assert_cancelled(project, project.ended(process), "work")
    assert not (project.folder / "hit").exists()


def test_with_the_simulator_inside(project: Project) -> None:
    project.write(
        "ask.sim.yaml", {"models": {"m": {"loaded": True, "first_token": "60s", "default": {"say": "Late."}}}}
    )
    project.write("ask.yaml", ASK)
    assert_cancelled(project, stopped(project, "model_asked", signal.SIGINT, "--simulate", "ask.sim.yaml"), "answer")


def test_while_python_itself_is_starting(project: Project) -> None:
    """A Ctrl-C that comes while the command line's library is imported is no traceback either."""
    project.write("click.py", "import os, signal, time\nos.kill(os.getpid(), signal.SIGINT)\ntime.sleep(5)\n")
    project.write("ask.yaml", ASK)
    ended = project.run("ask.yaml", env={"PYTHONPATH": str(project.folder)})
    assert str(ended) == "exit code 130\n--- stderr\ninterrupted\n"


@SIGNALS
@pytest.mark.parametrize("options", [["check"], ["run", "--dry-run"]], ids=["check", "dry run"])
def test_while_a_check_starts_the_servers(project: Project, options: list[str], number: int) -> None:
    """The server would not end by itself: it never looks at its stdin."""
    server = "open('up', 'w').close(); import time; time.sleep(600)"
    declared = {"odd": {"command": "python", "args": ["-c", server]}}
    steps = [{"id": "echo", "tool": "odd.echo"}]
    project.write("ask.yaml", {"version": 1, "name": "ask", "mcp_servers": declared, "steps": steps})
    process = project.start(*options, "--tools", "--offline", "ask.yaml")
    wait_until((project.folder / "up").exists, "the server runs")
    interrupt(process, number)
    assert str(project.ended(process)) == "exit code 130\n--- stderr\n\ninterrupted\n"
    wait_until(lambda: not processes_of(project.folder), "no process is left", within=3)


def test_what_an_interrupted_step_had_used_is_told(project: Project, serve: Serve) -> None:
    serve([
        {"when": {"turn": 1}, "say": "brief"},
        {"when": {"turn": 2}, "say": "brief again"},
    ])  # fmt: skip
    waits = "expect: [{that: output == 'brief again'}, {run: [sh, -c, 'touch up; sleep 60 & wait']}]"
    project.write("ask.yaml", f"{ASK}    {waits}\n")
    process = project.start("ask.yaml")
    wait_until((project.folder / "up").exists, "the second answer is checked")
    interrupt(process)
    assert_cancelled(project, project.ended(process), "answer")
    step = project.result()["steps"]["answer"]
    assert step["attempts"] == 1
    assert step["seconds"] > 0
    assert step["usage"]["completion_tokens"] > 0
