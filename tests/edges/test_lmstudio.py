"""Asking a model over HTTP, on a server that misbehaves in every way that servers do."""

from __future__ import annotations

import asyncio

import pytest
from kit.raw_server import CUT, DONE, PAUSE, STALL, delta, event, piece, raw_server, reply, stream, usage

from runner.chat.messages import ChatRequest, Delta, Message, ToolCall, ToolSpec, Usage
from runner.edges.lmstudio import HttpBackend
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
        monkeypatch.setattr("runner.edges.answer_reader.TAIL_SECONDS", 0.05)
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


class TestTime:
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
