"""The record of a run: what it holds, what it never holds, and what is said when it cannot be written."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator
from kit.leftover import assert_closed, processes_of
from kit.project import BRIDGE_RUN, Ended, Project, interrupt, wait_until
from kit.servers import ODD, node_server
from syrupy.assertion import SnapshotAssertion

Serve = Callable[..., str]
SCHEMAS = Path(__file__).parents[2] / "schemas"
ECHO = "version: 1\nname: ask\nsteps:\n  - {id: answer, run: [echo, hi]}\n"


def validator(name: str) -> Draft202012Validator:
    return Draft202012Validator(json.loads((SCHEMAS / f"{name}.schema.json").read_text("utf-8")))


# What cannot be written


@pytest.mark.parametrize("place", [".bridge", ".bridge/runs"])
def test_a_file_in_the_way(project: Project, snapshot: SnapshotAssertion, place: str) -> None:
    project.write(place, "in the way")
    project.write("ask.yaml", ECHO)
    assert str(project.run("ask.yaml")) == snapshot


@pytest.mark.skipif(not Path("/proc/sys").exists(), reason="needs a folder that even root cannot write: /proc")
def test_a_folder_that_nobody_may_write(project: Project) -> None:
    """Why is in the words of the system, which differ for root."""
    project.write("ask.yaml", ECHO)
    ended = project.run("ask.yaml", "--run-dir", "/proc/sys")
    assert (ended.code, ended.out) == (6, "")
    assert ended.err.startswith("error: cannot write `/proc/sys/RUN-ask`: ")


LIMITED = """
import os, resource, signal, sys
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[1]), resource.RLIM_INFINITY))
os.execv(sys.argv[2], sys.argv[2:])
"""


def with_little_disk(project: Project, size: int, *arguments: str) -> Ended:
    """Run bridge-run so that no file can grow beyond ``size`` bytes."""
    process = subprocess.Popen(
        [sys.executable, "-c", LIMITED, str(size), BRIDGE_RUN, *arguments],
        cwd=project.folder, env=project.environment, stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, encoding="utf-8",
    )  # fmt: skip
    return project.ended(process)


TALK = """version: 1
name: ask
mcp_servers:
  odd: {command: python, args: [odd.py, good]}
steps:
  - {id: tool, tool: odd.echo, arguments: {message: hi}}
  - {id: idle, run: [sleep, '60']}
  - {id: answer, needs: [tool], task: Say much.}
"""


FULL = (
    r"error: the disk is full: cannot write `\.bridge/runs/RUN-ask(/journal\.jsonl)?`\n"
    r"  = help: free some space, then run again, or go on with `bridge-run resume last`\n$"
)


@pytest.mark.unmeasured  # the disk that is full is the one that coverage would write to
@pytest.mark.parametrize("size", [0, 100, 1200])
def test_a_full_disk(project: Project, serve: Serve, size: int) -> None:
    """Whatever line the disk ends in: exit code 6, words, and no process left, though a command was running."""
    serve([{"say": "word " * 4000}])
    project.write("odd.py", ODD.read_text("utf-8"))
    project.write("ask.yaml", TALK)
    ended = with_little_disk(project, size, "ask.yaml")
    assert ended.code == 6, ended
    assert ended.out == ""
    assert re.search(FULL, ended.err), ended
    wait_until(lambda: not processes_of(project.folder), "no process is left", within=3)
    assert not (project.runs()[-1] / "result.json").exists()


@pytest.mark.unmeasured
def test_a_disk_too_full_for_an_artifact(project: Project, snapshot: SnapshotAssertion) -> None:
    project.write("odd.py", ODD.read_text("utf-8"))
    server = "mcp_servers:\n  odd: {command: python, args: [odd.py, huge, '100000']}\n"
    project.write("ask.yaml", f"version: 1\nname: ask\n{server}steps:\n  - {{id: tool, tool: odd.echo}}\n")
    assert str(with_little_disk(project, 50_000, "ask.yaml")) == snapshot
    wait_until(lambda: not processes_of(project.folder), "no process is left", within=3)


# What it holds


RICH = """version: 1
name: rich
inputs:
  who: {type: string, default: you}
defaults: {retry: {attempts: 2, wait: 1ms, max_wait: 2ms}}
mcp_servers:
  odd: {command: python, args: [odd.py, dies-once, died]}
  files: {builtin: files, root: .}
