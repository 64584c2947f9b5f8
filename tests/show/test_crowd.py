"""Fan-outs in plain lines: of a few items everything, of thousands the progress and what goes wrong."""

from __future__ import annotations

import io

import pytest

from runner.record.events import (
    ApprovalAnswered,
    ApprovalAsked,
    RunFinished,
    RunResumed,
    RunStarted,
    StepFinished,
    StepRepeated,
    StepStarted,
    StepWarned,
    ToolCalled,
)
from runner.show.progress import PlainLines

CRASH = {"kind": "crash", "message": "the model crashed"}


def start(*steps: str) -> RunStarted:
    return RunStarted(workflow="w", file="w.yaml", inputs={}, steps=steps)


def begin(step: str, item: int | None = None, items: int | None = None, kind: str = "task") -> StepStarted:
    return StepStarted(step=step, kind=kind, model="tiny" if kind == "task" else None, item=item, items=items)


def done(step: str, item: int | None = None, status: str = "succeeded", **rest) -> StepFinished:
    return StepFinished(step=step, item=item, status=status, **{"attempts": 1, "seconds": 1.0, **rest})


def many(count: int, failing: int = 0) -> list:
    """A fan-out of which every so manyth item fails."""
    events = [start("fix"), begin("fix", items=count)]
    for item in range(count):
        bad = failing and item % failing == 0
        events += [begin("fix", item), done("fix", item, "failed", error=CRASH) if bad else done("fix", item)]
    return [*events, done("fix"), RunFinished(status="succeeded", exit_code=0, outputs={}, seconds=9.0)]


def lines(entries, remembered=()) -> list[str]:
    """What is written, without the times."""
    stream = io.StringIO()
    display = PlainLines(stream)
    for entry in remembered:
        display.remember(entry)
    for entry in entries:
        display.entry(entry)
    display.close()
    return [line[8:] for line in stream.getvalue().splitlines()]


def test_a_few_items_are_told_one_by_one(entries):
    called = ToolCalled(step="fix", item=1, attempt=1, call="c", server="files", tool="read", arguments={})
    events = [start("fix"), begin("fix", items=2), begin("fix", 0), begin("fix", 1), called]
    events += [done("fix", 1), done("fix", 0, "skipped", reason="its `when` does not hold", attempts=0), done("fix")]
    assert lines(entries(events)) == [
        "run  w: 1 step",
        "fix  started 2 items with tiny",
        "fix[1]  calls files.read",
        "fix[1]  succeeded in 1.0s",
        "fix[0]  skipped: its `when` does not hold",
        "fix  succeeded in 1.0s",
    ]


def test_many_items_tell_how_far_they_are(entries):
    assert lines(entries(many(5_000, failing=2_000))) == [
        "run  w: 1 step",
        "fix  started 5,000 items with tiny",
        "fix[0]  failed in 1.0s (crash): the model crashed",
        "fix  500 of 5,000 items done, 1 failed",
        "fix  1,000 of 5,000 items done, 1 failed",
        "fix  1,500 of 5,000 items done, 1 failed",
        "fix  2,000 of 5,000 items done, 1 failed",
        "fix[2000]  failed in 1.0s (crash): the model crashed",
        "fix  2,500 of 5,000 items done, 2 failed",
        "fix  3,000 of 5,000 items done, 2 failed",
        "fix  3,500 of 5,000 items done, 2 failed",
        "fix  4,000 of 5,000 items done, 2 failed",
        "fix[4000]  failed in 1.0s (crash): the model crashed",
        "fix  4,500 of 5,000 items done, 3 failed",
        "fix  5,000 of 5,000 items done, 3 failed",
        "fix  succeeded in 1.0s",
        "run  succeeded in 9.0s",
    ]


def test_of_many_failures_only_the_first_are_told(entries):
    told = lines(entries(many(1_000, failing=1)))
    assert sum("] " in line for line in told) == 20
    assert told[-3:] == [
        "fix  980 more failures and warnings of its items stand in the record",
        "fix  succeeded in 1.0s",
        "run  succeeded in 9.0s",
    ]


