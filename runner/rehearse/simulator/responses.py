"""Answers of ``/v1/responses`` on the wire: the shape that jmgirard/rlmstudio recorded on 0.4.25, oddities and all.

The events are those of LM Studio's documentation, and, where that is silent, those that the editor Zed reads from it;
the numbers in them are OpenAI's (a guess).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from hashlib import blake2b
from typing import Any

from runner.rehearse.simulator.answer import Answer, SaidCall, as_dict, count_tokens
from runner.rehearse.simulator.say import Reel, compact

_ODD: Mapping[str, Any] = {"top_p": False, "presence_penalty": 0, "frequency_penalty": 1.1}
"""What the real one says of the sampling, whatever was asked (recorded)."""
_ALWAYS: Mapping[str, Any] = {
    "truncation": "auto", "parallel_tool_calls": True, "max_tool_calls": None, "background": False,
    "service_tier": "default", "metadata": {}, "safety_identifier": None, "prompt_cache_key": None,
}  # fmt: skip


def response_id(answer: Answer) -> str:
    """48 hexadecimal digits, as recorded."""
    return f"resp_{blake2b(answer.serial.encode(), digest_size=24).hexdigest()}"


def whole_response(answer: Answer, asked: Mapping[str, Any], created: int) -> dict[str, Any]:
    """The body of an unstreamed answer; ``asked`` is the body of the request, of which it repeats a good deal."""
    cut = answer.finish == "length"
    return {
        **_head(answer, asked, created),
        "completed_at": created,
        "status": "incomplete" if cut else "completed",
        "incomplete_details": {"reason": "max_output_tokens"} if cut else None,
        "output": list(_output(answer)),
        "usage": _usage(answer),
    }


def response_reel(answer: Answer, asked: Mapping[str, Any], created: int) -> Reel:
    """A streamed answer; it ends with the whole of it, and with no ``[DONE]``."""
    whole = whole_response(answer, asked, created)
    events = _Events()
    head = {**_head(answer, asked, created), "status": "in_progress", "output": [], "usage": None}
    begun = events.make("response.created", response=head) + events.make("response.in_progress", response=head)
    deltas = [(0, begun)]
    for index, item in enumerate(whole["output"]):
        deltas += _item_deltas(answer, item, index, events)
    last = "response.incomplete" if answer.finish == "length" else "response.completed"
    return Reel(deltas=tuple(deltas), finish=events.make(last, response=whole), done=b"")


class _Events:
    """Numbers the events of one answer."""

    __slots__ = ("_number",)

    def __init__(self) -> None:
        self._number = -1

    def make(self, kind: str, **fields: Any) -> bytes:
        self._number += 1
        data = {"type": kind, "sequence_number": self._number, **fields}
        return f"event: {kind}\ndata: {compact(data)}\n\n".encode()


def _head(answer: Answer, asked: Mapping[str, Any], created: int) -> dict[str, Any]:
    reasoning = asked.get("reasoning")
    effort = reasoning.get("effort") if isinstance(reasoning, dict) else None
    return {
        "id": response_id(answer),
        "object": "response",
        "created_at": created,
        "completed_at": None,
        "status": None,
        "incomplete_details": None,
        "model": answer.model,
        "previous_response_id": asked.get("previous_response_id"),
        "instructions": asked.get("instructions"),
        "output": [],
        "error": None,
        "tools": asked.get("tools") or [],
        "tool_choice": asked.get("tool_choice") or "auto",
        "text": asked.get("text") or {"format": {"type": "text"}},
        **_ODD,
        **_ALWAYS,
        "top_logprobs": asked.get("top_logprobs", 0),
        "temperature": asked.get("temperature", 0.8),
        "reasoning": {"summary": None, "effort": effort},
        "max_output_tokens": asked.get("max_output_tokens"),
        "store": asked.get("store") is not False,
    }


def _usage(answer: Answer) -> dict[str, Any]:
    zero = answer.manner.no_counts
    prompt, said = (0, 0) if zero else (answer.prompt_tokens, answer.completion_tokens)
    return {
        "input_tokens": prompt,
        "output_tokens": said,
        "total_tokens": prompt + said,
        "input_tokens_details": {"cached_tokens": 0},
        "output_tokens_details": {"reasoning_tokens": 0 if zero else answer.reasoning_tokens},
    }


def _output(answer: Answer) -> Iterator[dict[str, Any]]:
    """The thinking, the message, the calls; what there is of them."""
    if answer.reasoning:
        thought = {"type": "reasoning_text", "text": answer.reasoning}
        yield {**_opened_thought(answer), "content": [thought]}
    if answer.content:
        yield {**_opened_message(answer), "status": "completed", "content": [_text_part(answer.content)]}
    for index, call in enumerate(answer.calls):
        yield _call_item(answer, index, call)


def _opened_thought(answer: Answer) -> dict[str, Any]:
    return {
        "id": f"rs_{answer.serial[:22]}", "type": "reasoning", "summary": [], "encrypted_content": None, "content": [],
    }  # fmt: skip


def _opened_message(answer: Answer) -> dict[str, Any]:
    return {
        "id": f"msg_{answer.serial[:22]}", "type": "message", "role": "assistant", "status": "in_progress",
        "content": [],
    }  # fmt: skip


def _text_part(text: str) -> dict[str, Any]:
    return {"type": "output_text", "text": text, "annotations": [], "logprobs": []}


def _call_item(answer: Answer, index: int, call: SaidCall) -> dict[str, Any]:
    said = as_dict(call, answer.manner)
    return {
        "id": f"fc_{answer.serial[:20]}{index}",
        "type": "function_call",
        "call_id": said["id"],
        "name": said["function"]["name"],
        "arguments": said["function"]["arguments"],
        "status": "completed",
    }


def _item_deltas(answer: Answer, item: Mapping[str, Any], index: int, events: _Events) -> Iterator[tuple[int, bytes]]:
    """One item from ``response.output_item.added`` to ``response.output_item.done``."""
    place = {"output_index": index}
    if item["type"] == "function_call":
        opened = {**item, "arguments": "", "status": "in_progress"}
        yield 0, events.make("response.output_item.added", **place, item=opened)
        inner = {**place, "item_id": item["id"]}
        arguments = item["arguments"]
        said = arguments if isinstance(arguments, str) else compact(arguments)
        for start in range(0, len(said), answer.chunk):
            piece = said[start : start + answer.chunk]
            yield count_tokens(piece), events.make("response.function_call_arguments.delta", **inner, delta=piece)
        yield 0, events.make("response.function_call_arguments.done", **inner, arguments=arguments)
    else:
        yield from _text_deltas(answer, item, place, events)
    yield 0, events.make("response.output_item.done", **place, item=item)


def _text_deltas(
    answer: Answer, item: Mapping[str, Any], place: Mapping[str, int], events: _Events
) -> Iterator[tuple[int, bytes]]:
    thinks = item["type"] == "reasoning"
    name, kind = ("reasoning_text", "reasoning") if thinks else ("output_text", "content")
    opened = _opened_thought(answer) if thinks else _opened_message(answer)
    inner = {"item_id": item["id"], **place, "content_index": 0}
    part = item["content"][0]
    yield (
        0,
        events.make("response.output_item.added", **place, item=opened)
        + events.make("response.content_part.added", **inner, part={**part, "text": ""}),
    )
    for piece in answer.pieces():
        if piece.kind == kind:
            yield count_tokens(piece.text), events.make(f"response.{name}.delta", **inner, delta=piece.text)
    yield (
        0,
        events.make(f"response.{name}.done", **inner, text=part["text"])
        + events.make("response.content_part.done", **inner, part=part),
    )
