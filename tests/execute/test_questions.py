"""Steps that ask a person: the answer is the output, and without one the run pauses when all else is done."""

from __future__ import annotations

import pytest
from kit.world import Bench, PaintedBackend

from runner.execute.questions import Answer
from runner.record.events import ApprovalAnswered, ApprovalAsked, RunFinished, StepFinished
from runner.record.seeds import Seeds, seeds_of
from runner.workflow.load import load

HEAD = "version: 1\nname: gate\n"
GATE = """
steps:
  - {id: build, run: [echo, built]}
  - {id: gate, approve: "Ship {{ steps.build.output }}?", choices: [now, never]}
  - {id: ship, when: steps.gate.output == 'now', run: [echo, shipped]}
  - {id: after, needs: [ship], join: all_finished, run: [echo, after]}
  - {id: other, run: [echo, other]}
"""


class Clerk:
    """Answers by unit."""

    def __init__(self, **answers):
        self.answers = answers
        self.asked = []

    async def answer(self, question):
        self.asked.append(question)
        choice = self.answers.get(question.unit)
        return None if choice is None else Answer(choice=choice, by="--answer")


def test_the_choice_is_the_output(bench):
    clerk = Clerk(gate="now")
    ran = bench(answers=clerk).run(HEAD + GATE)
    assert (ran.finished["gate"].output, ran.finished["ship"].output) == ("now", "shipped")
    [question] = clerk.asked
    assert (question.unit, question.text, question.choices, question.default, question.patience) == (
        "gate", "Ship built?", ("now", "never"), None, None,
    )  # fmt: skip
    assert [(e.question, e.choices) for e in ran.events(ApprovalAsked)] == [("Ship built?", ("now", "never"))]
    assert [(e.choice, e.by) for e in ran.events(ApprovalAnswered)] == [("now", "--answer")]


def test_a_timeout_is_the_patience_of_the_question_and_not_that_of_a_step(bench):
    clerk = Clerk(gate="yes")
    bench(answers=clerk).run(f"{HEAD}steps:\n  - {{id: gate, approve: Go?, timeout: 5m, default: 'no'}}\n")
    [question] = clerk.asked
    assert (question.choices, question.default, question.patience) == (("yes", "no"), "no", 300.0)


def test_without_an_answer_all_that_does_not_depend_on_it_is_done(bench):
    ran = bench(answers=Clerk()).run(HEAD + GATE)
    assert ran.end.paused == ("gate", "ship", "after")
    assert set(ran.end.finished) == {"build", "other"}
    assert ran.result["status"] == "paused"
    assert {name: step["status"] for name, step in ran.result["steps"].items()} == {
        "build": "succeeded", "gate": "waiting", "ship": "waiting", "after": "waiting", "other": "succeeded",
    }  # fmt: skip
    assert [event.exit_code for event in ran.events(RunFinished)] == [8]


def test_every_item_may_be_asked_by_itself(bench):
    clerk = Clerk(**{"gate[0]": "yes", "gate[1]": "no"})
    ran = bench(answers=clerk).run(f"{HEAD}steps:\n  - {{id: gate, for_each: [a, b], approve: 'Go {{{{ item }}}}?'}}\n")
    assert ran.finished["gate"].output == ["yes", "no"]
    assert [question.text for question in clerk.asked] == ["Go a?", "Go b?"]


def test_an_item_that_waits_pauses_its_step_when_the_others_are_done(bench):
    ran = bench(answers=Clerk(**{"gate[1]": "no"})).run(
        f"{HEAD}steps:\n  - {{id: gate, for_each: [a, b], approve: Go?}}\n  - {{id: t, needs: [gate], run: ['true']}}\n"
    )
    assert ran.end.paused == ("gate", "t")
    assert [(e.step, e.item) for e in ran.events(StepFinished)] == [("gate", 1)]


def test_a_question_takes_no_place_from_those_that_work(bench):
    ran = bench(answers=Clerk()).run(
        f"{HEAD}limits: {{parallel: 1}}\nsteps:\n  - {{id: gate, approve: Go?}}\n  - {{id: t, run: [echo, on]}}\n"
    )
    assert ran.end.finished["t"].output == "on"


@pytest.fixture
def in_two_goes(tmp_path):
    """``in_two_goes(text, first, second)``: a run that pauses, and goes on with what its journal says."""

    def run(text, first, second, backend=None, **files):
        for name, content in files.items():
            (tmp_path / f"{name}.yaml").write_text(content)
        bench = Bench(tmp_path, answers=first, backend=backend)
        paused = bench.run(text)
        workflow = load(str(tmp_path / "flow-1.yaml")).workflow
        seeds = seeds_of(paused.entries, workflow)
        bench.answers, bench.seeds = second, seeds
        return paused, bench.run(text)

    return run


class TestGoingOn:
    def test_what_was_done_is_not_done_again(self, in_two_goes):
        paused, ran = in_two_goes(HEAD + GATE, Clerk(), Clerk(gate="now"))
        assert ran.end.finished["ship"].output == "shipped"
        assert ran.end.finished["build"].output == "built"
        assert [event.step for event in ran.events(StepFinished)] == ["gate", "ship", "after"]
        assert paused.end.paused

    def test_items_and_steps_of_called_files_one_by_one(self, in_two_goes):
        callee = (
            "version: 1\nname: callee\ninputs: {n: {type: integer}}\nsteps:\n"
            "  - {id: draft, task: 'Draft {{ inputs.n }}'}\n"
            "  - {id: gate, approve: 'Fine: {{ steps.draft.output }}?'}\n"
            "outputs: {text: '{{ steps.draft.output }}, {{ steps.gate.output }}'}\n"
        )
        asked = []

        def say(request):
            asked.append(request.messages[-1].content)
            return f"<{asked[-1]}>"

        text = (
            f"{HEAD}steps:\n  - {{id: call, for_each: [1, 2], workflow: callee.yaml, with: {{n: '{{{{ item }}}}'}}}}\n"
        )
        _, ran = in_two_goes(
            text,
            Clerk(**{"call[0]/gate": "yes"}),
            Clerk(**{"call[1]/gate": "no"}),
            backend=PaintedBackend(say),
            callee=callee,
        )
        assert ran.end.finished["call"].output == [{"text": "<Draft 1>, yes"}, {"text": "<Draft 2>, no"}]
        assert asked == ["Draft 1", "Draft 2"]

    def test_a_failed_step_is_done_again_and_what_needs_it(self, in_two_goes, tmp_path):
        text = (
            f"{HEAD}steps:\n  - {{id: a, run: [echo, a]}}\n"
            "  - {id: b, needs: [a], run: [sh, -c, 'test -e there && echo b || { touch there; false; }']}\n"
            "  - {id: c, needs: [b], run: [echo, c]}\n"
        )
        bench = Bench(tmp_path)
        counted = bench.run(text.replace("there", str(tmp_path / "there")))
        assert {step: end.status for step, end in counted.finished.items()} == {
            "a": "succeeded", "b": "failed", "c": "skipped",
        }  # fmt: skip
        bench.seeds = seeds_of(counted.entries, load(str(tmp_path / "flow-1.yaml")).workflow)
        ran = bench.run(text.replace("there", str(tmp_path / "there")))
        assert {step: end.status for step, end in ran.end.finished.items()} == dict.fromkeys("abc", "succeeded")
        assert [event.step for event in ran.events(StepFinished)] == ["b", "c"]


def test_no_seeds_are_no_difference(bench):
    ran = bench(seeds=Seeds()).run(f"{HEAD}steps:\n  - {{id: t, run: [echo, on]}}\n")
    assert ran.end.finished["t"].output == "on"
