"""A circuit opens after too many failures, lets one probe through, and believes what that one says."""

from __future__ import annotations

import asyncio

import pytest
from kit.painted_server import PaintedModel, PaintedServer
from kit.world import MODEL, PaintedBackend, VirtualClock

from runner.execute.breaker import COUNTED, Breaker
from runner.record.events import CircuitChanged, ModelFellBack, StepRetried
from runner.words.errors import FAILURE_KINDS, CircuitOpenError, LLMConnectionError, LLMError

BROKEN = LLMConnectionError("no connection")
REFUSED = LLMError("no", kind="request")


class Circuit:
    """A breaker with a hand on its clock; ``changes`` are its new states."""

    def __init__(self):
        self.clock = VirtualClock()
        self.changes = []
        self.breaker = Breaker("`m`", self.clock.monotonic, lambda state, failures: self.changes.append(state))

    def fail(self, times=1, every=0.0, error=BROKEN):
        for _ in range(times):
            self.breaker.failed(error, self.breaker.admit())
            self.clock.seconds += every

    @property
    def refusal(self):
        with pytest.raises(CircuitOpenError) as caught:
            self.breaker.admit()
        return caught.value


@pytest.fixture
def circuit():
    return Circuit()


@pytest.fixture
def opened(circuit):
    circuit.fail(5)
    return circuit


class TestOpening:
    def test_five_failures_open_it(self, circuit):
        circuit.fail(4)
        assert circuit.changes == []
        circuit.fail()
        assert circuit.changes == ["open"]
        assert str(circuit.refusal) == "`m` failed 5 times in a row; it is left alone for a while"
        assert circuit.refusal.retry_after == 60

    @pytest.mark.parametrize(("every", "changes"), [(15.0, ["open"]), (15.1, [])])
    def test_within_a_minute(self, circuit, every, changes):
        circuit.fail(5, every)
        assert circuit.changes == changes

    def test_a_success_between_forgets_them(self, circuit):
        circuit.fail(4)
        circuit.breaker.succeeded()
        circuit.fail(4)
        assert circuit.changes == []

    @pytest.mark.parametrize("kind", FAILURE_KINDS)
    def test_kinds_that_blame_the_server_count(self, circuit, kind):
        circuit.fail(5, error=LLMError("no", kind=kind))
        assert circuit.changes == (["open"] if kind in COUNTED else [])

    def test_which_kinds_count(self):
        assert {"connection", "timeout", "server", "crash"} == COUNTED


class TestProbing:
    def test_one_is_let_through_after_the_rest(self, opened):
        opened.clock.seconds += 59.9
        assert opened.refusal.retry_after == pytest.approx(0.1)
        opened.clock.seconds += 0.2
        opened.breaker.admit()
        assert (opened.breaker.state, opened.refusal.retry_after) == ("half_open", 5.0)

    def test_its_success_closes(self, opened):
        opened.clock.seconds += 60
        opened.breaker.admit()
        opened.breaker.succeeded()
        assert opened.changes == ["open", "half_open", "closed"]
        opened.fail(4)
        assert opened.breaker.state == "closed"

    def test_its_failure_opens_for_as_long_again(self, opened):
        opened.clock.seconds += 60
        opened.fail()
        assert opened.changes == ["open", "half_open", "open"]
        opened.clock.seconds += 59
        assert opened.refusal.retry_after == pytest.approx(1)

    @pytest.mark.parametrize("end", ["cancelled", "refused"])
    def test_one_that_says_nothing_leaves_it_to_the_next(self, opened, end):
        opened.clock.seconds += 60
        probe = opened.breaker.admit()
        opened.breaker.gave_up(probe) if end == "cancelled" else opened.breaker.failed(REFUSED, probe)
        assert opened.breaker.state == "open"
        opened.breaker.admit()
        assert opened.breaker.state == "half_open"

    def test_what_began_before_it_lets_no_second_one_through(self, circuit):
        early = circuit.breaker.admit()
        circuit.fail(5)
        circuit.clock.seconds += 60
        circuit.breaker.admit()
        circuit.breaker.gave_up(early)
        assert circuit.refusal.retry_after == 5.0

    def test_nor_does_its_failure_end_the_probe(self, circuit):
        early = circuit.breaker.admit()
        circuit.fail(5)
        circuit.clock.seconds += 60
        circuit.breaker.admit()
        circuit.breaker.failed(BROKEN, early)
        assert circuit.breaker.state == "half_open"

    def test_a_load_that_fails_after_the_rest_opens_it_again(self, opened):
        opened.clock.seconds += 60
        opened.breaker.refuse_if_open()
        opened.breaker.failed(BROKEN)
        with pytest.raises(CircuitOpenError) as caught:
            opened.breaker.refuse_if_open()
        assert caught.value.retry_after == 60

    def test_what_leads_up_to_a_call_is_no_probe(self, opened):
        opened.clock.seconds += 60
        opened.breaker.refuse_if_open()
        assert opened.breaker.state == "open"