def test_what_a_crowd_was_doing_when_it_was_stopped_is_not_told_item_by_item(entries):
    events = [start("fix"), begin("fix", items=50), begin("fix", 0)]
    events += [done("fix", item, "cancelled") for item in range(50)]
    told = lines(entries([*events, done("fix", status="cancelled", reason="the run was interrupted")]))
    assert [line for line in told if "[" in line] == []
    assert told[-1] == "fix  cancelled in 1.0s: the run was interrupted"


def test_all_below_a_crowd_is_part_of_it(entries):
    events = [start("call", "call/draft"), begin("call", items=11, kind="workflow"), begin("call", 3, kind="workflow")]
    events += [begin("call[3]/draft", items=12), begin("call[3]/draft", 0), done("call[3]/draft", 0)]
    events += [StepWarned(step="call[3]/draft", item=1, message="slow"), done("call[3]/draft")]
    events += [done("call", 3), done("call", 4, "skipped"), done("call")]
    assert lines(entries(events)) == [
        "run         w: 1 step",
        "call        started 11 items",
        "call[3]/draft[1]  warning: slow",
        "call        2 of 11 items done, 1 skipped",
        "call        succeeded in 1.0s",
    ]


def test_a_called_workflow_is_told_by_its_paths(entries):
    events = [start("call", "call/draft"), begin("call", kind="workflow"), begin("call/draft"), done("call/draft")]
    events += [StepRepeated(step="call", number=2, attempt=2), begin("call/draft"), done("call/draft"), done("call")]
    assert lines(entries(events)) == [
        "run         w: 1 step",
        "call        started",
        "call/draft  started with tiny",
        "call/draft  succeeded in 1.0s",
        "call        is not done yet: round 2 begins",
        "call/draft  started with tiny",
        "call/draft  succeeded in 1.0s",
        "call        succeeded in 1.0s",
    ]


@pytest.mark.parametrize(
    ("default", "by", "asked", "answered"),
    [
        (None, "terminal", "asks: Ship it? (yes, no)", "answered at the terminal: `yes`"),
        ("no", "--answer", "asks: Ship it? (yes, no; default: no)", "answered by --answer: `yes`"),
        ("yes", "default", "asks: Ship it? (yes, no; default: yes)", "nobody answered: `yes` holds by default"),
    ],
)
def test_questions_and_answers(entries, default, by, asked, answered):
    events = [
        ApprovalAsked(step="gate", question="Ship\nit?", choices=("yes", "no"), default=default),
        ApprovalAnswered(step="gate", choice="yes", by=by),
    ]
    assert lines(entries(events)) == [f"gate  {asked}", f"gate  {answered}"]


def test_a_resumed_run_knows_what_was_done_before_and_does_not_tell_it_again(entries):
    story = entries([*many(100)[:130], RunFinished(status="paused", exit_code=8, outputs={}, seconds=1.0)])
    rest = entries([RunResumed(), begin("fix", items=100), *(done("fix", item) for item in range(64, 100))])
    assert lines(rest, remembered=story) == [
        "run  goes on; what is finished stays",
        "fix  started 100 items with tiny",
        *(f"fix  {count} of 100 items done" for count in (70, 80, 90, 100)),
    ]


def test_a_long_path_keeps_its_end(entries):
    [line] = lines(entries([StepWarned(step="process_all_the_invoices[12]/summarise", message="slow")]))
    assert line == "…_the_invoices[12]/summarise  warning: slow"


def test_lines_wait_while_a_person_is_asked(entries):
    stream = io.StringIO()
    display = PlainLines(stream)
    first, second, third = entries([start("a"), begin("a", kind="run"), done("a")])
    display.entry(first)
    with display.step_aside():
        display.entry(second)
        assert stream.getvalue().count("\n") == 1
    assert stream.getvalue().count("\n") == 2
    with display.step_aside():
        display.entry(third)
        display.close()
        assert stream.getvalue().count("\n") == 2
    assert [line[8:] for line in stream.getvalue().splitlines()] == [
        "run  w: 1 step",
        "a    started",
        "a    succeeded in 1.0s",
    ]
