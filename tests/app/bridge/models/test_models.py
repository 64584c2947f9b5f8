"""The model tools against the simulator over HTTP: what they give, what is sent, and what is never sent."""

from __future__ import annotations

import asyncio
import base64
import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
from kit.bridge import HELLO, TOOLS, Bridge, call, with_bridge
from kit.simulator import simulator

from runner.app.bridge.models.desk import model_desk
from runner.record.events import ModelLoaded, ModelLoadStarted, ModelUnloaded
from runner.words.errors import (
    ContextError,
    LLMConnectionError,
    LLMError,
    LLMValidationError,
    ModelMemoryError,
    ModelNotFoundError,
    OutsideError,
    UsageError,
)
from runner.words.schemas import check_schema, complaints

NOWHERE = "http://127.0.0.1:1"
EMBEDDER = {"type": "embedding", "max_context_length": 32, "dimensions": 4}
ANSWERS = {"loaded": {"context_length": 8192}, "default": {"reasoning": "Hm.", "say": "Hi."}}


@pytest.fixture(autouse=True)
def _in_a_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / ".config"))
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path / "run"))
    (tmp_path / "run").mkdir()


def serving(models: Mapping[str, Any], **settings: Any):
    return simulator({"settings": settings, "models": dict(models)}, log="log")


def requests(path: str = "") -> list[dict[str, Any]]:
    """The bodies of what was posted to a path that ends so, in order."""
    lines = map(json.loads, Path("log").read_text("utf-8").strip().split("\n"))
    return [line["request"] for line in lines if line["method"] == "POST" and line["path"].endswith(path)]


async def until(condition: Callable[[], bool]) -> None:
    """Waits until it holds; a test that never sees it ends by pytest's own limit."""
    while not condition():  # noqa: ASYNC110  of another task's doings, no event
        await asyncio.sleep(0.005)


def test_every_promised_tool_is_there_with_schemas_that_hold() -> None:
    assert set(TOOLS) == {
        "health_check", "list_models", "get_current_model", "chat_completion", "text_completion", "create_response",
        "generate_embeddings", "load_model", "unload_model", "ensure_model_loaded", "list_loaded_models",
        "list_downloaded_models", "download_model", "server_status",
    }  # fmt: skip
    for tool in TOOLS.values():
        output = tool.offer.output_schema
        assert output is not None
        assert check_schema(tool.offer.input_schema) == ()
        assert check_schema(output) == ()
        assert tool.offer.input_schema["additionalProperties"] is False
        for name, one in tool.offer.input_schema["properties"].items():
            if "default" in one:
                assert complaints(one, one["default"]) == (), (tool.offer.name, name)


def test_looking_asks_no_model_anything() -> None:
    names = (
        "health_check", "list_models", "get_current_model", "list_loaded_models", "list_downloaded_models",
        "server_status",
    )  # fmt: skip

    async def story(bridge: Bridge) -> dict[str, Any]:
        return {name: await bridge.call(name) for name in names}

    with serving({"small/one": ANSWERS, "big/two": {"turns": []}, "embedder": EMBEDDER}) as url:
        seen = with_bridge(story, url)
    assert requests() == [], "lists are asked for with GET"
    assert [one["id"] for one in seen["list_models"]["models"]] == ["small/one", "big/two", "embedder"]
    assert [one["id"] for one in seen["list_loaded_models"]["models"]] == ["small/one"]
    assert seen["list_loaded_models"]["models"][0]["instances"][0]["context_length"] == 8192
    assert seen["list_downloaded_models"]["count"] == 3
    current = seen["get_current_model"]
    assert (current["model"], current["origin"], current["loaded"]) == ("small/one", "the one loaded model", True)
    health = seen["health_check"]
    assert (health["healthy"], health["servers"][0]["kind"]) == (True, "lmstudio-v1")
    status = seen["server_status"]["servers"][0]
    assert (status["can_load"], status["loaded_by_bridge"], status["circuits"]) == (True, [], [])


