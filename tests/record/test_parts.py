"""Items, called workflows, repeats, questions, resumed runs: what is folded of them, and the result that they give."""

from __future__ import annotations

import json
import random
from pathlib import Path

import jsonschema
import pytest

from runner.chat.messages import Usage
from runner.record.events import (
    ApprovalAnswered,
    ApprovalAsked,
    ModelAnswered,
    RunFinished,
    RunResumed,
    RunStarted,
    StepFinished,
    StepRepeated,
    StepRetried,
    StepStarted,
    StepWarned,
)
from runner.record.parts import Tally, item_of, parent_of, units_of
from runner.record.state import fold, result
from runner.workflow.model import CallWork, Step, TaskWork, Workflow

SCHEMA = json.loads((Path(__file__).parents[2] / "schemas" / "result.schema.json").read_text(encoding="utf-8"))


def start(*steps: str) -> RunStarted:
    return RunStarted(workflow="w", file="w.yaml", inputs={}, steps=steps)


def begin(step: str, item: int | None = None, kind: str = "task", items: int | None = None) -> StepStarted:
    return StepStarted(step=step, kind=kind, item=item, items=items)


def done(step: str, item: int | None = None, status: str = "succeeded", **rest) -> StepFinished:
    return StepFinished(step=step, item=item, status=status, **{"attempts": 1, **rest})


def said(step: str, item: int | None = None, tokens: int = 15) -> ModelAnswered:
    return ModelAnswered(
        step=step,
        item=item,
        attempt=1,
        round=1,
        model="m",
        content="",
        finish_reason="stop",
        usage=Usage(tokens, 0),
        seconds=1.0,
    )


def end(status: str = "succeeded", code: int = 0, seconds: float = 3.0) -> RunFinished:
    return RunFinished(status=status, exit_code=code, outputs={}, seconds=seconds)


def gate(step: str, item: int | None = None) -> ApprovalAsked:
    return ApprovalAsked(step=step, item=item, question="Deploy?", choices=("yes", "no"))


def outcome(entries) -> dict:
    result_ = result(fold(entries))
    jsonschema.Draft202012Validator(SCHEMA).validate(result_)
    return result_


@pytest.mark.parametrize(
    ("unit", "parent", "item"),
    [
        ("fix", None, None),
        ("fix[12]", "fix", 12),
        ("call/draft", "call", None),
        ("call[3]/draft", "call[3]", None),
        ("call[3]/draft[1]", "call[3]/draft", 1),
    ],
)
def test_a_unit_says_what_it_belongs_to(unit, parent, item):
    assert (parent_of(unit), item_of(unit)) == (parent, item)


def test_a_fan_out_while_it_runs(numbered):
    events = [
        start("fix"),
        begin("fix", items=5),
        *(begin("fix", item) for item in range(4)),
        said("fix", 0),
        said("fix", 1, tokens=100),
        done("fix", 0, usage=Usage(20, 0)),
        done("fix", 3, "failed", error={"kind": "tool", "message": "no"}),
        done("fix", 4, "skipped", reason="`when` is false"),
        said("fix", 2, tokens=1),
    ]
    state = fold(numbered(events))
    assert state.tally("fix") == Tally(total=5, done=3, failed=1, skipped=1, running=2)
    assert state.freshest("fix").id == "fix[2]"
    assert state.usage == state.steps["fix"].usage == Usage(121, 0)
    assert [step.id for step in state.running] == ["fix"]
    assert list(state.steps) == ["fix"]
    assert list(state.parts) == [f"fix[{number}]" for number in range(5)]
    over = fold(numbered([*events, done("fix", 2), done("fix", 1), done("fix", status="failed", usage=Usage(1, 1))]))
    assert over.steps["fix"].usage == Usage(20, 0)  # what the items say in the end counts
    assert over.freshest("fix").id == "fix"