steps:
  - id: shell
    run: [sh, -c, "echo '{\\"n\\": 1}'; echo oops >&2"]
    output: {type: object}
  - id: dying
    tool: odd.echo
    arguments: {message: "for {{ inputs.who }}"}
  - id: look
    mcp_servers: [files]
    task: "Read notes.txt, as many as {{ steps.shell.output.n }} times."
    limits: {tool_result: 200}
    output: {type: object, required: [n], properties: {n: {type: integer}}}
    expect: [{that: output.n > 1, message: more than one}]
  - {id: broken, run: [sh, -c, 'echo no >&2; exit 3'], on_error: {output: "instead: {{ error.message | length > 0 }}"}}
  - {id: failing, tool: files.read, arguments: {path: nowhere.txt}, on_error: continue}
  - {id: never, when: inputs.who == 'me', run: [echo, never]}
  - {id: below, needs: [never], run: [echo, below]}
outputs:
  n: "{{ steps.look.output.n }}"
  said: "{{ steps.dying.output }}"
  none: "{{ steps.below.output }}"
"""


READ = {"tool": "files__read", "arguments": {"path": "notes.txt"}}


def rich(project: Project, serve: Serve) -> Ended:
    serve([
        {"when": {"turn": 1}, "reasoning": "Let me see.", "call": [READ]},
        {"when": {"turn": 2}, "fault": "empty", "times": 1},
        {"when": {"turn": 2}, "say": "one"},
        {"when": {"turn": 3}, "json": {"n": 1}},
        {"when": {"turn": 4, "user": "more than one"}, "json": {"n": 2}},
    ])  # fmt: skip
    project.write("odd.py", ODD.read_text("utf-8"))
    project.write("notes.txt", "buy milk\n" * 100)
    project.write("rich.yaml", RICH)
    return project.run("rich.yaml")


def test_a_rich_run_keeps_to_the_schemas(project: Project, serve: Serve) -> None:
    ended = rich(project, serve)
    assert ended.code == 0, ended
    assert_closed(project, "succeeded")
    judge = validator("journal")
    entries = project.journal()
    wrong = {f"{entry['seq']} {entry['type']}: {e.message}" for entry in entries for e in judge.iter_errors(entry)}
    assert wrong == set()
    assert [entry["seq"] for entry in entries] == list(range(1, len(entries) + 1))
    assert [e.message for e in validator("result").iter_errors(project.result())] == []
    assert {entry["type"] for entry in entries} >= {
        "run_started", "tool_server_started", "step_started", "model_asked", "model_answered", "tool_called",
        "tool_returned", "tool_server_died", "command_ran", "answer_refused", "step_retried", "step_finished",
        "run_finished",
    }  # fmt: skip


def test_what_a_rich_run_shows(project: Project, serve: Serve, snapshot: SnapshotAssertion) -> None:
    """From the summary on: the lines before it come in the order in which things happened."""
    ended = rich(project, serve)
    assert ended.err[ended.err.index("rich succeeded") :] == snapshot(name="summary")
    assert ended.out == snapshot(name="outputs")
    statuses = {name: step["status"] for name, step in project.result()["steps"].items()}
    assert statuses == {
        "shell": "succeeded", "dying": "succeeded", "look": "succeeded", "broken": "recovered", "failing": "failed",
        "never": "skipped", "below": "skipped",
    }  # fmt: skip


def test_an_interrupted_run_keeps_to_the_schemas_too(project: Project, serve: Serve) -> None:
    serve([{"say": "Late."}], first_token="60s")
    project.write(
        "ask.yaml", "version: 1\nname: ask\nsteps:\n  - {id: a, task: Hi.}\n  - {id: b, needs: [a], task: Hi.}\n"
    )
    process = project.start("ask.yaml")
    wait_until(
        lambda: bool(project.runs()) and "model_asked" in (project.runs()[-1] / "journal.jsonl").read_text(), "asked"
    )
    interrupt(process)
    assert project.ended(process).code == 130
    assert [e.message for entry in project.journal() for e in validator("journal").iter_errors(entry)] == []
    assert [e.message for e in validator("result").iter_errors(project.result())] == []


def test_git_does_not_see_the_record(project: Project) -> None:
    project.write("ask.yaml", ECHO)
    subprocess.run(["git", "init", "-q"], cwd=project.folder, check=True)
    assert project.run("ask.yaml").code == 0
    status = subprocess.run(
        ["git", "status", "--short"], cwd=project.folder, capture_output=True, text=True, check=True
    )
    assert status.stdout == "?? ask.yaml\n"


# What it never holds

SECRET = "hunter2-äöü-'quoted' \"twice\""
SECRETS = """version: 1
name: secrets
secrets: [API_TOKEN]
mcp_servers:
  all: {{command: {command}, args: [stdio], env: {{TOKEN: "{{{{ secrets.API_TOKEN }}}}"}}}}