def test_no_server_is_told_as_such() -> None:
    async def story(bridge: Bridge) -> None:
        health = await bridge.call("health_check")
        assert (health["healthy"], health["servers"][0]["error"]["kind"]) == (False, "connection")
        for name in ("list_models", "get_current_model", "list_loaded_models"):
            with pytest.raises(LLMConnectionError):
                await bridge.call(name)
        with pytest.raises(LLMConnectionError):
            await bridge.call("chat_completion", messages=HELLO)
        with pytest.raises(LLMConnectionError):
            await bridge.call("download_model", model="x")

    with_bridge(story, NOWHERE)


def test_of_two_servers_that_which_answers_is_enough() -> None:
    async def story(bridge: Bridge) -> None:
        listed = await bridge.call("list_models")
        assert [one["endpoint"] for one in listed["failures"]] == [NOWHERE]
        assert listed["count"] == 1
        assert (await bridge.call("chat_completion", messages=HELLO))["text"] == "Hi."
        assert listed["text"].splitlines()[1] == f"{NOWHERE} could not be asked: {listed['failures'][0]['message']}"
        for name, more in (("list_models", {}), ("load_model", {"model": "small/one"})):
            with pytest.raises(LLMConnectionError):
                await bridge.call(name, endpoint=NOWHERE, **more)
        with pytest.raises(UsageError, match="there is no server `elsewhere` here"):
            await bridge.call("server_status", endpoint="elsewhere")

    with serving({"small/one": ANSWERS}) as url:
        with_bridge(story, NOWHERE, url)
    with pytest.raises(OutsideError):
        with_bridge(lambda bridge: bridge.call("list_models"), NOWHERE, "http://127.0.0.1:2")


def test_a_model_of_another_server_is_told_with_its_place() -> None:
    with serving({"small/one": ANSWERS}) as here, serving({"big/two": ANSWERS}) as there:

        async def story(bridge: Bridge) -> None:
            with pytest.raises(ModelNotFoundError) as missing:
                await bridge.call("load_model", model="big/two", endpoint=here)
            assert missing.value.message == f"{here} has no model named `big/two`"
            assert missing.value.hint == f"{there} has it: leave `endpoint` out, or name that one"
            assert missing.value.available_models[0] == "small/one"

        with_bridge(story, here, there)


def test_a_configured_default_is_told_even_if_nobody_has_it(tmp_path: Path) -> None:
    (tmp_path / "bridge.toml").write_text('default_model = "big/two"\n', encoding="utf-8")
    with serving({"small/one": ANSWERS}) as url:
        current = call(url, "get_current_model")
        with pytest.raises(ModelNotFoundError) as missing:
            call(url, "chat_completion", messages=HELLO)
    instead = "it is the configured `default_model`: name another model, or correct the configuration"
    assert (missing.value.model_name, missing.value.hint) == ("big/two", instead)
    assert (current["model"], current["origin"], current["endpoint"]) == ("big/two", "configured", None)
    assert current["text"].startswith("the default model is big/two (configured); no server has it: ")
    assert current["others"] == ["small/one"]


def test_an_answer_has_its_parts_apart() -> None:
    with serving({"small/one": ANSWERS}) as url:
        said = call(url, "chat_completion", messages=HELLO, temperature=0.5, stop=["x"], seed=3, max_tokens=99)
    assert (said["text"], said["content"], said["reasoning"], said["tool_calls"]) == ("Hi.", "Hi.", "Hm.", [])
    assert (said["finish_reason"], said["model"], said["endpoint"]) == ("stop", "small/one", url)
    assert said["usage"] == {
        "prompt_tokens": 2, "completion_tokens": 2, "reasoning_tokens": 1, "total_tokens": 4, "estimated": False,
    }  # fmt: skip
    sent = requests("/chat/completions")[0]
    assert {key: sent[key] for key in ("temperature", "stop", "seed", "max_tokens", "messages")} == {
        "temperature": 0.5, "stop": ["x"], "seed": 3, "max_tokens": 99, "messages": HELLO,
    }  # fmt: skip


@pytest.mark.parametrize("name", [None, "", "default", " DEFAULT "])
def test_the_word_default_is_never_sent(name: str | None) -> None:
    async def story(bridge: Bridge) -> None:
        await bridge.call("chat_completion", messages=HELLO, model=name)
        await bridge.call("text_completion", prompt="Once", model=name)
        await bridge.call("create_response", input="Once", model=name)
        await bridge.call("ensure_model_loaded", model=name)
        await bridge.call("generate_embeddings", input="Once", model=name)

    with serving({"small/one": ANSWERS, "embedder": EMBEDDER}) as url:
        with_bridge(story, url)
    asked = [body["model"] for body in requests() if "model" in body]
    assert asked == ["small/one"] * 3 + ["embedder"] * 2