def test_the_items_stand_in_their_order_whatever_ended_first(numbered):
    events = [start("fix"), begin("fix", items=3)]
    for item in (2, 0, 1):
        events += [begin("fix", item), StepWarned(step="fix", item=item, message="slow")]
        events += [done("fix", item, output=item, seconds=1.5, usage=Usage(item, 0), extras={"artifacts": ["a"]})]
    events += [done("fix", output=[0, 1, 2], extras={"artifacts": ["a"]}), end()]
    step = outcome(numbered(events))["steps"]["fix"]
    assert [item["output"] for item in step["items"]] == step["output"] == [0, 1, 2]
    assert step["artifacts"] == ["a"]
    assert step["usage"]["prompt_tokens"] == 3
    assert step["items"][2] == {
        "status": "succeeded",
        "output": 2,
        "error": None,
        "reason": None,
        "model": None,
        "attempts": 1,
        "usage": {"prompt_tokens": 2, "completion_tokens": 0, "reasoning_tokens": 0, "cached_tokens": 0},
        "seconds": 1.5,
        "warnings": ["slow"],
        "artifacts": ["a"],
    }


def test_an_empty_fan_out_has_no_items_and_a_step_without_one_has_none(numbered):
    steps = outcome(
        numbered([start("a", "b"), begin("a", items=0), done("a", output=[]), begin("b"), done("b"), end()])
    )
    assert (steps["steps"]["a"]["items"], steps["steps"]["b"]["items"]) == ([], None)


def test_a_fan_out_through_several_models_has_none_of_its_own(numbered):
    def ended(step, *models):
        begun = StepStarted(step=step, kind="task", items=len(models), model=models[0])
        items = [done(step, item, model=model) for item, model in enumerate(models)]
        return [begun, *items, done(step, model=models[0])]

    steps = outcome(numbered([start("one", "two"), *ended("one", "a", "a"), *ended("two", "a", "b"), end()]))["steps"]
    assert (steps["one"]["model"], steps["two"]["model"]) == ("a", None)
    assert [item["model"] for item in steps["two"]["items"]] == ["a", "b"]


def test_the_steps_of_a_call_stand_in_the_order_of_their_file(numbered):
    events = [
        start("call", "call/draft", "call/review", "call/note"),
        begin("call", kind="workflow"),
        begin("call/review"),
        begin("call/draft"),
        said("call/draft"),
        done("call/draft", usage=Usage(15, 0), output="d"),
        begin("call/extra"),  # a file that the first line did not know
    ]
    state = fold(numbered(events))
    assert list(state.steps) == ["call"]
    assert state.tally("call") == Tally(total=4, done=1, failed=0, skipped=0, running=2)
    assert state.freshest("call").id == "call/extra"
    assert state.usage == Usage(15, 0)
    steps = outcome(numbered([*events, done("call", output={"x": "d"}), end()]))["steps"]["call"]["steps"]
    assert [(name, step["status"]) for name, step in steps.items()] == [
        ("draft", "succeeded"),
        ("review", "cancelled"),
        ("note", "cancelled"),
        ("extra", "cancelled"),
    ]


def test_calls_in_a_fan_out_in_a_call(numbered):
    steps = ("top", "top/call", "top/call/draft", "top/call/gate", "top/call[1]/other")
    events = [
        start(*steps),
        begin("top", kind="workflow"),
        begin("top/call", kind="workflow", items=2),
        begin("top/call", 0, kind="workflow"),
        begin("top/call[0]/draft", items=2),
        begin("top/call[0]/draft", 1),
        said("top/call[0]/draft", 1),
        begin("top/call", 1, kind="workflow"),
    ]
    state = fold(numbered(events))
    assert state.usage == Usage(15, 0)
    assert state.freshest("top").id == "top/call[1]"
    assert fold(numbered(events[:-1])).freshest("top").id == "top/call[0]/draft[1]"
    assert state.called_by("top/call[0]") == ("top/call[0]/draft", "top/call[0]/gate")
    assert state.called_by("top/call[1]") == ("top/call[1]/other",)
    call = outcome(numbered([*events, end()]))["steps"]["top"]["steps"]["call"]
    assert call["steps"] is None
    assert [list(item["steps"]) for item in call["items"]] == [["draft", "gate"], ["other"]]
    assert call["items"][0]["steps"]["draft"]["items"][1]["usage"]["prompt_tokens"] == 15


