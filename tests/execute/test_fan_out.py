"""Steps that run many times: lists, matrices, what becomes of their items, and rounds of a repeat."""

from __future__ import annotations

import asyncio

import pytest
from kit.world import Bench, PaintedBackend

from runner.record.events import StepFinished, StepRepeated, StepStarted
from runner.words.errors import LLMResponseError

HEAD = "version: 1\nname: fan\n"


def run(bench, steps, **inputs):
    return bench().run(f"{HEAD}{steps}", **inputs)


def items(ran, step):
    """The ends of the items of a step, in the order of the list."""
    ends = [event for event in ran.events(StepFinished, step) if event.item is not None]
    return sorted(ends, key=lambda end: end.item)


class TestForEach:
    def test_the_output_is_a_list_in_the_order_of_the_items(self, bench):
        ran = run(
            bench, "steps:\n  - {id: s, for_each: [3, 1, 2], run: [sh, -c, 'sleep 0.0$0; echo $0', '{{ item }}']}\n"
        )
        assert ran.finished["s"].output == ["3", "1", "2"]

    def test_a_list_that_a_step_answered_with_a_name_of_its_own_and_the_loop(self, bench):
        ran = run(
            bench,
            """
steps:
  - {id: list, run: [echo, '[{"n": "a"}, {"n": "b"}]'], output: json}
  - {id: s, for_each: steps.list.output, as: spot,
     run: [echo, "{{ spot.n }} {{ loop.index }} {{ loop.index0 }} {{ loop.length }} {{ loop.first }} {{ loop.last }}"]}
""",
        )
        assert ran.finished["s"].output == ["a 1 0 2 true false", "b 2 1 2 false true"]

    def test_an_empty_list_succeeds_with_an_empty_list(self, bench):
        ran = run(
            bench, "inputs: {all: {type: array}}\nsteps:\n  - {id: s, for_each: inputs.all, run: ['true']}\n", all=[]
        )
        assert (ran.finished["s"].status, ran.finished["s"].output) == ("succeeded", [])
        assert [event.items for event in ran.events(StepStarted)] == [0]

    @pytest.mark.parametrize(
        ("value", "said"),
        [('{"a": 1}', "a mapping"), ('"text"', "a text"), ("3", "a number"), ("null", "null"), ("true", "a boolean")],
    )
    def test_what_is_no_list_fails_the_step_in_words(self, bench, value, said):
        ran = run(
            bench,
            f"steps:\n  - {{id: v, run: [echo, '{value}'], output: json}}\n"
            "  - {id: s, for_each: steps.v.output, run: ['true']}\n  - {id: t, run: [echo, on]}\n",
        )
        end = ran.finished["s"]
        assert (end.status, end.error["kind"]) == ("failed", "request")
        assert end.error["message"] == f"`for_each: steps.v.output` gives {said}, and a list is needed"
        assert ran.finished["t"].status == "succeeded"

    def test_on_error_stands_in_for_a_list_that_cannot_be_made(self, bench):
        ran = run(
            bench,
            "steps:\n  - {id: v, run: [echo, '3'], output: json}\n"
            "  - {id: s, for_each: steps.v.output, run: ['true'], on_error: {output: []}}\n",
        )
        assert (ran.finished["s"].status, ran.finished["s"].output) == ("recovered", [])

    def test_the_step_is_named_as_a_whole_and_each_item_by_its_index(self, bench):
        ran = run(bench, "steps:\n  - {id: s, for_each: [a, b], max_parallel: 1, run: [echo, '{{ item }}']}\n")
        assert [(e.step, e.item, e.items) for e in ran.events(StepStarted)] == [
            ("s", None, 2), ("s", 0, None), ("s", 1, None),
        ]  # fmt: skip
        assert [(e.step, e.item) for e in ran.events(StepFinished)] == [("s", 0), ("s", 1), ("s", None)]


class TestMatrix:
    def test_the_first_key_is_the_slowest_and_rows_are_taken_away_and_added(self, bench):
        ran = run(
            bench,
            """
steps:
  - id: s
    matrix: {a: [x, y], b: [1, 2], exclude: [{a: x, b: 2}], include: [{a: z, b: 9}]}
    run: [echo, "{{ matrix.a }}{{ matrix.b }}"]
""",
        )
        assert ran.finished["s"].output == [
            {"matrix": {"a": "x", "b": 1}, "output": "x1"},
            {"matrix": {"a": "y", "b": 1}, "output": "y1"},
            {"matrix": {"a": "y", "b": 2}, "output": "y2"},
            {"matrix": {"a": "z", "b": 9}, "output": "z9"},
        ]