HEAD = "version: 1\nname: flow\n"
RETRY = "    retry: {attempts: 9, wait: 10ms, max_wait: 10ms}\n"


def breaks(times):
    """A model whose connection breaks so often."""
    left = [times]

    def say(request):
        if left[0]:
            left[0] -= 1
            raise LLMConnectionError("the connection broke")
        return "done"

    return say


class TestInARun:
    def test_a_retry_waits_for_it(self, timeless):
        backend = PaintedBackend(breaks(5))
        ran = timeless(backend=backend).run(f"{HEAD}steps:\n  - id: a\n    task: Go.\n{RETRY}")
        assert ran.finished["a"].output == "done"
        assert [e.kind for e in ran.events(StepRetried)] == ["connection"] * 6
        assert 59 < ran.events(StepRetried)[-1].wait <= 60
        assert [(e.model, e.state, e.failures) for e in ran.events(CircuitChanged)] == [
            (MODEL, "open", 5),
            (MODEL, "half_open", 5),
            (MODEL, "closed", 0),
        ]

    def test_a_fallback_does_not(self, timeless):
        def say(request):
            if request.model == "a":
                raise LLMConnectionError("the connection broke")
            return "done"

        server = PaintedServer({"a": PaintedModel(load=0), "b": PaintedModel(load=0)}, say)
        head = f"{HEAD}models: {{m: {{id: a, fallback: [b]}}}}\n"
        ran = timeless(backend=server).run(f"{head}steps:\n  - id: s\n    task: Go.\n    model: m\n{RETRY}")
        assert ran.finished["s"].output == "done"
        assert [(e.to_model, e.kind) for e in ran.events(ModelFellBack)] == [("b", "connection")]
        assert "left alone" in ran.events(ModelFellBack)[0].message
        assert ran.finished["s"].seconds < 1

    def test_each_model_has_its_own(self, timeless):
        def say(request):
            if request.model == "a":
                raise LLMConnectionError("the connection broke")
            return "done"

        server = PaintedServer({"a": PaintedModel(load=0), "b": PaintedModel(load=0)}, say)
        text = (
            f"{HEAD}steps:\n  - id: s\n    task: Go.\n    model: a\n    retry: {{attempts: 5, wait: 1ms}}\n"
            "    on_error: continue\n  - id: t\n    task: Go.\n    model: b\n    needs: [s]\n"
        )
        ran = timeless(backend=server).run(text)
        assert [e.model for e in ran.events(CircuitChanged)] == ["a"]
        assert ran.finished["t"].status == "succeeded"

    def test_a_server_that_comes_back_serves_all_who_wait(self, timeless):
        """It is away for half a minute; eight steps with the usual three attempts outlive that."""

        async def say(request):
            if asyncio.get_running_loop().time() < 1030:
                raise LLMConnectionError("nothing answers")
            await asyncio.sleep(20)
            return "done"

        server = PaintedServer({"a": PaintedModel(load=0)}, say)
        steps = "".join(f"  - id: s{n}\n    task: Go.\n    model: a\n" for n in range(8))
        ran = timeless(backend=server).run(f"{HEAD}limits: {{parallel: 8}}\nsteps:\n{steps}")
        assert {end.status for end in ran.finished.values()} == {"succeeded"}
        assert [e.state for e in ran.events(CircuitChanged)] == ["open", "half_open", "closed"]

    def test_a_probe_that_is_cancelled_hands_over(self, timeless):
        """The probe of the first step runs out of time; the second step's request is the next probe."""

        async def say(request):
            if len(backend.asked) <= 5:
                raise LLMConnectionError("the connection broke")
            if len(backend.asked) == 6:
                await asyncio.sleep(1000)
            return "done"

        backend = PaintedBackend(say)
        retry = RETRY.replace("attempts: 9", "attempts: 19")
        text = (
            f"{HEAD}steps:\n  - id: a\n    task: Go.\n    timeout: 90s\n{retry}    on_error: continue\n"
            f"  - id: b\n    task: Go.\n    timeout: 10m\n    needs: [a]\n{retry}"
        )
        ran = timeless(backend=backend).run(text)
        assert ran.finished["a"].error["kind"] == "timeout"
        assert ran.finished["b"].output == "done"
        assert [e.state for e in ran.events(CircuitChanged)] == ["open", "half_open", "half_open", "closed"]
