"""Steps that call another workflow file: what it is given, what comes back, what is shared and what is its own."""

from __future__ import annotations

import asyncio
import json

import pytest
from kit.painted_server import PaintedModel, PaintedServer
from kit.world import Bench, PaintedBackend

from runner.record.events import StepFinished, StepStarted
from runner.words.errors import LLMResponseError

HEAD = "version: 1\nname: caller\n"


@pytest.fixture
def calling(tmp_path):
    """``calling(callee, steps)``: runs steps beside a file ``callee.yaml``."""

    folder = tmp_path / "place"
    folder.mkdir()
    bench = Bench(folder)

    def run(callee, steps, *, backend=None, head="", **files):
        bench.backend = backend
        for name, text in {"callee": callee, **files}.items():
            (folder / f"{name}.yaml").write_text(f"version: 1\nname: {name}\n{text}", "utf-8")
        return bench.run(f"{HEAD}{head}steps:\n{steps}")

    return run


PAIR = """
inputs: {topic: {type: string}, tone: {type: string, default: dry}}
steps:
  - {id: draft, task: "Draft {{ inputs.topic }}, {{ inputs.tone }}"}
  - {id: review, task: "Review {{ steps.draft.output }}"}
outputs: {text: "{{ steps.review.output }}", length: "{{ steps.draft.output | length }}"}
"""


def echo(request):
    return f"<{request.messages[-1].content}>"


def test_its_outputs_are_the_output_and_its_steps_are_journalled_below_the_call(calling):
    ran = calling(PAIR, "  - {id: call, workflow: ./callee.yaml, with: {topic: cats}}\n", backend=PaintedBackend(echo))
    assert ran.finished["call"].output == {"text": "<Review <Draft cats, dry>>", "length": 17}
    assert [event.step for event in ran.events(StepStarted)] == ["call", "call/draft", "call/review"]
    assert [event.step for event in ran.events(StepFinished)] == ["call/draft", "call/review", "call"]
    assert ran.finished["call"].usage.total == sum(e.usage.total for e in ran.events(StepFinished) if "/" in e.step)
    assert list(ran.result["steps"]["call"]["steps"]) == ["draft", "review"]


def test_in_a_fan_out_every_item_has_steps_of_its_own(calling):
    steps = "  - {id: call, for_each: [a, b], workflow: callee.yaml, with: {topic: '{{ item }}', tone: wet}}\n"
    ran = calling(PAIR, steps, backend=PaintedBackend(echo))
    assert [one["text"] for one in ran.finished["call"].output] == [
        "<Review <Draft a, wet>>",
        "<Review <Draft b, wet>>",
    ]
    started = {(event.step, event.item) for event in ran.events(StepStarted)}
    assert started == {
        ("call", None), ("call", 0), ("call", 1),
        ("call[0]/draft", None), ("call[1]/draft", None), ("call[0]/review", None), ("call[1]/review", None),
    }  # fmt: skip


def test_calls_within_calls_and_fan_outs_within_fan_outs(calling):
    inner = (
        "inputs: {n: {type: integer}}\nsteps:\n  - {id: e, for_each: [x, y], run: [echo, '{{ inputs.n }}{{ item }}']}\n"
    )
    outer = (
        "inputs: {n: {type: integer}}\nsteps:\n"
        "  - {id: low, workflow: inner.yaml, with: {n: '{{ inputs.n }}'}}\n"
        "outputs: {all: '{{ steps.low.output.e }}'}\n"
    )
    steps = "  - {id: top, for_each: [1, 2], workflow: callee.yaml, with: {n: '{{ item }}'}}\n"
    ran = calling(outer, steps, inner=inner)
    assert ran.finished["top"].output == [{"all": ["1x", "1y"]}, {"all": ["2x", "2y"]}]
    keys = {(event.step, event.item) for event in ran.events(StepFinished)}
    assert {("top[1]/low/e", 0), ("top[1]/low/e", None), ("top[0]/low", None), ("top", 1)} <= keys


class TestInputs:
    def test_a_value_that_does_not_fit_fails_the_step_and_says_which(self, calling):
        callee = "inputs: {n: {type: integer, minimum: 1}}\nsteps:\n  - {id: s, run: [echo, '{{ inputs.n }}']}\n"
        steps = (
            "  - {id: v, run: [echo, '0'], output: json}\n"
            "  - {id: call, workflow: callee.yaml, with: {n: '{{ steps.v.output }}'}}\n"
        )
        error = calling(callee, steps).finished["call"].error
        assert error["kind"] == "request"
        assert error["message"].endswith("callee.yaml does not fit: expected at least 1, got 0")
        assert error["hint"] == "correct `with` of the step, or the input"


