"""The digest of a workflow: what changes it, and what does not."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from runner.workflow.digest import digest_of
from runner.workflow.load import load

SCHEMA = '{"type": "object", "properties": {"a": {"type": "string"}}}'
INNER = "version: 1\nname: inner\nsteps: [{id: greet, run: [echo, hi]}]\n"
OUTER = """version: 1
name: outer
models: {coder: qwen/qwen3-8b}
steps:
  - id: ask
    model: coder
    task: Say hi.
    output: {schema: answer.json}
    retry: {on: [timeout, server, crash, connection]}
  - {id: call, workflow: ./inner.yaml}
"""


@pytest.fixture(autouse=True)
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def digest(outer: str = OUTER, inner: str = INNER, schema: str = SCHEMA) -> str:
    Path("answer.json").write_text(schema)
    Path("inner.yaml").write_text(inner)
    Path("outer.yaml").write_text(outer)
    return digest_of(load("outer.yaml").workflow)


@pytest.mark.parametrize(
    "changed",
    [
        {"outer": OUTER.replace("Say hi.", "Say ho.")},
        {"outer": OUTER.replace("qwen3-8b", "qwen3-4b")},
        {"outer": OUTER + "outputs: {note: '{{ steps.ask.output.a }}'}\n"},
        {"inner": INNER.replace("hi]", "ho]")},
        {"schema": SCHEMA.replace('"a"', '"b"')},
    ],
    ids=["a prompt", "a model", "outputs", "a called file", "a schema"],
)
def test_another_meaning_is_another_digest(changed):
    assert digest(**changed) != digest()


def test_comments_and_layout_are_no_meaning():
    assert digest("# a comment\n\n" + OUTER.replace("model: coder", "model:   coder  # mine")) == digest()


def test_it_is_the_same_in_every_process():
    """Sets of words have another order in each."""
    here = digest(OUTER.partition("  - {id: call")[0])
    program = (
        "from runner.workflow.digest import digest_of\nfrom runner.workflow.load import load\n"
        "print(digest_of(load('outer.yaml').workflow))\n"
    )
    root = str(Path(__file__).parents[2])
    for seed in ("1", "2"):
        environment = {"PYTHONHASHSEED": seed, "PYTHONPATH": root}
        command = [sys.executable, "-c", program]
        said = subprocess.run(command, env=environment, capture_output=True, text=True, check=True).stdout
        assert said.strip() == here