def test_what_a_call_loaded_does_not_make_the_default_doubtful() -> None:
    async def story(bridge: Bridge) -> None:
        await bridge.call("chat_completion", messages=HELLO, model="big/two")
        assert (await bridge.call("chat_completion", messages=HELLO))["model"] == "small/one"
        current = await bridge.call("get_current_model")
        assert (current["model"], current["others"]) == ("small/one", ["big/two"])
        assert current["origin"] == "the one model that was loaded before"

    with serving({"small/one": ANSWERS, "big/two": {"default": {"say": "Two."}}}) as url:
        with_bridge(story, url)
    with serving({"small/one": ANSWERS, "big/two": {"loaded": True, "turns": []}}) as url:
        with pytest.raises(ModelNotFoundError, match="2 are loaded"):
            call(url, "chat_completion", messages=HELLO)
        assert call(url, "get_current_model")["model"] is None


@pytest.mark.parametrize(
    ("name", "arguments"),
    [
        ("chat_completion", {"messages": HELLO}),
        ("text_completion", {"prompt": "Once"}),
        ("create_response", {"input": "Once"}),
        ("generate_embeddings", {"input": "Once"}),
        ("load_model", {}),
        ("ensure_model_loaded", {}),
        ("unload_model", {}),
    ],
)
def test_a_model_that_nobody_has_is_refused_before_anything_is_sent(name: str, arguments: dict[str, Any]) -> None:
    with serving({"small/one": ANSWERS}) as url, pytest.raises(ModelNotFoundError) as missing:
        call(url, name, model="small/two", **arguments)
    assert missing.value.to_dict()["available_models"] == ["small/one", "small/one@q4_k_m"]
    assert missing.value.nearest[0] == "small/one"
    assert requests() == []


def test_a_model_for_something_else_is_refused_before_anything_is_sent() -> None:
    async def story(bridge: Bridge) -> None:
        with pytest.raises(LLMValidationError, match="a model that answers, and does not embed") as wrong:
            await bridge.call("generate_embeddings", input="Once", model="small/one")
        assert wrong.value.hint == "name one of embedder"
        for name, arguments in (("chat_completion", {"messages": HELLO}), ("create_response", {"input": "Once"})):
            with pytest.raises(LLMValidationError, match="a model that embeds, and does not answer"):
                await bridge.call(name, model="embedder", **arguments)

    with serving({"small/one": ANSWERS, "embedder": EMBEDDER}) as url:
        with_bridge(story, url)
    assert requests() == []


def test_ten_calls_at_once_load_a_model_once() -> None:
    async def story(bridge: Bridge) -> list[ModelLoaded]:
        calls = (bridge.call("chat_completion", messages=HELLO, model="big/two") for _ in range(10))
        said = await asyncio.gather(*calls)
        assert {one["model"] for one in said} == {"big/two"}
        return [one.event for one in bridge.entries if isinstance(one.event, ModelLoaded)]

    slow = {"load_time": "100ms", "default": {"say": "Two."}}
    with serving({"small/one": ANSWERS, "big/two": slow}, jit_race=True) as url:
        loads = with_bridge(story, url)
    assert len(requests("/models/load")) == 1
    assert len(requests("/chat/completions")) == 10
    assert [(one.model, one.reused) for one in loads] == [("big/two", False)]


def test_what_a_call_loaded_is_unloaded_at_the_end_and_nothing_else() -> None:
    async def story(bridge: Bridge) -> None:
        await bridge.call("chat_completion", messages=HELLO, model="big/two")
        await bridge.call("chat_completion", messages=HELLO, model="small/one")

    with serving({"small/one": ANSWERS, "big/two": {"default": {"say": "Two."}}}) as url:
        with_bridge(story, url)
        left = call(url, "list_loaded_models")
    assert [body["instance_id"] for body in requests("/models/unload")] == ["big/two"]
    assert [one["id"] for one in left["models"]] == ["small/one"]