def test_what_was_killed_says_how_far_it_was(numbered):
    events = [start("fix", "note"), begin("fix", items=3), begin("fix", 1), said("fix", 1), said("fix", 1)]
    over = outcome(numbered([*events, done("fix", 0)]))
    fix = over["steps"]["fix"]
    assert (over["status"], over["seconds"]) == ("cancelled", 5.0)
    assert (fix["status"], fix["attempts"], fix["seconds"], fix["usage"]["prompt_tokens"]) == ("cancelled", 1, 4.0, 30)
    assert [(item["status"], item["reason"]) for item in fix["items"]] == [
        ("succeeded", None),
        ("cancelled", "the run ended before it was done"),
        ("cancelled", "the run ended before it could start"),
    ]
    cancelled = [done("fix", 1, "cancelled", attempts=0), done("fix", status="cancelled", attempts=0)]
    fix = outcome(numbered([*events, *cancelled, end("cancelled", 130)]))["steps"]["fix"]
    assert (fix["attempts"], fix["usage"]["prompt_tokens"], fix["items"][1]["attempts"]) == (1, 30, 1)


def test_a_round_of_repeat_begins_its_parts_anew_and_its_tokens_are_kept(numbered):
    round_ = [begin("call/draft", items=2), begin("call/draft", 1), said("call/draft", 1)]
    round_ += [gate("call/ask"), done("call/draft", 1, "failed", usage=Usage(15, 0))]
    again = [StepRepeated(step="call", number=2, attempt=2), begin("call/draft", items=1), said("call/draft", 0)]
    state = fold(numbered([start("call"), begin("call", kind="workflow"), *round_, *again]))
    assert (state.steps["call"].repeats, state.usage) == (2, Usage(30, 0))
    assert state.tally("call/draft") == Tally(total=1, done=0, failed=0, skipped=0, running=0)
    assert (state.questions, list(state.parts)) == ((), ["call/draft", "call/draft[0]"])
    retried = StepRetried(step="call", attempt=2, kind="crash", message="gone", wait=1.0)
    assert fold(numbered([start("call"), *round_, retried])).parts == {}
    steps = outcome(numbered([start("a"), begin("a"), StepRepeated(step="a", number=3, attempt=3), done("a")]))
    assert steps["steps"]["a"]["repeats"] == 3


PAUSED = [
    start("survey", "each", "gate", "call", "call/note", "call/gate", "ship"),
    begin("survey"),
    done("survey"),
    begin("call", kind="workflow"),
    begin("call/gate", kind="approve"),
    gate("call/gate"),
    begin("each", items=3, kind="approve"),
    *(event for item in (2, 0) for event in (begin("each", item, kind="approve"), gate("each", item))),
    begin("gate", kind="approve"),
    ApprovalAsked(step="gate", question="Deploy?", choices=("now", "later"), default="later"),
]


def test_a_paused_run_says_what_it_waits_for(numbered):
    over = outcome(numbered([*PAUSED, end("paused", 8)]))
    assert (over["status"], over["exit_code"]) == ("paused", 8)
    yes_no = {"question": "Deploy?", "choices": ["yes", "no"], "default": None}
    assert over["questions"] == [
        {"id": "each[0]", **yes_no},
        {"id": "each[2]", **yes_no},
        {"id": "gate", "question": "Deploy?", "choices": ["now", "later"], "default": "later"},
        {"id": "call/gate", **yes_no},
    ]
    assert [(name, step["status"], step["reason"]) for name, step in over["steps"].items()] == [
        ("survey", "succeeded", None),
        ("each", "waiting", "`each[0]` and 1 more wait for an answer"),
        ("gate", "waiting", "it waits for an answer"),
        ("call", "waiting", "`call/gate` waits for an answer"),
        ("ship", "waiting", "it needs an answer that nobody has given yet"),
    ]
    assert over["steps"]["call"]["steps"]["note"]["reason"] == "it needs an answer that nobody has given yet"
    one = [start("gate", "ship"), begin("gate", kind="approve"), gate("gate"), end("paused", 8)]
    assert outcome(numbered(one))["steps"]["ship"]["reason"] == "it needs `gate`, which waits for an answer"


