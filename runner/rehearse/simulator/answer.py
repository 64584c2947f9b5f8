"""A turn of the script made into one answer: texts filled in, counted, cut to the allowed length, with its ids."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from hashlib import blake2b
from itertools import zip_longest
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
class Manner:
    """How a stream tells of tool calls, and what it leaves out; all False = as LM Studio 0.4 does it.

    ``whole``: a call with all its arguments in one delta. ``interleaved``: the calls piece by piece in turns.
    ``one_index``: every call has the index 0. ``repeats_name``: ``"name": ""`` stands on the later deltas.
    ``object_arguments``: arguments as an object, not as a text (then whole as well). ``no_counts``: usage is all zero.
    """

    whole: bool = False
    interleaved: bool = False
    one_index: bool = False
    repeats_name: bool = False
    object_arguments: bool = False
    no_counts: bool = False


PLAIN = Manner()


@noun
class Answer:
    """What a model says. ``model`` is the instance that answers; ``serial`` shapes every id of the answer."""

    serial: str
    model: str
    content: str = ""
    reasoning: str = ""
    calls: tuple[SaidCall, ...] = ()
    finish: str | None = "stop"
    prompt_tokens: int = 0
    chunk: int = 12
    manner: Manner = PLAIN

    @property
    def reasoning_tokens(self) -> int:
        """Tokens of the reasoning alone."""
        return count_tokens(self.reasoning)

    @property
    def completion_tokens(self) -> int:
        """Tokens of all that is said, reasoning and calls too."""
        calls = sum(count_tokens(call.name + call.arguments) for call in self.calls)
        return self.reasoning_tokens + count_tokens(self.content) + calls

    def by(self, model: str) -> Answer:
        """The same answer under the name of another model."""
        return replace(self, model=model)

    def pieces(self) -> Iterator[Piece]:
        """The answer as it is streamed: reasoning, then text, then the calls one after the other."""
        for piece in _cut(self.reasoning, self.chunk):
            yield Piece("reasoning", piece)
        for piece in _cut(self.content, self.chunk):
            yield Piece("content", piece)
        told = [tuple(self._told(index, call)) for index, call in enumerate(self.calls)]
        if self.manner.interleaved:
            yield from (piece for round_ in zip_longest(*told) for piece in round_ if piece is not None)
        else:
            yield from (piece for pieces in told for piece in pieces)

    def _told(self, index: int, call: SaidCall) -> Iterator[Piece]:
        yield Piece("call", call.name, index)
        if not self.manner.whole:
            for piece in _cut(call.arguments, self.chunk):
                yield Piece("arguments", piece, index)


def count_tokens(text: str) -> int:
    """Four characters are a token, rounded up."""
    return -(-len(text) // 4)


def compose(picked: Picked, *, model: str, serial: str, prompt_tokens: int, max_tokens: int | None = None) -> Answer:
    """The answer of a turn. ``max_tokens`` None = as long as it is; a longer one is cut and ends with ``length``."""
    turn = picked.turn
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
    return shortened(answer, max_tokens)


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


def shortened(answer: Answer, max_tokens: int | None) -> Answer:
    """Cut where the tokens run out, in the order of the stream; a call of which nothing is left is not made."""
    if max_tokens is None or answer.completion_tokens <= max_tokens:
        return answer
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


def said_arguments(call: SaidCall, manner: Manner) -> Any:
    """The arguments as the wire carries them: a text, or the object that the text means."""
    if not manner.object_arguments:
        return call.arguments
    try:
        return json.loads(call.arguments)
    except ValueError:
        return call.arguments


def as_dict(call: SaidCall, manner: Manner = PLAIN) -> Mapping[str, Any]:
    """A call as a whole answer carries it."""
    function = {"name": call.name, "arguments": said_arguments(call, manner)}
    return {"type": "function", "id": call.id, "function": function}
