"""Reading one answer to its end, or to where there is nothing more to learn from it."""

from __future__ import annotations

import asyncio

from kit.raw_server import STALL, delta, raw_server, stream

from runner.chat.messages import ChatRequest, Message
from runner.edges.model_server.lmstudio import HttpBackend

REQUEST = ChatRequest(model="qwen3", messages=(Message("user", "hello"),))


def test_an_answer_that_repeats_itself_without_end_is_left_while_it_streams():
    async def run():
        endless = stream(*[delta(content="I will try again. ") for _ in range(400)], STALL)
        async with raw_server(endless) as server:
            backend = HttpBackend(server.url, idle_timeout=60.0)
            try:
                answer = await asyncio.wait_for(backend.chat(REQUEST), 20)
                await asyncio.wait_for(server.heard[0].gone.wait(), 20)  # the server sees that nobody listens
            finally:
                await backend.close()
            return answer

    answer = asyncio.run(run())
    assert (answer.looped, answer.finish_reason) == (True, "length")
    assert answer.content == "I will try again. " * 2
