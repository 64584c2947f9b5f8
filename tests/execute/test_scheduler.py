"""Which step starts when, and how each one ends, on whole runs of commands and of painted models."""

from __future__ import annotations

import asyncio
import json
import random
import tempfile
import threading
from dataclasses import dataclass
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from kit.world import Bench, PaintedBackend

from runner.record.events import StepFinished, StepStarted
from runner.record.journal import Sink
from runner.words.errors import HistoryError, LLMAuthenticationError

HEAD = "version: 1\nname: flow\n"


def statuses(ran):
    return {step: end.status for step, end in ran.finished.items()}


def reasons(ran):
    return {step: end.reason for step, end in ran.finished.items() if end.reason}


@dataclass
class Told:
    """A sink that says when it was synced."""

    sink: Sink
    synced: threading.Event

    def write(self, line):
        self.sink.write(line)

    def sync(self):
        self.sink.sync()
        self.synced.set()

    def close(self):
        self.sink.close()


class TestDependencies:
    def test_a_failure_stops_only_what_depends_on_it(self, bench):
        ran = bench().run(
            HEAD
            + """
steps:
  - {id: bad, run: ["false"]}
  - {id: after_bad, needs: [bad], run: ["true"]}
  - {id: far, needs: [after_bad], run: ["true"]}
  - {id: good, run: [echo, fine]}
  - {id: after_good, run: [echo, "{{ steps.good.output }}!"]}
"""
        )
        assert statuses(ran) == {
            "bad": "failed",
            "after_bad": "skipped",
            "far": "skipped",
            "good": "succeeded",
            "after_good": "succeeded",
        }
        assert ran.finished["after_good"].output == "fine!"
        assert reasons(ran) == {
            "after_bad": "it needs `bad`, which failed",
            "far": "it needs `after_bad`, which was skipped (it needs `bad`, which failed)",
        }

    def test_a_step_skipped_by_its_own_when_skips_what_needs_it(self, bench):
        ran = bench().run(
            HEAD
            + """
steps:
  - {id: never, when: false, run: ["true"]}
  - {id: after, needs: [never], run: ["true"]}
"""
        )
        assert reasons(ran) == {
            "never": "its `when` does not hold",
            "after": "it needs `never`, which was skipped (its `when` does not hold)",
        }
        assert ran.events(StepStarted) == []

    def test_what_becomes_ready_together_starts_in_the_order_of_the_file(self, bench):
        ran = bench().run(
            HEAD
            + """
limits: {parallel: 1}
steps:
  - {id: root, run: ["true"]}
  - {id: zebra, needs: [root], run: ["true"]}
  - {id: mole, needs: [root], run: ["true"]}
  - {id: ant, needs: [root], run: ["true"]}
"""
        )
        assert [event.step for event in ran.events(StepStarted)] == ["root", "zebra", "mole", "ant"]

    def test_the_end_of_a_step_is_made_durable_while_the_next_is_at_work(self, bench):
        """A crash of the machine must not take back what is done; the last sync at the end would be too late."""
        synced = threading.Event()

        async def say(request):
            return "done" if await asyncio.to_thread(synced.wait, 10) else "nothing was made durable"

        steps = "steps:\n  - {id: a, run: ['true']}\n  - {id: b, needs: [a], task: Go.}\n"
        ran = bench(backend=PaintedBackend(say), sink=lambda sink: Told(sink, synced)).run(HEAD + steps)
        assert ran.finished["b"].output == "done"

    def test_when_is_judged_after_the_needs(self, bench):
        ran = bench().run(
            HEAD
            + """
steps:
  - {id: count, run: [echo, "3"], output: json}
  - {id: many, when: steps.count.output > 2, run: [echo, many]}
  - {id: few, when: steps.count.output <= 2, run: [echo, few]}
"""
        )
        assert statuses(ran) == {"count": "succeeded", "many": "succeeded", "few": "skipped"}

    def test_when_that_reads_into_null_fails_the_step(self, bench):
        ran = bench().run(
            HEAD
            + """
steps:
  - {id: bad, run: ["false"], output: json, on_error: continue}
  - {id: after, when: steps.bad.output.field, run: ["true"]}
"""
        )
        after = ran.finished["after"]
        assert (after.status, after.error["kind"], after.attempts) == ("failed", "request", 0)

    def test_continue_lets_the_next_run_with_a_null_output(self, bench):
        ran = bench().run(
            HEAD
            + """
steps:
  - {id: bad, run: [sh, -c, "echo no >&2; exit 4"], on_error: continue}
  - {id: after, run: [echo, "{{ steps.bad.output is none }}", "{{ steps.bad.status }}", "{{ steps.bad.error.kind }}",
                      "{{ steps.bad.exit_code }}", "{{ steps.bad.stderr }}"]}
"""
        )
        assert statuses(ran) == {"bad": "failed", "after": "succeeded"}
        assert ran.finished["bad"].tolerated
        assert ran.finished["after"].output == "true failed command 4 no\n"

    def test_a_value_stands_in_for_a_failure(self, bench):
        ran = bench().run(
            HEAD
            + """
steps:
  - {id: name, run: [echo, you]}
  - {id: bad, run: ["false"], output: json, on_error: {output: {hello: "{{ steps.name.output }}"}}}
  - {id: after, run: [echo, "{{ steps.bad.output.hello }}", "{{ steps.bad.status }}"]}
"""
        )
        assert statuses(ran) == {"name": "succeeded", "bad": "recovered", "after": "succeeded"}
        assert ran.finished["bad"].error == {
            "kind": "command",
            "message": "`false` ended with exit code 1 and wrote nothing",
        }
        assert ran.finished["after"].output == "you recovered"

    def test_a_value_that_cannot_be_made_leaves_the_failure(self, bench):
        ran = bench().run(
            HEAD
            + """
steps:
  - {id: list, run: [echo, "[]"], output: json}
  - {id: bad, run: ["false"], on_error: {output: "{{ steps.list.output[3].x }}"}}
"""
        )
        error = ran.finished["bad"].error
        assert (ran.finished["bad"].status, error["kind"]) == ("failed", "request")
        assert error["message"].startswith("`false` ended with exit code 1 and wrote nothing; and `on_error.output`: ")