class TestFailures:
    CALLEE = "steps:\n  - {id: good, run: [echo, fine]}\n  - {id: bad, run: [sh, -c, 'echo no >&2; exit 3']}\n"

    def test_a_failed_step_fails_the_call_with_its_kind_and_its_name(self, calling):
        ran = calling(self.CALLEE, "  - {id: call, workflow: callee.yaml}\n  - {id: t, run: [echo, on]}\n")
        error = ran.finished["call"].error
        assert error["kind"] == "command"
        assert error["message"] == (
            "`bad` of callee.yaml failed: `sh -c echo no >&2; exit 3` ended with exit code 3:\nno"
        )
        assert ran.finished["t"].status == "succeeded"
        assert ran.result["steps"]["call"]["steps"]["good"]["status"] == "succeeded"

    def test_on_error_of_the_call_stands_in(self, calling):
        ran = calling(self.CALLEE, "  - {id: call, workflow: callee.yaml, on_error: {output: {text: none}}}\n")
        assert (ran.finished["call"].status, ran.finished["call"].output) == ("recovered", {"text": "none"})

    def test_it_is_repeated_as_a_whole_only_for_kinds_that_its_own_retry_names(self, calling):
        asked = []

        def say(request):
            asked.append(request.messages[-1].content)
            raise LLMResponseError("always")

        callee = "steps:\n  - {id: s, task: Go., retry: {attempts: 1}}\n"
        calling(callee, "  - {id: call, workflow: callee.yaml}\n", backend=PaintedBackend(say))
        assert len(asked) == 1
        steps = "  - {id: call, workflow: callee.yaml, retry: {attempts: 3, wait: 1ms, on: [server]}}\n"
        ran = calling(callee, steps, backend=PaintedBackend(say))
        assert len(asked) == 1 + 3
        assert ran.finished["call"].attempts == 3

    def test_fail_fast_of_the_file_stops_its_own_steps_alone(self, calling):
        callee = (
            "limits: {fail_fast: true}\nsteps:\n  - {id: bad, run: ['false']}\n  - {id: slow, run: [sleep, '30']}\n"
        )
        ran = calling(
            callee, "  - {id: call, workflow: callee.yaml}\n  - {id: t, run: [sh, -c, 'sleep 0.2; echo on']}\n"
        )
        ends = {event.step: event.status for event in ran.events(StepFinished)}
        assert ends == {"call/bad": "failed", "call/slow": "cancelled", "call": "failed", "t": "succeeded"}

    def test_an_expectation_on_its_output(self, calling):
        steps = "  - {id: call, workflow: callee.yaml, expect: [{that: output.s == 'b', message: not b}]}\n"
        error = calling("steps:\n  - {id: s, run: [echo, a]}\n", steps).finished["call"].error
        assert (error["kind"], error["message"]) == ("expectation", "not b\nthis does not hold: output.s == 'b'")

    def test_a_timeout_of_the_call_binds_all_of_it_and_there_is_none_by_default(self, calling):
        callee = "steps:\n  - {id: a, run: [sleep, '30']}\n"
        ran = calling(callee, "  - {id: call, workflow: callee.yaml, timeout: 100ms}\n")
        assert ran.finished["call"].error["kind"] == "timeout"
        ends = {event.step: event.status for event in ran.events(StepFinished)}
        assert ends == {"call/a": "cancelled", "call": "failed"}


class TestBounds:
    def test_its_own_limit_of_parallel_holds_within_the_runs(self, tmp_path):
        now = most = 0

        async def say(_):
            nonlocal now, most
            now, most = now + 1, max(most, now + 1)
            await asyncio.sleep(0.01)
            now -= 1
            return "done"

        (tmp_path / "callee.yaml").write_text(
            "version: 1\nname: callee\nlimits: {parallel: 2}\nsteps:\n"
            + "".join(f"  - {{id: s{n}, task: Go.}}\n" for n in range(6))
        )
        Bench(tmp_path, backend=PaintedBackend(say)).run(f"{HEAD}steps:\n  - {{id: call, workflow: callee.yaml}}\n")
        assert most == 2

    def test_its_tokens_are_its_own_and_the_runs(self, calling):
        callee = "limits: {tokens: 40}\nsteps:\n  - {id: a, task: Go.}\n  - {id: b, needs: [a], task: Go.}\n"
        backend = PaintedBackend(lambda _: "word " * 60)
        steps = "  - {id: call, workflow: callee.yaml}\n  - {id: t, task: Go.}\n"
        ran = calling(callee, steps, backend=backend)
        assert (
            ran.finished["call"].error["message"].startswith("`a` of callee.yaml failed: the workflow `callee` used ")
        )
        assert ran.finished["t"].status == "succeeded"
        assert ran.world.purse.tokens == ran.finished["call"].usage.total + ran.finished["t"].usage.total

    def test_the_runs_tool_calls_hold_below(self, calling):
        callee = (
            "mcp_servers: {files: {builtin: files, root: .}}\n"
            "steps:\n  - {id: a, tool: files.list}\n  - {id: b, needs: [a], tool: files.list}\n"
        )
        ran = calling(callee, "  - {id: call, workflow: callee.yaml}\n", head="limits: {tool_calls: 1}\n")
        assert ran.finished["call"].error["message"] == (
            "`b` of callee.yaml failed: the run has made its limit of 1 tool calls"
        )


