"""Asking a model over HTTP, on a server that misbehaves in every way that servers do."""

from __future__ import annotations

import asyncio

import pytest
from kit.raw_server import CUT, DONE, PAUSE, STALL, delta, event, piece, raw_server, reply, stream, usage

from runner.chat.messages import ChatRequest, Delta, Message, ToolCall, ToolSpec, Usage
from runner.edges.model_server.lmstudio import HttpBackend
from runner.words import errors

REQUEST = ChatRequest(model="qwen3", messages=(Message("user", "hello"),))
HI = stream(delta(role="assistant", content="Hi"), delta(finish="stop"), usage(3, 1), DONE)


def ask(script, request=REQUEST, *, times=1, catalogue=False, on_delta=None, **settings):
    """The last answer, and the server that gave it."""

    async def run():
        async with raw_server(script) as server:
            backend = HttpBackend(server.url, **settings)
            try:
                if catalogue:
                    await backend.catalogue()
                for _ in range(times):
                    answer = await backend.chat(request, on_delta)
            finally:
                await backend.close()
                await backend.close()
            return answer, server

    return asyncio.run(run())


def complaint(script, error=errors.LLMError, request=REQUEST, **settings):
    """The error that the script leads to, the port in its message replaced."""

    async def run():
        async with raw_server(script) as server:
            backend = HttpBackend(server.url, **settings)
            try:
                with pytest.raises(error) as caught:
                    await backend.chat(request)
            finally:
                await backend.close()
            return caught.value, str(caught.value).replace(server.url, "URL")

    return asyncio.run(run())


class TestRequest:
    def test_the_body_asks_for_a_stream_with_usage(self):
        _, server = ask(HI)
        asked = server.heard[0]
        assert (asked.method, asked.path) == ("POST", "/v1/chat/completions")
        assert asked.json == {
            "model": "qwen3",
            "messages": [{"role": "user", "content": "hello"}],
            "stream": True,
            "stream_options": {"include_usage": True},
        }
        assert asked.headers["content-type"] == "application/json"
        assert "authorization" not in asked.headers

    def test_a_token_is_sent_as_bearer(self):
        assert ask(HI, token="sk-lm-1")[1].heard[0].headers["authorization"] == "Bearer sk-lm-1"

    def test_one_connection_serves_many_requests(self):
        assert ask(HI, times=5)[1].connections == 1

    def test_a_proxy_of_the_environment_does_not_catch_the_loopback(self, monkeypatch):
        monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
        monkeypatch.setenv("ALL_PROXY", "http://127.0.0.1:9")
        assert ask(HI)[0].content == "Hi"


