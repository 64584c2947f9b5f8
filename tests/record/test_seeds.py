"""What of a run stays done when it is resumed: a workflow and what happened in it, and what is not done again."""

from __future__ import annotations

import pytest

from runner.record.events import (
    ApprovalAnswered,
    ApprovalAsked,
    Event,
    RunFinished,
    RunResumed,
    StepFinished,
    StepRepeated,
    StepRetried,
    StepStarted,
    StepWarned,
)
from runner.record.seeds import Seeds, seeds_of
from runner.workflow.fan_out import FanOut, ForEach, Repeat
from runner.workflow.model import ApproveWork, CallWork, RunWork, Step, Workflow

NO_SEEDS = Seeds()


def step(id: str, *needs: str, **more: object) -> Step:
    return Step(id=id, path=(), needs=needs, **{"work": RunWork(argv=("true",)), **more})


def workflow(*steps: Step) -> Workflow:
    return Workflow(name="w", file="w.yaml", folder=".", steps=steps)


def split(unit: str) -> tuple[str, int | None]:
    name, _, index = unit[:-1].rpartition("[") if unit.endswith("]") else (unit, "", "")
    return name, int(index) if index else None


def done(unit: str, status: str = "succeeded", **more: object) -> StepFinished:
    """The end of a unit; its output says which unit it is, so that ends are told apart."""
    name, item = split(unit)
    return StepFinished(step=name, item=item, status=status, **{"output": unit, **more})


def answered(unit: str, choice: str) -> ApprovalAnswered:
    name, item = split(unit)
    return ApprovalAnswered(step=name, item=item, choice=choice, by="terminal")


def seeds(numbered, flow: Workflow, *events: Event) -> Seeds:
    return seeds_of(numbered(events), flow)


def units(numbered, flow: Workflow, *events: Event) -> list[str]:
    return sorted(seeds(numbered, flow, *events).units)


CHAIN = workflow(step("a"), step("b", "a"), step("c", "b"), step("d"))


def test_what_went_well_stays_and_what_did_not_is_done_again(numbered):
    ends = [
        done("a"), done("b", "recovered"), done("c", "failed"), done("d", "failed", tolerated=True),
    ]  # fmt: skip
    assert units(numbered, CHAIN, *ends) == ["a", "b", "d"]


def test_cancelled_steps_and_those_that_never_ended_are_done(numbered):
    events = [done("a"), StepStarted(step="b", kind="run"), done("b", "cancelled"), StepStarted(step="d", kind="run")]
    assert units(numbered, CHAIN, *events, StepWarned(step="d", message="slow")) == ["a"]


def test_a_skip_stays_unless_it_came_of_a_failure(numbered):
    assert units(numbered, CHAIN, done("a"), done("b", "skipped"), done("c", "skipped")) == ["a", "b", "c"]
    ends = [done("a", "failed"), done("b", "skipped", failed_above=True), done("c", "skipped", failed_above=True)]
    assert units(numbered, CHAIN, *ends) == []


def test_what_cleaned_up_after_a_failure_is_done_again_with_it(numbered):
    flow = workflow(step("make"), step("use", "make"), step("tidy", "use", join="all_finished"))
    assert units(numbered, flow, done("make"), done("use", "failed"), done("tidy")) == ["make"]


def test_an_end_that_is_older_than_what_it_needs_is_of_an_earlier_go(numbered):
    first = [done("a", "failed"), done("b", "skipped", failed_above=True), done("d"), RunResumed()]
    assert units(numbered, CHAIN, *first, done("a")) == ["a", "d"]
    flow = workflow(step("a"), step("tidy", "a", join="all_finished"))
    again = [done("a", "failed"), done("tidy"), RunResumed(), done("a")]
    assert units(numbered, flow, *again) == ["a"]
    assert units(numbered, flow, *again, done("tidy")) == ["a", "tidy"]


def test_of_a_step_that_was_done_twice_the_last_end_counts(numbered):
    story = seeds(numbered, CHAIN, done("a", "failed"), RunResumed(), done("a", output="second"))
    assert story.take("a") == done("a", output="second")


def test_a_step_that_the_file_no_longer_has_is_left_out_and_a_new_one_is_done(numbered):
    flow = workflow(step("a"), step("new", "a"), step("c", "new"))
    ends = [done("a"), done("b"), done("c"), done("b[1]"), done("b/x"), RunFinished(
        status="failed", exit_code=1, outputs={}, seconds=1.0
    )]  # fmt: skip
    assert units(numbered, flow, *ends) == ["a"]


FAN = FanOut(over=ForEach(items="steps.list.output"))
FANNED = workflow(step("list"), step("fix", "list", fan_out=FAN), step("note", "fix"))


