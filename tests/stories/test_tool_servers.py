"""What tool servers do to a run: those that do not start, talk nonsense, die, dawdle, or answer far too much."""

from __future__ import annotations

import json
import os
import socket
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from kit.leftover import assert_closed, events
from kit.project import Project, wait_until
from kit.servers import ODD, node_server, python_server
from syrupy.assertion import SnapshotAssertion

Serve = Callable[..., str]


@pytest.fixture
def odd(project: Project) -> Callable[..., str]:
    """``odd(mode, extra, keys)``: the line of a workflow file that declares the odd server."""
    project.write("odd.py", ODD.read_text("utf-8"))

    def server(mode: str, extra: str = "", keys: str = "") -> str:
        return f"  odd: {{command: python, args: [odd.py, {mode}, '{extra}']{keys}}}"

    return server


def tool_step(*servers: str, arguments: str = "{message: hi}", more: str = "") -> str:
    """A workflow of one tool call."""
    declared = "\n".join(servers)
    return (
        f"version: 1\nname: look\ndefaults: {{retry: {{wait: 1ms, max_wait: 2ms}}}}\nmcp_servers:\n{declared}\n"
        f"steps:\n  - id: echo\n    tool: odd.echo\n    arguments: {arguments}\n{more}"
    )


def task_step(*servers: str, more: str = "") -> str:
    """A workflow of one task with tools."""
    declared = "\n".join(servers)
    return (
        f"version: 1\nname: look\ndefaults: {{retry: {{wait: 1ms, max_wait: 2ms}}}}\nmcp_servers:\n{declared}\n"
        f"steps:\n  - id: look\n    mcp_servers: [odd]\n    task: Say hi through the tool.\n{more}"
    )


def says(message: str, turn: int = 1) -> dict[str, Any]:
    return {"when": {"turn": turn}, "call": [{"tool": "odd__echo", "arguments": {"message": message}}]}


# Servers that do not come up


def test_a_command_that_does_not_exist(project: Project, snapshot: SnapshotAssertion) -> None:
    project.write("look.yaml", tool_step("  odd: {command: mcp-server-odd, args: [--fast]}"))
    assert str(project.run("look.yaml")) == snapshot
    assert not project.runs()


def test_a_server_that_exits_at_once(project: Project, odd: Callable[..., str], snapshot: SnapshotAssertion) -> None:
    project.write("look.yaml", tool_step(odd("exit")))
    assert str(project.run("look.yaml")) == snapshot
    assert_closed(project, "failed")
    [step] = project.result()["steps"].values()
    assert (step["status"], step["reason"]) == ("cancelled", "the run ended before it could start")


def test_a_server_that_never_answers(project: Project, odd: Callable[..., str], snapshot: SnapshotAssertion) -> None:
    project.write("look.yaml", tool_step(odd("silent", keys=", start_timeout: 1s")))
    assert str(project.run("look.yaml")) == snapshot
    assert_closed(project, "failed")


def test_a_server_that_says_only_nonsense(
    project: Project, odd: Callable[..., str], snapshot: SnapshotAssertion
) -> None:
    project.write("look.yaml", tool_step(odd("babble", keys=", start_timeout: 1s")))
    assert str(project.run("look.yaml")) == snapshot
    assert_closed(project, "failed")


def test_all_that_do_not_come_up_are_told_at_once(
    project: Project, odd: Callable[..., str], snapshot: SnapshotAssertion
) -> None:
    other = "  other: {command: python, args: [-c, 'raise SystemExit(9)']}"
    third = "  third: {command: python, args: [odd.py, good]}"
    more = "  - {id: second, tool: other.echo}\n  - {id: third, tool: third.echo}\n"
    project.write("look.yaml", tool_step(odd("exit"), other, third, more=more))
    assert str(project.run("look.yaml", "--quiet")) == snapshot
    assert_closed(project, "failed")


def test_nonsense_among_good_lines_is_passed_over(project: Project, odd: Callable[..., str]) -> None:
    for mode in ("banner", "chatter"):
        project.write("look.yaml", tool_step(odd(mode)))
        ended = project.run("look.yaml")
        assert (ended.code, ended.out) == (0, "hi\n"), ended
        assert_closed(project, "succeeded")


def test_a_helper_that_a_server_leaves_running_is_ended(project: Project, odd: Callable[..., str]) -> None:
    project.write("look.yaml", tool_step(odd("helper")))
    ended = project.run("look.yaml")
    assert (ended.code, ended.out) == (0, "hi\n"), ended
    assert_closed(project, "succeeded")


