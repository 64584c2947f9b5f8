"""Models that think: what is asked of them, what comes of the thoughts, and answers that are lost among them."""

from __future__ import annotations

from typing import Any

import pytest
from kit.leftover import events
from kit.project import Project
from kit.stage import CHAT, CODER, Stage, flow, model
from syrupy.assertion import SnapshotAssertion

THOUGHT = "Let me see. It might be four."
LEVELS = {"allowed_options": ["low", "medium", "high"], "default": "medium"}
SWITCH = {"allowed_options": ["off", "on"], "default": "on"}
SCHEMA = "output: {type: object, required: [n], properties: {n: {type: integer}}}"
THREE = '{\n  "n": 3\n}\n'


def thinker(**facts: Any) -> dict[str, Any]:
    turns = [{"say": "Four.", "reasoning": THOUGHT}]
    return model(loaded={"context_length": 8192}, **{"turns": turns, **facts})


def step(more: str = "") -> str:
    return flow(f"{{id: answer, model: {CODER}, task: Two and two?{more}}}")


def test_thoughts_are_kept_apart_from_the_answer(project: Project, stage: Stage, snapshot: SnapshotAssertion) -> None:
    server = stage.serve({CODER: thinker(reasoning=SWITCH)})
    steps = (
        f"{{id: answer, model: {CODER}, task: Two and two?}}",
        f"{{id: again, model: {CODER}, task: 'You said: {{{{ steps.answer.output }}}}'}}",
    )
    project.write("ask.yaml", flow(*steps))
    ended = project.run("ask.yaml")
    assert str(ended) == snapshot
    assert THOUGHT not in ended.out
    assert [one["reasoning"] for one in events(project, "model_answered")] == [THOUGHT, THOUGHT]
    assert THOUGHT not in str(server.requests(CHAT)[-1])
    assert project.result()["steps"]["answer"]["usage"]["reasoning_tokens"] > 0


@pytest.mark.parametrize(
    ("options", "wanted", "sent", "warned"),
    [
        (LEVELS, "off", "low", "cannot stop thinking"),
        (LEVELS, "high", "high", None),
        (SWITCH, "off", "none", None),
        (SWITCH, "low", "low", "has no such setting"),
        (None, "off", "none", None),
    ],
)
def test_a_setting_that_the_model_has_or_has_not(
    project: Project, stage: Stage, options: Any, wanted: str, sent: str, warned: str | None
) -> None:
    server = stage.serve({CODER: thinker(**({"reasoning": options} if options else {}))})
    project.write("ask.yaml", step(f", sampling: {{reasoning: '{wanted}'}}"))
    ended = project.run("ask.yaml")
    assert ended.code == 0
    assert server.requests(CHAT)[-1]["reasoning_effort"] == sent
    assert ("BR317" in ended.err) is (warned is not None)
    assert warned is None or warned in ended.err


def test_off_for_a_model_that_cannot_stop(project: Project, stage: Stage, snapshot: SnapshotAssertion) -> None:
    stage.serve({CODER: thinker(reasoning=LEVELS)})
    project.write("ask.yaml", step(", sampling: {reasoning: off}"))
    assert str(project.run("check", "ask.yaml")) == snapshot


def test_nothing_is_sent_where_nothing_is_wished(project: Project, stage: Stage) -> None:
    server = stage.serve({CODER: thinker(reasoning=LEVELS)})
    project.write("ask.yaml", step())
    assert project.run("ask.yaml").code == 0
    assert "reasoning_effort" not in server.requests(CHAT)[-1]


def test_data_that_stands_among_the_thoughts(project: Project, stage: Stage, snapshot: SnapshotAssertion) -> None:
    turns = [{"json": {"n": 3}}]
    stage.serve({CODER: thinker(turns=turns, reasoning=SWITCH, faults=["json-in-reasoning"])})
    project.write("ask.yaml", step(f", {SCHEMA}"))
    assert str(project.run("ask.yaml")) == snapshot


@pytest.mark.parametrize(
    "say", ['```json\n{"n": 3}\n```', 'Sure! {"n": 3} - there you are.', '<think>Is it {"n": 4}?</think>{"n": 3}']
)
def test_data_in_a_fence_in_prose_and_behind_thoughts(project: Project, stage: Stage, say: str) -> None:
    stage.serve({CODER: thinker(turns=[{"say": say}])})
    project.write("ask.yaml", step(f", {SCHEMA}"))
    assert project.run("ask.yaml").out == THREE


def test_thoughts_in_the_text_are_no_part_of_the_answer(project: Project, stage: Stage) -> None:
    stage.serve({CODER: thinker(turns=[{"say": f"<think>{THOUGHT}</think>\n\nFour."}])})
    project.write("ask.yaml", step())
    assert project.run("ask.yaml").out == "Four.\n"
    assert [one["reasoning"].strip() for one in events(project, "model_answered")] == [THOUGHT]


def test_all_tokens_went_into_thoughts(project: Project, stage: Stage, snapshot: SnapshotAssertion) -> None:
    stage.serve({CODER: thinker(turns=[{"say": "", "reasoning": THOUGHT, "finish": "length"}])})
    project.write("ask.yaml", step(", sampling: {max_tokens: 8}"))
    assert str(project.run("ask.yaml")) == snapshot
