"""Leases of a run over several servers: one breaker for each model, one count for each failed load, one goodbye."""

from __future__ import annotations

import asyncio

import pytest
from kit.painted_server import PaintedModel, PaintedServer

from runner.execute.breaker import FAILURES
from runner.record.events import CircuitChanged, ModelLoadFailed, ModelUnloaded
from runner.words.errors import LLMConnectionError, LLMResponseError

HEAD = "version: 1\nname: flow\nlimits: {parallel: 64}\n"


def flow(*steps):
    lines = [f"{HEAD}steps:\n"]
    for step in steps:
        name, model, *more = [part.strip() for part in step.split("|")]
        lines.append(f"  - id: {name}\n    task: Go {name}.\n    model: {model}\n")
        lines += [f"    {line}\n" for line in more]
    return "".join(lines)


def broken(times):
    return [LLMResponseError("could not be loaded") for _ in range(times)]


class TestCounting:
    def test_loads_that_fail_side_by_side_are_counted_once_each(self, timeless):
        """Three steps wait on each of two servers whose loads fail together: three failures each."""
        one = PaintedServer({"a": PaintedModel(load_errors=broken(3))}, endpoint="http://one")
        two = PaintedServer({"b": PaintedModel(load_errors=broken(3))}, endpoint="http://two")
        retry = "retry: {attempts: 4, wait: 1s, max_wait: 1s}"
        steps = [f"{name}{n} | {name} | {retry}" for n in range(3) for name in "ab"]
        ran = timeless(backends=(one, two), chance=lambda: 0.5).run(flow(*steps))
        assert {end.status for end in ran.finished.values()} == {"succeeded"}
        assert len(ran.events(ModelLoadFailed)) == 6
        assert ran.events(CircuitChanged) == []

    def test_one_model_on_two_servers_has_two_breakers(self, timeless):
        def say(request):
            raise LLMConnectionError("broken")

        one = PaintedServer({"a": PaintedModel(load=0)}, say, endpoint="http://one")
        two = PaintedServer({"b": PaintedModel(load=0)}, endpoint="http://two")
        text = flow(f"s | a | retry: {{attempts: {FAILURES}, wait: 1ms}} | on_error: continue", "t | b | needs: [s]")
        ran = timeless(backends=(one, two)).run(text)
        assert [(e.endpoint, e.model, e.state) for e in ran.events(CircuitChanged)] == [("http://one", "a", "open")]
        assert ran.finished["t"].status == "succeeded"


class TestGoodbye:
    def servers(self):
        return tuple(PaintedServer({name: PaintedModel()}, endpoint=f"http://{name}") for name in "ab")

    def test_every_server_is_left_as_it_was(self, timeless):
        servers = self.servers()
        ran = timeless(backends=servers).run(flow("s | a", "t | b"))
        assert [server.there for server in servers] == [{}, {}]
        assert [e.endpoint for e in ran.events(ModelUnloaded)] == ["http://a", "http://b"]

    def test_a_server_that_is_gone_by_then_hurts_nobody(self, timeless):
        servers = self.servers()

        async def gone(instance):
            raise LLMConnectionError("http://a cannot be reached")

        servers[0].unload = gone
        ran = timeless(backends=servers).run(flow("s | a", "t | b"))
        assert {end.status for end in ran.finished.values()} == {"succeeded"}
        assert [e.reason for e in ran.events(ModelUnloaded)] == [
            "the run is over; but the server says: http://a cannot be reached",
            "the run is over",
        ]
        assert servers[1].there == {}

    def test_nor_does_one_that_says_nothing(self, timeless):
        servers = self.servers()

        async def silent(instance):
            await asyncio.sleep(10_000)

        servers[0].unload = silent
        ran = timeless(backends=servers).run(flow("s | a", "t | b"))
        assert ran.events(ModelUnloaded)[0].reason == "the run is over; but the server said nothing for 10s"
        assert servers[1].there == {}

    @pytest.mark.parametrize("keep", [True, False])
    def test_unless_they_are_kept(self, timeless, keep):
        servers = self.servers()
        timeless(backends=servers, keep_loaded=keep).run(flow("s | a", "t | b"))
        assert [list(server.there) for server in servers] == ([["a"], ["b"]] if keep else [[], []])


class TestLearning:
    def test_limits_go_with_the_requests_once_enough_is_known(self, timeless):
        async def say(request):
            await asyncio.sleep(30)
            return "done"

        server = PaintedServer({"a": PaintedModel()}, say, parallel=None, shared=False)
        steps = [f"s{n} | a" + (f" | needs: [s{n - 1}]" if n else "") for n in range(22)]
        timeless(backend=server).run(flow(*steps))
        limits = [(request.first_byte_timeout, request.idle_timeout) for request in server.asked]
        assert limits[:20] == [(None, None)] * 20
        assert limits[20:] == [(600.0, 30.0)] * 2
