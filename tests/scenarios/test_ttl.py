"""Scenarios of time to live: what is remembered of the list of models, and how long a model stays in memory."""

from __future__ import annotations

import asyncio

import pytest
from kit.bridge import HELLO, Bridge, with_bridge
from kit.raw_server import Heard, Script, raw_server, reply, unexpected
from kit.scene import Scene, ask, cold, loaded

from runner import ModelNotFoundError, ModelValidator
from runner.app.bridge.house import BridgeHouse


class Watch:
    """A clock that only a test moves."""

    def __init__(self) -> None:
        self.seconds = 100.0

    def monotonic(self) -> float:
        return self.seconds

    async def sleep(self, seconds: float) -> None:
        self.seconds += seconds


class Studio:
    """An LM Studio whose list may change; it counts how often that is asked for."""

    def __init__(self, *models: str) -> None:
        self.models = models
        self.lists = 0

    def __call__(self, heard: Heard) -> Script:
        if heard.path == "/lmstudio-greeting":
            return reply({"lmstudio": True})
        if heard.path != "/api/v1/models":
            return unexpected(heard)
        self.lists += 1
        entries = [{"type": "llm", "key": one, "loaded_instances": []} for one in self.models]
        return reply({"models": entries})


def test_the_list_is_kept_for_sixty_seconds_and_not_longer() -> None:
    studio, watch = Studio("a/one"), Watch()

    async def story() -> None:
        async with raw_server(studio) as server, ModelValidator(server.url, clock=watch, environment={}) as models:
            await models.validate("a/one")
            studio.models = ("a/two",)
            watch.seconds += 59.9
            assert await models.validate("a/one") == "a/one"
            assert studio.lists == 1
            watch.seconds += 0.2
            with pytest.raises(ModelNotFoundError):
                await models.validate("a/one")
            assert await models.validate("a/two") == "a/two"
            assert studio.lists == 2

    asyncio.run(story())


@pytest.mark.parametrize(("ttl", "lists"), [(0, 3), (600, 1)])
def test_the_time_is_the_programs_to_choose(ttl: float, lists: int) -> None:
    studio, watch = Studio("a/one"), Watch()

    async def story() -> None:
        async with (
            raw_server(studio) as server,
            ModelValidator(server.url, ttl=ttl, clock=watch, environment={}) as models,
        ):
            for _ in range(3):
                await models.validate("a/one")
                watch.seconds += 100
        assert studio.lists == lists

    asyncio.run(story())


def test_what_is_forgotten_is_asked_anew() -> None:
    studio = Studio("a/one")

    async def story() -> None:
        async with raw_server(studio) as server, ModelValidator(server.url, environment={}) as models:
            await models.validate("a/one")
            models.clear_cache()
            await models.validate("a/one")
        assert studio.lists == 2

    asyncio.run(story())


def test_a_model_that_is_new_is_found_although_the_list_is_kept(scene: Scene) -> None:
    scene.studio(
        {"small/one": loaded(), "small/two": cold()}, downloadable={"small/two": "1GB"}, download_speed="100GB"
    )

    async def story(bridge: Bridge) -> None:
        await bridge.call("chat_completion", messages=HELLO, model="small/one")
        await bridge.call("download_model", model="small/two")
        assert (await bridge.call("chat_completion", messages=HELLO, model="small/two"))["model"] == "small/two"

    with_bridge(story, scene.url)


def test_what_a_call_loaded_goes_after_its_idle_time_and_what_a_person_loaded_stays(scene: Scene) -> None:
    scene.studio({"ours/one": cold(), "theirs/one": loaded()}, jit=False)

    async def story(bridge: Bridge) -> None:
        for model in ("ours/one", "theirs/one"):
            await bridge.call("chat_completion", messages=HELLO, model=model, ttl=1)
        async with asyncio.timeout(20):
            while not scene.heard("/unload"):  # noqa: ASYNC110  of a server, no event
                await asyncio.sleep(0.05)

    with_bridge(story, scene.url)
    assert scene.heard("/unload") == [{"instance_id": "ours/one"}]


def test_what_a_task_loaded_goes_with_the_house_and_nothing_else(scene: Scene) -> None:
    scene.studio({"ours/one": cold(), "theirs/one": loaded()})

    async def story(house: BridgeHouse) -> None:
        for model in ("ours/one", "theirs/one", "ours/one"):
            await ask(house, model=model)
        assert scene.heard("/unload") == []

    scene.in_house(story)
    assert scene.heard("/unload") == [{"instance_id": "ours/one"}]
    assert scene.counted()["load"] == 1