class TestWhenOfItems:
    def test_a_when_that_reads_the_item_is_judged_for_each_and_leaves_null(self, bench):
        ran = run(bench, "steps:\n  - {id: s, for_each: [1, 2, 3], when: item != 2, run: [echo, '{{ item }}']}\n")
        assert ran.finished["s"].output == ["1", None, "3"]
        assert [end.status for end in items(ran, "s")] == ["succeeded", "skipped", "succeeded"]

    def test_a_when_that_reads_the_loop_too(self, bench):
        ran = run(bench, "steps:\n  - {id: s, for_each: [a, b], when: loop.first, run: [echo, '{{ item }}']}\n")
        assert ran.finished["s"].output == ["a", None]

    def test_any_other_when_is_judged_once_for_the_step(self, bench):
        ran = run(bench, "steps:\n  - {id: s, for_each: [1, 2], when: false, run: [echo, '{{ item }}']}\n")
        assert (ran.finished["s"].status, items(ran, "s")) == ("skipped", [])

    def test_a_when_that_cannot_be_judged_fails_the_step_once(self, bench):
        ran = run(
            bench,
            "steps:\n  - {id: v, run: [echo, '{}'], output: json}\n"
            "  - {id: s, for_each: [1, 2], when: steps.v.output.a.b, run: [echo, '{{ item }}']}\n",
        )
        assert ran.finished["s"].error["kind"] == "request"
        assert items(ran, "s") == []


class TestFailedItems:
    STEP = """
steps:
  - {{id: s, for_each: [1, 2, 3, 4], run: [sh, -c, 'test $0 -lt 3 && echo $0', '{{{{ item }}}}']{more}}}
"""

    def test_they_fail_the_step_and_the_others_are_done_and_kept(self, bench):
        ran = run(bench, self.STEP.format(more=""))
        end = ran.finished["s"]
        assert (end.status, end.output, end.error["kind"]) == ("failed", None, "command")
        assert end.error["message"].startswith("2 of 4 items failed; the first is item 2: `sh -c ")
        assert [(one.status, one.output) for one in items(ran, "s")] == [
            ("succeeded", "1"), ("succeeded", "2"), ("failed", None), ("failed", None),
        ]  # fmt: skip
        assert [one["status"] for one in ran.result["steps"]["s"]["items"]] == [
            "succeeded", "succeeded", "failed", "failed",
        ]  # fmt: skip

    def test_one_alone_is_named(self, bench):
        ran = run(bench, "steps:\n  - {id: s, for_each: [1, 2], run: [test, '{{ item }}', -lt, '2']}\n")
        assert ran.finished["s"].error["message"].startswith("1 of 2 items failed; item 1: ")

    def test_on_error_stands_in_for_each(self, bench):
        ran = run(bench, self.STEP.format(more=", on_error: {output: 'no {{ item }}: {{ error.kind }}'}"))
        assert (ran.finished["s"].status, ran.finished["s"].output) == (
            "recovered", ["1", "2", "no 3: command", "no 4: command"],
        )  # fmt: skip

    def test_continue_leaves_null_and_counts_as_recovered(self, bench):
        ran = run(bench, self.STEP.format(more=", on_error: continue"))
        assert (ran.finished["s"].status, ran.finished["s"].output) == ("recovered", ["1", "2", None, None])

    def test_each_item_has_its_own_retries(self, bench):
        failed = set()

        def say(request):
            task = request.messages[-1].content
            if task == "Do b." and task not in failed:
                failed.add(task)
                raise LLMResponseError("a bad moment")
            return "done"

        step = "  - {id: s, for_each: [a, b, c], task: 'Do {{ item }}.', retry: {attempts: 2, wait: 1ms}}\n"
        text = f"{HEAD}steps:\n{step}"
        ran = bench(backend=PaintedBackend(say)).run(text)
        assert ran.finished["s"].output == ["done"] * 3
        assert [end.attempts for end in items(ran, "s")] == [1, 2, 1]

    def test_fail_fast_stops_the_others_and_the_step_is_failed(self, bench):
        ran = run(
            bench,
            "steps:\n  - {id: s, for_each: [0, 30, 30], fail_fast: true, "
            "run: [sh, -c, 'sleep $0; false', '{{ item }}']}\n"
            "  - {id: t, run: [echo, on]}\n",
        )
        assert [end.status for end in items(ran, "s")] == ["failed", "cancelled", "cancelled"]
        assert {end.reason for end in items(ran, "s")[1:]} == {"item 0 of `s` failed, and the step fails fast"}
        assert ran.finished["s"].status == "failed"
        assert ran.finished["t"].status == "succeeded"

    def test_fail_fast_begins_no_further_item(self, bench):
        ran = run(bench, "steps:\n  - {id: s, for_each: [1, 2, 3], max_parallel: 1, fail_fast: true, run: ['false']}\n")
        assert [end.status for end in items(ran, "s")] == ["failed", "cancelled", "cancelled"]
        assert [e.item for e in ran.events(StepStarted, "s")] == [None, 0]

    def test_what_on_error_stands_in_for_is_no_reason_to_stop(self, bench):
        ran = run(
            bench,
            "steps:\n  - {id: s, for_each: [1, 2], max_parallel: 1, fail_fast: true, on_error: continue, "
            "run: ['false']}\n",
        )
        assert [end.status for end in items(ran, "s")] == ["failed", "failed"]


