"""A model file and no server: what every command says of it, and of what is missing for it."""

from __future__ import annotations

import shutil

import pytest
from kit.project import Project
from kit.stage import flow
from kit.tiny_gguf import tiny_model
from syrupy.assertion import SnapshotAssertion

ENDPOINT = ("--endpoint", "embedded:tiny.gguf")
ASK = flow("{id: answer, task: Hi., sampling: {max_tokens: 8, seed: 7}}")


@pytest.fixture
def headless(project: Project) -> Project:
    """A model file beside a workflow; no server, and a home without models."""
    project.write("ask.yaml", ASK)
    shutil.copy(tiny_model(), project.folder / "tiny.gguf")
    project.environment["HOME"] = str(project.folder)
    return project


@pytest.fixture
def bare(headless: Project) -> Project:
    """The same where the extra is not installed: Python finds no package of that name."""
    headless.write("site/sitecustomize.py", "import sys\nsys.modules['xllamacpp'] = None\n")
    headless.environment["PYTHONPATH"] = str(headless.folder / "site")
    return headless


def test_the_plan_and_the_list(headless: Project, snapshot: SnapshotAssertion) -> None:
    assert str(headless.run("ask.yaml", "--dry-run", *ENDPOINT)) == snapshot(name="plan")
    assert str(headless.run("models", "ls", *ENDPOINT)) == snapshot(name="models")
    assert headless.run("doctor", *ENDPOINT).code == 0


def test_without_the_extra_a_run_does_not_begin(bare: Project, snapshot: SnapshotAssertion) -> None:
    ended = bare.run("ask.yaml", *ENDPOINT)
    assert str(ended) == snapshot
    assert ended.code != 0
    assert bare.runs() == []


def test_without_the_extra_the_doctor_says_so(bare: Project) -> None:
    ended = bare.run("doctor", *ENDPOINT)
    assert ended.code != 0
    assert "pip install 'bridge-run[embedded]'" in ended.out


def test_a_file_that_was_not_copied_whole(headless: Project, snapshot: SnapshotAssertion) -> None:
    whole = (headless.folder / "tiny.gguf").read_bytes()
    headless.write("head.gguf", whole[:3000])
    headless.write("tail.gguf", whole[:-3000])
    assert str(headless.run("ask.yaml", "--endpoint", "embedded:head.gguf")) == snapshot(name="head")
    assert str(headless.run("ask.yaml", "--endpoint", "embedded:tail.gguf")) == snapshot(name="tail")
