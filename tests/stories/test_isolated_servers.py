"""``isolate: true``: a process of a tool server for each step, in a fan-out for each item; else one for the run."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from kit.project import Ended, Project

COUNTER = Path(__file__).parents[1] / "servers" / "counter.py"
Counted = Callable[..., Ended]


@pytest.fixture
def counted(project: Project) -> Counted:
    """``counted(steps, isolate=…)``: run a workflow with the server ``counter``."""

    def run(steps: str, *, isolate: bool, more: str = "") -> Ended:
        server = f"{{command: {sys.executable}, args: [{COUNTER}, started.txt], isolate: {str(isolate).lower()}}}"
        text = f"version: 1\nname: count\n{more}mcp_servers:\n  counter: {server}\nsteps:\n{steps}"
        project.write("count.yaml", text)
        return project.run("count.yaml")

    return run


def outputs(project: Project) -> dict[str, Any]:
    return {name: counts(step["output"]) for name, step in project.result()["steps"].items()}


def counts(output: Any) -> Any:
    """The SDK wraps what is no mapping into ``{result: …}``."""
    return list(map(counts, output)) if isinstance(output, list) else output["result"]


def processes(project: Project) -> list[int]:
    return [int(line) for line in (project.folder / "started.txt").read_text().split()]


def is_gone(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return True
    return False


CHAIN = """
  - {id: first, tool: counter.count}
  - {id: second, tool: counter.count, needs: [first]}
"""
FAN_OUT = """
  - {id: each, tool: counter.count, for_each: [a, b, c], max_parallel: 1}
"""


def test_steps_share_a_process_unless_it_is_isolated(project: Project, counted: Counted) -> None:
    assert counted(CHAIN, isolate=False).code == 0
    assert outputs(project) == {"first": "1", "second": "2"}
    assert len(processes(project)) == 1


def test_each_step_has_a_process_of_its_own(project: Project, counted: Counted) -> None:
    ended = counted(CHAIN, isolate=True)
    assert ended.code == 0, ended.err
    assert outputs(project) == {"first": "1", "second": "1"}
    assert all(map(is_gone, processes(project)))


def test_items_share_a_process_unless_it_is_isolated(project: Project, counted: Counted) -> None:
    assert counted(FAN_OUT, isolate=False).code == 0
    assert outputs(project) == {"each": ["1", "2", "3"]}


def test_each_item_has_a_process_of_its_own(project: Project, counted: Counted) -> None:
    ended = counted(FAN_OUT, isolate=True)
    assert ended.code == 0, ended.err
    assert outputs(project) == {"each": ["1", "1", "1"]}
    assert all(map(is_gone, processes(project)))


def test_the_turns_of_one_task_talk_to_one_process(
    project: Project, counted: Counted, serve: Callable[..., str]
) -> None:
    call = {"call": [{"tool": "counter__count", "arguments": {}}]}
    serve([{"when": {"turn": 1}, **call}, {"when": {"turn": 2}, **call}, {"say": "done"}])
    steps = "  - {id: talk, mcp_servers: [counter], task: Count twice.}\n"
    ended = counted(steps, isolate=True)
    assert ended.code == 0, ended.err
    returned = [entry["text"] for entry in project.journal() if entry["type"] == "tool_returned"]
    assert returned == ["1", "2"]


def test_an_isolated_server_that_is_not_there_is_told_before_the_run(project: Project) -> None:
    project.write(
        "count.yaml",
        "version: 1\nname: count\nmcp_servers:\n  counter: {command: no-such-server, isolate: true}\nsteps:\n"
        "  - {id: first, tool: counter.count}\n",
    )
    ended = project.run("count.yaml")
    assert ended.code == 4
    assert "the command `no-such-server` of server `counter` is not on PATH" in ended.err
