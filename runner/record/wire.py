"""An entry as one line of ``journal.jsonl``, and back; ``schemas/journal.schema.json`` describes the lines."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import fields
from functools import cache
from typing import Any, get_origin, get_type_hints

from runner.chat.messages import Usage
from runner.record.events import EVENTS, Event
from runner.words.errors import HistoryError
from runner.words.noun import noun


@noun
class Entry:
    """An event with its number in the journal (from 1), the time (ISO 8601, UTC, milliseconds) and the run's id."""

    seq: int
    at: str
    run: str
    event: Event


def _snake(name: str) -> str:
    return re.sub(r"(?<=[a-z])(?=[A-Z])", "_", name).lower()


TYPE_NAMES: Mapping[type, str] = {event: _snake(event.__name__) for event in EVENTS}
_CLASSES: Mapping[str, type] = {name: event for event, name in TYPE_NAMES.items()}
_FIELDS: Mapping[type, tuple[str, ...]] = {event: tuple(f.name for f in fields(event)) for event in (*EVENTS, Usage)}


def to_dict(entry: Entry) -> dict[str, Any]:
    """The entry as the JSON object of its line; fields that are None are left out."""
    event = entry.event
    line = {"seq": entry.seq, "at": entry.at, "run": entry.run, "type": TYPE_NAMES[type(event)]}
    line.update(_set_fields(event))
    return line


def to_line(entry: Entry) -> bytes:
    """The entry as UTF-8 JSON with a newline: always strict JSON, whatever a model or a tool said."""
    return encode_json(to_dict(entry)) + b"\n"


def encode_json(value: Any, *, indent: int | None = None) -> bytes:
    """A value as strict UTF-8 JSON: no NaN, no broken characters; what JSON lacks becomes a text that says it."""
    encoder = _ENCODER if indent is None else _encoder(indent=indent)
    try:
        return encoder.encode(value).encode()
    except UnicodeEncodeError:  # half a surrogate pair, as in the JSON text "\ud83d": only its escape is legal
        return _encoder(indent=indent, ensure_ascii=True).encode(value).encode()
    except ValueError:  # NaN or an infinity, which Python's reader of JSON lets through
        return encode_json(_without_nan(value), indent=indent)


def from_line(line: bytes | str) -> Entry:
    """The entry of a line. Fields that this version does not know are passed over.

    Raises:
        HistoryError: the line is not JSON, or not an entry.
    """
    try:
        data = json.loads(line)
        event = _read_event(_CLASSES[data["type"]], data)
        return Entry(seq=int(data["seq"]), at=str(data["at"]), run=str(data["run"]), event=event)
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise HistoryError(f"not an entry of a journal: {_why(error)}") from error


def read_journal(lines: Iterable[bytes]) -> Iterator[Entry]:
    """The entries of a journal, one after the other. A torn last line, as a crash leaves it, is passed over.

    Raises:
        HistoryError: a line before the last is no entry, or one is missing.
    """
    before: tuple[int, HistoryError] | None = None
    for number, line in enumerate(lines, 1):
        if before is not None:
            raise _damaged(before[0], before[1].message) from before[1]
        try:
            entry = from_line(line)
        except HistoryError as error:
            before = number, error
            continue
        if entry.seq != number:
            raise _damaged(number, f"entry {number} is missing, entry {entry.seq} stands in its place")
        yield entry


def _damaged(number: int, why: str) -> HistoryError:
    return HistoryError(f"line {number} of the journal is damaged: {why}", hint="start a new run")


def _why(error: Exception) -> str:
    if isinstance(error, KeyError):
        return f"unknown or missing {error}"
    return str(error)


def _set_fields(fact: Any) -> dict[str, Any]:
    values = ((name, getattr(fact, name)) for name in _FIELDS[type(fact)])
    return {name: value for name, value in values if value is not None}


def _plain(value: Any) -> Any:
    """What the encoder asks for when it meets something that is no JSON value."""
    if isinstance(value, Usage):
        return _set_fields(value)
    if isinstance(value, Mapping):
        return dict(value)
    if isinstance(value, set | frozenset):
        return sorted(value, key=str)
    return str(value)


def _encoder(*, indent: int | None = None, ensure_ascii: bool = False) -> json.JSONEncoder:
    separators = (",", ":") if indent is None else None
    return json.JSONEncoder(
        ensure_ascii=ensure_ascii, allow_nan=False, separators=separators, default=_plain, indent=indent
    )


_ENCODER = _encoder()


def _without_nan(value: Any) -> Any:
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    if isinstance(value, Mapping):
        return {key: _without_nan(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_without_nan(item) for item in value]
    return value


def _read_event(kind: type, data: Mapping[str, Any]) -> Event:
    values = {name: read(data[name]) for name, read in _readers(kind).items() if name in data}
    missing = {name: None for name in _nullable(kind) if name not in data}
    event: Event = kind(**missing, **values)
    return event


@cache
def _readers(kind: type) -> Mapping[str, Callable[[Any], Any]]:
    return {name: _reader(hint) for name, hint in get_type_hints(kind).items()}


@cache
def _nullable(kind: type) -> tuple[str, ...]:
    """Required fields of any type: left out of the line when they are None."""
    return tuple(name for name, hint in get_type_hints(kind).items() if hint is Any)


def _reader(hint: Any) -> Callable[[Any], Any]:
    if hint is Usage:
        return _read_usage
    return tuple if get_origin(hint) is tuple else _same


def _read_usage(data: Mapping[str, int]) -> Usage:
    return Usage(**{name: data.get(name, 0) for name in _FIELDS[Usage]})


def _same(value: Any) -> Any:
    return value
