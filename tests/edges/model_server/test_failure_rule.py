"""The catalogue of complaints, each said by a real socket, alone or within a stream, and what becomes of it."""

from __future__ import annotations

import asyncio
import json

import pytest
from kit.complaints import (
    ENGINE,
    ENGINE_400,
    GUARD,
    KEEP,
    LONG_VLLM,
    MLX,
    N_KEEP,
    OLLAMA_SIZE,
    POOL,
    ROWS,
    engine,
    flat,
    llama,
    nested,
    script,
    sse,
    vllm,
)
from kit.raw_server import raw_server, reply

from runner.chat.messages import ChatRequest, Message
from runner.edges.model_server.failure_rule import RULES
from runner.edges.model_server.lmstudio import HttpBackend
from runner.words import errors

REQUEST = ChatRequest(model="qwen3", messages=(Message("user", "hello"),))


def failure(answer):
    async def run():
        async with raw_server(answer) as server:
            backend = HttpBackend(server.url)
            try:
                with pytest.raises(errors.LLMError) as caught:
                    await backend.chat(REQUEST)
            finally:
                await backend.close()
            return caught.value, str(caught.value).replace(server.url, "URL")

    return asyncio.run(run())


@pytest.mark.parametrize(("how", "status", "body", "made", "kind", "retried", "message"), ROWS)
def test_row(how, status, body, made, kind, retried, message):
    error, text = failure(script(how, status, body))
    assert (type(error), error.kind, error.retryable, text) == (made, kind, retried, message)
    assert error.to_dict()["code"] == made.__name__


def test_the_table_has_its_rows_and_every_rule_has_one():
    assert len(ROWS) > 80
    said = [json.dumps(body, ensure_ascii=False).casefold() for _, _, body, *_ in ROWS]
    for rule in RULES:
        assert any(needle in text for needle in rule.texts for text in said), rule


@pytest.mark.parametrize(
    ("body", "pool", "prompt", "context"),
    [
        (engine(POOL), True, None, None),
        (sse(POOL), True, None, None),
        (flat(f"{POOL} {ENGINE}"), False, 17246, 8192),
        (ENGINE_400, False, 17246, 8192),
        (llama(ENGINE, 400, "exceed_context_size_error"), False, 17246, 8192),
        (sse(MLX), False, 31430, 30000),
        (flat(KEEP), False, 5000, 4096),
        (flat(N_KEEP), False, 13055, 4096),
        (flat("Cannot truncate prompt with n_keep (4270) >= n_ctx (4096)"), False, 4270, 4096),
        (vllm(LONG_VLLM), False, 5000, 4096),
        (vllm("This model's maximum context length is 4096 tokens."), False, None, 4096),
        (flat("The prompt (length 9000) is longer than the maximum model length of 4096."), False, 9000, 4096),
        (flat("Requested tokens (3000) exceed context window of 2048"), False, 3000, 2048),
        (nested("too long", code="context_length_exceeded"), False, None, None),
    ],
)
def test_a_prompt_that_is_too_long_comes_with_what_the_server_counted(body, pool, prompt, context):
    error, _ = failure(reply(body, status=400))
    assert isinstance(error, errors.ContextError)
    assert (error.pool, error.n_prompt_tokens, error.n_ctx) == (pool, prompt, context)
    assert error.hint == (
        "run fewer steps at once on this model, or load it with a larger `context_length`: all share it"
        if pool
        else "shorten the prompt or the tool results, or load the model with a larger `context_length`"
    )
    told = error.to_dict()
    assert (told["pool"], told["n_prompt_tokens"], told["n_ctx"]) == (pool, prompt, context)


@pytest.mark.parametrize(
    ("text", "required", "available"),
    [
        (GUARD, round(80.5 * 1024**3), None),
        (GUARD.replace("80.5 GB", "900 MB"), 900 * 1024**2, None),
        (OLLAMA_SIZE, round(20.1 * 1024**3), round(9.9 * 1024**3)),
        ("CUDA error: out of memory", None, None),
        ("insufficient system resources: requires approximately N GB of memory", None, None),
    ],
)
def test_a_model_that_does_not_fit_comes_with_the_sizes(text, required, available):
    error, _ = failure(reply(flat(text), status=500))
    assert isinstance(error, errors.ModelMemoryError)
    assert (error.required_bytes, error.available_bytes) == (required, available)