class TestTogether:
    def run_side_by_side(self, bench, limits=""):
        """Ten steps of a painted model; how many were asked at once at most."""
        at_once = []

        async def say(request):
            at_once.append(at_once[-1] + 1 if at_once else 1)
            for _ in range(20):
                await asyncio.sleep(0)
            at_once.append(at_once[-1] - 1)
            return "done"

        steps = "".join(f"  - {{id: s{n}, task: Go.}}\n" for n in range(10))
        ran = bench(backend=PaintedBackend(say)).run(f"{HEAD}{limits}steps:\n{steps}")
        assert set(statuses(ran).values()) == {"succeeded"}
        return max(at_once)

    def test_eight_at_once_by_default(self, bench):
        assert self.run_side_by_side(bench) == 8

    def test_so_many_as_the_run_allows(self, bench):
        assert self.run_side_by_side(bench, "limits: {parallel: 3}\n") == 3

    def test_one_by_one_they_start_in_the_order_of_the_file(self, bench):
        steps = "".join(f"  - {{id: s{n}, run: ['true']}}\n" for n in range(6))
        ran = bench().run(f"{HEAD}limits: {{parallel: 1}}\nsteps:\n{steps}")
        assert [e.step for e in ran.events(StepStarted)] == [f"s{n}" for n in range(6)]


