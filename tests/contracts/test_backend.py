"""What every server of models does for us: the same tests on the simulator and on a real llama.cpp server."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass

import pytest
from kit.calling_gguf import calling_model
from kit.llama_server import CONTEXT, KEY, MODEL, llama_server
from kit.simulator import simulator

from runner.chat.messages import ChatRequest, Image, Message, ToolCall, ToolSpec
from runner.edges.model_server.http import HttpClient
from runner.edges.model_server.lmstudio import HttpBackend
from runner.words import errors

NUMBER = {"type": "object", "properties": {"a": {"type": "integer"}}, "required": ["a"]}
ADD = ToolSpec("add", "Adds two numbers.", NUMBER)
SCHEMA = {"type": "string", "enum": ["yes"]}
LONG = "long, please"
TOO_MUCH = "word " * 6000
SCRIPT = {
    "models": {
        MODEL: {
            "loaded": {"context_length": CONTEXT, "parallel": 1},
            "turns": [
                *({"when": {"user": f"number {number}"}, "json": f"answer {number}"} for number in range(8)),
                {"when": {"user": LONG}, "say": "so " * 5000, "chunk": 3},
                {"when": {"user": "json"}, "json": "yes"},
                {"when": {"user": "add them"}, "call": [{"tool": "add", "arguments": {"a": 618}}]},
            ],
            "default": {"say": "Hello to you."},
            "overflow": "error",
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


@pytest.fixture(scope="module", params=WALLS, ids=lambda wall: wall.name)
def calling(request, tmp_path_factory) -> Iterator[str]:
    """The address of a server whose model calls the tools that it is offered."""
    if request.param.name == "simulator":
        with simulator(SCRIPT) as url:
            yield url
    else:
        with llama_server(context=8192, model=calling_model(tmp_path_factory.mktemp("calling"))) as url:
            yield url


def test_a_tool_call_streams_and_comes_whole(calling):
    heard = []
    request = asking("add them", tools=(ADD,), sampling={"max_tokens": 200, "temperature": 0})
    answer = on(calling, lambda backend: backend.chat(request, heard.append))
    [call] = answer.tool_calls
    assert (call.name, answer.finish_reason, answer.recovered, answer.cut_call) == ("add", "tool_calls", None, False)
    assert isinstance(json.loads(call.arguments)["a"], int)
    assert "".join(delta.text for delta in heard if delta.kind == "tool").endswith(call.arguments)
    assert call.id


def test_the_result_of_a_call_is_taken_and_the_calls_of_a_conversation_never_share_an_id(calling):
    async def work(backend):
        messages = (Message("user", "add them"),)
        for _ in range(3):
            request = ChatRequest(
                model=MODEL, messages=messages, tools=(ADD,), sampling={"max_tokens": 200, "temperature": 0}
            )
            answer = await backend.chat(request)
            results = (Message("tool", "3", tool_call_id=call.id) for call in answer.tool_calls)
            messages = (*messages, Message("assistant", answer.content, answer.tool_calls), *results)
        return [call.id for message in messages for call in message.tool_calls]

    ids = on(calling, work)
    assert len(ids) == len(set(ids)) == 3


def test_tools_beside_a_schema_are_called_all_the_same(calling):
    request = asking("add them", tools=(ADD,), schema=SCHEMA, sampling={"max_tokens": 200, "temperature": 0})
    assert [call.name for call in on(calling, lambda backend: backend.chat(request)).tool_calls] == ["add"]


def test_a_call_that_the_limit_cuts_is_not_among_the_calls(calling):
    request = asking("add them", tools=(ADD,), sampling={"max_tokens": 30, "temperature": 0})
    answer = on(calling, lambda backend: backend.chat(request))
    assert (answer.tool_calls, answer.finish_reason) in (((), "length"), (answer.tool_calls, "tool_calls"))
    assert answer.cut_call is (answer.finish_reason == "length")


@pytest.mark.parametrize("written", ['{"a": 1}', '{"a": ', ""])
def test_a_history_with_calls_is_read_whatever_the_model_wrote(address, written):
    history = (
        Message("system", "Be brief."),
        Message("user", "add"),
        Message("assistant", "", (ToolCall("100000001", "add", written),)),
        Message("tool", "3", tool_call_id="100000001"),
    )
    request = ChatRequest(model=MODEL, messages=history, tools=(ADD,), sampling={"max_tokens": 5, "seed": 7})
    assert on(address, lambda backend: backend.chat(request)).content


def test_several_at_once_are_all_answered(address):
    async def work(backend):
        return await asyncio.gather(*(backend.chat(asking()) for _ in range(6)))

    answers = on(address, work)
    assert len(answers) == 6
    assert all(answer.content for answer in answers)


def test_eight_streams_at_once_are_each_their_own(address):
    async def work(backend):
        heard = [[] for _ in range(8)]
        requests = [
            asking(f"number {number}", schema={"type": "string", "enum": [f"answer {number}"]}) for number in range(8)
        ]
        talks = (backend.chat(request, heard[number].append) for number, request in enumerate(requests))
        return heard, await asyncio.gather(*talks)

    heard, answers = on(address, work)
    assert [json.loads(answer.content) for answer in answers] == [f"answer {number}" for number in range(8)]
    assert ["".join(delta.text for delta in one) for one in heard] == [answer.content for answer in answers]


def test_sampling_that_not_every_server_knows_is_taken(address):
    async def work(backend):
        await backend.catalogue()
        keys = {"top_k": 4, "min_p": 0.1, "repeat_penalty": 1.1, "reasoning": "off", "seed": 7, "stop": ["~"]}
        return await backend.chat(asking(sampling={"max_tokens": 40, **keys}, ttl=60.0))

    assert on(address, work).content


def test_a_picture_for_a_model_that_does_not_see_is_refused(address):
    picture = Image(path="a.png", media_type="image/png", data="iVBORw0KGgo=", size=8, sha256="0" * 64)
    request = ChatRequest(model=MODEL, messages=(Message("user", "What is this?", images=(picture,)),))
    with pytest.raises(errors.LLMValidationError) as caught:
        on(address, lambda backend: backend.chat(request))
    assert caught.value.kind == "request"
    assert str(caught.value).startswith(f"`{MODEL}` on {address} takes no images: ")


def test_an_unknown_name_is_never_answered_by_another_model_unnoticed(address):
    async def work(backend):
        try:
            return (await backend.chat(ChatRequest(model="no-such-model", messages=(Message("user", "hi"),)))).model
        except errors.LLMResponseError as error:
            return f"{error.kind}: {error}"

    wrong = f"wrong_model: `no-such-model` was asked, but `{MODEL}` answered on {address}"
    assert on(address, work) in ("no-such-model", wrong)


def test_who_manages_loads_and_unloads_and_who_does_not_says_so(address):
    async def work(backend):
        found = await backend.catalogue()
        if not found.manages:
            with pytest.raises(errors.LLMValidationError) as caught:
                await backend.load(MODEL, {})
            return str(caught.value)
        loaded = await backend.load(MODEL, {"context_length": 2048})
        [during] = (await backend.catalogue()).models
        assert loaded in during.instances
        assert (loaded.id, loaded.context_length, loaded.shared_context) == (f"{MODEL}:2", 2048, True)
        answer = await backend.chat(ChatRequest(model=loaded.id, messages=(Message("user", "hello"),)))
        assert answer.model == loaded.id
        await backend.unload(loaded.id)
        await backend.unload(loaded.id)
        return [one.id for model in (await backend.catalogue()).models for one in model.instances]

    assert on(address, work) in ([MODEL], f"{address} is llama.cpp's server, and cannot be told to load `{MODEL}`")


def test_a_prompt_beyond_the_context_is_told_as_such(address):
    with pytest.raises(errors.ContextError) as caught:
        on(address, lambda backend: backend.chat(asking(TOO_MUCH)))
    assert (caught.value.kind, caught.value.pool, caught.value.n_ctx) == ("context", False, CONTEXT)
    assert caught.value.n_prompt_tokens is not None
    assert caught.value.n_prompt_tokens > CONTEXT
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


def test_a_cancelled_answer_frees_its_slot_before_the_other_is_done():
    endless = {"max_tokens": 7000, "ignore_eos": True}

    async def work(backend):
        http = HttpClient(backend.endpoint, token=None)
        both = [asyncio.Event(), asyncio.Event()]
        tasks = [
            asyncio.create_task(backend.chat(asking(LONG, sampling=endless), lambda _, event=event: event.set()))
            for event in both
        ]
        for event in both:
            await event.wait()
        assert await busy_slots(http) == 2
        tasks[1].cancel()
        while await busy_slots(http) == 2:
            assert not tasks[0].done()
        left = tasks[0].done()
        tasks[0].cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await http.close()
        return left

    with llama_server(slots=2, context=16384) as url:
        assert on(url, work) is False


async def busy_slots(http):
    return sum(slot["is_processing"] for slot in (await http.get("/slots", seconds=5)).json)


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
