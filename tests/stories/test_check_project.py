"""``check`` on a whole project, a dry run, ``explain`` and ``schema``: what they say and what they leave alone."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from kit.project import Project
from syrupy.assertion import SnapshotAssertion

from runner.cli.schema import SCHEMAS
from runner.workflow.explain.explain import EXPLANATIONS

Serve = Callable[..., str]
REPOSITORY = Path(__file__).parents[2]
GOOD = "version: 1\nname: good\nsteps:\n  - {id: a, task: Go.}\n"
BAD = "version: 1\nname: bad\nsteps:\n  - {id: a, task: Go., needs: [b]}\n"
WARNED = "version: 1\nname: warned\ninputs: {path: {type: string}}\nsteps:\n  - {id: a, task: Go.}\n"
MISSING_MODEL = GOOD.replace("task", "model: qwen/qwen3-codr-30b, task")
MARKING_SERVER = """\
import pathlib
pathlib.Path("started").write_text("yes")
from mcp.server.mcpserver import MCPServer
server = MCPServer("marking")
@server.tool()
def look() -> str:
    return "seen"
server.run()
"""


def tools(tool: str = "look") -> dict[str, Any]:
    """A workflow with an MCP server that leaves a file when it starts."""
    server = {"command": sys.executable, "args": ["server.py"]}
    step = {"id": "a", "task": "Go.", "mcp_servers": ["marking"], "tools": [f"marking.{tool}"]}
    return {"version": 1, "name": "tools", "mcp_servers": {"marking": server}, "steps": [step]}


def files(project: Project) -> list[str]:
    """Every file of the project."""
    return sorted(str(path.relative_to(project.folder)) for path in project.folder.rglob("*") if path.is_file())


@pytest.fixture
def many(project: Project) -> Project:
    """A project with several workflows, one of them bad, and other files beside them."""
    for name in ("a.yaml", "deep/er/b.yml", "z.yaml"):
        project.write(f"workflows/{name}", GOOD)
    project.write("workflows/m.yaml", BAD)
    project.write("workflows/w.yaml", WARNED)
    project.write("workflows/a.sim.yaml", "models: {}\n")
    project.write("workflows/.hidden.yaml", "not: a workflow\n")
    project.write("workflows/node_modules/x/pnpm.yaml", "not: a workflow\n")
    project.write("workflows/notes.md", "# Notes\n")
    return project


def test_one_bad_among_good(many: Project, snapshot: SnapshotAssertion) -> None:
    before = files(many)
    assert str(many.run("check", "--offline")) == snapshot
    assert files(many) == before


def test_files_and_folders_each_once(many: Project) -> None:
    line = ("check", "--offline", "--format", "json", "workflows/z.yaml", "workflows", "workflows/deep", "./workflows")
    ended = many.run(*line)
    assert json.loads(ended.out)["files"] == [
        "workflows/z.yaml",
        "workflows/a.yaml",
        "workflows/m.yaml",
        "workflows/w.yaml",
        "workflows/deep/er/b.yml",
    ]


PLACE = ("line", "column", "end_line", "end_column")
FIX = {
    "type": "object",
    "additionalProperties": False,
    "required": ["title", "unsafe", "edits"],
    "properties": {
        "title": {"type": "string", "minLength": 1},
        "unsafe": {"type": "boolean"},
        "edits": {
            "type": "array",
            "minItems": 1,
            "items": {
                "type": "object",
                "additionalProperties": False,
                "required": [*PLACE, "text"],
                "properties": {"text": {"type": "string"}} | {key: {"type": "integer", "minimum": 1} for key in PLACE},
            },
        },
    },
}
FINDINGS = {
    "type": "object",
    "additionalProperties": False,
    "required": ["findings", "files", "exit_code"],
    "properties": {
        "files": {"type": "array", "items": {"type": "string"}},
        "exit_code": {"type": "integer"},
        "findings": {
            "type": "array",
            "items": {
                "type": "object",
                "additionalProperties": False,
                "required": ["code", "level", "file", *PLACE, "message", "help", "fix"],
                "properties": {
                    "code": {"type": "string", "pattern": "^BR[0-9]{3}$"},
                    "level": {"enum": ["error", "warning"]},
                    "file": {"type": "string"},
                    **{
                        key: {"type": ["integer", "null"], "minimum": 1}
                        for key in ("line", "column", "end_line", "end_column")
                    },
                    "message": {"type": "string", "minLength": 1},
                    "help": {"type": ["string", "null"]},
                    "fix": {"anyOf": [{"type": "null"}, FIX]},
                },
            },
        },
    },
}


def test_findings_for_machines(many: Project) -> None:
    many.write("workflows/empty.yaml", "")
    ended = many.run("check", "--offline", "--format", "json")
    said = json.loads(ended.out)
    jsonschema.validate(said, FINDINGS)
    assert (ended.code, said["exit_code"]) == (3, 3)
    assert said["findings"] == [
        {
            "code": "BR200", "level": "error", "file": "workflows/empty.yaml", "line": None, "column": None,
            "end_line": None, "end_column": None, "message": "this file is empty",
            "help": "begin with `version: 1`, `name:` and `steps:`", "fix": None,
        },
        {
            "code": "BR204", "level": "error", "file": "workflows/m.yaml", "line": 4, "column": 32, "end_line": 4,
            "end_column": 33, "message": "step `a` needs `b`, which does not exist", "help": "there is no other step",
            "fix": None,
        },
        {
            "code": "BR230", "level": "warning", "file": "workflows/w.yaml", "line": 3, "column": 10, "end_line": 3,
            "end_column": 14, "message": "nothing uses the input `path`",
            "help": "write `{{ inputs.path }}` where it is meant, or take it out",
            "fix": {
                "title": "take out `path`", "unsafe": True,
                "edits": [{"line": 3, "column": 1, "end_line": 4, "end_column": 1, "text": ""}],
            },
        },
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("content", "options", "served", "code"),
    [
        (GOOD, (), True, 0),
        (GOOD, (), False, 5),
        (GOOD, ("--offline",), False, 0),
        (BAD, (), False, 3),
        (WARNED, (), True, 0),
        (WARNED, ("--strict",), True, 3),
        (MISSING_MODEL, (), True, 4),
        (MISSING_MODEL, ("--offline",), False, 0),
        (MISSING_MODEL, ("--model", "qwen/qwen3-coder-30b"), True, 4),
    ],
)
def test_exit_codes(
    project: Project, serve: Serve, content: str, options: tuple[str, ...], served: bool, code: int
) -> None:
    if served:
        serve([])
    project.write("w.yaml", content)
    assert project.run("check", "w.yaml", *options).code == code
    said = json.loads(project.run("check", "w.yaml", "--format", "json", *options).out)
    assert said["exit_code"] == code
    assert files(project) == ["w.yaml"], "it wrote something"


def test_a_missing_model_points_into_the_file(project: Project, serve: Serve, snapshot: SnapshotAssertion) -> None:
    serve([])
    project.write("w.yaml", MISSING_MODEL)
    assert str(project.run("check", "w.yaml")) == snapshot


def test_a_check_starts_no_server_unless_asked_to(project: Project, serve: Serve) -> None:
    serve([])
    project.write("server.py", MARKING_SERVER)
    project.write("w.yaml", tools())
    for line in (("check", "w.yaml"), ("check", "--offline", "w.yaml"), ("w.yaml", "--dry-run")):
        assert project.run(*line).code == 0
        assert files(project) == ["server.py", "w.yaml"], line
    for line in (("check", "--tools", "w.yaml"), ("w.yaml", "--dry-run", "--tools")):
        ended = project.run(*line)
        assert ended.code == 0, ended
        assert files(project) == ["server.py", "started", "w.yaml"], line
        (project.folder / "started").unlink()


def test_a_tool_that_the_server_does_not_offer(project: Project, serve: Serve, snapshot: SnapshotAssertion) -> None:
    serve([])
    project.write("server.py", MARKING_SERVER)
    project.write("w.yaml", json.dumps(tools("lok"), indent=1))
    assert project.run("check", "w.yaml").code == 0
    assert str(project.run("check", "--tools", "w.yaml")).replace(sys.executable, "PYTHON") == snapshot


PLANNED = """\
version: 1
name: planned
inputs: {path: {type: string, default: src}}
models: {coder: qwen/qwen3-coder-30b}
mcp_servers: {files: {builtin: files, root: "{{ inputs.path }}"}}
defaults: {model: coder}
steps:
  - {id: scan, mcp_servers: [files], tools: [files.read], task: "Look at {{ inputs.path }}"}
  - {id: count, run: [wc, -l, notes.txt]}
  - {id: list, tool: files.list, when: steps.count.output != '0'}
  - {id: report, needs: [list], task: "Report {{ steps.scan.output }}", model: qwen/qwen3-coder-30b}