def test_a_server_that_ignores_every_polite_word_is_ended(project: Project, odd: Callable[..., str]) -> None:
    project.write("look.yaml", tool_step(odd("stubborn")))
    ended = project.run("look.yaml")
    assert (ended.code, ended.out) == (0, "hi\n"), ended
    assert_closed(project, "succeeded")


# Servers that die


def test_a_death_in_a_call_of_a_model(
    project: Project, serve: Serve, odd: Callable[..., str], snapshot: SnapshotAssertion
) -> None:
    serve([
        says("hi", 1),
        {"when": {"turn": 2, "tool_result": "it was started again"}, "call": says("once more")["call"]},
        {"when": {"turn": 3, "tool_result": "once more"}, "say": "It said: once more."},
    ])  # fmt: skip
    project.write("look.yaml", task_step(odd("dies-once", "died")))
    assert str(project.run("look.yaml")) == snapshot
    assert_closed(project, "succeeded")
    [died] = events(project, "tool_server_died")
    assert died["restarted"] is True


def test_a_second_death_in_a_call_of_a_model(
    project: Project, serve: Serve, odd: Callable[..., str], snapshot: SnapshotAssertion
) -> None:
    serve([says("hi", 1), says("once more", 2), {"when": {"turn": 3}, "say": "never said"}])
    project.write("look.yaml", task_step(odd("dies")))
    assert str(project.run("look.yaml")) == snapshot
    assert_closed(project, "failed")
    assert project.result()["steps"]["look"]["error"]["kind"] == "tool_server"


def test_a_death_in_a_tool_step_that_changes_nothing(
    project: Project, odd: Callable[..., str], snapshot: SnapshotAssertion
) -> None:
    project.write("look.yaml", tool_step(odd("dies-once", "died")))
    assert str(project.run("look.yaml")) == snapshot
    assert_closed(project, "succeeded")
    assert project.result()["steps"]["echo"]["attempts"] == 2


def test_a_death_in_a_tool_step_that_may_have_changed_something(
    project: Project, odd: Callable[..., str], snapshot: SnapshotAssertion
) -> None:
    project.write("look.yaml", tool_step(odd("dies")))
    assert str(project.run("look.yaml")) == snapshot
    assert_closed(project, "failed")
    assert project.result()["steps"]["echo"]["attempts"] == 1


def test_a_second_death_in_a_tool_step(project: Project, odd: Callable[..., str], snapshot: SnapshotAssertion) -> None:
    project.write("look.yaml", tool_step(odd("dies"), more="    effects: idempotent\n"))
    assert str(project.run("look.yaml")) == snapshot
    assert_closed(project, "failed")
    assert [event["restarted"] for event in events(project, "tool_server_died")] == [True, False]


def test_a_server_that_dies_and_leaves_a_helper_behind(project: Project, odd: Callable[..., str]) -> None:
    project.write("look.yaml", tool_step(odd("dies-with-helper")))
    ended = project.run("look.yaml")
    assert ended.code == 1, ended
    assert "exited with code 7 while it was used" in ended.err
    assert_closed(project, "failed")


# Tools that are not there


def test_a_tool_outside_the_allow_list(project: Project, odd: Callable[..., str], snapshot: SnapshotAssertion) -> None:
    project.write("look.yaml", tool_step(odd("good", keys=", tools: [read_*, list_files]")))
    assert str(project.run("look.yaml")) == snapshot
    assert not project.runs()


def test_a_tool_that_is_not_offered(
    project: Project, serve: Serve, odd: Callable[..., str], snapshot: SnapshotAssertion
) -> None:
    serve([{"say": "never said"}])
    steps = task_step(odd("good"), more="    tools: [odd.ecko, odd.e*, odd.zz*]\n")
    project.write("look.yaml", steps + "  - {id: call, tool: odd.eco}\n")
    assert str(project.run("look.yaml")) == snapshot
    assert_closed(project, "failed")


# Answers that are too long or too late


SIZE = 50_000_000


def test_fifty_megabytes_in_a_tool_step(project: Project, odd: Callable[..., str]) -> None:
    """The step's output is whole; the journal's line of the call shows a part of it and says where the rest is."""
    project.write("look.yaml", tool_step(odd("huge", str(SIZE))) + SIZES)
    ended = project.run("look.yaml")
    assert (ended.code, ended.out) == (0, f"{SIZE}\n"), ended
    [returned] = events(project, "tool_returned")
    assert returned["characters"] == SIZE
    assert len(str(returned["text"])) < 21_000
    assert (project.runs()[-1] / str(returned["artifact"])).stat().st_size == SIZE
    assert_closed(project, "succeeded")