class TestStream:
    @pytest.mark.parametrize(
        "body",
        [
            pytest.param([delta(content="Hi"), delta(finish="stop"), usage(3, 1), DONE], id="as LM Studio sends it"),
            pytest.param([delta(content="Hi", finish="stop"), usage(3, 1)], id="no [DONE]"),
            pytest.param([b"".join(map(event, (delta(content="Hi", finish="stop"), usage(3, 1))))], id="in one read"),
            pytest.param(
                [": ping\n\n", delta(content="Hi", finish="stop"), ": ping\n\n", usage(3, 1), DONE], id="comments"
            ),
            pytest.param(
                [event(delta(content="Hi", finish="stop")).replace(b"\n", b"\r\n"), usage(3, 1), "data:[DONE]\r\n\r\n"],
                id="CRLF, no space",
            ),
            pytest.param(
                [event(delta(content="Hi", finish="stop")).strip() + b"\n", event(usage(3, 1)).strip() + b"\n", DONE],
                id="no empty lines between events",
            ),
            pytest.param(
                [delta(content="Hi", finish="stop"), event(usage(3, 1)).strip()], id="no end of the last line"
            ),
            pytest.param([b"\xef\xbb\xbf", delta(content="Hi", finish="stop"), usage(3, 1)], id="byte order mark"),
        ],
    )
    def test_dialects(self, body):
        answer, _ = ask(stream(*body))
        assert (answer.content, answer.usage, answer.finish_reason) == ("Hi", Usage(3, 1), "stop")

    def test_every_byte_alone(self):
        body = event(delta(content="Grüße 🎉")) + event(delta(finish="stop")) + DONE.encode()
        answer, _ = ask(stream(*(body[i : i + 1] for i in range(len(body)))))
        assert answer.content == "Grüße 🎉"

    def test_deltas_are_told_as_they_come_and_the_first_is_timed(self):
        heard = []
        answer, _ = ask(
            stream(
                delta(role="assistant"), PAUSE, delta(reasoning_content="hm"), delta(content="Hi"), delta(finish="stop")
            ),
            on_delta=heard.append,
        )
        assert heard == [Delta("reasoning", "hm"), Delta("content", "Hi")]
        assert answer.first_token_seconds is not None
        assert answer.first_token_seconds >= 0.02

    def test_a_plain_body_of_a_server_that_does_not_stream(self):
        message = {"role": "assistant", "content": "Hi", "reasoning_content": "", "tool_calls": []}
        choice = {"message": message, "finish_reason": "stop"}
        answer, _ = ask(reply({"model": "qwen3", "choices": [choice], "usage": {"prompt_tokens": 3}}))
        assert (answer.content, answer.usage) == ("Hi", Usage(3))

    def test_tool_calls(self):
        spec = ToolSpec("add", "Adds.", {"type": "object", "properties": {"a": {"type": "integer"}}})
        calls = [{"index": 0, "id": "519801730", "type": "function", "function": {"name": "add", "arguments": '{"a":'}}]
        rest = [{"index": 0, "type": "function", "function": {"arguments": "1}"}}]
        answer, server = ask(
            stream(delta(tool_calls=calls), delta(tool_calls=rest), delta(finish="tool_calls"), DONE),
            ChatRequest(model="qwen3", messages=(), tools=(spec,)),
        )
        assert answer.tool_calls == (ToolCall("519801730", "add", '{"a":1}'),)
        assert "tool_choice" not in server.heard[0].json

    @pytest.mark.parametrize("tail", [(), (CUT,), (DONE, CUT), (event(usage(3, 1))[:20], CUT)])
    def test_whatever_happens_after_the_finish_does_no_harm(self, tail):
        answer, _ = ask(stream(delta(content="Hi"), delta(finish="stop"), *tail, end=not tail))
        assert (answer.content, answer.finish_reason) == ("Hi", "stop")

    def test_a_stream_left_open_after_its_finish_does_not_hold_us(self, monkeypatch):
        monkeypatch.setattr("runner.edges.model_server.answer_reader.TAIL_SECONDS", 0.05)
        answer, _ = ask(stream(delta(content="Hi"), delta(finish="stop"), usage(3, 1), DONE, STALL, end=False))
        assert (answer.content, answer.usage) == ("Hi", Usage(3, 1))