def test_an_answer_ends_the_question(numbered):
    answered = ApprovalAnswered(step="gate", choice="now", by="terminal")
    assert [step.id for step in fold(numbered([*PAUSED, answered])).questions] == ["each[0]", "each[2]", "call/gate"]
    assert fold(numbered([*PAUSED, done("gate", status="cancelled")])).unit("gate").question is None


def test_a_resumed_run_ends_as_if_it_had_run_in_one_go(numbered):
    first = [start("a", "fix", "gate", "call", "call/x", "call/y", "late"), begin("a"), said("a"), done("a")]
    half = [
        begin("fix", items=2),
        begin("fix", 0),
        done("fix", 0, output="0", usage=Usage(5, 0)),
        begin("call", kind="workflow"),
        begin("call/x"),
        done("call/x", usage=Usage(7, 0)),
    ]
    lost = [
        begin("fix", 1),
        said("fix", 1),
        done("fix", 1, "failed", error={"kind": "crash", "message": "gone"}, usage=Usage(99, 0)),
        done("fix", status="failed", error={"kind": "crash", "message": "gone"}),
        begin("call/y"),
        said("call/y"),
        begin("gate", kind="approve"),
        gate("gate"),
        done("late", status="skipped", reason="`fix` failed", failed_above=True, attempts=0),
        end("paused", 8),
    ]
    rest = [
        begin("fix", items=2),
        begin("fix", 1),
        done("fix", 1, output="1", usage=Usage(6, 0)),
        done("fix", output=["0", "1"]),
        begin("call", kind="workflow"),
        begin("call/y"),
        done("call/y", usage=Usage(8, 0)),
        done("call", output={}),
        begin("gate", kind="approve"),
        gate("gate"),
        ApprovalAnswered(step="gate", choice="yes", by="--answer"),
        done("gate", output="yes"),
        begin("late"),
        done("late"),
    ]
    at_resume = fold(numbered([*first, *half, *lost, RunResumed()]))
    assert [(step.id, step.status) for step in at_resume.steps.values()] == [
        ("a", "succeeded"),
        ("fix", "waiting"),
        ("gate", "waiting"),
        ("call", "waiting"),
        ("late", "waiting"),
    ]
    assert (at_resume.status, at_resume.questions, at_resume.usage) == ("running", (), Usage(12, 0))
    assert at_resume.tally("fix") == Tally(total=2, done=1, failed=0, skipped=0, running=0)
    straight = outcome(numbered([*first, *half, *rest, end(seconds=7.0)]))
    resumed = outcome(numbered([*first, *half, *lost, RunResumed(), *rest, end(seconds=4.0)]))
    assert resumed == straight
    killed = outcome(numbered([*first, *half, *lost[:-1], RunResumed(), *rest, end(seconds=4.0)]))
    assert killed == {**straight, "seconds": 22.0}  # 18 of the first go, until its last line


def test_rounds_that_pass_again_in_a_resumed_run_are_kept(numbered):
    """What was done in them is not told again: its end stands in the journal already."""
    called = [start("call", "call/draft", "call/review"), begin("call", kind="workflow")]
    first = [begin("call/draft"), done("call/draft", usage=Usage(1, 0), output="1"), begin("call/review")]
    first += [done("call/review", usage=Usage(2, 0)), StepRepeated(step="call", number=2, attempt=2)]
    second = [begin("call/draft"), done("call/draft", usage=Usage(4, 0), output="2"), begin("call/review")]
    rest = [done("call/review", usage=Usage(8, 0)), done("call", usage=Usage(15, 0)), end(seconds=1.0)]
    straight = outcome(numbered([*called, *first, *second, *rest]))
    again = [RunResumed(), begin("call", kind="workflow"), StepRepeated(step="call", number=2, attempt=2)]
    resumed = outcome(numbered([*called, *first, *second, *again, begin("call/review"), *rest]))
    assert resumed == {**straight, "seconds": resumed["seconds"]}
    assert straight["steps"]["call"]["usage"]["prompt_tokens"] == 15
    third = [StepRepeated(step="call", number=3, attempt=3)]
    assert list(fold(numbered([*called, *first, *second, *again, *third])).parts) == []