SIZES = "outputs: {size: '{{ steps.echo.output | length }}'}\n"


def test_fifty_megabytes_in_a_call_of_a_model(project: Project, serve: Serve, odd: Callable[..., str]) -> None:
    serve([says("hi", 1), {"when": {"turn": 2, "tool_result": "the whole result"}, "say": "That was long."}])
    project.write("look.yaml", task_step(odd("huge", str(SIZE)), more="    limits: {tool_result: 300}\n"))
    ended = project.run("look.yaml")
    assert (ended.code, ended.out) == (0, "That was long.\n"), ended
    [returned] = events(project, "tool_returned")
    text, artifact = str(returned["text"]), str(returned["artifact"])
    note = f"[… {SIZE - 300} of {SIZE} characters cut here; the whole result: {artifact} …]"
    assert text == f"{'x' * 200}\n{note}\n{'x' * 100}"
    assert (project.runs()[-1] / artifact).stat().st_size == SIZE
    assert (project.runs()[-1] / "journal.jsonl").stat().st_size < 10_000
    assert_closed(project, "succeeded")


def test_a_call_that_takes_too_long(
    project: Project, serve: Serve, odd: Callable[..., str], snapshot: SnapshotAssertion
) -> None:
    serve([
        says("slow", 1),
        {"when": {"turn": 2, "tool_result": "did not answer within"}, "say": "The tool is too slow."},
    ])  # fmt: skip
    project.write("look.yaml", task_step(odd("slow", "30", ", timeout: 300ms")))
    assert str(project.run("look.yaml")) == snapshot
    assert_closed(project, "succeeded")


def test_a_tool_step_that_takes_too_long(
    project: Project, odd: Callable[..., str], snapshot: SnapshotAssertion
) -> None:
    project.write("look.yaml", tool_step(odd("slow", "30", ", timeout: 300ms"), arguments="{message: slow}"))
    assert str(project.run("look.yaml")) == snapshot
    assert_closed(project, "failed")


def test_a_tool_that_fails(project: Project, odd: Callable[..., str], snapshot: SnapshotAssertion) -> None:
    project.write("look.yaml", tool_step(odd("error-code")))
    assert str(project.run("look.yaml")) == snapshot
    assert_closed(project, "failed")


# Servers of the world


def test_a_server_over_http_that_is_down(project: Project, snapshot: SnapshotAssertion) -> None:
    project.write("look.yaml", tool_step("  odd: {url: 'http://127.0.0.1:9/mcp', headers: {X-Team: blue}}"))
    assert str(project.run("look.yaml")) == snapshot
    assert_closed(project, "failed")


EVERYTHING = """version: 1
name: everything
mcp_servers:
  all: {server}
steps:
  - id: sum
    tool: all.get-sum
    arguments: {{a: 19, b: 23}}
  - id: ask
    mcp_servers: [all]
    tools: [all.echo, all.get-sum]
    task: "Say this through the tool echo: {{{{ steps.sum.output }}}}"
outputs:
  sum: "{{{{ steps.sum.output }}}}"
  said: "{{{{ steps.ask.output }}}}"
"""
ECHOES = [
    {"when": {"turn": 1}, "call": [{"tool": "all__echo", "arguments": {"message": "42"}}]},
    {"when": {"turn": 2, "tool_result": "Echo: 42"}, "say": "It echoed 42."},
]


def test_everything_over_stdio(project: Project, serve: Serve, snapshot: SnapshotAssertion) -> None:
    command = node_server("mcp-server-everything")
    serve(ECHOES)
    project.write("everything.yaml", EVERYTHING.format(server=f"{{command: {command}, args: [stdio]}}"))
    ended = project.run("everything.yaml", "--quiet")
    assert str(ended) == snapshot
    assert_closed(project, "succeeded")


@contextmanager
def everything_over_http(folder: Path) -> Iterator[str]:
    command = node_server("mcp-server-everything")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with subprocess.Popen(
        [command, "streamableHttp"],
        env={**os.environ, "PORT": str(port)},
        cwd=folder,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    ) as server:
        try:
            wait_until(lambda: _listens(port), "server-everything listens")
            yield f"http://127.0.0.1:{port}/mcp"
        finally:
            server.terminate()


def _listens(port: int) -> bool:
    with socket.socket() as knock:
        return knock.connect_ex(("127.0.0.1", port)) == 0