def test_a_call_that_is_cancelled_leaves_the_load_to_those_who_wait_for_it() -> None:
    async def story(bridge: Bridge) -> str:
        first = asyncio.ensure_future(bridge.call("chat_completion", messages=HELLO, model="big/two"))
        second = asyncio.ensure_future(bridge.call("chat_completion", messages=HELLO, model="big/two"))
        await until(lambda: any(isinstance(one.event, ModelLoadStarted) for one in bridge.entries))
        first.cancel()
        with pytest.raises(asyncio.CancelledError):
            await first
        return str((await second)["text"])

    with serving({"big/two": {"load_time": "200ms", "default": {"say": "Two."}}}) as url:
        assert with_bridge(story, url) == "Two."
    assert len(requests("/models/load")) == 1


def test_tool_calls_are_returned_and_not_made() -> None:
    tool = {"type": "function", "function": {"name": "weather", "parameters": {"type": "object", "properties": {}}}}
    turns = [
        {"when": {"offered": "weather", "turn": 1}, "call": [{"tool": "weather", "arguments": {"city": "Paris"}}]},
        {"when": {"tool_result": "sunny"}, "say": "Sun."},
    ]

    async def story(bridge: Bridge) -> None:
        asked = await bridge.call("chat_completion", messages=HELLO, tools=[tool], tool_choice="required")
        calls = asked["tool_calls"]
        assert asked["finish_reason"] == "tool_calls"
        assert asked["text"] == f'tool call {calls[0]["id"]}: weather({{"city": "Paris"}})'
        result = {"role": "tool", "tool_call_id": calls[0]["id"], "content": "sunny"}
        history = [*HELLO, {"role": "assistant", "content": None, "tool_calls": calls}, result]
        assert (await bridge.call("chat_completion", messages=history))["text"] == "Sun."
        only = {"type": "function", "function": {"name": "weather"}}
        await bridge.call("chat_completion", messages=HELLO, tools=[tool], tool_choice=only)
        choice = {"type": "function", "function": {"name": "time"}}
        with pytest.raises(LLMValidationError, match="there is no tool `time` among `tools`"):
            await bridge.call("chat_completion", messages=HELLO, tools=[tool], tool_choice=choice)

    with serving({"small/one": {"loaded": True, "turns": turns}}) as url:
        with_bridge(story, url)
    first, _, last = requests("/chat/completions")
    assert (first["tool_choice"], last["tool_choice"]) == ("required", "required")
    assert [one["function"]["name"] for one in last["tools"]] == ["weather"]


def test_data_comes_parsed_and_what_does_not_fit_is_told() -> None:
    schema = {"type": "object", "required": ["a"], "properties": {"a": {"type": "integer"}}}
    form = {"type": "json_schema", "json_schema": {"name": "x", "schema": schema}}

    async def story(bridge: Bridge) -> None:
        good = await bridge.call("chat_completion", messages=HELLO, response_format=form)
        assert (good["parsed"], good["warnings"]) == ({"a": 1}, [])
        bad = await bridge.call("chat_completion", messages=HELLO, response_format=form)
        assert "parsed" not in bad
        assert bad["warnings"] == ["the answer does not fit the schema that was asked for"]
        plain = await bridge.call("chat_completion", messages=HELLO, response_format={"type": "json_object"})
        assert plain["parsed"] == {"b": 2}
        with pytest.raises(LLMValidationError, match="needs a `json_schema`"):
            await bridge.call("chat_completion", messages=HELLO, response_format={"type": "json_schema"})

    turns = [{"json": {"a": 1}, "times": 1}, {"say": "No.", "times": 1}, {"when": {"schema": True}, "json": {"b": 2}}]
    with serving({"small/one": {"loaded": True, "turns": turns}}) as url:
        with_bridge(story, url)
    formats = [body["response_format"]["type"] for body in requests("/chat/completions")]
    assert formats == ["json_schema"] * 3, "LM Studio refuses json_object"