class TestFailures:
    @pytest.mark.parametrize(
        ("script", "kind", "message"),
        [
            pytest.param(
                stream(delta(content="Hi"), CUT, end=False), "connection",
                "the answer of `qwen3` on URL broke off after 2 characters",
                id="cut between events",
            ),
            pytest.param(
                (*stream(delta(content="Hi"), end=False), piece(event(delta(content="there"))[:30]), CUT), "connection",
                "the answer of `qwen3` on URL broke off after 2 characters",
                id="cut in a line",
            ),
            pytest.param(
                stream(delta(content="Hi"), DONE), "connection",
                "the answer of `qwen3` on URL broke off after 2 characters", id="done without a finish",
            ),
            pytest.param(
                stream(delta(content="Hi"), event(delta(content="there"))[:30]), "connection",
                "the answer of `qwen3` on URL broke off after 2 characters", id="ends in a line",
            ),
            pytest.param(
                stream(), "connection",
                "the answer of `qwen3` on URL broke off before a word was said", id="empty stream",
            ),
            pytest.param(
                stream(delta(finish="stop"), DONE), "empty", "`qwen3` on URL answered nothing", id="zero deltas",
            ),
            pytest.param(
                stream(delta("gemma", content="Hi"), STALL, end=False), "wrong_model",
                "`qwen3` was asked, but `gemma` answered on URL", id="another model",
            ),
            pytest.param(
                stream("event: error\n", {"error": {"message": "The model has crashed. (Exit code: 6)"}}), "crash",
                "`qwen3` on URL crashed: The model has crashed. (Exit code: 6)", id="error event before tokens",
            ),
            pytest.param(
                stream(delta(content="Hi"), "event: error\ndata: Model unloaded.\n\n", STALL, end=False), "crash",
                "`qwen3` on URL was unloaded while it worked: Model unloaded.", id="error event of plain text",
            ),
            pytest.param(
                stream(delta(content="Hi"), {"error": "boom"}, DONE), "server",
                "`qwen3` on URL failed: boom", id="error in data",
            ),
            pytest.param(
                stream(delta(content="Hi"), "data: <html>\n\n"), "server",
                "`qwen3` on URL streams what is no JSON: <html>", id="no JSON in the stream",
            ),
            pytest.param(
                stream("data: " + "[" * 100_000 + "\n\n"), "server",
                "`qwen3` on URL streams what is no JSON: " + "[" * 200, id="a pit of brackets",
            ),
            pytest.param(
                reply({"error": "Unexpected endpoint or method. (POST /v1/chat/completions)"}), "request",
                "`qwen3` on URL is on a server that does not know this request: "
                "Unexpected endpoint or method. (POST /v1/chat/completions)",
                id="error in a 200",
            ),
            pytest.param(
                reply({"error": {"message": "boom"}}, kind="text/event-stream"), "server",
                "`qwen3` on URL failed: boom", id="plain error under the head of a stream",
            ),
            pytest.param(
                reply("<html><title>502 Bad Gateway</title></html>", status=502, kind="text/html"), "server",
                "`qwen3` on URL failed: a web page titled “502 Bad Gateway”", id="a proxy's page",
            ),
            pytest.param(
                reply("<!doctype html><html><title>Log in</title></html>", kind="text/html"), "server",
                "`qwen3` on URL failed: a web page titled “Log in”", id="a page under 200",
            ),
            pytest.param(
                reply("", status=500), "server", "`qwen3` on URL failed (HTTP status 500, no text)", id="no text",
            ),
            pytest.param((b"220 mail.example.org ESMTP\r\n\r\n", CUT), "server", None, id="no HTTP"),
            pytest.param(
                (CUT,), "connection",
                "the connection to URL broke (Server disconnected without sending a response.)", id="hung up",
            ),
        ],
    )  # fmt: skip
    def test_failure(self, script, kind, message):
        error, text = complaint(script)
        assert error.kind == kind
        if message is None:
            assert text.startswith("what answers at URL does not speak HTTP (")
        else:
            assert text == message

    def test_nothing_listens(self):
        async def run():
            async with raw_server(HI) as server:
                url = server.url
            backend = HttpBackend(url)
            with pytest.raises(errors.LLMConnectionError) as caught:
                await backend.chat(REQUEST)
            await backend.close()
            return str(caught.value), url

        text, url = asyncio.run(run())
        assert text == f"no connection to {url}: refused, nothing listens there"

    def test_a_server_that_asks_to_wait(self):
        error, text = complaint(reply({"error": "slow down"}, status=429, headers="Retry-After: 7\r\n"))
        assert isinstance(error, errors.LLMRateLimitError)
        assert (error.retry_after, text) == (7.0, "`qwen3` on URL asks to wait: slow down")

    def test_a_refused_token(self):
        body = {"code": "invalid_api_key", "message": "Malformed LM Studio API token"}
        error, text = complaint(reply({"error": body}, status=401))
        assert isinstance(error, errors.LLMAuthenticationError)
        assert text == "URL refuses the token: Malformed LM Studio API token"

    def test_an_unknown_model_comes_with_the_known_ones(self):
        listing = {"models": [{"type": "llm", "key": "qwen/qwen3-8b", "loaded_instances": []}]}
        unknown = {"error": {"message": 'Invalid model identifier "qwen3-9b".', "code": "model_not_found"}}

        def script(heard):
            return reply({"/lmstudio-greeting": {"lmstudio": True}, "/api/v1/models": listing}.get(heard.path, unknown))

        with pytest.raises(errors.ModelNotFoundError) as caught:
            ask(script, ChatRequest(model="qwen3-9b", messages=()), catalogue=True)
        assert caught.value.available_models == ("qwen/qwen3-8b",)
        assert caught.value.nearest == ("qwen/qwen3-8b",)