def test_everything_over_http(
    project: Project, serve: Serve, tmp_path_factory: pytest.TempPathFactory, snapshot: SnapshotAssertion
) -> None:
    with everything_over_http(tmp_path_factory.mktemp("server")) as url:
        serve(ECHOES)
        project.write("everything.yaml", EVERYTHING.format(server=f"{{url: '{url}'}}"))
        ended = project.run("everything.yaml", "--quiet")
    assert str(ended) == snapshot
    assert_closed(project, "succeeded")


def test_git_and_time_for_real(project: Project, serve: Serve) -> None:
    git = ["git", "-c", "user.name=A", "-c", "user.email=a@example.org"]
    project.write("notes.txt", "buy milk\n")
    for words in (["init", "-q", "-b", "main"], ["add", "notes.txt"], ["commit", "-q", "-m", "Remember the milk"]):
        subprocess.run([*git, *words], cwd=project.folder, check=True)
    serve([
        {"when": {"turn": 1}, "call": [
            {"tool": "git__git_log", "arguments": {"repo_path": "."}},
            {"tool": "time__convert_time", "arguments": NOON},
        ]},
        {"when": {"turn": 2, "anywhere": "Remember the milk"}, "say": "Nine in the evening, and milk to buy."},
    ])  # fmt: skip
    project.write("real.yaml", REAL.format(git=python_server("mcp-server-git"), time=python_server("mcp-server-time")))
    ended = project.run("real.yaml")
    assert (ended.code, ended.out) == (0, "Nine in the evening, and milk to buy.\n"), ended
    returned = {str(e["tool"]): str(e["text"]) for e in events(project, "tool_returned")}
    assert "Remember the milk" in returned["git_log"]
    assert "21:00" in returned["convert_time"]
    assert_closed(project, "succeeded")


NOON = {"source_timezone": "UTC", "time": "12:00", "target_timezone": "Asia/Tokyo"}
REAL = """version: 1
name: real
mcp_servers:
  git: {{command: {git}, args: [--repository, .], tools: [git_log, git_status]}}
  time: {{command: {time}, args: [--local-timezone, UTC]}}
steps:
  - id: look
    mcp_servers: [git, time]
    task: What was done last, and how late is it in Tokyo at noon?
"""


def test_an_entry_of_a_client_file(project: Project, odd: Callable[..., str], snapshot: SnapshotAssertion) -> None:
    odd("good")
    entries = {
        "odd": {"command": "${PYTHON:-python}", "args": ["odd.py", "${MODE}"], "env": {"A": "1"}},
        "unused": {"command": "${NOWHERE}"},
    }
    project.write(".mcp.json", f"// ours\n{json.dumps({'mcpServers': entries})}\n")
    project.write("look.yaml", tool_step("  odd: {from: .mcp.json}"))
    ended = project.run("look.yaml", env={"MODE": "good"})
    assert (ended.code, ended.out) == (0, "hi\n"), ended
    assert_closed(project, "succeeded")
    assert str(project.run("look.yaml")) == snapshot(name="a variable is not set")
    project.write("look.yaml", tool_step("  odd: {from: .mcp.json}").replace("odd", "odds"))
    assert str(project.run("look.yaml")) == snapshot(name="no such entry")


BARRIER = """
import pathlib, sys, time
pathlib.Path(sys.argv[3]).touch()
while len(list(pathlib.Path(".").glob("*.up"))) < 3:
    time.sleep(0.01)
"""


def test_servers_start_side_by_side(project: Project, odd: Callable[..., str]) -> None:
    """Each of them answers only when all three are there."""
    odd("good")
    project.write("late.py", BARRIER + ODD.read_text("utf-8").replace("from __future__ import annotations\n", ""))
    names = ("odd", "other", "third")
    servers = [f"  {name}: {{command: python, args: [late.py, good, '', {name}.up]}}" for name in names]
    more = "  - {id: second, tool: other.echo}\n  - {id: third, tool: third.echo}\n"
    project.write("look.yaml", tool_step(*servers, more=more))
    ended = project.run("look.yaml")
    assert ended.code == 0, ended
    assert_closed(project, "succeeded")


def test_a_server_that_no_step_uses_is_not_started(project: Project, odd: Callable[..., str]) -> None:
    unused = '  unused: {command: python, args: [-c, \'open("started", "w")\']}'
    project.write("look.yaml", tool_step(odd("good"), unused))
    assert project.run("look.yaml").code == 0
    assert not (project.folder / "started").exists()