"""


def test_the_plan_of_a_dry_run(project: Project, serve: Serve, snapshot: SnapshotAssertion) -> None:
    serve([])
    project.write("planned.yaml", PLANNED)
    assert str(project.run("planned.yaml", "--dry-run")) == snapshot
    assert files(project) == ["planned.yaml"]


def test_the_plan_of_a_dry_run_offline(project: Project, snapshot: SnapshotAssertion) -> None:
    project.write("planned.yaml", PLANNED)
    assert str(project.run("planned.yaml", "--dry-run", "--offline")) == snapshot


def test_the_plan_for_machines(project: Project, serve: Serve, snapshot: SnapshotAssertion) -> None:
    serve([])
    project.write("planned.yaml", PLANNED)
    ended = project.run("planned.yaml", "--dry-run", "--format", "json")
    assert json.loads(ended.raw_out)["workflow"] == "planned"
    assert str(ended) == snapshot


@pytest.mark.parametrize("code", EXPLANATIONS)
def test_every_code_is_explained(project: Project, snapshot: SnapshotAssertion, code: str) -> None:
    ended = project.run("explain", code)
    assert (ended.code, ended.err) == (0, "")
    assert ended.out == snapshot


@pytest.mark.parametrize("name", SCHEMAS)
def test_every_schema_is_the_file(project: Project, name: str) -> None:
    ended = project.run("schema", name)
    assert (ended.code, ended.err) == (0, "")
    assert ended.raw_out == (REPOSITORY / f"schemas/{name}.schema.json").read_text("utf-8")
    jsonschema.Draft202012Validator.check_schema(json.loads(ended.raw_out))


def test_the_schema_of_workflows_needs_no_name(project: Project) -> None:
    assert project.run("schema").raw_out == project.run("schema", "workflow").raw_out