def test_pictures_are_sent_as_data_and_addresses_are_refused() -> None:
    data = base64.b64encode(b"picture").decode()

    def asks(url: str) -> list[dict[str, Any]]:
        return [{"role": "user", "content": [{"type": "image_url", "image_url": {"url": url}}]}]

    async def story(bridge: Bridge) -> None:
        await bridge.call("chat_completion", messages=asks(f"data:image/png;base64,{data}"))
        with pytest.raises(LLMValidationError, match=r"`messages\[0\].content\[0\]`: the picture is no data"):
            await bridge.call("chat_completion", messages=asks("https://example.org/a.png"))
        with pytest.raises(LLMValidationError, match="is no base64"):
            await bridge.call("chat_completion", messages=asks("data:image/png;base64,%%%"))

    with serving({"small/one": {**ANSWERS, "vision": True}}) as url:
        with_bridge(story, url)
    sent = requests("/chat/completions")
    assert [part["image_url"]["url"] for part in sent[0]["messages"][0]["content"]] == [f"data:image/png;base64,{data}"]


@pytest.mark.parametrize(
    ("message", "said"),
    [
        ({"role": "user"}, "`messages[0]`: it has no `content`"),
        ({"role": "system", "content": None}, "`messages[0]`: it has no `content`"),
        ({"role": "assistant", "tool_calls": []}, "`messages[0]`: it has no `content`"),
        ({"role": "tool", "content": "12"}, "`messages[0]`: a message of the role `tool` has a `tool_call_id`"),
    ],
)
def test_a_message_that_says_nothing_is_not_sent(message: dict[str, Any], said: str) -> None:
    with serving({"small/one": ANSWERS}) as url:
        with pytest.raises(LLMValidationError) as refused:
            call(url, "chat_completion", messages=[message])
        assert refused.value.message == said
        assert not Path("log").read_text("utf-8")


@pytest.mark.parametrize(
    ("name", "said"), [("chat_completion", {"messages": HELLO}), ("create_response", {"input": "?"})]
)
def test_a_call_that_must_be_made_needs_a_tool(name: str, said: dict[str, Any]) -> None:
    with serving({"small/one": ANSWERS}) as url, pytest.raises(LLMValidationError) as refused:
        call(url, name, tool_choice="required", **said)
    assert refused.value.message == "`tool_choice`: it says `required`, and there are no `tools`"


def test_a_prompt_that_cannot_fit_is_not_sent() -> None:
    long = [{"role": "user", "content": "word " * 9_000}]

    async def story(bridge: Bridge) -> None:
        with pytest.raises(ContextError) as full:
            await bridge.call("chat_completion", messages=long, model="tiny/one")
        assert full.value.hint == "shorten the prompt, or name a model with a larger context"
        said = await bridge.call("chat_completion", messages=long, model="big/two")
        assert said["text"] == "Two."

    models = {
        "tiny/one": {"max_context_length": 4096, "default": {"say": "One."}},
        "big/two": {"loaded": {"context_length": 4096}, "default": {"say": "Two."}},
    }
    with serving(models) as url:
        with_bridge(story, url)
    assert [body["model"] for body in requests("/models/load")] == ["big/two"], "a second copy, with more context"
    assert [body["model"] for body in requests("/chat/completions")] == ["big/two:2"]


def test_text_completion_goes_on_with_a_prompt() -> None:
    with serving({"small/one": {"loaded": True, "turns": [{"when": {"user": "Once"}, "say": " upon a time"}]}}) as url:
        said = call(url, "text_completion", prompt="Once", max_tokens=50, temperature=0, stop="x")
    assert (said["text"], said["finish_reason"], said["model"]) == (" upon a time", "stop", "small/one")
    assert requests("/v1/completions") == [
        {"prompt": "Once", "temperature": 0, "stop": "x", "max_tokens": 50, "model": "small/one"}
    ]