class Busy:
    """A model that remembers how many asked at once."""

    def __init__(self):
        self.now = self.most = 0

    async def say(self, request):
        self.now += 1
        self.most = max(self.most, self.now)
        await asyncio.sleep(0.01)
        self.now -= 1
        return request.messages[-1].content


class TestHowManyAtOnce:
    @pytest.mark.parametrize(
        ("keys", "limit", "most"),
        [("", 8, 8), ("max_parallel: 3", 8, 3), ("max_parallel: 9", 2, 2), ("order: items", 8, 1)],
    )
    def test_the_tighter_of_step_and_run(self, timeless, keys, limit, most):
        busy = Busy()
        more = f", {keys}" if keys else ""
        step = f"  - {{id: s, for_each: {list(range(20))}, task: '{{{{ item }}}}'{more}}}\n"
        text = f"{HEAD}limits: {{parallel: {limit}}}\nsteps:\n{step}"
        ran = timeless(backend=PaintedBackend(busy.say)).run(text)
        assert busy.most == most
        assert ran.finished["s"].output == [str(n) for n in range(20)]


class TestRepeat:
    def test_until_sees_output_and_previous_and_the_work_sees_the_loop(self, bench):
        ran = run(
            bench,
            """
steps:
  - {id: s, repeat: {until: output == previous or output | length > 5, max: 9},
     run: [echo, "{{ previous or '' }}{{ loop.index }}"]}
""",
        )
        assert ran.finished["s"].output == "123456"
        assert [event.number for event in ran.events(StepRepeated)] == [2, 3, 4, 5, 6]

    def test_until_that_never_holds_fails_with_a_limit(self, bench):
        ran = run(bench, "steps:\n  - {id: s, repeat: {until: output == 'b', max: 2}, run: [echo, a]}\n")
        end = ran.finished["s"]
        assert (end.status, end.error["kind"], end.attempts) == ("failed", "limit", 2)
        assert end.error["message"] == "`until` did not hold after 2 rounds: output == 'b'"

    def test_the_items_of_a_fan_out_repeat_by_themselves(self, bench):
        ran = run(
            bench,
            """
steps:
  - {id: s, for_each: [2, 3], repeat: {until: output | length >= item, max: 5}, run: [echo, "{{ previous or '' }}x"]}
""",
        )
        assert ran.finished["s"].output == ["xx", "xxx"]

    def test_a_round_that_fails_is_retried_in_itself_and_attempts_go_on(self, bench):
        answers = iter([LLMResponseError("once"), "a", "b"])

        def say(_):
            answer = next(answers)
            if isinstance(answer, Exception):
                raise answer
            return answer

        text = (
            f"{HEAD}steps:\n  - {{id: s, repeat: {{until: output == 'b', max: 3}}, task: Go., retry: {{wait: 1ms}}}}\n"
        )
        ran = bench(backend=PaintedBackend(say)).run(text)
        assert (ran.finished["s"].output, ran.finished["s"].attempts) == ("b", 3)
        assert [(e.number, e.attempt) for e in ran.events(StepRepeated)] == [(2, 3)]

    def test_all_rounds_share_the_tokens_of_the_step(self, bench):
        step = f"{{id: s, repeat: {{until: false and output, max: 9}}, task: {'word ' * 30}, limits: {{tokens: 100}}}}"
        text = f"{HEAD}steps:\n  - {step}\n"
        ran = bench(backend=PaintedBackend(lambda _: "fine")).run(text)
        assert ran.finished["s"].error["kind"] == "limit"
        assert len(ran.events(StepRepeated)) < 4

    def test_on_error_binds_the_whole(self, bench):
        ran = run(
            bench,
            "steps:\n  - {id: s, repeat: {until: output == 'b', max: 2}, run: [echo, a], on_error: {output: none}}\n",
        )
        assert ran.finished["s"].output == "none"


def test_five_thousand_items_end_in_order(tmp_path):
    ran = Bench(tmp_path, backend=PaintedBackend(lambda request: request.messages[-1].content)).run(
        f"{HEAD}inputs: {{n: {{type: array}}}}\nsteps:\n  - {{id: s, for_each: inputs.n, task: '{{{{ item }}}}'}}\n",
        n=list(range(5000)),
    )
    assert ran.finished["s"].output == [str(n) for n in range(5000)]