def test_every_item_of_a_fan_out_that_is_not_over_stays_by_itself(numbered):
    items = [
        StepStarted(step="fix", kind="run", items=5),
        done("fix[2]"), done("fix[0]", "failed"), done("fix[1]", "skipped"), done("fix[3]", "failed", tolerated=True),
        done("fix[4]", "cancelled"),
    ]  # fmt: skip
    assert units(numbered, FANNED, done("list"), *items, done("fix", "failed")) == [
        "fix[1]",
        "fix[2]",
        "fix[3]",
        "list",
    ]
    assert units(numbered, FANNED, done("list"), *items) == ["fix[1]", "fix[2]", "fix[3]", "list"]
    assert units(numbered, FANNED, done("list", "failed"), *items) == []
    assert units(numbered, FANNED, *items, done("list")) == ["list"], "these were items of another list"


def test_a_fan_out_that_is_over_stays_as_a_whole(numbered):
    assert units(numbered, FANNED, done("list"), done("fix[0]"), done("fix[1]"), done("fix")) == ["fix", "list"]


REVIEW = workflow(step("draft"), step("gate", "draft", work=ApproveWork(question="Good?")))


def call(id: str = "call", *needs: str, callee: Workflow = REVIEW, **more: object) -> Step:
    return step(id, *needs, work=CallWork(file="review.yaml", callee=callee), **more)


def test_inside_a_call_that_is_not_over_every_step_stays_by_itself(numbered):
    flow = workflow(step("a"), call("call", "a"), step("z", "call"))
    inside = [StepStarted(step="call", kind="workflow"), done("call/draft")]
    assert units(numbered, flow, done("a"), *inside) == ["a", "call/draft"]
    assert units(numbered, flow, done("a"), *inside, done("call/gate"), done("call")) == ["a", "call"]
    assert units(numbered, flow, *inside, done("a")) == ["a"], "it was drafted from something else"
    assert units(numbered, flow, done("a", "failed"), *inside) == []


def test_calls_in_calls_and_in_fan_outs(numbered):
    outer = workflow(step("list"), call(callee=REVIEW, fan_out=FAN))
    flow = workflow(call("top", callee=outer))
    events = [
        done("top/list"), done("top/call[0]/draft"), done("top/call[0]/gate"), done("top/call[0]"),
        done("top/call[1]/draft"), done("top/call[2]/draft", "failed"),
    ]  # fmt: skip
    assert units(numbered, flow, *events) == ["top/call[0]", "top/call[1]/draft", "top/list"]


def test_a_call_that_is_tried_again_begins_from_the_start(numbered):
    flow = workflow(call())
    retried = StepRetried(step="call", attempt=1, kind="command", message="no", wait=1.0)
    events = [done("call/draft"), done("call/gate", "failed"), retried]
    assert units(numbered, flow, *events) == []
    assert units(numbered, flow, *events, done("call/draft")) == ["call/draft"]


def again(number: int) -> StepRepeated:
    return StepRepeated(step="call", number=number, attempt=number)


START = StepStarted(step="call", kind="workflow")
ROUNDS = workflow(step("a"), call("call", "a", repeat=Repeat(until="output.gate == 'yes'", most=3)))


def outputs(story: Seeds, unit: str) -> list[str]:
    taken = iter(lambda: story.take(unit), None)
    return [end.output for end in taken]


def test_rounds_pass_again_one_after_the_other(numbered):
    events = [
        done("a"), START, done("call/draft", output="d1"), done("call/gate", output="no"),
        again(2), done("call/draft", output="d2"),
    ]  # fmt: skip
    story = seeds(numbered, ROUNDS, *events)
    assert (outputs(story, "call/draft"), outputs(story, "call/gate")) == (["d1", "d2"], ["no"])
    assert story.units == ("a",)


def test_rounds_of_a_run_that_was_resumed_twice(numbered):
    """What passed again was not journalled again, but the rounds and what was new were."""
    events = [
        done("a"), START, done("call/draft", output="d1"), done("call/gate", output="no"), again(2), RunResumed(),
        START, again(2), done("call/draft", output="d2"), done("call/gate", output="no"), again(3),
        done("call/draft", output="d3"), RunResumed(), START, again(2), again(3),
    ]  # fmt: skip
    story = seeds(numbered, ROUNDS, *events)
    assert (outputs(story, "call/draft"), outputs(story, "call/gate")) == (["d1", "d2", "d3"], ["no", "no"])