def test_a_response_goes_on_from_the_one_before() -> None:
    turns = [{"when": {"turn": 1}, "reasoning": "Hm.", "say": "Ada."}, {"when": {"turn": 2}, "say": "Still Ada."}]

    async def story(bridge: Bridge) -> None:
        first = await bridge.call("create_response", input="Who?", instructions="Be brief.")
        assert (first["text"], first["reasoning"]) == ("Ada.", "Hm.")
        second = await bridge.call("create_response", input="Who?", previous_response_id=first["id"])
        assert second["text"] == "Still Ada."
        with pytest.raises(LLMValidationError) as unknown:
            await bridge.call("create_response", input="Who?", previous_response_id="resp_no")
        assert unknown.value.message == (
            f"{first['endpoint']} does not know the response `resp_no`: Previous response with id 'resp_no' not found."
        )
        assert unknown.value.hint == "leave `previous_response_id` out and send the whole conversation as `input`"

    reasoning = {"allowed_options": ["low", "high"], "default": "low"}
    with serving({"small/one": {"loaded": True, "turns": turns, "reasoning": reasoning}}) as url:
        with_bridge(story, url)
        call(url, "create_response", input="Who?", reasoning={"effort": "none"}, max_output_tokens=5, store=False)
    last = requests("/v1/responses")[-1]
    assert last == {
        "input": "Who?", "store": False, "max_output_tokens": 5, "reasoning": {"effort": "low"}, "model": "small/one",
    }  # fmt: skip


def test_tools_of_a_response_are_flat() -> None:
    tool = {"type": "function", "name": "weather", "parameters": {"type": "object", "properties": {}}}
    turns = [{"when": {"offered": "weather"}, "call": [{"tool": "weather", "arguments": {}}]}]
    with serving({"small/one": {"loaded": True, "turns": turns}}) as url:
        said = call(url, "create_response", input="Sun?", tools=[tool], tool_choice="auto")
    assert (said["finish_reason"], said["content"]) == ("tool_calls", "")
    assert said["tool_calls"][0]["function"] == {"name": "weather", "arguments": "{}"}
    assert requests("/v1/responses")[0]["tools"][0]["name"] == "weather"


@pytest.mark.parametrize("version", ["0.3.20", "0.3.5"])
def test_an_old_server_has_no_responses_and_that_is_said(version: str) -> None:
    with serving({"small/one": ANSWERS}, version=version) as url, pytest.raises(LLMValidationError) as old:
        call(url, "create_response", input="Who?", model="small/one")
    assert old.value.message == (
        f"{url} has no /v1/responses: it offers no responses, which came with LM Studio 0.3.29"
    )
    assert old.value.hint == ("use `chat_completion`, with the whole conversation in `messages`; or update the server")


def test_embeddings_of_one_text_and_of_several() -> None:
    async def story(bridge: Bridge) -> None:
        one = await bridge.call("generate_embeddings", input="a")
        several = await bridge.call("generate_embeddings", input=["b", "a" * 200, "a"], model="embedder")
        assert (one["count"], one["dimensions"], one["model"]) == (1, 4, "embedder")
        assert several["embeddings"][2] == one["embeddings"][0]
        assert several["usage"]["estimated"] is True
        assert several["warnings"] == [
            "input[1] has about 50 tokens, and the model a context of 32: the server cuts what is beyond it without "
            "a word; split the text"
        ]

    with serving({"small/one": ANSWERS, "embedder": EMBEDDER}) as url:
        with_bridge(story, url)


def test_the_default_embedder_is_the_loaded_one_else_the_only_one() -> None:
    two = {"embedder": {**EMBEDDER, "loaded": True}, "other": EMBEDDER}
    with serving(two) as url:
        assert call(url, "generate_embeddings", input="a")["model"] == "embedder"
    with serving({"embedder": EMBEDDER, "other": EMBEDDER}) as url, pytest.raises(ModelNotFoundError) as several:
        call(url, "generate_embeddings", input="a")
    assert several.value.message == "no embedding model is named, and there are 2: `embedder`, `other`"
    with serving({"small/one": ANSWERS}) as url, pytest.raises(ModelNotFoundError, match="no server has one"):
        call(url, "generate_embeddings", input="a")


def test_loading_does_nothing_if_what_is_there_will_do() -> None:
    async def story(bridge: Bridge) -> None:
        there = await bridge.call("ensure_model_loaded", model="small/one", context_length=8000)
        assert (there["loaded"], there["instance"]["id"], there["unloads"]) == (False, "small/one", "never")
        first = await bridge.call("ensure_model_loaded", model="big/two")
        again = await bridge.call("ensure_model_loaded", model="big/two")
        assert (first["loaded"], again["loaded"], again["unloads"]) == (True, False, "when idle")
        larger = await bridge.call("load_model", model="big/two", context_length=20_000, flash_attention=True, ttl=None)
        assert (larger["loaded"], larger["instance"]["context_length"]) == (True, 20_000)
        assert larger["unloads"] == "when the bridge ends"

    with serving({"small/one": ANSWERS, "big/two": {"turns": []}}) as url:
        with_bridge(story, url)
    assert [(body["model"], body["context_length"]) for body in requests("/models/load")] == [
        ("big/two", 8192), ("big/two", 20_000),
    ]  # fmt: skip
    assert requests("/models/load")[1]["flash_attention"] is True
    assert [body["instance_id"] for body in requests("/models/unload")] == ["big/two", "big/two"]


