"""What every server of models does for us: the same tests on the simulator and on a real llama.cpp server."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass

import pytest
from kit.llama_server import CONTEXT, KEY, MODEL, llama_server
from kit.simulator import simulator

from runner.chat.messages import ChatRequest, Message, ToolCall, ToolSpec
from runner.edges.lmstudio import HttpBackend
from runner.words import errors

ADD = ToolSpec("add", "Adds two numbers.", {"type": "object", "properties": {"a": {"type": "integer"}}})
SCHEMA = {"type": "string", "enum": ["yes"]}
LONG = "long, please"
TOO_MUCH = "word " * 6000
OVERFLOW = {"error": "The number of tokens to keep from the initial prompt is greater than the context length"}
SCRIPT = {
    "models": {
        MODEL: {
            "loaded": {"context_length": CONTEXT, "parallel": 1},
            "turns": [
                {"when": {"user": "word word"}, "fault": {"error": {"status": 400, "body": OVERFLOW}}},
                {"when": {"user": LONG}, "say": "so " * 5000, "chunk": 3},
                {"when": {"user": "json"}, "json": "yes"},
            ],
            "default": {"say": "Hello to you."},
            "tokens_per_second": 200,
        }
    }
}


@dataclass(frozen=True)
class Wall:
    """A server to test on; ``open`` starts it with one slot, ``key`` on request."""

    name: str

    def open(self, key: str | None = None) -> AbstractContextManager[str]:
        if self.name == "llama.cpp":
            return llama_server(slots=1, key=key)
        return simulator({**SCRIPT, "settings": {"token": key}} if key else SCRIPT)


WALLS = [Wall("simulator"), Wall("llama.cpp")]


@pytest.fixture(scope="module", params=WALLS, ids=lambda wall: wall.name)
def address(request) -> Iterator[str]:
    with request.param.open() as url:
        yield url


def asking(text="hello", **settings):
    settings = {"sampling": {"max_tokens": 40}, **settings}
    return ChatRequest(model=MODEL, messages=(Message("user", text),), **settings)


def on(address, work, token=None):
    """Run ``work(backend)`` on a backend that is closed afterwards."""

    async def run():
        backend = HttpBackend(address, token=token)
        try:
            return await work(backend)
        finally:
            await backend.close()

    return asyncio.run(run())


def test_the_catalogue_says_what_is_loaded_and_how(address):
    found = on(address, lambda backend: backend.catalogue())
    [model] = found.models
    assert found.flavour in ("lmstudio-v1", "llama.cpp")
    assert (found.endpoint, model.key, model.type, model.loaded) == (address, MODEL, "llm", True)
    [instance] = model.instances
    assert (instance.id, instance.context_length, instance.parallel) == (MODEL, CONTEXT, 1)


def test_an_answer_streams_and_its_tokens_are_counted(address):
    heard = []
    answer = on(address, lambda backend: backend.chat(asking(), heard.append))
    assert "".join(delta.text for delta in heard) == answer.content != ""
    assert answer.usage.prompt_tokens > 0
    assert answer.usage.completion_tokens > 0
    assert answer.first_token_seconds is not None


def test_a_limit_of_tokens_cuts_the_answer_and_says_so(address):
    answer = on(address, lambda backend: backend.chat(asking(LONG, sampling={"max_tokens": 5})))
    assert answer.finish_reason == "length"
    assert answer.usage.completion_tokens == 5


def test_a_schema_gives_json(address):
    answer = on(address, lambda backend: backend.chat(asking("json", schema=SCHEMA)))
    assert (json.loads(answer.content), answer.finish_reason) == ("yes", "stop")


@pytest.mark.parametrize("written", ['{"a": 1}', '{"a": ', ""])
def test_a_history_with_calls_is_read_whatever_the_model_wrote(address, written):
    history = (
        Message("system", "Be brief."),
        Message("user", "add"),
        Message("assistant", "", (ToolCall("100000001", "add", written),)),
        Message("tool", "3", tool_call_id="100000001"),
    )
    request = ChatRequest(model=MODEL, messages=history, tools=(ADD,), sampling={"max_tokens": 5})
    assert on(address, lambda backend: backend.chat(request)).content


def test_several_at_once_are_all_answered(address):
    async def work(backend):
        return await asyncio.gather(*(backend.chat(asking()) for _ in range(6)))

    answers = on(address, work)
    assert len(answers) == 6
    assert all(answer.content for answer in answers)


def test_a_prompt_beyond_the_context_is_told_as_such(address):
    with pytest.raises(errors.LLMValidationError) as caught:
        on(address, lambda backend: backend.chat(asking(TOO_MUCH)))
    assert caught.value.kind == "context"
    assert str(caught.value).startswith(f"`{MODEL}` on {address} has no room for the prompt: ")


def test_cancelling_frees_the_only_slot(address):
    async def work(backend):
        begun = asyncio.Event()
        request = asking(LONG, sampling={"max_tokens": 900})
        task = asyncio.create_task(backend.chat(request, lambda _: begun.set()))
        await begun.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        return await asyncio.wait_for(backend.chat(asking(sampling={"max_tokens": 5})), 20)

    assert on(address, work).content


def test_after_an_error_the_next_request_is_answered(address):
    async def work(backend):
        with pytest.raises(errors.LLMValidationError):
            await backend.chat(asking(TOO_MUCH))
        return await backend.chat(asking())

    assert on(address, work).content


@pytest.mark.parametrize("wall", WALLS, ids=lambda wall: wall.name)
def test_a_token_is_wanted(wall):
    async def refused(backend):
        with pytest.raises(errors.LLMAuthenticationError) as listing:
            await backend.catalogue()
        with pytest.raises(errors.LLMAuthenticationError) as asked:
            await backend.chat(asking())
        return str(listing.value), str(asked.value)

    key = KEY if wall.name == "llama.cpp" else "sk-lm-AAAAAAAA:BBBBBBBBBBBBBBBBBBBB"
    with wall.open(key) as url:
        for text in on(url, refused):
            assert text.startswith(f"{url} refuses the token: ")
        assert on(url, lambda backend: backend.chat(asking()), token=key).content


def test_a_server_with_one_model_that_ignores_names_is_believed_once_its_catalogue_said_so():
    async def work(backend):
        await backend.catalogue()
        return await backend.chat(ChatRequest(model="file.gguf", messages=(), sampling={"max_tokens": 5}))

    with llama_server() as url:
        assert on(url, work).model in (MODEL, "file.gguf")


def test_llama_cpp_holds_a_schema_to_the_letter_for_every_seed():
    properties = {"ok": {"type": "boolean"}}
    schema = {"type": "object", "properties": properties, "required": ["ok"], "additionalProperties": False}
    with llama_server() as url:
        for seed in range(5):
            request = asking(schema=schema, sampling={"seed": seed, "max_tokens": 200})
            answer = on(url, lambda backend, request=request: backend.chat(request))
            assert set(json.loads(answer.content)) == {"ok"}