def test_rounds_after_one_that_was_done_again_are_of_an_earlier_go(numbered):
    first = [
        done("a"), START, done("call/draft", output="d1"), done("call/gate", output="no"),
        again(2), done("call/draft", output="d2"),
    ]  # fmt: skip
    second = [RunResumed(), done("a"), START, done("call/draft", output="new")]
    assert outputs(seeds(numbered, ROUNDS, *first, *second), "call/draft") == ["new"]
    story = seeds(numbered, ROUNDS, *first, *second, done("call/gate", output="no"))
    assert (outputs(story, "call/draft"), outputs(story, "call/gate")) == (["new"], ["no"])


def in_vain(rounds: int) -> list[Event]:
    events: list[Event] = [done("a"), START]
    for number in range(1, rounds + 1):
        events += [again(number)] if number > 1 else []
        events += [done("call/draft", output=f"d{number}"), done("call/gate", output="no")]
    return [*events, done("call", "failed", error={"kind": "limit", "message": "not good enough"})]


def test_a_call_whose_rounds_are_used_up_is_done_again_from_the_first(numbered):
    assert units(numbered, ROUNDS, *in_vain(3)) == ["a"]


def test_a_call_whose_rounds_are_used_up_goes_on_when_the_file_now_allows_more(numbered):
    more = workflow(step("a"), call("call", "a", repeat=Repeat(until="output.gate == 'yes'", most=5)))
    assert outputs(seeds(numbered, more, *in_vain(3)), "call/draft") == ["d1", "d2", "d3"]


def test_rounds_that_begin_anew_after_all_were_used_up(numbered):
    events = [*in_vain(3), RunResumed(), START, done("call/draft", output="new")]
    assert outputs(seeds(numbered, ROUNDS, *events), "call/draft") == ["new"]
    events += [done("call/gate", output="no"), again(2)]
    assert outputs(seeds(numbered, ROUNDS, *events), "call/draft") == ["new"]


def test_a_call_that_failed_without_repeat_keeps_what_is_done(numbered):
    flow = workflow(call())
    ends = [done("call/draft"), done("call/gate"), done("call", "failed")]
    assert units(numbered, flow, *ends) == ["call/draft", "call/gate"]


GATE = workflow(step("a"), step("gate", "a", work=ApproveWork(question="Ship?")))
ASKED = ApprovalAsked(step="gate", question="Ship?", choices=("yes", "no"))


def test_an_answer_without_an_end_is_kept(numbered):
    start = StepStarted(step="gate", kind="approve")
    events = [done("a"), start, ASKED, answered("gate", "yes")]
    assert seeds(numbered, GATE, *events).answers == {"gate": (answered("gate", "yes"),)}
    assert seeds(numbered, GATE, *events, done("gate")).answers == {}
    assert seeds(numbered, GATE, *events, done("gate", "cancelled")).answers == {"gate": (answered("gate", "yes"),)}
    assert seeds(numbered, GATE, *events, done("gate", "failed")).answers == {}
    assert seeds(numbered, GATE, *events, RunResumed(), done("a")).answers == {}, "it was about something else"


def test_answers_of_rounds_are_kept_in_order_also_when_they_are_given_again(numbered):
    asks = ApproveWork(question="Good?")
    flow = workflow(step("gate", work=asks, repeat=Repeat(until="output == 'yes'", most=9)))
    start = StepStarted(step="gate", kind="approve")
    first = [start, answered("gate", "no"), StepRepeated(step="gate", number=2, attempt=2), answered("gate", "later")]
    second = [RunResumed(), start, answered("gate", "no")]
    kept = seeds(numbered, flow, *first, *second).answers["gate"]
    assert [answer.choice for answer in kept] == ["no", "later"]


def test_answers_of_items_and_of_called_files(numbered):
    flow = workflow(call(fan_out=FAN))
    answer, other = answered("call[1]/gate", "no"), answered("each[2]", "yes")
    flow = workflow(*flow.steps, step("each", work=ApproveWork(question="Good?"), fan_out=FAN))
    kept = seeds(numbered, flow, done("call[1]/draft"), answer, other).answers
    assert kept == {"call[1]/gate": (answer,), "each[2]": (other,)}


@pytest.mark.parametrize("flow", [CHAIN, FANNED, ROUNDS, GATE])
def test_a_run_that_did_nothing_has_no_seeds(numbered, flow):
    story = seeds(numbered, flow)
    assert (story.units, story.answers, story.take("a")) == ((), {}, None)
    assert NO_SEEDS.take("a") is None


def test_five_thousand_items_cost_no_more_than_their_entries(numbered):
    events = [done("list"), *(done(f"fix[{n}]") for n in range(5_000))]
    entries = [type(entry)(seq=n, at="", run="r", event=entry.event) for n, entry in enumerate(numbered(events[:1]), 1)]
    entries += [type(entries[0])(seq=n, at="", run="r", event=event) for n, event in enumerate(events[1:], 2)]
    assert len(seeds_of(entries, FANNED).units) == 5_001