ADD = ToolSpec("add", "Adds.", {"type": "object", "properties": {"a": {"type": "integer"}}})


def call(index=0, arguments="", **fields):
    """A piece of a tool call."""
    name = fields.pop("name", None)
    function = {"arguments": arguments} if name is None else {"name": name, "arguments": arguments}
    return delta(tool_calls=[{"index": index, **fields, "type": "function", "function": function}])


ASKED = {"id": "519801730", "name": "add"}
ENDED = delta(finish="tool_calls")
ONE = (ToolCall("519801730", "add", '{"a":1}'),)
TWO = (*ONE, ToolCall("519801731", "add", '{"a":2}'))
SECOND = {"id": "519801731", "name": "add"}


class TestDialectsOfToolCalls:
    @pytest.mark.parametrize(
        ("parts", "calls"),
        [
            pytest.param([call(arguments='{"a":1}', **ASKED), ENDED], ONE, id="whole"),
            pytest.param([call(**ASKED), *[call(arguments=c) for c in '{"a":1}'], ENDED], ONE, id="letter by letter"),
            pytest.param(
                [call(arguments='{"a"', **ASKED), call(arguments=":1}", id="", name=""), ENDED], ONE,
                id="empty id and name repeated",
            ),
            pytest.param(
                [call(arguments='{"a":1}', **ASKED), call(1, '{"a":2}', **SECOND), ENDED], TWO, id="two calls",
            ),
            pytest.param(
                [call(**ASKED), call(1, **SECOND), call(arguments='{"a":1}'), call(1, '{"a":2}'), ENDED], TWO,
                id="two calls in turns",
            ),
            pytest.param(
                [call(arguments='{"a":1}', **ASKED), call(arguments='{"a":2}', **SECOND), ENDED], TWO,
                id="two calls under one index",
            ),
            pytest.param([call(arguments='{"a":1}', **ASKED), delta(finish="stop")], ONE, id="finish says stop"),
            pytest.param([call(arguments={"a": 1}, **ASKED), ENDED], (ToolCall("519801730", "add", '{"a": 1}'),),
                         id="an object"),
            pytest.param([call(arguments='{"a":', **ASKED), ENDED], (ToolCall("519801730", "add", '{"a":'),),
                         id="no JSON: told to the model by who executes it"),
            pytest.param([call(arguments="{}", id="1", name="other"), ENDED], (ToolCall("1", "other", "{}"),),
                         id="a tool that nobody offered: as well"),
        ],
    )  # fmt: skip
    def test_calls(self, parts, calls):
        answer, _ = ask(stream(*parts, DONE), ChatRequest(model="qwen3", messages=(), tools=(ADD,)))
        assert (answer.tool_calls, answer.finish_reason, answer.content) == (calls, "tool_calls", "")

    def test_a_call_without_an_id_gets_one(self):
        parts = [call(arguments='{"a":1}', id="", name="add"), call(1, '{"a":2}', name="add"), ENDED]
        answer, _ = ask(stream(*parts, DONE), ChatRequest(model="qwen3", messages=(), tools=(ADD,)))
        first, second = answer.tool_calls
        assert first.id
        assert second.id
        assert first.id != second.id

    def test_a_call_that_a_limit_cuts_is_left_out_and_told(self):
        parts = [call(arguments='{"a":', **ASKED), delta(finish="length")]
        answer, _ = ask(stream(*parts, DONE), ChatRequest(model="qwen3", messages=(), tools=(ADD,)))
        assert (answer.tool_calls, answer.cut_call, answer.finish_reason) == ((), True, "length")

    def test_a_finish_that_speaks_of_calls_which_are_not_there_is_an_empty_answer(self):
        error, text = complaint(stream(delta(role="assistant", content=""), ENDED, DONE))
        assert (error.kind, text) == ("empty", "`qwen3` on URL answered nothing")