def test_what_is_done_again_although_it_had_stayed_begins_anew(numbered):
    """The step above it came out otherwise: now there are fewer items."""
    whole = [begin("fix", items=3), *(done("fix", n, usage=Usage(1, 0)) for n in range(3)), done("fix")]
    broken = [
        begin("fix", items=3),
        *(done("fix", n, usage=Usage(1, 0)) for n in range(3)),
        begin("note"),
        gate("note"),
    ]
    for before in (whole, broken):
        again = [RunResumed(), begin("fix", items=2), begin("fix", 1), done("fix", 1, "failed", usage=Usage(5, 0))]
        state = fold(numbered([start("fix", "note"), *before, *again]))
        assert "fix[2]" not in state.parts
        assert state.tally("fix").total == 2
        assert state.unit("fix[1]").usage == Usage(5, 0)
    assert state.usage == Usage(6, 0)  # item 0 had stayed and is not told again


def test_what_is_tolerated_or_skipped_by_its_own_when_stays_in_a_resumed_run(numbered):
    state = fold(
        numbered(
            [
                start("a", "b", "c"),
                begin("a", items=1),
                done("a", 0, "failed", tolerated=True),
                done("a", status="failed", tolerated=True),
                done("b", status="skipped", reason="`when` is false"),
                begin("c", items=1),
                begin("c[0]/deep"),
                done("c", 0, "failed"),
                done("c", status="cancelled"),
                RunResumed(),
            ]
        )
    )
    assert [step.status for step in state.steps.values()] == ["failed", "skipped", "waiting"]
    assert state.unit("a[0]").tolerated
    assert (state.parts.keys(), state.families.keys()) == ({"a[0]"}, {"a"})


def test_a_part_whose_parent_was_not_heard_of_is_taken_in(numbered):
    state = fold(numbered([start("a"), begin("a/b/c"), said("a/b/c")]))
    assert state.usage == Usage(15, 0)
    assert (state.tally("a"), state.called_by("a")) == (None, ("a/b",))


def test_every_key_of_the_schema_of_an_item_can_be_there(numbered):
    events = [
        start("call", "call/x"),
        begin("call", kind="workflow", items=1),
        begin("call", 0, kind="workflow"),
        StepRepeated(step="call", item=0, number=2, attempt=2),
        begin("call[0]/x"),
        done("call[0]/x"),
        done("call", 0, extras={"artifacts": ["a"]}),
        done("call"),
        end(),
    ]
    [item] = outcome(numbered(events))["steps"]["call"]["items"]
    schema = SCHEMA["$defs"]["item"]
    assert item.keys() == set(schema["properties"]) - {"fallbacks"}
    assert set(SCHEMA["$defs"]["step"]["properties"]) == {*schema["properties"], "items"}
    question = SCHEMA["$defs"]["question"]
    asked = outcome(numbered([*PAUSED, end("paused", 8)]))["questions"][0]
    assert list(question["properties"]) == list(asked) == question["required"]


def test_the_units_of_a_file_name_those_of_the_files_that_it_calls():
    def calls(name: str, *steps: Step) -> Step:
        return Step(
            id=name, path=(), work=CallWork(file="f", callee=Workflow(name="w", file="f", folder="", steps=steps))
        )

    task = Step(id="draft", path=(), work=TaskWork(task="x"))
    workflow = Workflow(name="w", file="w", folder="", steps=(task, calls("a", calls("b", task), task), task))
    assert list(units_of(workflow)) == ["draft", "a", "a/b", "a/b/draft", "a/draft", "draft"]


@pytest.mark.parametrize("seed", range(20))
def test_results_do_not_depend_on_the_order_in_which_items_came(numbered, seed):
    chance = random.Random(seed)
    lines = [[begin("fix", n), said("fix", n, n), done("fix", n, output=n, usage=Usage(n, 0))] for n in range(4)]
    events = []
    while any(lines):
        events.append(chance.choice([line for line in lines if line]).pop(0))
    mixed = outcome(numbered([start("fix"), begin("fix", items=4), *events, done("fix"), end()]))
    in_order = sorted(events, key=lambda event: event.item)
    assert mixed == outcome(numbered([start("fix"), begin("fix", items=4), *in_order, done("fix"), end()]))
