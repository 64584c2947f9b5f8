"""The whole command with a model file and no server: llama.cpp comes up with the run and goes with it."""

from __future__ import annotations

import shutil
import signal
from contextlib import suppress
from pathlib import Path

import pytest
from kit.leftover import assert_closed, events
from kit.project import Project, interrupt, processes_with, wait_until
from kit.tiny_gguf import tiny_model

STEPS = """\
version: 1
name: noise
defaults:
  sampling: {max_tokens: 200, seed: 7, temperature: 0.2}
steps:
  - id: say
    task: Say something.
  - id: choose
    task: "Choose a letter. You said: {{ steps.say.output }}"
    output: {type: object, required: [letter], additionalProperties: false, properties: {letter: {enum: [a, b]}}}
outputs:
  letter: "{{ steps.choose.output.letter }}"
"""
LONG = """\
version: 1
name: long
defaults:
  sampling: {max_tokens: 5}
steps:
  - id: talk
    task: Say something.
  - id: wait
    needs: [talk]
    run: [sleep, "60"]
  - id: again
    needs: [wait]
    task: Say more.
"""


@pytest.fixture
def headless(project: Project) -> Project:
    """A project with a model file beside its workflows, and no server anywhere."""
    project.write("noise.yaml", STEPS)
    project.write("long.yaml", LONG)
    shutil.copy(tiny_model(), project.folder / "tiny.gguf")
    return project


def servers(project: Project) -> list[int]:
    """The llama.cpp processes that were started in the project's folder (Linux)."""
    found = []
    for number in processes_with("embedded_server.py"):
        with suppress(OSError):  # it may end while we look
            if Path(f"/proc/{number}/cwd").readlink() == project.folder:
                found.append(number)
    return found


def test_a_run_on_a_model_file(headless: Project) -> None:
    ended = headless.run("noise.yaml", "--endpoint", "embedded:tiny.gguf")
    assert ended.code == 0, ended.raw_err
    assert ended.out in ("a\n", "b\n")
    assert {step["model"] for step in headless.result()["steps"].values()} == {"tiny"}
    [loaded] = events(headless, "model_loaded")
    assert (loaded["model"], loaded["endpoint"], loaded["context_length"]) == ("tiny", "embedded:tiny.gguf", 8192)
    assert_closed(headless, "succeeded")
    assert servers(headless) == []


def test_a_check_starts_nothing_and_knows_the_file(headless: Project) -> None:
    ended = headless.run("check", "noise.yaml", "--endpoint", "embedded:tiny.gguf", "--model", "tinny")
    assert ended.code == 4
    assert "tiny" in ended.err
    assert headless.run("check", "noise.yaml", "--endpoint", "embedded:tiny.gguf").code == 0


def test_a_file_that_is_missing_or_none_is_said_before_the_run(headless: Project) -> None:
    ended = headless.run("noise.yaml", "--endpoint", "embedded:no.gguf", env={"HOME": str(headless.folder)})
    assert ended.code == 5
    assert ended.err == (
        "error: no model server can be asked; tried:\n"
        "    BR301 embedded:no.gguf: there is no model file `no.gguf`, and no models folder PROJECT/.lmstudio/models\n"
        "  = help: name a GGUF file, as `embedded:FILE.gguf`\n"
    )
    headless.write("bad.gguf", "hello")
    ended = headless.run("noise.yaml", "--endpoint", "embedded:bad.gguf")
    assert ended.code == 5
    assert ended.err == (
        "error: no model server can be asked; tried:\n"
        "    BR324 embedded:bad.gguf: the model file bad.gguf is no GGUF file\n"
        "  = help: get the file again, as GGUF\n"
    )
    assert headless.runs() == []


@pytest.mark.parametrize("verb", [(), ("check",), ("doctor",)])
def test_whoever_lacks_the_extra_is_told_how_to_get_it(headless: Project, verb: tuple[str, ...]) -> None:
    """The engine is hidden as if it had not been installed: nothing else of the environment changes."""
    (headless.folder / "hide").mkdir()
    headless.write("hide/sitecustomize.py", "import sys\nsys.modules['xllamacpp'] = None\n")
    hidden = {"PYTHONPATH": str(headless.folder / "hide")}
    ended = headless.run(*verb, "noise.yaml", "--endpoint", "embedded:tiny.gguf", env=hidden)
    assert ended.code == 5
    said = " ".join((ended.err + ended.out).split())
    assert "BR324" in said
    assert "an embedded server needs llama.cpp, and the package `xllamacpp` is not installed" in said
    assert "pip install 'bridge-run[embedded]'" in said


@pytest.mark.parametrize("verb", [("check",), ("doctor",)])
def test_a_near_model_file_is_offered(headless: Project, verb: tuple[str, ...]) -> None:
    ended = headless.run(*verb, "noise.yaml", "--endpoint", "embedded:tinny.gguf", env={"HOME": str(headless.folder)})
    assert ended.code == 5
    assert "did you mean `tiny.gguf`?" in ended.err + ended.out


def test_a_setting_that_an_own_server_has_not_is_found_before_the_run(headless: Project) -> None:
    head = "models:\n  own: {id: tiny, load: {num_experts: 4}}\ndefaults:\n  model: own\n"
    headless.write("experts.yaml", STEPS.replace("defaults:\n", head))
    for verb in ((), ("check",)):
        ended = headless.run(*verb, "experts.yaml", "--endpoint", "embedded:tiny.gguf")
        assert ended.code == 4
        assert "BR325" in ended.err
        assert "`tiny` on embedded:tiny.gguf cannot be loaded with `num_experts`: it has no such setting" in ended.err
    assert headless.runs() == []


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGKILL])
def test_whatever_ends_the_run_ends_the_server(headless: Project, number: signal.Signals) -> None:
    process = headless.start("long.yaml", "--endpoint", "embedded:tiny.gguf")
    wait_until(lambda: bool(servers(headless)), "the server has been started")
    interrupt(process, number)
    ended = headless.ended(process)
    assert ended.code == (130 if number == signal.SIGINT else -9)
    wait_until(lambda: not servers(headless), "the server has ended with the run", within=5)
