"""``bridge-run diff``: two real runs beside each other."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from kit.project import Project

FLOW = """\
version: 1
name: flow
inputs: {word: {type: string, default: one}}
mcp_servers:
  files: {builtin: files, root: .}
steps:
  - id: look
    tool: files.read
    arguments: {path: "{{ inputs.word }}.txt"}
  - id: say
    run: [echo, "{{ run.id }} read {{ steps.look.output }}"]
"""


@pytest.fixture
def flow(project: Project) -> Project:
    """A project with three runs: one, one, two."""
    project.write("flow.yaml", FLOW)
    project.write("one.txt", "the first text\n")
    project.write("two.txt", "the second text\n")
    for word in ("one", "one", "two"):
        assert project.run("flow.yaml", "-q", "-i", f"word={word}").code == 0
    return project


def test_two_runs_with_the_same_answers(flow: Project) -> None:
    ended = flow.run("diff", "last~2", "last~1")
    assert (ended.code, ended.err) == (0, "")
    assert ended.out.splitlines()[-1].startswith("nothing differs in 2 steps; tokens 0, ")


def test_what_another_input_changes(flow: Project) -> None:
    ended = flow.run("diff", "last~1", "last")
    assert ended.code == 1
    assert ended.out == (
        "- RUN-flow  flow succeeded, 0.0s, 0 tokens\n"
        "+ RUN-flow  flow succeeded, 0.0s, 0 tokens\n"
        "\n"
        "~ the run\n"
        "    outputs.say: RUN read the [-first-]{+second+} text\n"
        "    inputs.word: [-one-]{+two+}\n"
        "\n"
        "~ look\n"
        "    output: the [-first-]{+second+} text\n"
        "    ~ files.read\n"
        "        path: [-one-]{+two+}.txt\n"
        "\n"
        "~ say\n"
        "    output: RUN read the [-first-]{+second+} text\n"
        "    ~ command\n"
        "        [1]: RUN read the [-first-]{+second+} text\n"
        "\n"
        "2 of 2 steps differ; tokens 0, time 0.0s → 0.0s\n"
    )


def test_the_second_run_is_the_last_one_and_a_folder_is_a_run_too(flow: Project) -> None:
    first = flow.runs()[0]
    assert flow.run("diff", str(first)).code == 1
    assert flow.run("diff", first.name, "last~1").code == 0
    assert flow.run("diff", "last", "last~0").code == 0
    ended = flow.run("diff", "last")
    assert (ended.code, ended.out) == (2, "")
    assert ended.err == (
        "error: `last` is the last run itself: name two runs\n"
        "  = help: `bridge-run diff last~1` compares the one before with it\n"
    )


def test_the_difference_for_machines(flow: Project) -> None:
    ended = flow.run("diff", "last~1", "--format", "json")
    read = json.loads(ended.raw_out)
    assert (ended.code, read["exit_code"]) == (1, 1)
    assert [(one["step"], one["how"], list(one["facts"])) for one in read["changes"]] == [
        (None, "changed", ["outputs", "inputs"]),
        ("look", "changed", ["output"]),
        ("say", "changed", ["output"]),
    ]


def test_runs_that_are_not_there(flow: Project) -> None:
    runs = flow.runs()
    ended = flow.run("diff", "last~7", "last")
    assert (ended.code, ended.raw_err) == (
        2,
        "error: there is no run `last~7` in `.bridge/runs`\n"
        f"  = help: there are only 3 runs; the first is `{runs[0].name}`\n",
    )
    assert flow.run("diff", "nothing").code == 2
    ended = flow.run("diff", "last~1", "--run-dir", "elsewhere")
    assert (ended.code, ended.err.split("\n")[0]) == (2, "error: there is no run in `elsewhere`")


def test_one_run_alone(project: Project) -> None:
    project.write("flow.yaml", FLOW)
    project.write("one.txt", "")
    assert project.run("flow.yaml", "-q").code == 0
    assert "there is only one run" in project.run("diff", "last~1").err


def journal(change: Callable[[list[str]], Any]) -> Callable[[Project], None]:
    def apply(project: Project) -> None:
        path = project.runs()[-1] / "journal.jsonl"
        lines = path.read_text("utf-8").splitlines(keepends=True)
        change(lines)
        path.write_text("".join(lines), encoding="utf-8")

    return apply


def test_a_run_that_was_killed_is_compared_as_far_as_it_came(flow: Project) -> None:
    def torn(lines: list[str]) -> None:
        lines[-2:] = [lines[-2][:20]]

    journal(torn)(flow)
    ended = flow.run("diff", "last~1", "last")
    assert ended.code == 1
    assert "    status: succeeded → cancelled\n" in ended.out
    assert ended.err == "RUN-flow has not ended: it is at work, or was killed. What it did until now is compared.\n"


def test_a_journal_that_is_damaged_or_empty_is_told(flow: Project) -> None:
    journal(lambda lines: lines.pop(1))(flow)
    ended = flow.run("diff", "last~1", "last")
    assert (ended.code, ended.err.split(":")[:2]) == (6, ["error", " line 2 of the journal is damaged"])
    journal(list.clear)(flow)
    ended = flow.run("diff", "last~1", "last")
    assert ended.code == 2
    assert "ended before it began" in ended.err


def test_a_journal_that_cannot_be_read_is_told(flow: Project) -> None:
    run = flow.runs()[-1]
    (run / "journal.jsonl").write_bytes(b'{"seq": 1}\n{}\n')
    assert flow.run("diff", str(run), "last~1").code == 6
