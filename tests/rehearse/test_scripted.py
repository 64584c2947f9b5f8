"""Stubs: which one a unit gets, how they are written, and what is wrong with those that do not fit."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from runner.record.parts import without_indices
from runner.rehearse.scripted import Reply, Stub, Stubs, read_stubs, replies_of
from runner.rehearse.scripted_text import scalar
from runner.words.errors import WorkflowError
from runner.words.spans import Span
from runner.workflow.load import load
from runner.workflow.model import Workflow

FLOW = """version: 1
name: flow
steps:
  - {id: ask, task: Ask.}
  - {id: rate, task: Rate., output: {type: object, required: [score], properties: {score: {type: integer}}}}
  - {id: gate, approve: Sure?}
  - {id: list, run: [ls]}
  - {id: data, run: [ls], output: json}
  - {id: call, for_each: [1, 2], workflow: ./part.yaml}
"""
PART = "version: 1\nname: part\nsteps:\n  - {id: draft, task: Draft.}\n"


@pytest.fixture
def workflow(tmp_path: Path) -> Workflow:
    (tmp_path / "flow.yaml").write_text(FLOW)
    (tmp_path / "part.yaml").write_text(PART)
    return load(str(tmp_path / "flow.yaml")).workflow


def findings(tmp_path: Path, workflow: Workflow, text: str) -> list[tuple[str, int, str, str | None]]:
    path = tmp_path / "some.stubs.yaml"
    path.write_text(text)
    with pytest.raises(WorkflowError) as caught:
        read_stubs(str(path), workflow)
    return [(one.code, one.span.line if one.span else 0, one.message, one.help) for one in caught.value.diagnostics]


@pytest.mark.parametrize(
    ("given", "replies"),
    [
        ("text", (Reply(value="text"),)),
        ({"answer": 3}, (Reply(value=3),)),
        ({"answer": {"fail": "no"}}, (Reply(value={"fail": "no"}),)),
        (
            {"answers": [1, {"fail": "timeout"}]},
            (Reply(value=1), Reply(fails="timeout", message="failed by its stub (timeout)")),
        ),
        ({"fail": "command", "message": "m"}, (Reply(fails="command", message="m"),)),
        ({"answer": 1, "score": 2}, (Reply(value={"answer": 1, "score": 2}),)),
        ({"message": "only"}, (Reply(value={"message": "only"}),)),
        ({}, (Reply(value={}),)),
        ([1, 2], (Reply(value=[1, 2]),)),
    ],
)
def test_how_a_stub_is_written(given: Any, replies: tuple[Reply, ...]) -> None:
    assert replies_of(given) == replies


def test_the_nearest_name_wins() -> None:
    stub = Stub(replies=(Reply(),), span=Span(1, 1, 1, 2))
    stubs = Stubs(of=dict.fromkeys(("call/draft", "call[1]/draft", "call/draft[2]", "each"), stub))
    assert stubs.name_for("call[1]/draft[2]") == "call/draft[2]"
    assert stubs.name_for("call[1]/draft[0]") == "call[1]/draft"
    assert stubs.name_for("call[0]/draft") == "call/draft"
    assert stubs.name_for("each[7]") == "each"
    assert stubs.name_for("other") is None
    assert without_indices("call[10]/draft[2]") == "call/draft"


def test_every_kind_of_step_takes_what_it_answers(tmp_path: Path, workflow: Workflow) -> None:
    path = tmp_path / "good.yaml"
    path.write_text(
        "ask: Hello\nrate: {answers: [{score: 1}, {fail: timeout}]}\ngate: 'yes'\nlist: {fail: command}\n"
        "data: {a: 1}\ncall[1]/draft: {answer: Second}\n"
    )
    stubs = read_stubs(str(path), workflow)
    assert list(stubs.of) == ["ask", "rate", "gate", "list", "data", "call[1]/draft"]
    assert stubs.of["data"].span.line == 5


def test_everything_that_does_not_fit_is_said_at_once_with_its_line(tmp_path: Path, workflow: Workflow) -> None:
    text = (
        "ask: 3\n"
        "rate: {answers: {score: 1}}\n"
        "gate: {fail: timeout}\n"
        "list: {fail: tmeout}\n"
        "call: {}\n"
        "draft: x\n"
        "nothing_like_it: x\n"
        "data: {answer: 1, fail: timeout}\n"
        "call/draft: {answers: [{answers: [x]}, 4], message: m}\n"
    )
    assert findings(tmp_path, workflow, text) == [
        (
            "BR219",
            1,
            "`ask` answers with a text, and this is none",
            "write a text in quotes, or give the step an `output`",
        ),
        ("BR219", 2, "`answers` of `rate` is no list of answers", "write one or more: `answers: [a, b]`"),
        ("BR220", 3, "`gate` is a question and cannot fail", "write its choice"),
        ("BR220", 4, "`tmeout` is no kind of failure", "did you mean `timeout`?"),
        ("BR220", 5, "`call` calls a workflow, whose steps answer", "write a stub for each of its steps: `call/draft`"),
        ("BR217", 6, "the workflow has no step `draft`", "did you mean `call/draft`?"),
        (
            "BR217",
            7,
            "the workflow has no step `nothing_like_it`",
            "the steps are `ask`, `rate`, `gate`, `list`, `data`, `call`, `call/draft`",
        ),
        ("BR220", 8, "`answer` and `fail` exclude each other", "keep one of them"),
        ("BR220", 9, "`answers` of `call/draft` within answers", "write one list"),
        (
            "BR219",
            9,
            "`call/draft` answers with a text, and this is none",
            "write a text in quotes, or give the step an `output`",
        ),
        ("BR220", 9, "`message` and `answers` exclude each other", "keep one of them"),
    ]


def test_words_stand_in_a_stub_file_as_they_are_and_all_else_as_json() -> None:
    assert [scalar(value) for value in ("two words", "yes", "[x]", "a: b", 3, None, {})] == [
        "two words",
        '"yes"',
        '"[x]"',
        '"a: b"',
        "3",
        "null",
        "{}",
    ]
