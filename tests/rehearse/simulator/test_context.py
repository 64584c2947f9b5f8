"""The context of a model: what becomes of long prompts, of long answers, and of several requests at once."""

from __future__ import annotations

import asyncio
from typing import Any

import httpx
import pytest
from kit.simulator import simulator

from runner.rehearse.simulator import refusal
from runner.rehearse.simulator.pool import Pool
from runner.rehearse.simulator.refusal import Refusal

NESTED = 'Engine protocol predict request returned 400: {"error":{"code":400,"message":"request (%d tokens) exceeds'
FULL = "Context size has been exceeded."
SHORT = "Input does not fit in context length. The input has 30 tokens, but the context length only supports 20 tokens."


def asked(tokens: int, *, stream: bool = False, **model: Any) -> httpx.Response:
    """A prompt of so many tokens for a model with a context of 20."""
    turns = [{"say": "one two three four five six seven"}]
    with simulator({"models": {"m": {"loaded": {"context_length": 20}, "turns": turns, **model}}}) as url:
        messages = [{"role": "user", "content": "abcd" * tokens}]
        body = {"model": "m", "messages": messages, "stream": stream}
        return httpx.post(f"{url}/v1/chat/completions", json=body)


def test_gguf_cuts_silently_and_refuses_from_twice_the_context() -> None:
    fits, cut, refused = (asked(tokens) for tokens in (5, 39, 40))
    assert (fits.json()["usage"]["prompt_tokens"], fits.json()["choices"][0]["finish_reason"]) == (5, "stop")
    assert (cut.status_code, cut.json()["usage"]["prompt_tokens"]) == (200, 20)
    assert refused.status_code == 400
    assert refused.json()["error"].startswith(NESTED % 40)


def test_mlx_sends_an_error_event() -> None:
    streamed, whole = (asked(30, stream=stream, format="mlx") for stream in (True, False))
    assert (streamed.status_code, whole.status_code) == (200, 400)
    assert streamed.text.startswith("event: error\n")
    assert SHORT in streamed.text
    assert whole.json() == {"error": SHORT}


@pytest.mark.parametrize(
    ("way", "status", "text"),
    [("cut", 200, "one two"), ("error", 400, "exceed_context_size_error"), ("pool", 400, FULL), ("event", 400, SHORT)],
)
def test_a_script_may_choose(way: str, status: int, text: str) -> None:
    response = asked(30, overflow=way)
    assert (response.status_code, text in response.text) == (status, True)
    assert asked(100, overflow="cut").status_code == 200


def test_an_answer_ends_where_the_context_does() -> None:
    choice = asked(18).json()["choices"][0]
    assert (choice["message"]["content"], choice["finish_reason"]) == ("one two ", "length")


def test_requests_share_one_context() -> None:
    turns = [{"say": "many words " * 10}]
    model = {"loaded": {"context_length": 100}, "turns": turns, "first_token": "200ms"}
    body = {"model": "m", "messages": [{"role": "user", "content": "abcd" * 60}]}

    async def both(parallel: int) -> list[int]:
        with simulator({"models": {"m": {**model, "parallel": parallel}}}) as url:
            async with httpx.AsyncClient() as client:
                posts = [client.post(f"{url}/v1/chat/completions", json=body) for _ in range(2)]
                answers = await asyncio.gather(*posts)
        assert all(answer.status_code == 200 or FULL in answer.text for answer in answers)
        return [answer.status_code for answer in answers]

    assert asyncio.run(both(2)) == [400, 400]
    assert asyncio.run(both(1)) == [200, 200]


def test_a_pool_that_bursts_ends_everybody_in_it() -> None:
    pool = Pool(100)
    first, second = pool.enter(), pool.enter()
    pool.take(first, 60)
    with pytest.raises(Refusal) as caught:
        pool.take(second, 60)
    assert caught.value.text == refusal.POOL_FULL
    with pytest.raises(Refusal):
        first.check()
    pool.leave(first)
    pool.leave(second)
    pool.take(pool.enter(), 500)