def test_more_context_than_a_model_is_made_for_is_loaded_with_a_warning() -> None:
    with serving({"small/one": {"max_context_length": 8192, "turns": []}}) as url:
        told = call(url, "load_model", model="small/one", context_length=9000)
        assert told["instance"]["context_length"] == 9000
        assert told["warnings"] == ["`small/one` is made for 8,192 tokens at most, and 9,000 were asked for"]


def test_what_is_to_stay_stays() -> None:
    async def story(bridge: Bridge) -> None:
        kept = await bridge.call("load_model", model="big/two", keep_loaded=True)
        assert kept["unloads"] == "never"

    with serving({"big/two": {"turns": []}}) as url:
        with_bridge(story, url)
        assert call(url, "list_loaded_models")["count"] == 1
    assert requests("/models/unload") == []


def test_what_is_idle_for_its_time_is_unloaded() -> None:
    async def story(bridge: Bridge) -> None:
        await bridge.call("ensure_model_loaded", model="big/two")
        await bridge.call("ensure_model_loaded", model="big/two", ttl=0.05)
        await until(lambda: any(isinstance(one.event, ModelUnloaded) for one in bridge.entries))
        assert (await bridge.call("list_loaded_models"))["count"] == 0
        assert (await bridge.call("ensure_model_loaded", model="big/two"))["loaded"] is True

    with serving({"big/two": {"turns": []}}) as url:
        with_bridge(story, url)


def test_unloading_by_model_and_by_copy() -> None:
    async def story(bridge: Bridge) -> None:
        await bridge.call("ensure_model_loaded", model="small/one", context_length=16_000)
        one = await bridge.call("unload_model", model="small/one:2")
        assert one["unloaded"] == [
            {"model": "small/one", "instance": "small/one:2", "endpoint": one["unloaded"][0]["endpoint"]}
        ]
        assert (await bridge.call("unload_model", model="small/one"))["count"] == 1
        nothing = await bridge.call("unload_model", model="small/one")
        assert (nothing["count"], nothing["text"]) == (0, "small/one is not loaded; nothing to do")
        said = await bridge.call("chat_completion", messages=HELLO, model="small/one")
        assert said["text"] == "Hi.", "it is loaded anew"

    with serving({"small/one": ANSWERS}) as url:
        with_bridge(story, url)
    assert len(requests("/models/load")) == 2


def test_a_model_at_work_is_unloaded_only_by_force() -> None:
    async def story(bridge: Bridge) -> None:
        asking = asyncio.ensure_future(bridge.call("chat_completion", messages=HELLO, model="small/one"))
        await until(lambda: any(one.users for _, one in model_desk(bridge.house).models.residents()))
        assert (await bridge.call("server_status"))["servers"][0]["loaded_by_bridge"][0]["in_use"] == 1
        with pytest.raises(LLMValidationError, match="is used by 1 call, which would fail"):
            await bridge.call("unload_model", model="small/one")
        assert (await bridge.call("unload_model", model="small/one", force=True))["count"] == 1
        asking.cancel()
        with pytest.raises(asyncio.CancelledError):
            await asking

    with serving({"small/one": {"first_token": "5s", "default": {"say": "Hi."}}}) as url:
        with_bridge(story, url)


@pytest.mark.parametrize("name", ["load_model", "ensure_model_loaded"])
def test_a_server_that_cannot_be_told_to_load_is_told_as_such(name: str) -> None:
    with serving({"small/one": ANSWERS}, version="0.3.20") as url, pytest.raises(LLMValidationError) as old:
        call(url, name, model="small/one")
    assert old.value.message == f"{url} is an LM Studio older than 0.4, and cannot be told to load `small/one`"


