"""The public validator: what it finds, how often it asks, and what it says when nobody answers."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from collections.abc import Awaitable, Callable, Mapping
from contextlib import asynccontextmanager

import pytest
from kit.raw_server import CUT, STALL, Heard, RawServer, Script, raw_server, reply, unexpected

import runner
from runner import (
    LLMAuthenticationError,
    LLMConnectionError,
    LLMError,
    ModelNotFoundError,
    ModelValidator,
)

CODER, THINKER, EMBED = "qwen/qwen3-coder-30b", "mistralai/magistral-small-2509", "text-embedding-nomic-embed-text-v1.5"
LIST = "/api/v1/models"
NOWHERE: Mapping[str, str] = {}


def model(key: str, *instances: str, kind: str = "llm", variants: tuple[str, ...] = ()) -> dict[str, object]:
    loaded = [{"id": one, "config": {"context_length": 8192, "parallel": 4}} for one in instances]
    return {"type": kind, "key": key, "loaded_instances": loaded, "variants": list(variants)}


MODELS = (
    model(CODER, CODER, f"{CODER}:2", variants=(f"{CODER}@q4_k_m", f"{CODER}@q8_0")),
    model(THINKER),
    model(EMBED, EMBED, kind="embedding"),
)


class Studio:
    """An LM Studio of ``models`` whose first ``faults`` answers to the question for its list are other ones."""

    def __init__(self, *models: Mapping[str, object], faults: tuple[Script, ...] = ()) -> None:
        self.models = models
        self.faults = list(faults)
        self.lists = 0

    def __call__(self, heard: Heard) -> Script:
        if heard.path == "/lmstudio-greeting":
            return reply({"lmstudio": True})
        if heard.path != LIST:
            return unexpected(heard)
        self.lists += 1
        return self.faults.pop(0) if self.faults else reply({"models": list(self.models)})


class Watch:
    """A clock that only a test moves; sleeping is remembered and takes no time."""

    def __init__(self) -> None:
        self.time = 100.0
        self.slept: list[float] = []

    def monotonic(self) -> float:
        return self.time

    async def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        await asyncio.sleep(0)


def validator(*servers: RawServer, **options: object) -> ModelValidator:
    return ModelValidator([server.url for server in servers], environment=NOWHERE, **{"clock": Watch(), **options})


@asynccontextmanager
async def asking(studio: Studio, **options: object):
    async with raw_server(studio) as server, validator(server, **options) as asked:
        yield asked


def with_studio(studio: Studio, story: Callable[[ModelValidator], Awaitable[None]], **options: object) -> None:
    async def told() -> None:
        async with asking(studio, **options) as asked:
            await story(asked)

    asyncio.run(told())


# What it finds


@pytest.mark.parametrize(
    ("name", "sent"),
    [
        (CODER, CODER),
        ("Qwen/QWEN3-coder-30b", CODER),
        (f"{CODER}@q8_0", f"{CODER}@q8_0"),
        (f"{CODER}:2", f"{CODER}:2"),
        (THINKER, THINKER),
        (EMBED, EMBED),
        (None, CODER),
        ("default", CODER),
    ],
)
def test_a_name_becomes_the_id_to_send(name, sent):
    async def story(asked):
        assert await asked.validate(name) == sent
        assert await asked.validate(name) == sent

    with_studio(Studio(*MODELS), story)


def test_every_name_is_listed_once():
    async def story(asked):
        names = (CODER, f"{CODER}@q4_k_m", f"{CODER}@q8_0", f"{CODER}:2", THINKER, EMBED)
        assert await asked.available_models() == names

    with_studio(Studio(*MODELS), story)


def test_a_missing_name_is_told_with_the_near_ones():
    async def story(asked):
        with pytest.raises(ModelNotFoundError) as caught:
            await asked.validate("qwen3-coder-30b")
        assert caught.value.to_dict() == {
            "code": "ModelNotFoundError",
            "kind": "model_not_found",
            "message": "no server has a model named `qwen3-coder-30b`",
            "hint": f"did you mean `{CODER}`?",
            "retryable": False,
            "model_name": "qwen3-coder-30b",
            "available_models": list(await asked.available_models()),
            "nearest": list(caught.value.nearest),
        }
        assert caught.value.nearest[0] == CODER

    with_studio(Studio(*MODELS), story)


@pytest.mark.parametrize(
    ("models", "said", "hint"),
    [
        ((model(CODER),), "none is loaded", "name one, or configure a `default_model`, or load one"),
        (
            (model(CODER, CODER), model(THINKER, "mine")),
            f"2 are loaded: `{CODER}`, `{THINKER}`",
            "name one, or configure a `default_model`",
        ),
    ],
)
def test_the_default_is_the_one_loaded_model_or_none(models, said, hint):
    async def story(asked):
        with pytest.raises(ModelNotFoundError) as caught:
            await asked.validate()
        assert str(caught.value) == f"no model is named and no default is configured, and {said}"
        assert caught.value.hint == hint

    with_studio(Studio(*models), story)


def test_a_model_of_the_second_server_is_found_though_the_first_is_dead():
    async def told():
        async with raw_server(Studio(*MODELS)) as server:
            asked = ModelValidator(["http://127.0.0.1:9", server.url], environment=NOWHERE, clock=Watch())
            assert await asked.validate(THINKER) == THINKER
            with pytest.raises(ModelNotFoundError) as caught:
                await asked.validate("llama-4")
            assert caught.value.hint == (
                "http://127.0.0.1:9 could not be asked: "
                "no connection to http://127.0.0.1:9: refused, nothing listens there"
            )

    asyncio.run(told())


def test_addresses_come_from_the_environment_and_one_may_be_a_plain_text():
    async def told():
        async with raw_server(Studio(*MODELS)) as server:
            assert await ModelValidator(environment={"BRIDGE_RUN_ENDPOINT": server.url}).validate(CODER) == CODER
            assert await ModelValidator(server.url, environment={"BRIDGE_RUN_ENDPOINT": "x:1"}).validate(CODER) == CODER

    asyncio.run(told())


def test_the_configuration_names_the_default_the_server_and_how_long_the_list_is_kept(tmp_path, monkeypatch):
    studio, watch = Studio(*MODELS), Watch()

    async def told():
        async with raw_server(studio) as server:
            config = f'default_model = "{THINKER}"\ncatalogue_ttl = "10s"\n[endpoints.studio]\nurl = "{server.url}"\n'
            (tmp_path / "bridge.toml").write_text(config)
            monkeypatch.chdir(tmp_path)
            asked = ModelValidator(environment=NOWHERE, clock=watch)
            assert await asked.validate() == THINKER
            watch.time += 9.9
            await asked.validate(CODER)
            assert studio.lists == 1
            watch.time += 0.1
            await asked.validate(CODER)
            assert studio.lists == 2

    asyncio.run(told())


@pytest.mark.parametrize(
    ("token", "environment", "header"),
    [
        ("mine", {"LM_API_TOKEN": "theirs"}, "Bearer mine"),
        (None, {"LM_API_TOKEN": "theirs"}, "Bearer theirs"),
        (None, {}, None),
    ],
)
def test_a_token_is_sent_only_if_there_is_one(token, environment, header):
    async def told():
        async with raw_server(Studio(*MODELS)) as server:
            await ModelValidator(server.url, token=token, environment=environment).validate(CODER)
            assert {heard.headers.get("authorization") for heard in server.heard} == {header}

    asyncio.run(told())


# How often it asks


def test_fifty_cold_calls_ask_once():
    studio = Studio(*MODELS)

    async def story(asked):
        found = await asyncio.gather(*(asked.validate(CODER) for _ in range(50)))
        assert found == [CODER] * 50

    with_studio(studio, story)
    assert studio.lists == 1


def test_the_list_is_kept_for_its_time_and_no_longer():
    studio, watch = Studio(*MODELS), Watch()

    async def story(asked):
        await asked.validate(CODER)
        watch.time += 59.9
        await asked.validate(THINKER)
        assert studio.lists == 1
        watch.time += 0.1
        studio.models = MODELS[1:]
        with pytest.raises(ModelNotFoundError):
            await asked.validate(CODER)
        assert studio.lists == 2

    with_studio(studio, story, clock=watch)


def test_a_cleared_cache_asks_again():
    studio = Studio(*MODELS)

    async def story(asked):
        await asked.validate(CODER)
        asked.clear_cache()
        await asked.validate(CODER)

    with_studio(studio, story)
    assert studio.lists == 2


def test_what_was_asked_before_the_cache_was_cleared_is_not_kept():
    studio = Studio(*MODELS)

    async def story(asked):
        waiting = asyncio.ensure_future(asked.validate(CODER))
        await asyncio.sleep(0)
        asked.clear_cache()
        assert await waiting == CODER
        await asked.validate(CODER)

    with_studio(studio, story)
    assert studio.lists == 2


def test_a_failure_is_heard_by_all_who_wait_and_the_next_call_asks_anew():
    studio = Studio(*MODELS, faults=(reply({"error": "no"}, status=401),))

    async def story(asked):
        heard = await asyncio.gather(*(asked.validate(CODER) for _ in range(50)), return_exceptions=True)
        assert {type(error) for error in heard} == {LLMAuthenticationError}
        assert studio.lists == 1
        assert await asked.validate(CODER) == CODER

    with_studio(studio, story)
    assert studio.lists == 2


def test_a_cancelled_caller_takes_nobody_along():
    studio = Studio(*MODELS)

    async def story(asked):
        first, second = (asyncio.ensure_future(asked.validate(CODER)) for _ in range(2))
        await asyncio.sleep(0)
        first.cancel()
        assert await second == CODER
        assert first.cancelled()

    with_studio(studio, story)
    assert studio.lists == 1


def test_a_question_that_everybody_left_is_still_an_answer():
    studio = Studio(*MODELS)

    async def story(asked):
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0):
                await asked.validate(CODER)
        assert await asked.validate(CODER) == CODER

    with_studio(studio, story)
    assert studio.lists == 1


def test_one_validator_serves_several_event_loops():
    """What one loop learned the next one knows; a loop that ended in the midst of a question leaves no harm."""

    async def left(asked: ModelValidator) -> None:
        task = asyncio.ensure_future(asked.validate(CODER))
        await asyncio.sleep(0)
        task.cancel()

    from kit.simulator import simulator

    with simulator({"models": {CODER: {"loaded": True}}}) as url:
        asked = ModelValidator(url, environment=NOWHERE)
        asyncio.run(left(asked))
        assert asyncio.run(asked.validate(CODER)) == CODER
    assert asyncio.run(asked.validate(CODER)) == CODER


# When nobody answers


@pytest.mark.parametrize(
    "fault",
    [(CUT,), reply({"error": "starting"}, status=503)],
    ids=["cut", "503"],
)
def test_a_server_that_fails_twice_is_asked_three_times(fault):
    failed = 0
    studio = Studio(*MODELS)

    def answer(heard: Heard) -> Script:
        nonlocal failed
        if heard.path == LIST:
            failed += 1
        return studio(heard) if failed > 2 else fault

    async def told():
        watch = Watch()
        async with raw_server(answer) as server:
            assert await validator(server, clock=watch).validate(CODER) == CODER
        assert len(watch.slept) == 2
        assert 0.25 <= watch.slept[0] <= 0.5 <= watch.slept[1] <= 1.0

    asyncio.run(told())
    assert studio.lists == 1


def test_the_last_failure_is_raised_with_its_class():
    async def told():
        watch = Watch()
        asked = ModelValidator("http://127.0.0.1:9", environment=NOWHERE, clock=watch, attempts=2)
        with pytest.raises(LLMConnectionError) as caught:
            await asked.validate(CODER)
        assert caught.value.message == "no connection to http://127.0.0.1:9: refused, nothing listens there"
        assert len(watch.slept) == 1

    asyncio.run(told())


def test_several_dead_servers_are_told_together():
    async def told():
        asked = ModelValidator(["127.0.0.1:9", "127.0.0.1:10"], environment=NOWHERE, attempts=1)
        with pytest.raises(LLMConnectionError) as caught:
            await asked.available_models()
        assert caught.value.message == (
            "no model server can be asked; tried:\n"
            "  no connection to http://127.0.0.1:9: refused, nothing listens there\n"
            "  no connection to http://127.0.0.1:10: refused, nothing listens there"
        )

    asyncio.run(told())


def test_a_refused_token_is_not_tried_again():
    async def told():
        watch = Watch()
        async with raw_server(reply({"error": {"message": "no such token"}}, status=401)) as server:
            with pytest.raises(LLMAuthenticationError):
                await validator(server, clock=watch).validate(CODER)
        assert watch.slept == []

    asyncio.run(told())


def test_closing_ends_a_question_and_tells_who_waits():
    async def told():
        async with raw_server((STALL,)) as server:
            asked = validator(server)
            waiting = asyncio.ensure_future(asked.validate(CODER))
            await server.arrived.wait()
            await asked.close()
            await asked.close()
            with pytest.raises(LLMConnectionError, match="the validator was closed while it asked for the models"):
                await waiting

    asyncio.run(told())


# The package


def test_the_package_offers_the_validator_and_every_error_by_name():
    assert {name for name in runner.__all__ if getattr(runner, name) is None} == set()
    assert issubclass(runner.ModelNotFoundError, LLMError)
    with pytest.raises(AttributeError, match="module 'runner' has no attribute 'validator_of_models'"):
        _ = runner.validator_of_models


def test_importing_the_package_imports_nothing_else():
    script = "import sys; before = set(sys.modules); import runner; print(sorted(set(sys.modules) - before))"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout == "['__future__', 'runner']\n"
