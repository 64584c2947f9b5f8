"""Every way in which a command line can be wrong, and all that a person is told about it."""

from __future__ import annotations

import os
from collections.abc import Callable

import pytest
from kit.project import Project
from syrupy.assertion import SnapshotAssertion

GREET = """\
version: 1
name: greet
inputs:
  who: {type: string}
  count: {type: integer, minimum: 1, maximum: 2}
  loud: {type: boolean, default: false}
  tags: {type: array, items: {type: string}, default: []}
  size: {enum: [small, "very large"], default: small}
models: {coder: qwen/qwen3-coder-30b}
steps:
  - id: greet
    model: coder
    task: "{{ inputs.who }} {{ inputs.count }} {{ inputs.loud }} {{ inputs.tags }} {{ inputs.size }}"
"""
GIVEN = ("-i", "who=Ada", "-i", "count=1")


@pytest.fixture
def greet(project: Project) -> Project:
    """A project with ``greet.yaml`` and files of inputs."""
    project.write("greet.yaml", GREET)
    project.write("none/notes.txt", "no workflow\n")
    project.write("list.yaml", "- who\n")
    project.write("typo.yaml", "whoo: Ada\n")
    project.write("number.yaml", "who: 3\n")
    project.write("broken.yaml", "who: [Ada\n")
    project.write("latin.txt", "Adèle".encode("latin-1"))
    return project


LINES: dict[str, tuple[str, ...]] = {
    "two inputs are missing": ("greet.yaml",),
    "an input is missing": ("greet.yaml", "-i", "who=Ada"),
    "a word for a whole number": ("greet.yaml", "-i", "who=Ada", "-i", "count=three"),
    "a number out of its range": ("greet.yaml", "-i", "who=Ada", "-i", "count=7"),
    "yes for true": ("greet.yaml", *GIVEN, "-i", "loud=yes"),
    "a word for a list": ("greet.yaml", *GIVEN, "-i", "tags=new"),
    "a list of the wrong things": ("greet.yaml", *GIVEN, "-i", 'tags=["new", 2]'),
    "none of the choices": ("greet.yaml", *GIVEN, "-i", "size=huge"),
    "an unknown input": ("greet.yaml", *GIVEN, "-i", "woh=Ada"),
    "an unknown input like no other": ("greet.yaml", *GIVEN, "--input", "zzzzz=1"),
    "an input without a value": ("greet.yaml", "-i", "who"),
    "an input from a file that is not there": ("greet.yaml", "-i", "who=@nobody.txt", "-i", "count=1"),
    "an input from a file that is no text": ("greet.yaml", "-i", "who=@latin.txt", "-i", "count=1"),
    "inputs from a file that is not there": ("greet.yaml", "--inputs", "nobody.yaml"),
    "inputs from a list": ("greet.yaml", "--inputs", "list.yaml"),
    "inputs from a file with a typo": ("greet.yaml", "--inputs", "typo.yaml"),
    "inputs of the wrong type": ("greet.yaml", "--inputs", "number.yaml", "-i", "count=1"),
    "inputs from a broken file": ("greet.yaml", "--inputs", "broken.yaml"),
    "an unknown alias": ("greet.yaml", *GIVEN, "--model", "codr=tiny"),
    "an alias without a model": ("greet.yaml", *GIVEN, "--model", "coder="),
    "an unknown option": ("greet.yaml", *GIVEN, "--modle", "tiny"),
    "an option without its value": ("greet.yaml", "--model"),
    "an unknown format": ("greet.yaml", "--output", "yaml"),
    "an option of a dry run": ("greet.yaml", *GIVEN, "--format", "json"),
    "an address of no server": ("greet.yaml", *GIVEN, "--endpoint", "ftp://desk"),
    "an unknown command": ("chekc", "greet.yaml"),
    "a file that is not there": ("great.yaml",),
    "a file that is not there, with the command": ("run", "great.yaml"),
    "a folder": ("none",),
    "two files": ("greet.yaml", "typo.yaml"),
    "an input without -i": ("greet.yaml", "who=Ada"),
    "no file": ("run",),
    "check: a file that is not there": ("check", "great.yaml"),
    "check: a folder without workflows": ("check", "none"),
    "check: no folder of workflows": ("check",),
    "check: an unknown alias": ("check", "--offline", "greet.yaml", "--model", "codr=tiny"),
    "explain: an unknown code": ("explain", "BR999"),
    "explain: two codes": ("explain", "BR201", "BR202"),
    "schema: an unknown name": ("schema", "workflows"),
    "simulate: a file that is not there": ("simulate", "nobody.sim.yaml"),
}


@pytest.mark.parametrize("line", LINES.values(), ids=LINES)
def test_a_bad_command_line(greet: Project, snapshot: SnapshotAssertion, line: tuple[str, ...]) -> None:
    ended = greet.run(*line)
    assert f"$ bridge-run {' '.join(line)}\n{ended}" == snapshot
    assert ended.out == ""
    assert greet.runs() == [], "a run was begun"


def test_nothing_at_all_is_help(project: Project) -> None:
    ended = project.run()
    assert ended.code == 2
    assert ended.err.startswith("Usage: bridge-run [OPTIONS] COMMAND [ARGS]...")
    assert ended.err == project.run("--help").out


@pytest.mark.skipif(os.geteuid() == 0, reason="the superuser may read everything")
def test_a_file_that_may_not_be_read(greet: Project, snapshot: SnapshotAssertion) -> None:
    (greet.folder / "greet.yaml").chmod(0)
    assert str(greet.run("greet.yaml")) == snapshot


def test_an_odd_name_is_shown_as_it_is(project: Project, snapshot: SnapshotAssertion) -> None:
    project.write("my flow [1] é.yaml", "version: 1\nname: odd\nsteps: []\n")
    assert str(project.run("check", "--offline", "my flow [1] é.yaml")) == snapshot


def test_a_good_command_line_runs(greet: Project, serve: Callable[..., str]) -> None:
    serve([{"say": "Hello."}])
    greet.write("who.txt", "Ada\n")
    greet.write("more.yaml", 'count: 2\nloud: true\ntags: ["a, b"]\nsize: very large\n')
    ended = greet.run("greet.yaml", "-i", "who=@who.txt", "--inputs", "more.yaml", "-q")
    assert (ended.code, ended.out, ended.err) == (0, "Hello.\n", "")
    [asked] = [entry for entry in greet.journal() if entry["type"] == "model_asked"]
    assert asked["messages"][-1]["content"] == 'Ada 2 true ["a, b"] very large'
