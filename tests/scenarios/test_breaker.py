"""Scenarios of the circuit breaker: a model that keeps failing is left alone, tried once, and used again."""

from __future__ import annotations

import asyncio
import urllib.request

import pytest
from kit.bridge import HELLO, Bridge, with_bridge
from kit.project import wait_until
from kit.scene import Scene, loaded
from prometheus_client.parser import text_string_to_metric_families

from runner import CircuitOpenError, LLMError
from runner.app.request import WatchOptions
from runner.app.watch import Watch, watching
from runner.record.events import CircuitChanged
from runner.workflow.model import Retry

FAILS = {"fault": {"error": {"status": 500, "body": "oops"}}}


async def fail(bridge: Bridge, times: int, model: str = "bad/one") -> None:
    bridge.policy = Retry(attempts=1)
    for _ in range(times):
        with pytest.raises(LLMError) as failed:
            await bridge.call("chat_completion", messages=HELLO, model=model)
        assert not isinstance(failed.value, CircuitOpenError)


def states(bridge: Bridge) -> list[str]:
    return [entry.event.state for entry in bridge.entries if isinstance(entry.event, CircuitChanged)]


def test_it_opens_after_five_failures_and_refuses_at_once(scene: Scene) -> None:
    scene.studio({"bad/one": loaded({**FAILS, "times": 50}), "good/one": loaded()})

    async def story(bridge: Bridge) -> None:
        await fail(bridge, 5)
        with pytest.raises(CircuitOpenError) as refused:
            await bridge.call("chat_completion", messages=HELLO, model="bad/one")
        told = refused.value.to_dict()
        assert (told["code"], told["kind"], told["retryable"]) == ("CircuitOpenError", "connection", True)
        assert refused.value.retry_after is not None
        assert 0 < refused.value.retry_after <= 60
        assert "fallback" in str(refused.value.hint)
        assert states(bridge) == ["open"]
        assert (await bridge.call("chat_completion", messages=HELLO, model="good/one"))["content"] == "Hi."

    with_bridge(story, scene.url)
    assert len([body for body in scene.heard() if body["model"] == "bad/one"]) == 5


@pytest.mark.parametrize(("fails", "then"), [(5, ["half_open", "closed"]), (6, ["half_open", "open"])])
def test_after_its_rest_one_call_says_how_it_goes_on(scene: Scene, fails: int, then: list[str]) -> None:
    scene.studio({"bad/one": loaded({**FAILS, "times": fails})})

    async def story(bridge: Bridge) -> None:
        await fail(bridge, 5)
        bridge.clock.ahead += 61  # the rest is over
        if then[-1] == "closed":
            assert (await bridge.call("chat_completion", messages=HELLO, model="bad/one"))["content"] == "Hi."
        else:
            await fail(bridge, 1)
        assert states(bridge) == ["open", *then]

    with_bridge(story, scene.url)


def test_four_failures_and_a_success_begin_anew(scene: Scene) -> None:
    turns = [{**FAILS, "times": 4}, {"say": "Hi.", "times": 1}, {**FAILS, "times": 4}]
    scene.studio({"bad/one": loaded(*turns)})

    async def story(bridge: Bridge) -> None:
        await fail(bridge, 4)
        await bridge.call("chat_completion", messages=HELLO, model="bad/one")
        await fail(bridge, 4)
        assert states(bridge) == []

    with_bridge(story, scene.url)


def test_refused_requests_say_nothing_about_a_server(scene: Scene) -> None:
    scene.studio({"bad/one": loaded({"fault": {"error": {"status": 400, "body": "bad temperature"}}, "times": 9})})

    async def story(bridge: Bridge) -> None:
        await fail(bridge, 9)
        assert states(bridge) == []

    with_bridge(story, scene.url)


def test_of_those_who_come_after_the_rest_one_asks_and_all_go_by_what_it_hears(scene: Scene) -> None:
    scene.studio({"bad/one": loaded({**FAILS, "times": 6}, first_token="100ms")})

    async def story(bridge: Bridge) -> None:
        await fail(bridge, 5)
        bridge.clock.ahead += 61  # the rest is over
        calls = (bridge.call("chat_completion", messages=HELLO, model="bad/one") for _ in range(3))
        ends = await asyncio.gather(*calls, return_exceptions=True)
        kinds = sorted(type(end).__name__ for end in ends)
        assert kinds == ["CircuitOpenError", "CircuitOpenError", "LLMResponseError"]

    with_bridge(story, scene.url)
    wait_until(lambda: len(scene.heard()) == 6, "the log has the last request, too")


def test_the_metric_follows_the_circuit(scene: Scene) -> None:
    scene.studio({"bad/one": loaded({**FAILS, "times": 5}), "good/one": loaded()})
    shown: list[object] = []

    async def story(bridge: Bridge, watch: Watch) -> None:
        bridge.house.watchers = (*bridge.house.watchers, *watch.listeners)
        await bridge.call("chat_completion", messages=HELLO, model="good/one")
        await fail(bridge, 5)
        shown.append(_gauge(watch))
        bridge.clock.ahead += 61  # the rest is over
        await bridge.call("chat_completion", messages=HELLO, model="bad/one")
        shown.append(_gauge(watch))

    with watching(WatchOptions(metrics_port=0), {}, complain=print) as watch:
        with_bridge(lambda bridge: story(bridge, watch), scene.url)
    assert shown == [{"chat bad/one": 1.0}, {"chat bad/one": 0.0}]


def _gauge(watch: Watch) -> dict[str, float]:
    assert watch.metrics_url is not None
    direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with direct.open(watch.metrics_url, timeout=10) as page:
        families = text_string_to_metric_families(page.read().decode())
    (family,) = (one for one in families if one.name == "lms_circuit_breaker_state")
    return {sample.labels["operation"]: sample.value for sample in family.samples}