HI_END = delta(content="Hi", finish="stop")


class TestOddAnswers:
    @pytest.mark.parametrize(
        ("parts", "content", "reasoning"),
        [
            pytest.param([{"model": "qwen3"}, delta(content="Hi", finish="stop")], "Hi", "", id="no choices"),
            pytest.param(
                [{"model": "qwen3", "choices": [{"index": 0, "finish_reason": None}]}, HI_END],
                "Hi", "", id="no delta",
            ),
            pytest.param([delta(content=None, tool_calls=None), HI_END], "Hi", "", id="nulls"),
            pytest.param([delta(reasoning="hm"), delta(content="Hi", finish="stop")], "Hi", "hm", id="the older field"),
            pytest.param([delta(content="<think>hm</think>Hi", finish="stop")], "Hi", "hm", id="thinking in the text"),
            pytest.param([delta(content="Hi", finish="stop"), usage(0, 0)], "Hi", "", id="zero usage"),
            pytest.param([{**HI_END, "usage": None, "stats": {}}], "Hi", "", id="null usage"),
        ],
    )  # fmt: skip
    def test_answer(self, parts, content, reasoning):
        answer, _ = ask(stream(*parts, DONE))
        assert (answer.content, answer.reasoning, answer.usage) == (content, reasoning, Usage())

    def test_json_that_lands_in_the_thinking_is_the_answer(self):
        request = ChatRequest(model="qwen3", messages=(), schema={"type": "object"})
        answer, _ = ask(stream(delta(reasoning_content='{"a": 1}'), delta(finish="stop"), DONE), request)
        assert (answer.content, answer.reasoning) == ('{"a": 1}', "")

    def test_an_answer_that_repeats_itself_without_end_is_left_and_its_server_let_go(self):
        words = [delta(content="The same sentence again and again. ") for _ in range(400)]

        async def run():
            async with raw_server(stream(*words, STALL, end=False)) as server:
                backend = HttpBackend(server.url, idle_timeout=5)
                answer = await backend.chat(REQUEST)
                await asyncio.wait_for(server.heard[0].gone.wait(), 5)
                await backend.close()
                return answer

        answer = asyncio.run(run())
        assert (answer.looped, answer.finish_reason) == (True, "length")
        assert answer.content.startswith("The same sentence again and again. ")
        assert len(answer.content) < 400 * 35


class TestRefusalsThatDoNotArrive:
    HEAD = b"HTTP/1.1 500 X\r\nContent-Type: application/json\r\nContent-Length: 500\r\n\r\n"

    @pytest.mark.parametrize("script", [(HEAD, b'{"error":', CUT), (HEAD, STALL)])
    def test_the_status_speaks_where_the_words_do_not_come(self, script, monkeypatch):
        monkeypatch.setattr("runner.edges.model_server.lmstudio.COMPLAINT_SECONDS", 0.05)
        error, text = complaint(script)
        assert (error.kind, text) == ("server", "`qwen3` on URL failed (HTTP status 500, no text)")