class TestWholeRun:
    def test_fail_fast_cancels_what_runs_and_starts_nothing_more(self, bench):
        ran = bench().run(
            HEAD
            + """
limits: {fail_fast: true, parallel: 2}
steps:
  - {id: slow, run: [sleep, "60"]}
  - {id: bad, run: ["false"]}
  - {id: later, run: ["true"]}
"""
        )
        assert statuses(ran) == {"bad": "failed", "slow": "cancelled", "later": "cancelled"}
        assert set(reasons(ran).values()) == {"`bad` failed and the run fails fast"}

    def test_a_tolerated_failure_stops_nothing(self, bench):
        ran = bench().run(
            HEAD
            + """
limits: {fail_fast: true, parallel: 1}
steps:
  - {id: bad, run: ["false"], on_error: continue}
  - {id: later, run: ["true"]}
"""
        )
        assert statuses(ran) == {"bad": "failed", "later": "succeeded"}

    def test_the_time_of_the_run_ends_every_step(self, bench, tmp_path):
        ran = bench().run(
            HEAD
            + f"""
limits: {{time: 300ms, parallel: 1}}
steps:
  - {{id: slow, run: [sleep, "60"]}}
  - {{id: late, run: [touch, {tmp_path}/late]}}
"""
        )
        assert statuses(ran) == {"slow": "failed", "late": "failed"}
        assert [end.error["message"] for end in ran.finished.values()] == ["the run's time limit of 0.3s is over"] * 2
        assert [e.step for e in ran.events(StepStarted)] == ["slow"]
        assert not (tmp_path / "late").exists()

    def test_a_step_has_its_own_time(self, bench):
        ran = bench().run(f"{HEAD}steps:\n  - {{id: slow, timeout: 200ms, run: [sleep, '60']}}\n")
        assert ran.finished["slow"].error == {
            "kind": "timeout",
            "message": "the step's timeout of 0.2s is over",
            "hint": "give the step a longer `timeout`",
        }

    def test_an_interrupted_run_journals_the_end_of_every_step(self, bench):
        place = bench()

        async def work():
            seen, started = [], asyncio.Event()
            place.listeners = (
                lambda entry: seen.append(entry.event),
                lambda entry: isinstance(entry.event, StepStarted) and started.set(),
            )
            text = (
                f"{HEAD}steps:\n  - {{id: slow, run: [sleep, '60']}}\n  - {{id: later, needs: [slow], run: ['true']}}\n"
            )
            task = asyncio.create_task(place.running(text))
            await started.wait()
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            return [(e.step, e.status, e.reason) for e in seen if isinstance(e, StepFinished)]

        assert asyncio.run(work()) == [
            ("slow", "cancelled", "the run was interrupted"),
            ("later", "cancelled", "the run was interrupted"),
        ]
        assert len(place.offspring) == 0

    def test_a_journal_that_cannot_be_written_ends_the_run(self, bench):
        place = bench()

        def fill_the_disk(entry):
            if isinstance(entry.event, StepStarted):
                place.folders[-1].close()

        place.listeners = (fill_the_disk,)
        with pytest.raises(HistoryError, match="is closed"):
            place.run(f"{HEAD}steps:\n  - {{id: a, run: [sleep, '0.1']}}\n  - {{id: b, run: [sleep, '60']}}\n")
        assert len(place.offspring) == 0

    def test_a_bug_is_a_line_for_people_and_a_file_for_us(self, bench):
        def say(request):
            raise KeyError("oops")

        ran = bench(backend=PaintedBackend(say)).run(f"{HEAD}steps:\n  - {{id: a, task: Go.}}\n")
        assert ran.finished["a"].error == {
            "kind": "bug",
            "message": "a bug in bridge-run: KeyError: 'oops'",
            "hint": "please report it with `artifacts/a/bug.txt` of the run folder",
        }
        assert "Traceback" in (ran.folder / "artifacts/a/bug.txt").read_text()
        assert "Traceback" not in ran.journal


# --- any graph ----------------------------------------------------------------------------------------------------


@st.composite
def graphs(draw):
    """Steps with needs above them, in any order in the file; how each one ends, and how long it takes."""
    count = draw(st.integers(1, 9))
    steps = []
    for number in range(count):
        needs = draw(st.lists(st.integers(0, number - 1), unique=True, max_size=3)) if number else []
        ends = draw(st.sampled_from(["succeeds", "succeeds", "fails", "never", "continues", "recovers"]))
        steps.append((f"s{number}", [f"s{n}" for n in needs], ends))
    return draw(st.permutations(steps)), draw(st.integers(1, 4)), draw(st.booleans())


