"""Models without a plan, on a real server: kept, handed over, outgrown, and gone behind our back."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from contextlib import nullcontext
from typing import Any

from kit.simulator import simulator

from runner.chat.endpoint import Endpoint
from runner.chat.messages import ChatRequest, Message
from runner.edges.clock import Clock
from runner.edges.model_server.lmstudio import HttpBackend
from runner.execute.demand import Demand
from runner.execute.standing import MANY, StandingModels
from runner.plan.plan import ModelChoice
from runner.record.events import ModelUnloaded
from runner.record.journal import Journal
from runner.record.wire import Entry

SAYS = {"default": {"say": "Hi."}}


class _Nowhere:
    def write(self, line: bytes) -> None:
        pass

    def sync(self) -> None:
        pass

    def close(self) -> None:
        pass


class Desk:
    """Models of one server, and what was written down of them."""

    def __init__(self, url: str, **bounds: Any) -> None:
        self.url = url
        self.backend = HttpBackend(url)
        self.entries: list[Entry] = []
        journal = Journal(_Nowhere(), "standing", Clock().now, None)
        journal.listen(self.entries.append)
        self.models = StandingModels([Endpoint(url=url, **bounds)], {url: self.backend}, journal, Clock())

    async def ask(self, name: str, *, context: int = 4096, explicit: bool = False, ttl: float | None = None) -> str:
        """The id of the instance that answered."""
        listing = await self.backend.catalogue()
        entry = next(one for one in listing.models if one.key == name)
        choice = ModelChoice(
            wanted=name, model=name, endpoint=self.url, origin="test", entry=entry,
            answers_as=frozenset(entry.names), manages=True, ttl=ttl,
        )  # fmt: skip
        demand = Demand(
            name=name, endpoint=self.url, entry=entry, manages=True, loads_on_demand=True,
            settings={"context_length": context}, context=context, explicit=explicit, ttl=ttl,
        )  # fmt: skip
        request = ChatRequest(model=name, messages=(Message("user", "Hello"),))
        async with self.models.lease_for(choice, demand, nullcontext_of_nobody) as lease:
            return (await lease.ask(request, lambda _: None, prompt_tokens=1, reserve=1)).model

    async def loaded(self) -> list[str]:
        listing = await self.backend.catalogue()
        return [instance.id for entry in listing.models for instance in entry.instances]


def nullcontext_of_nobody() -> Any:
    return nullcontext()


def told(models: Mapping[str, Any], story: Callable[[Desk], Awaitable[None]], **bounds: Any) -> list[str]:
    """Tell the story; gives what is loaded on the server after the end."""

    async def whole(url: str) -> list[str]:
        desk = Desk(url, **bounds)
        try:
            async with desk.models.open():
                await story(desk)
            return await desk.loaded()
        finally:
            await desk.backend.close()

    with simulator({"models": dict(models)}) as url:
        return asyncio.run(whole(url))


def test_models_stay_side_by_side_until_the_end() -> None:
    async def story(desk: Desk) -> None:
        for name in ("a", "b", "a"):
            await desk.ask(name)
        assert await desk.loaded() == ["a", "b"]
        assert sorted(resident.address for _, resident in desk.models.residents()) == ["a", "b"]
        assert desk.models.circuits() == {(desk.url, "a"): "closed", (desk.url, "b"): "closed"}

    assert told({"a": SAYS, "b": SAYS}, story) == []
    assert MANY > 2


def test_a_bound_of_the_configuration_holds() -> None:
    async def story(desk: Desk) -> None:
        for name in ("a", "b"):
            await desk.ask(name)
        assert await desk.loaded() == ["b"]

    assert told({"a": SAYS, "b": SAYS}, story, max_loaded=1) == []


def test_what_is_handed_over_stays() -> None:
    async def story(desk: Desk) -> None:
        desk.models.hand_over(desk.url, await desk.ask("a"))
        assert await desk.ask("a") == "a"

    assert told({"a": SAYS}, story) == ["a"]


def test_what_is_outgrown_goes_before_the_larger_one_comes() -> None:
    async def story(desk: Desk) -> None:
        await desk.ask("a", context=4096)
        desk.models.outgrown(desk.url, "b")  # of which nothing is loaded: nothing happens
        desk.models.outgrown(desk.url, "a")
        assert await desk.ask("a", context=16_384, explicit=True) == "a"
        assert [resident.context_length for _, resident in desk.models.residents()] == [16_384]

    assert told({"a": SAYS}, story) == []


def test_what_is_somebody_elses_and_outgrown_stays_beside_the_larger_one() -> None:
    async def story(desk: Desk) -> None:
        assert await desk.ask("a", context=2048) == "a"
        desk.models.outgrown(desk.url, "a")
        assert await desk.ask("a", context=16_384, explicit=True) == "a:2"

    assert told({"a": {**SAYS, "loaded": {"context_length": 2048}}}, story) == ["a"]


def test_what_somebody_unloaded_is_loaded_anew() -> None:
    async def story(desk: Desk) -> None:
        instance = await desk.ask("a")
        await desk.backend.unload(instance)
        desk.models.is_gone(desk.url, instance)
        assert list(desk.models.residents()) == []
        assert await desk.ask("a") == "a"

    assert told({"a": SAYS}, story) == []


def test_a_time_to_live_may_become_shorter_and_longer() -> None:
    async def story(desk: Desk) -> None:
        instance = await desk.ask("a", ttl=60)
        desk.models.keep_for(desk.url, instance, 90)
        desk.models.keep_for(desk.url, instance, 90)
        desk.models.keep_for(desk.url, instance, 0.05)
        while not any(isinstance(one.event, ModelUnloaded) for one in desk.entries):  # noqa: ASYNC110  as it is told
            await asyncio.sleep(0.005)
        assert await desk.loaded() == []
        kept = await desk.ask("a", ttl=60)
        desk.models.keep_for(desk.url, kept, None)
        assert await desk.loaded() == ["a"]

    assert told({"a": SAYS}, story) == []
