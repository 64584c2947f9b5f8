"""A turn of the script made into one answer: texts filled in, counted, cut to the allowed length, with its ids."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from hashlib import blake2b
from typing import Any, Literal

from runner.rehearse.simulator.match import Picked
from runner.rehearse.simulator.pattern import echo
from runner.words.noun import noun

_BASE36 = "0123456789abcdefghijklmnopqrstuvwxyz"

PieceKind = Literal["reasoning", "content", "call", "arguments"]


@dataclass(frozen=True, slots=True)
class SaidCall:
    """A tool call as it goes over the wire; ``arguments`` is the JSON text, legal or not."""

    id: str
    name: str
    arguments: str


@dataclass(frozen=True, slots=True)
class Piece:
    """One delta of a stream; ``call`` is the index of the tool call that it belongs to."""

    kind: PieceKind
    text: str
    call: int = 0


@noun
class Answer:
    """What a model says. ``model`` is the instance that answers; ``serial`` shapes every id of the answer."""

    serial: str
    model: str
    content: str = ""
    reasoning: str = ""
    calls: tuple[SaidCall, ...] = ()
    finish: str = "stop"
    prompt_tokens: int = 0
    chunk: int = 12

    @property
    def reasoning_tokens(self) -> int:
        """Tokens of the reasoning alone."""
        return count_tokens(self.reasoning)

    @property
    def completion_tokens(self) -> int:
        """Tokens of all that is said, reasoning and calls too."""
        calls = sum(count_tokens(call.name + call.arguments) for call in self.calls)
        return self.reasoning_tokens + count_tokens(self.content) + calls

    def pieces(self) -> Iterator[Piece]:
        """The answer as it is streamed: reasoning, then text, then the calls one after the other."""
        for piece in _cut(self.reasoning, self.chunk):
            yield Piece("reasoning", piece)
        for piece in _cut(self.content, self.chunk):
            yield Piece("content", piece)
        for index, call in enumerate(self.calls):
            yield Piece("call", call.name, index)
            for piece in _cut(call.arguments, self.chunk):
                yield Piece("arguments", piece, index)


def count_tokens(text: str) -> int:
    """Four characters are a token, rounded up."""
    return -(-len(text) // 4)


def compose(picked: Picked, *, model: str, serial: str, prompt_tokens: int, max_tokens: int | None = None) -> Answer:
    """The answer of a turn. ``max_tokens`` None = as long as it is; a longer one is cut and ends with ``length``."""
    turn = picked.turn
    if turn.fault is not None and turn.fault.kind == "empty":
        return Answer(serial=serial, model=model, prompt_tokens=prompt_tokens)
    answer = Answer(
        serial=serial,
        model=model,
        content=_content(picked),
        reasoning=echo(turn.reasoning, picked.groups),
        calls=tuple(_said_calls(picked, serial)),
        finish=turn.finish or ("tool_calls" if turn.calls else "stop"),
        prompt_tokens=prompt_tokens,
        chunk=turn.chunk,
    )
    return answer if max_tokens is None or answer.completion_tokens <= max_tokens else _shortened(answer, max_tokens)


def serial_of(seed: int, model: str, index: int, count: int) -> str:
    """24 letters and digits that depend on nothing but the script and how often the turn was played before."""
    number = _number(f"{seed}/{model}/{index}/{count}")
    letters = ""
    while len(letters) < 24:
        number, digit = divmod(number, 36)
        letters += _BASE36[digit]
    return letters


def call_id(serial: str, index: int) -> str:
    """Nine digits, as LM Studio gives them (recorded by jmgirard/rlmstudio; the documentation's example too)."""
    return str(100_000_000 + _number(f"{serial}/{index}") % 900_000_000)


def _number(text: str) -> int:
    return int.from_bytes(blake2b(text.encode(), digest_size=16).digest(), "big")


def _content(picked: Picked) -> str:
    turn = picked.turn
    if turn.has_json:
        return json.dumps(echo(turn.json, picked.groups), ensure_ascii=False)
    said: str = echo(turn.say or "", picked.groups)
    return said


def _said_calls(picked: Picked, serial: str) -> Iterator[SaidCall]:
    for index, call in enumerate(picked.turn.calls):
        if call.text is not None:
            arguments = echo(call.text, picked.groups)
        else:
            arguments = json.dumps(echo(call.arguments, picked.groups), ensure_ascii=False)
        yield SaidCall(call_id(serial, index), echo(call.tool, picked.groups), arguments)


def _shortened(answer: Answer, max_tokens: int) -> Answer:
    """Cut where the tokens run out, in the order of the stream; a call of which nothing is left is not made."""
    left = max_tokens * 4
    reasoning = answer.reasoning[:left]
    left -= count_tokens(reasoning) * 4
    content = answer.content[:left]
    left -= count_tokens(content) * 4
    calls: list[SaidCall] = []
    for call in answer.calls:
        if left <= len(call.name):
            break
        calls.append(replace(call, arguments=call.arguments[: left - len(call.name)]))
        left -= count_tokens(call.name + calls[-1].arguments) * 4
    return replace(answer, reasoning=reasoning, content=content, calls=tuple(calls), finish="length")


def _cut(text: str, size: int) -> Iterator[str]:
    for start in range(0, len(text), size):
        yield text[start : start + size]


def as_dict(call: SaidCall) -> Mapping[str, Any]:
    """A call as a whole answer carries it."""
    return {"type": "function", "id": call.id, "function": {"name": call.name, "arguments": call.arguments}}