def workflow_of(steps, parallel, fail_fast):
    written = []
    for step, needs, ends in steps:
        more = {
            "never": {"when": False},
            "continues": {"on_error": "continue"},
            "recovers": {"on_error": {"output": 1}},
        }
        written.append({"id": step, "needs": needs, "task": step, **more.get(ends, {})})
    limits = {"parallel": parallel, "fail_fast": fail_fast}
    return json.dumps({"version": 1, "name": "graph", "limits": limits, "steps": written})


def run_graph(steps, parallel, fail_fast, seed):
    """Run a graph on a painted model that takes its time by ``seed``; the run, and how many were asked at once."""
    fails = {step for step, _, ends in steps if ends in ("fails", "continues", "recovers")}
    chance, now, most = random.Random(seed), 0, 0

    async def say(request):
        nonlocal now, most
        step = request.messages[-1].content
        now += 1
        most = max(most, now)
        try:
            for _ in range(chance.randrange(12)):
                await asyncio.sleep(0)
        finally:
            now -= 1
        if step in fails:
            raise LLMAuthenticationError("no")
        return f"output of {step}"

    with tempfile.TemporaryDirectory() as folder:
        bench = Bench(Path(folder) / "place", backend=PaintedBackend(say))
        return bench.run(workflow_of(steps, parallel, fail_fast)), most


def expected(steps):
    """How each step ends if nothing is cancelled, from the graph alone."""
    ends = {step: (needs, how) for step, needs, how in steps}
    states = {}

    def state(step):
        if step not in states:
            needs, how = ends[step]
            good = all(state(need) in ("succeeded", "recovered", "tolerated") for need in needs)
            outcome = {"succeeds": "succeeded", "fails": "failed", "never": "skipped", "continues": "tolerated",
                       "recovers": "recovered"}  # fmt: skip
            states[step] = outcome[how] if good else "skipped"
        return states[step]

    return {step: state(step) for step in ends}


@settings(max_examples=60, deadline=None)
@given(graphs(), st.integers(0, 1000))
def test_any_graph_ends_and_starts_nothing_too_early(graph, seed):
    steps, parallel, fail_fast = graph
    ran, most = run_graph(steps, parallel, fail_fast, seed)
    assert most <= parallel
    assert [entry.seq for entry in ran.entries] == list(range(1, len(ran.entries) + 1))
    assert sorted(e.step for e in ran.events(StepFinished)) == sorted(step for step, _, _ in steps)
    needs = {step: set(above) for step, above, _ in steps}
    ended = set()
    for entry in ran.entries:
        if isinstance(entry.event, StepStarted):
            assert needs[entry.event.step] <= ended
            assert all(
                ran.finished[need].status in ("succeeded", "recovered") or ran.finished[need].tolerated
                for need in needs[entry.event.step]
            )
        elif isinstance(entry.event, StepFinished):
            ended.add(entry.event.step)
    told = {step: "tolerated" if end.tolerated else end.status for step, end in ran.finished.items()}
    if not fail_fast:
        assert told == expected(steps)
    else:
        assert {s for s, status in told.items() if status == "cancelled"} == set() or "failed" in told.values()


def without_times(result):
    for step in result["steps"].values():
        step.pop("seconds", None)
    return {key: value for key, value in result.items() if key not in ("seconds", "file", "run")}


@settings(max_examples=30, deadline=None)
@given(graphs(), st.integers(0, 1000), st.integers(0, 1000))
def test_the_result_is_the_same_whatever_ends_first(graph, one, other):
    steps, parallel, _ = graph
    first, _ = run_graph(steps, parallel, False, one)
    second, _ = run_graph(steps, 4, False, other)
    assert json.dumps(without_times(first.result)) == json.dumps(without_times(second.result))
    assert json.dumps(first.outputs) == json.dumps(second.outputs)
