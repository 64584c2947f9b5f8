"""``bridge-run graph``: a picture of a workflow, on the screen or in a file."""

from __future__ import annotations

import contextlib
import os
import pty
import subprocess
import termios
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import pytest
from kit.project import BRIDGE_RUN

WORKFLOWS = Path(__file__).resolve().parents[2] / "workflows"
FLOW = """\
version: 1
name: flow
inputs:
  unused: {type: string, default: x}
models:
  coder: qwen/coder
steps:
  - id: look
    run: [git, status]
  - id: work
    when: steps.look.output | length > 0
    model: coder
    task: Go.
  - id: tell
    needs: look
    task: "Tell {{ steps.work.output }}."
"""
INNER = "version: 1\nname: inner\nsteps:\n  - {id: x, task: Go.}\n  - {id: y, task: '{{ steps.x.output }}'}\n"
OUTER = """\
version: 1
name: outer
steps:
  - {id: call, workflow: ./inner.yaml}
  - {id: ask, approve: Go on?, needs: call}
"""


@pytest.mark.parametrize("name", ["hello", "refactor", "review"])
def test_our_own_workflows_on_the_screen(project, snapshot, name):
    project.write(f"{name}.yaml", (WORKFLOWS / f"{name}.yaml").read_text("utf-8"))
    assert str(project.run("graph", f"{name}.yaml")) == snapshot


def test_warnings_of_the_file_stand_on_stderr_and_the_picture_on_stdout(project, snapshot):
    project.write("flow.yaml", FLOW)
    assert str(project.run("graph", "flow.yaml", "-o", "-")) == snapshot


@pytest.mark.parametrize("form", ["mermaid", "dot"])
def test_other_ways_to_draw(project, snapshot, form):
    project.write("flow.yaml", FLOW)
    ended = project.run("graph", "flow.yaml", "--format", form)
    assert (ended.code, ended.out) == (0, snapshot)


@pytest.mark.parametrize(
    ("name", "form", "begin"),
    [
        ("flow.svg", "svg", "<svg "),
        ("flow.MMD", "mermaid", "flowchart TD\n"),
        ("flow.gv", "dot", "digraph "),
        ("flow.txt", "ascii", "flow: 3 steps"),
    ],
)
def test_a_file_says_by_its_ending_what_it_is(project, name, form, begin):
    project.write("flow.yaml", FLOW)
    ended = project.run("graph", "flow.yaml", "-o", name)
    assert (ended.code, ended.out, ended.err.splitlines()[-1]) == (0, "", f"flow: drawn in {name} ({form})")
    assert (project.folder / name).read_text("utf-8").startswith(begin)


def test_the_format_that_is_asked_for_wins_over_the_ending(project):
    project.write("flow.yaml", FLOW)
    project.run("graph", "flow.yaml", "-o", "flow.txt", "--format", "svg")
    assert ElementTree.fromstring((project.folder / "flow.txt").read_text("utf-8")).get("role") == "img"


def on_screen(project, *arguments: str, columns: int, **environment: str) -> str:
    """What a terminal of so many columns shows."""
    master, screen = pty.openpty()
    termios.tcsetwinsize(screen, (24, columns))
    env = {**project.environment, "TERM": "xterm", **environment}
    env.pop("COLUMNS", None)  # the terminal is asked, not the surroundings of the tests
    with subprocess.Popen([BRIDGE_RUN, *arguments], cwd=project.folder, env=env, stdout=screen, stderr=screen) as shown:
        os.close(screen)
        parts: list[bytes] = []
        with contextlib.suppress(OSError):  # the other side was closed: all is read
            while part := os.read(master, 4096):
                parts.append(part)
    os.close(master)
    assert shown.returncode == 0
    return b"".join(parts).decode().replace("\r\n", "\n")


def test_a_terminal_gets_lines_of_its_width(project):
    project.write("refactor.yaml", (WORKFLOWS / "refactor.yaml").read_text("utf-8"))
    for columns in (60, 120):
        shown = on_screen(project, "graph", "refactor.yaml", columns=columns)
        assert columns - 30 < max(map(len, shown.split("\n"))) <= columns


