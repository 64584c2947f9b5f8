"""What a workflow needs of this machine besides models."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from runner.app.surroundings import FATAL, TOLERATED, survey
from runner.words.spans import Span
from runner.workflow.model import Server, Workflow


def make(*servers: Server, **fields: object) -> Workflow:
    spans = {("mcp_servers", one.name): Span(3, 3, 3, 9) for one in servers}
    every = {one.name: one for one in servers}
    return Workflow(name="w", file="w.yaml", folder=".", servers=every, spans=spans, **fields)  # type: ignore[arg-type]


def stdio(command: str, **fields: object) -> Server:
    return Server(name="git", path=("mcp_servers", "git"), command=command, **fields)  # type: ignore[arg-type]


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    program = tmp_path / "bin" / "tool"
    program.parent.mkdir()
    program.write_text("#!/bin/sh\n")
    program.chmod(0o755)
    (tmp_path / "bin" / "notes").write_text("")


@pytest.mark.parametrize(
    ("server", "found"),
    [
        (stdio("tool"), []),
        (stdio("bin/tool"), []),
        (stdio("./bin/tool"), []),
        (stdio("tool", env={"PATH": "/nowhere"}), ["the command `tool` of server `git` is not on PATH"]),
        (stdio("gone"), ["the command `gone` of server `git` is not on PATH"]),
        (stdio("bin"), ["the command `bin` of server `git` is not on PATH"]),
        (stdio("bin/gone"), ["the command `bin/gone` of server `git` does not exist"]),
        (stdio("bin/notes"), ["the command `bin/notes` of server `git` cannot be executed"]),
        (stdio("bin/{{ inputs.name }}"), []),
        (Server(name="web", path=("mcp_servers", "web"), url="https://example.org/mcp"), []),
        (Server(name="files", path=("mcp_servers", "files"), builtin="files"), []),
    ],
)
def test_commands_are_looked_for_and_not_started(server: Server, found: list[str]) -> None:
    seen = survey(make(server), {"name": "tool"}, {"PATH": "/usr/bin:bin"}, unset_secret=TOLERATED)
    assert [one.message for one in seen.findings] == found
    assert all((one.code, one.level, one.span) == ("BR401", "error", Span(3, 3, 3, 9)) for one in seen.findings)
    assert seen.servers == {server.name: server}


def test_a_command_line_in_place_of_a_command_is_told_as_such() -> None:
    seen = survey(make(stdio("tool -v --name x")), {}, {"PATH": "bin"}, unset_secret=TOLERATED)
    assert [(one.message, one.help) for one in seen.findings] == [
        (
            "the command `tool -v --name x` of server `git` is not on PATH",
            "write the program alone as `command`, and the words behind `tool` as `args`",
        )
    ]


def test_a_command_that_waits_for_an_input_is_left_open() -> None:
    seen = survey(make(stdio("{{ inputs.name }}")), {}, {"PATH": "bin"}, unset_secret=TOLERATED)
    assert seen.findings == ()
    assert seen.open == ("the command of server `git` depends on inputs that are not given; it was not looked for",)


def test_an_entry_of_a_client_file_is_taken_under_the_bounds_of_the_workflow(tmp_path: Path) -> None:
    entry = {"mcpServers": {"git": {"command": "tool", "args": ["-v"]}, "other": {"command": "${UNSET}"}}}
    (tmp_path / ".mcp.json").write_text(json.dumps(entry))
    declared = Server(name="git", path=("mcp_servers", "git"), source=".mcp.json", tools=("git_*",), timeout=5.0)
    seen = survey(make(declared), {}, {"PATH": "bin"}, unset_secret=TOLERATED)
    assert seen.findings == ()
    taken = seen.servers["git"]
    assert (taken.command, taken.args, taken.tools, taken.timeout) == ("tool", ("-v",), ("git_*",), 5.0)


def test_a_client_file_at_fault_is_a_finding() -> None:
    declared = Server(name="git", path=("mcp_servers", "git"), source="gone.json")
    seen = survey(make(declared), {}, {}, unset_secret=TOLERATED)
    assert [one.code for one in seen.findings] == ["BR404"]
    assert seen.servers == {}


def test_a_declared_secret_without_a_value_is_as_bad_as_the_caller_says() -> None:
    workflow = make(secrets=("A", "B"))
    for level in (TOLERATED, FATAL):
        (found,) = survey(workflow, {}, {"A": "set", "B": ""}, unset_secret=level).findings
        assert (found.code, found.level, found.message) == (
            "BR405",
            level,
            "the secret `B` is declared, and the environment has no value for it",
        )