class TestTime:
    @pytest.mark.parametrize(("own", "asked"), [(None, 0.05), (30.0, 0.05), (0.05, 30.0), (0.05, None)])
    def test_the_tighter_wait_for_a_first_byte_counts(self, own, asked):
        request = ChatRequest(model="qwen3", messages=(), first_byte_timeout=asked)
        _, text = complaint((STALL,), errors.LLMTimeoutError, request, first_byte_timeout=own)
        assert text == "`qwen3` on URL sent nothing for 0.05 s"

    @pytest.mark.parametrize(("own", "asked"), [(30.0, 0.05), (0.05, 30.0), (0.05, None)])
    def test_the_tighter_silence_counts(self, own, asked):
        request = ChatRequest(model="qwen3", messages=(), idle_timeout=asked)
        script = stream(delta(content="Hi"), STALL, end=False)
        _, text = complaint(script, errors.LLMTimeoutError, request, idle_timeout=own)
        assert text == "`qwen3` on URL fell silent in its answer for 0.05 s"

    def test_no_first_byte(self):
        error, text = complaint((STALL,), errors.LLMTimeoutError, first_byte_timeout=0.05)
        assert (error.kind, text) == ("timeout", "`qwen3` on URL sent nothing for 0.05 s")

    def test_a_head_is_no_first_byte_of_an_answer(self):
        _, text = complaint(stream(STALL, end=False), errors.LLMTimeoutError, first_byte_timeout=0.05)
        assert text == "`qwen3` on URL sent nothing for 0.05 s"

    def test_silence_within_an_answer(self):
        _, text = complaint(stream(delta(content="Hi"), STALL, end=False), errors.LLMTimeoutError, idle_timeout=0.05)
        assert text == "`qwen3` on URL fell silent in its answer for 0.05 s"

    def test_a_slow_first_byte_is_waited_for_and_slow_tokens_add_up_without_harm(self):
        tokens = [part for _ in range(8) for part in (delta(content="x"), PAUSE)]
        answer, _ = ask(stream(PAUSE, PAUSE, PAUSE, *tokens, delta(finish="stop")), idle_timeout=0.1)
        assert answer.content == "x" * 8


class TestStaleConnection:
    def test_one_silent_second_try_when_a_kept_connection_was_closed(self):
        count = 0

        def script(heard):
            nonlocal count
            count += 1
            return (CUT,) if count == 2 else HI

        answer, server = ask(script, times=2)
        assert answer.content == "Hi"
        assert [h.connection for h in server.heard] == [1, 1, 2]

    def test_a_fresh_connection_that_is_closed_is_not_tried_again(self):
        async def run():
            async with raw_server((CUT,)) as server:
                backend = HttpBackend(server.url)
                with pytest.raises(errors.LLMConnectionError):
                    await backend.chat(REQUEST)
                await backend.close()
                return len(server.heard)

        assert asyncio.run(run()) == 1


class TestCancelling:
    @pytest.mark.parametrize("script", [(STALL,), stream(delta(content="Hi"), STALL, end=False)])
    def test_the_connection_is_closed_at_once(self, script):
        async def run():
            async with raw_server(script) as server:
                backend = HttpBackend(server.url)
                task = asyncio.create_task(backend.chat(REQUEST))
                await server.arrived.wait()
                await asyncio.sleep(0.05)
                task.cancel()
                with pytest.raises(asyncio.CancelledError):
                    await task
                await asyncio.wait_for(server.heard[0].gone.wait(), 5)
                await backend.close()

        asyncio.run(run())

    def test_an_error_within_a_stream_closes_it(self):
        async def run():
            async with raw_server(stream(delta(content="Hi"), {"error": "boom"}, STALL, end=False)) as server:
                backend = HttpBackend(server.url)
                with pytest.raises(errors.LLMResponseError):
                    await backend.chat(REQUEST)
                await asyncio.wait_for(server.heard[0].gone.wait(), 5)
                await backend.close()

        asyncio.run(run())
