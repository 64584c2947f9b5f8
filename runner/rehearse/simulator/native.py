"""Answers of ``/api/v1/chat`` on the wire, in the shapes of LM Studio's documentation (0.4)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from hashlib import blake2b
from typing import Any

from runner.rehearse.simulator.answer import Answer, count_tokens
from runner.rehearse.simulator.say import Reel, Spent, compact


def native_chat(answer: Answer, spent: Spent, *, stored: bool) -> dict[str, Any]:
    """The body of an unstreamed ``/api/v1/chat``; a call of the script is one that found no tool."""
    output: list[dict[str, Any]] = []
    if answer.reasoning:
        output.append({"type": "reasoning", "content": answer.reasoning})
    output += [_invalid_call(call.name) for call in answer.calls]
    if answer.content:
        output.append({"type": "message", "content": answer.content})
    stats: dict[str, Any] = {
        "input_tokens": answer.prompt_tokens,
        "total_output_tokens": answer.completion_tokens,
        "reasoning_output_tokens": answer.reasoning_tokens,
        "tokens_per_second": spent.speed(answer.completion_tokens),
        "time_to_first_token_seconds": round(spent.first_token, 3),
    }
    if spent.load > 0:
        stats["model_load_time_seconds"] = round(spent.load, 3)
    body: dict[str, Any] = {"model_instance_id": answer.model, "output": output, "stats": stats}
    if stored:
        body["response_id"] = f"resp_{blake2b(answer.serial.encode(), digest_size=24).hexdigest()}"
    return body


def native_reel(answer: Answer, body: Mapping[str, Any], load_seconds: float) -> Reel:
    """A streamed ``/api/v1/chat``; ``body`` is the whole answer, which ends it."""
    return Reel(deltas=tuple(_native_deltas(answer, load_seconds)), finish=_native("chat.end", result=body), done=b"")


def _native_deltas(answer: Answer, load_seconds: float) -> Iterator[tuple[int, bytes]]:
    instance = {"model_instance_id": answer.model}
    yield 0, _native("chat.start", **instance)
    if load_seconds > 0:
        yield 0, _native("model_load.start", **instance)
        yield 0, _native("model_load.progress", **instance, progress=1)
        yield 0, _native("model_load.end", **instance, load_time_seconds=round(load_seconds, 3))
    yield 0, _native("prompt_processing.start") + _native("prompt_processing.progress", progress=1)
    yield 0, _native("prompt_processing.end")
    for kind, name in (("reasoning", "reasoning"), ("content", "message")):
        pieces = [piece.text for piece in answer.pieces() if piece.kind == kind]
        if pieces:
            yield 0, _native(f"{name}.start")
            for text in pieces:
                yield count_tokens(text), _native(f"{name}.delta", content=text)
            yield 0, _native(f"{name}.end")


def _invalid_call(name: str) -> dict[str, Any]:
    reason = f"Cannot find tool with name {name}."
    return {"type": "invalid_tool_call", "reason": reason, "metadata": {"type": "invalid_name", "tool_name": name}}


def _native(kind: str, **fields: Any) -> bytes:
    return f"event: {kind}\ndata: {compact({'type': kind, **fields})}\n\n".encode()
