"""Whether a model exists, asked by a program of three lines."""

from __future__ import annotations

import subprocess
import sys

from kit.project import Project
from kit.stage import CODER, THINKER, Stage, model

PROGRAM = """\
import asyncio
from runner import ModelValidator
print(asyncio.run(ModelValidator().validate({name!r})))
"""


def told(project: Project, name: str, *, env: dict[str, str] | None = None) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", PROGRAM.format(name=name)],
        cwd=project.folder, env={**project.environment, **(env or {})}, capture_output=True, text=True, timeout=60,
        check=False,
    )  # fmt: skip


def test_one_that_is_there_in_any_spelling(project: Project, stage: Stage) -> None:
    server = stage.serve({CODER: model(), THINKER: model(loaded=True)})
    for name in (CODER, CODER.upper(), "default"):
        asked = told(project, name)
        assert (asked.returncode, asked.stderr) == (0, "")
        assert THINKER in asked.stdout if name == "default" else CODER in asked.stdout
    assert list(server.loaded()) == [THINKER]


def test_one_that_is_not_there_with_a_near_name(project: Project, stage: Stage) -> None:
    stage.serve({CODER: model()})
    asked = told(project, "qwen/qwen3-codr-30b")
    assert asked.returncode == 1
    *_, said, hint = asked.stderr.strip().splitlines()
    assert said == "runner.words.errors.ModelNotFoundError: no server has a model named `qwen/qwen3-codr-30b`"
    assert hint == f"help: did you mean `{CODER}`?"


def test_a_server_of_the_configuration(project: Project, stage: Stage) -> None:
    server = stage.serve({CODER: model()})
    stage.configure(f'[endpoints.rack]\nurl = "{server.url}"')
    assert told(project, CODER).returncode == 0
