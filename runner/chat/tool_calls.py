"""Tool calls put together from the pieces in which servers stream them.

A call comes whole or token by token, with its id and name once, on every piece, or repeated empty; parallel calls come
with indices of their own or all with the index 0.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from runner.chat.messages import ToolCall
from runner.words.json_text import read_json

_FIRST_OWN_ID = 100_000_001
"""Ids that we give have nine digits: the templates of the Mistral family insist on nine characters."""


@dataclass(slots=True, eq=False)
class _Growing:
    """A call of which pieces are still to come."""

    id: str = ""
    name: str = ""
    pieces: list[str] = field(default_factory=list)

    @property
    def arguments(self) -> str:
        return "".join(self.pieces)


class ToolCallAssembler:
    """Takes the ``tool_calls`` of the deltas of one answer. ``taken`` are ids that the conversation already uses."""

    __slots__ = ("_at", "_calls", "_taken")

    def __init__(self, taken: frozenset[str] = frozenset()) -> None:
        self._taken = taken
        self._calls: list[_Growing] = []
        self._at: dict[int, _Growing] = {}

    def feed(self, pieces: object) -> Iterator[str]:
        """Take the pieces of one delta; yields the text that is new in each: name and arguments."""
        for piece in pieces if isinstance(pieces, list) else ():
            if isinstance(piece, Mapping):
                text = self._take(piece)
                if text:
                    yield text

    @property
    def begun(self) -> bool:
        """Whether any call with a name has come."""
        return any(call.name for call in self._calls)

    def add(self, name: str, arguments: str) -> None:
        """Add a whole call that came by another way."""
        self._calls.append(_Growing(name=name, pieces=[arguments]))

    def finish(self, *, cut: bool) -> tuple[tuple[ToolCall, ...], bool]:
        """The calls in the order in which they began, and whether one was left out.

        ``cut``: a limit of tokens ended the answer, so that the last call is left out unless its arguments are
        JSON. Calls without a name are left out too. Ids that are empty, repeated or taken are replaced.
        """
        calls = [call for call in self._calls if call.name]
        dropped = bool(cut and calls and not is_json(calls[-1].arguments))
        if dropped:
            calls.pop()
        ids = self._free_ids()
        seen: set[str] = set(self._taken)
        done = []
        for call in calls:
            own = call.id if call.id and call.id not in seen else next(i for i in ids if i not in seen)
            seen.add(own)
            done.append(ToolCall(own, call.name, call.arguments.strip() or "{}"))
        return tuple(done), dropped

    def _free_ids(self) -> Iterator[str]:
        given = {call.id for call in self._calls}
        number = _FIRST_OWN_ID + len(self._taken)
        while True:
            if str(number) not in given:
                yield str(number)
            number += 1

    def _take(self, piece: Mapping[str, Any]) -> str:
        function = piece.get("function")
        function = function if isinstance(function, Mapping) else {}
        call_id, name, arguments = _word(piece.get("id")), _name(function.get("name")), _json(function.get("arguments"))
        call = self._call_of(piece.get("index"), call_id, name, arguments)
        text = "" if name in ("", call.name) else name
        call.id = call.id or call_id
        call.name = name or call.name
        if arguments:
            call.pieces.append(arguments)
        return text + arguments

    def _call_of(self, index: object, call_id: str, name: str, arguments: str) -> _Growing:
        """The call that a piece belongs to; a new one if none fits."""
        last = self._calls[-1] if self._calls else None
        known = self._at.get(index) if isinstance(index, int) else last
        if known is None or _is_another(known, call_id, name, arguments):
            known = _Growing()
            self._calls.append(known)
        if isinstance(index, int):
            self._at[index] = known
        return known


def _is_another(known: _Growing, call_id: str, name: str, arguments: str) -> bool:
    """Whether a piece at a known index begins another call: it has another id, or none and
    a whole call precedes, or none and another name."""
    if call_id and known.id:
        return call_id != known.id
    if not name or not known.name:
        return False
    if name != known.name:
        return not known.pieces or is_json(known.arguments)
    return arguments.startswith("{") and is_json(known.arguments)


def _word(value: object) -> str:
    return str(value) if isinstance(value, str | int) else ""


def _name(value: object) -> str:
    """The name without the control words that gpt-oss leaks into it (``read<|channel|>commentary``)."""
    name = value if isinstance(value, str) else ""
    return name.partition("<|")[0].strip() if "<|" in name[1:] else name


def _json(value: object) -> str:
    """Arguments as text: a string as it is, an object (some servers) written as JSON."""
    if isinstance(value, str):
        return value
    return "" if value is None else json.dumps(value)


def is_json(text: str) -> bool:
    """Whether the text is one whole JSON value."""
    try:
        read_json(text)
    except ValueError:
        return False
    return True