def test_a_terminal_with_colours_gets_them_unless_it_is_told_otherwise(project):
    project.write("flow.yaml", FLOW)
    assert "\x1b[1mlook\x1b[0m" in on_screen(project, "graph", "flow.yaml", columns=80, NO_COLOR="")
    assert "\x1b" not in on_screen(project, "graph", "flow.yaml", "--no-color", columns=80, NO_COLOR="")


def test_a_terminal_without_letters_for_rails_gets_plain_ones(project):
    project.write("flow.yaml", FLOW)
    plain = {"LC_ALL": "C", "PYTHONCOERCECLOCALE": "0", "PYTHONUTF8": "0"}
    shown = on_screen(project, "graph", "flow.yaml", columns=80, **plain)
    assert "+>*  work  task  coder   decides by look - when" in shown
    assert "\\u" not in shown


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (("flo.yaml",), 2, "error: there is no file `flo.yaml`\n  = help: did you mean `flow.yaml`?\n"),
        ((".",), 2, "error: `.` is a folder\n  = help: name one file; `bridge-run check .` checks them all\n"),
        (
            ("flow.yaml", "-o", "flow.png"),
            2,
            "error: `flow.png` does not say what to draw: its ending is none of .svg, .mmd, .mermaid, .dot, .gv, .txt\n"
            "  = help: choose by `--format ascii|mermaid|dot|svg`\n",
        ),
    ],
)
def test_what_cannot_be_drawn_is_said(project, arguments, code, said):
    project.write("flow.yaml", FLOW.replace("  unused: {type: string, default: x}\n", "").replace("inputs:\n", ""))
    ended = project.run("graph", *arguments)
    assert (ended.code, ended.out, ended.err) == (code, "", said)


def test_the_workflow_itself_is_not_written_over(project):
    project.write("flow.yaml", FLOW)
    ended = project.run("graph", "flow.yaml", "-o", "./flow.yaml", "--format", "dot")
    assert (ended.code, ended.err.splitlines()[-2:]) == (
        2,
        ["error: `./flow.yaml` is the workflow itself", "  = help: draw it into another file"],
    )
    assert (project.folder / "flow.yaml").read_text("utf-8") == FLOW


def test_a_place_that_cannot_be_written_is_said(project):
    project.write("flow.yaml", FLOW)
    ended = project.run("graph", "flow.yaml", "-o", "no/flow.svg")
    assert (ended.code, ended.err.splitlines()[-2:]) == (
        2,
        ["error: cannot write `no/flow.svg`: No such file or directory", "  = help: choose another place"],
    )


def test_a_file_at_fault_is_told_as_check_tells_it(project):
    project.write("flow.yaml", FLOW.replace("needs: look", "needs: lok").replace("steps.work", "steps.wrk"))
    ended = project.run("graph", "flow.yaml")
    assert (ended.code, ended.out) == (3, "")
    told = project.run("check", "--offline", "flow.yaml").err.partition("\n")[2]
    assert ended.err == told.partition("fixable: ")[0]  # only `check` has a `--fix` to speak of


def test_called_workflows_are_drawn_inside_or_left_out(project, snapshot):
    project.write("inner.yaml", INNER)
    project.write("outer.yaml", OUTER)
    assert str(project.run("graph", "outer.yaml")) == snapshot(name="all")
    assert str(project.run("graph", "outer.yaml", "--depth", "0")) == snapshot(name="depth 0")


def test_calls_that_come_to_too_many_steps_are_refused_with_a_way_out(project):
    project.write("f7.yaml", INNER.replace("inner", "f7"))
    for level in range(7):
        calls = "".join(f"  - {{id: s{number}, workflow: ./f{level + 1}.yaml}}\n" for number in range(4))
        project.write(f"f{level}.yaml", f"version: 1\nname: f{level}\nsteps:\n{calls}")
    ended = project.run("graph", "f0.yaml")
    assert (ended.code, ended.out) == (2, "")
    assert ended.err == (
        "error: 54,612 steps are too many to draw (at most 5,000)\n"
        "  = help: show less of what it calls: `--depth 0` draws the file alone\n"
    )
    assert project.run("graph", "f0.yaml", "--depth", "2").code == 0