class TestServers:
    def test_each_call_has_the_servers_of_its_file_with_its_own_inputs(self, calling, tmp_path):
        for name in ("one", "two"):
            (tmp_path / "place" / name).mkdir()
            (tmp_path / "place" / name / f"{name}.txt").write_text(name)
        callee = (
            'inputs: {root: {type: string}}\nmcp_servers: {files: {builtin: files, root: "{{ inputs.root }}"}}\n'
            "steps:\n  - {id: look, tool: files.list, arguments: {path: .}}\n"
        )
        steps = "  - {id: call, for_each: [one, two], workflow: callee.yaml, with: {root: '{{ item }}'}}\n"
        ran = calling(callee, steps)
        assert [one["look"].strip() for one in ran.finished["call"].output] == ["one.txt (3 B)", "two.txt (3 B)"]

    def test_a_server_that_cannot_be_made_fails_the_call(self, calling):
        callee = (
            "inputs: {root: {type: string}}\n"
            'mcp_servers: {odd: {command: env, args: ["{{ inputs.root }}"]}}\n'
            "steps:\n  - {id: look, tool: odd.list}\n"
        )
        steps = "  - {id: v, run: [echo, /nowhere/at-all]}\n"
        steps += "  - {id: call, workflow: callee.yaml, with: {root: '{{ steps.v.output }}'}}\n"
        error = calling(callee, steps).finished["call"].error
        assert error["kind"] == "tool_server"
        assert "/nowhere/at-all" in error["message"]


def test_secrets_of_a_called_file_reach_its_commands_and_stay_out_of_the_journal(tmp_path):
    (tmp_path / "callee.yaml").write_text(
        "version: 1\nname: callee\nsecrets: [TOKEN]\nsteps:\n"
        "  - {id: s, run: [sh, -c, 'expr length $T; echo $T'], env: {T: '{{ secrets.TOKEN }}'}}\n"
    )
    bench = Bench(tmp_path, environment={"PATH": "/usr/bin:/bin", "TOKEN": "correct-horse"})
    ran = bench.run(f"{HEAD}steps:\n  - {{id: call, workflow: callee.yaml}}\n")
    assert ran.finished["call"].output["s"].startswith("13\n")
    assert "correct-horse" not in ran.journal
    assert json.loads(ran.journal.splitlines()[0])["type"] == "run_started"


def test_a_call_that_never_begins_keeps_no_model_waiting(tmp_path, timeless):
    """What it would have asked of models is off the agenda: others go on side by side, not one by one."""
    now = most = 0

    async def say(request):
        nonlocal now, most
        now, most = now + 1, max(most, now + 1)
        await asyncio.sleep(10)
        now -= 1
        return '"done"'

    (tmp_path / "place").mkdir()
    (tmp_path / "place" / "callee.yaml").write_text(
        "version: 1\nname: callee\ninputs: {n: {type: integer}}\nsteps:\n  - {id: s, model: a, task: Go.}\n"
    )
    server = PaintedServer({"a": PaintedModel(load=1), "b": PaintedModel(load=1)}, say)
    steps = (
        "  - {id: v, model: a, task: Go., output: {type: [integer, string]}}\n"
        "  - {id: call, workflow: callee.yaml, with: {n: '{{ steps.v.output }}'}, on_error: continue}\n"
        "  - {id: t, needs: [call], for_each: [1, 2, 3], model: b, task: Go.}\n"
    )
    ran = timeless(backend=server).run(f"{HEAD}steps:\n{steps}")
    assert ran.finished["call"].error["kind"] == "request"
    assert ran.finished["t"].output == ['"done"'] * 3
    assert most == 3
