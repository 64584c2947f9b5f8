"""Answers on the wire: whole bodies and streams, in the shapes that LM Studio 0.4 sends.

Shapes of ``/v1/chat/completions`` are those recorded by jmgirard/rlmstudio on 0.4.25; of ``/v1/completions`` and
``/api/v0`` those of LM Studio's documentation.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from runner.rehearse.simulator.answer import Answer, Piece, as_dict, count_tokens, said_arguments
from runner.rehearse.simulator.state import Instance
from runner.words.noun import noun

DONE = b"data: [DONE]\n\n"


@noun
class Spent:
    """What an answer took, in seconds."""

    first_token: float
    generation: float
    load: float = 0.0

    def speed(self, tokens: int) -> float:
        """Tokens a second; 0 when no time passed."""
        return round(tokens / self.generation, 3) if self.generation > 0 else 0.0


def whole_chat(answer: Answer, created: int) -> dict[str, Any]:
    """The body of an unstreamed ``/v1/chat/completions``; ``tool_calls`` is there even when empty."""
    message = {
        "role": "assistant",
        "content": answer.content,
        "reasoning_content": answer.reasoning,
        "tool_calls": [as_dict(call, answer.manner) for call in answer.calls],
    }
    return {
        "id": f"chatcmpl-{answer.serial[:22]}",
        "object": "chat.completion",
        "created": created,
        "model": answer.model,
        "choices": [{"index": 0, "message": message, "logprobs": None, "finish_reason": answer.finish}],
        "usage": usage(answer),
        "stats": {},
        "system_fingerprint": answer.model,
    }


def whole_text(answer: Answer, created: int) -> dict[str, Any]:
    """The body of an unstreamed ``/v1/completions``."""
    counts = usage(answer)
    counts.pop("completion_tokens_details", None)
    choice = {"index": 0, "text": answer.content, "logprobs": None, "finish_reason": answer.finish}
    return {
        "id": f"cmpl-{answer.serial[:22]}",
        "object": "text_completion",
        "created": created,
        "model": answer.model,
        "choices": [choice],
        "usage": counts,
    }


def usage(answer: Answer) -> dict[str, Any]:
    """What was counted."""
    if answer.manner.no_counts:
        return {"prompt_tokens": 0, "completion_tokens": 0, "total_tokens": 0}
    return {
        "prompt_tokens": answer.prompt_tokens,
        "completion_tokens": answer.completion_tokens,
        "total_tokens": answer.prompt_tokens + answer.completion_tokens,
        "completion_tokens_details": {"reasoning_tokens": answer.reasoning_tokens},
    }


def v0_extras(answer: Answer, instance: Instance, spent: Spent) -> dict[str, Any]:
    """What ``/api/v0`` adds to a whole answer."""
    reasons = {"length": "maxPredictedTokensReached", "tool_calls": "toolCalls"}
    model = instance.model
    return {
        "stats": {
            "tokens_per_second": spent.speed(answer.completion_tokens),
            "time_to_first_token": round(spent.first_token, 3),
            "generation_time": round(spent.generation, 3),
            "stop_reason": reasons.get(answer.finish or "", "eosFound"),
        },
        "model_info": {
            "arch": model.architecture,
            "quant": model.quantization,
            "format": model.format,
            "context_length": instance.context_length,
        },
        "runtime": {"name": "bridge-run-simulator", "version": "1.0.0", "supported_formats": [model.format]},
    }


@noun
class Reel:
    """A streamed answer: its deltas, each with the tokens that saying it takes, and what ends it properly.

    ``finish`` is the part of the end that says why; after it come ``counts``, where asked for, and ``[DONE]``.
    """

    deltas: tuple[tuple[int, bytes], ...]
    finish: bytes
    counts: bytes = b""
    done: bytes = DONE

    @property
    def ending(self) -> bytes:
        """The whole end."""
        return self.finish + self.counts + self.done


def chat_reel(answer: Answer, created: int, *, include_usage: bool) -> Reel:
    """A streamed ``/v1/chat/completions``; the counts come after the finish, and only when asked for."""
    head = {
        "id": f"chatcmpl-{answer.serial[:22]}",
        "object": "chat.completion.chunk",
        "created": created,
        "model": answer.model,
        "system_fingerprint": answer.model,
    }
    start = f"data: {compact(head)[:-1]},"

    def choice(delta: str, finish: str = "null") -> bytes:
        inner = f'{{"index":0,"delta":{delta},"logprobs":null,"finish_reason":{finish}}}'
        return f'{start}"choices":[{inner}]}}\n\n'.encode()

    counts = f'{start}"choices":[],"usage":{compact(usage(answer))}}}\n\n'.encode() if include_usage else b""
    return Reel(
        deltas=tuple((count_tokens(piece.text), choice(delta)) for piece, delta in _chat_deltas(answer)),
        finish=choice("{}", compact(answer.finish)),
        counts=counts,
    )


def text_reel(answer: Answer, created: int, *, include_usage: bool) -> Reel:
    """A streamed ``/v1/completions``."""
    head = {
        "id": f"cmpl-{answer.serial[:22]}",
        "object": "text_completion",
        "created": created,
        "model": answer.model,
    }

    def choice(text: str, finish: str | None = None) -> bytes:
        return _data({**head, "choices": [{"index": 0, "text": text, "logprobs": None, "finish_reason": finish}]})

    counts = _data({**head, "choices": [], "usage": usage(answer)}) if include_usage else b""
    said = [piece.text for piece in answer.pieces() if piece.kind == "content"]
    return Reel(
        deltas=tuple((count_tokens(text), choice(text)) for text in said),
        finish=choice("", answer.finish),
        counts=counts,
    )


def error_event(text: str) -> bytes:
    """A failure after the status 200 has been sent."""
    return f"event: error\ndata: {compact({'error': {'message': text}, 'message': text})}\n\n".encode(
        "utf-8", "replace"
    )


def _chat_deltas(answer: Answer) -> Iterator[tuple[Piece, str]]:
    """Each piece with its delta; the role stands on the first one of reasoning and of the rest, as in captures."""
    begun: set[bool] = set()
    for piece in answer.pieces():
        thinking = piece.kind == "reasoning"
        yield piece, _delta(answer, piece, first=thinking not in begun)
        begun.add(thinking)


def _delta(answer: Answer, piece: Piece, *, first: bool) -> str:
    role = '"role":"assistant",' if first else ""
    if piece.kind == "reasoning":
        return f'{{{role}"reasoning_content":{compact(piece.text)}}}'
    if piece.kind == "content":
        return f'{{{role}"content":{compact(piece.text)}}}'
    return f'{{{role}"tool_calls":[{_call_delta(answer, piece)}]}}'


def _call_delta(answer: Answer, piece: Piece) -> str:
    """The first delta of a call has its id and name, the later ones have a part of its arguments each."""
    manner, said = answer.manner, answer.calls[piece.call]
    index = 0 if manner.one_index else piece.call
    if piece.kind == "arguments":
        name = '"name":"",' if manner.repeats_name else ""
        return f'{{"index":{index},"type":"function","function":{{{name}"arguments":{compact(piece.text)}}}}}'
    arguments = '""' if not manner.whole else compact(said_arguments(said, manner))
    function = f'{{"name":{compact(piece.text)},"arguments":{arguments}}}'
    return f'{{"index":{index},"id":{compact(said.id)},"type":"function","function":{function}}}'


def _data(value: Any) -> bytes:
    return f"data: {compact(value)}\n\n".encode()


def compact(value: Any) -> str:
    """JSON on one line, as streams carry it."""
    return whole_unicode(json.dumps(value, ensure_ascii=False, separators=(",", ":")))


def whole_unicode(text: str) -> str:
    """The text without halves of characters, which JSON can carry as escapes but UTF-8 cannot."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return text.encode("utf-8", "replace").decode()
    return text