def test_where_the_server_loads_on_demand_the_time_to_live_is_sent_along() -> None:
    async def story(bridge: Bridge) -> None:
        await bridge.call("chat_completion", messages=HELLO, model="big/two", ttl=60)
        await bridge.call("generate_embeddings", input="a", model="embedder", ttl=60)

    with serving({"big/two": {"default": {"say": "Two."}}, "embedder": EMBEDDER}, version="0.3.20") as url:
        with_bridge(story, url)
    assert [body.get("ttl") for body in requests()] == [60, 60]


def test_a_download_is_watched_to_its_end_and_can_be_looked_at() -> None:
    async def story(bridge: Bridge) -> None:
        done = await bridge.call("download_model", model="new/one")
        assert (done["status"], done["bytes"], done["total_bytes"]) == ("completed", 2 * 1024**2, 2 * 1024**2)
        counts = [count for count, _, _ in bridge.told]
        assert counts == sorted(counts)
        assert bridge.told[0][1] == 2 * 1024**2
        assert (await bridge.call("download_model", job=done["job"]))["status"] == "completed"
        assert (await bridge.call("download_model", model="new/one"))["status"] == "already_downloaded"
        assert (await bridge.call("chat_completion", messages=HELLO, model="new/one"))["text"] == "New."
        with pytest.raises(LLMValidationError, match="knows no download `job_no`"):
            await bridge.call("download_model", job="job_no")
        with pytest.raises(LLMValidationError, match="finds no model `no/one` to download"):
            await bridge.call("download_model", model="no/one")
        for both in ({}, {"model": "a", "job": "b"}):
            with pytest.raises(UsageError, match="name either a `model`"):
                await bridge.call("download_model", **both)

    models = {"small/one": ANSWERS, "new/one": {"default": {"say": "New."}}}
    with serving(models, downloadable={"new/one": "2MB"}, download_speed="2MB") as url:
        with_bridge(story, url)
    with (
        serving(models, version="0.3.20") as url,
        pytest.raises(LLMValidationError, match="no server here can be told"),
    ):
        call(url, "download_model", model="new/one")


def test_a_model_that_does_not_fit_is_told_with_its_size() -> None:
    with serving({"big/two": {"size": "8GB", "default": {"say": "Two."}}}, memory="4GB") as url:
        for name, arguments in (
            ("load_model", {}),
            ("chat_completion", {"messages": HELLO}),
            ("text_completion", {"prompt": "Once"}),
        ):
            with pytest.raises(ModelMemoryError) as full:
                call(url, name, model="big/two", **arguments)
            assert full.value.required_bytes == 8 * 1024**3
            assert full.value.retryable is (full.value.kind == "overloaded")
    assert requests("/chat/completions") == []


def test_what_is_idle_makes_room_for_what_does_not_fit_beside_it() -> None:
    async def story(bridge: Bridge) -> list[str]:
        await bridge.call("chat_completion", messages=HELLO, model="a/one")
        await bridge.call("chat_completion", messages=HELLO, model="b/two")
        return [one["id"] for one in (await bridge.call("list_loaded_models"))["models"]]

    model = {"size": "3GB", "default": {"say": "Yes."}}
    with serving({"a/one": model, "b/two": model}, memory="4GB") as url:
        assert with_bridge(story, url) == ["b/two"]


def test_two_models_stay_side_by_side_where_there_is_room() -> None:
    async def story(bridge: Bridge) -> list[str]:
        await asyncio.gather(
            *(bridge.call("chat_completion", messages=HELLO, model=name) for name in ("a/one", "b/two", "a/one"))
        )
        return sorted(one["id"] for one in (await bridge.call("list_loaded_models"))["models"])

    model = {"default": {"say": "Yes."}}
    with serving({"a/one": model, "b/two": model}) as url:
        assert with_bridge(story, url) == ["a/one", "b/two"]
    assert len(requests("/models/load")) == 2


def test_an_answer_that_takes_too_long_is_given_up() -> None:
    with serving({"small/one": {**ANSWERS, "first_token": "5s"}}) as url, pytest.raises(LLMError) as late:
        call(url, "chat_completion", messages=HELLO, timeout=0.2)
    assert late.value.kind == "timeout"
    assert late.value.hint == "give it more time with `timeout`"