steps:
  - id: env
    tool: all.get-env
  - id: shell
    run: [sh, -c, 'printf %s "$TOKEN"; printf "error: %s" "$TOKEN" >&2; exit 3']
    env: {{TOKEN: "{{{{ secrets.API_TOKEN }}}}"}}
    on_error: continue
  - id: long
    run: [sh, -c, 'seq 20000; printf %s "$TOKEN"']
    env: {{TOKEN: "{{{{ secrets.API_TOKEN }}}}"}}
  - id: ask
    needs: [env, shell]
    mcp_servers: [all]
    tools: [all.get-env]
    task: "Look at {{{{ steps.env.output }}}} and {{{{ steps.shell.error.message }}}}."
outputs:
  env: "{{{{ steps.env.output }}}}"
  ask: "{{{{ steps.ask.output }}}}"
"""


@pytest.mark.parametrize("options", [[], ["--output", "json"]], ids=["text", "json"])
def test_secrets_are_masked_everywhere(project: Project, serve: Serve, options: list[str]) -> None:
    """A server that prints its environment, a command that prints a variable, and a model that repeats both."""
    command = node_server("mcp-server-everything")
    serve([
        {"when": {"turn": 1}, "call": [{"tool": "all__get-env", "arguments": {}}]},
        {"when": {"turn": 2, "tool_result": "(?P<found>hunter2[^,]*)"}, "say": "It is {{ match.found }}."},
        {"when": {"turn": 2}, "say": "I saw no token."},
    ])  # fmt: skip
    project.write("secrets.yaml", SECRETS.format(command=command))
    ended = project.run("secrets.yaml", *options, env={"API_TOKEN": SECRET})
    assert ended.code == 0, ended
    assert_closed(project, "succeeded")
    kept = {str(p.relative_to(project.folder)): p.read_bytes() for p in project.folder.rglob("*") if p.is_file()}
    assert any("artifacts" in name for name in kept)
    shown = {**kept, "stdout": ended.raw_out.encode(), "stderr": ended.raw_err.encode()}
    assert [name for name, content in shown.items() if b"hunter2" in content] == []


def test_a_secret_that_is_not_set(project: Project, snapshot: SnapshotAssertion) -> None:
    project.write(
        "ask.yaml",
        ECHO.replace("steps:", "secrets: [API_TOKEN]\nsteps:").replace(
            "hi]", "hi], env: {T: '{{ secrets.API_TOKEN }}'}"
        ),
    )
    assert str(project.run("ask.yaml")) == snapshot
    assert not project.runs()


def test_a_command_inherits_no_declared_secret(project: Project) -> None:
    steps = [
        {"id": "bare", "run": ["sh", "-c", "echo ${API_TOKEN:-unset} ${OTHER:-unset}"]},
        {"id": "given", "run": ["sh", "-c", COMPARE], "env": {"T": "{{ secrets.API_TOKEN }}"}},
    ]  # fmt: skip
    project.write("ask.yaml", {"version": 1, "name": "ask", "secrets": ["API_TOKEN"], "steps": steps})
    ended = project.run("ask.yaml", "--output", "json", env={"API_TOKEN": "s3cret-token", "OTHER": "passed on"})
    outputs: dict[str, Any] = json.loads(ended.out)["outputs"]
    assert outputs == {"bare": "unset passed on", "given": "same"}


COMPARE = 'test "$T" = s3cret-token && echo same'


def test_a_quiet_run_says_nothing_of_a_success_and_why_of_a_failure(project: Project) -> None:
    project.write("flow.yaml", 'version: 1\nname: flow\nsteps: [{id: look, run: [sh, -c, "exit $CODE"]}]\n')
    ended = project.run("flow.yaml", "-q", env={"CODE": "0"})
    assert (ended.code, ended.err) == (0, "")
    ended = project.run("flow.yaml", "-q", env={"CODE": "3"})
    assert (ended.code, ended.out) == (1, "")
    assert "ended with exit code 3" in ended.err
    ended = project.run("flow.yaml", "-q", "--output", "json", env={"CODE": "3"})
    assert (ended.code, ended.err, json.loads(ended.raw_out)["status"]) == (1, "", "failed")
