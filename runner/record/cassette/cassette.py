"""A recording: what passed between a run and the outside, one JSON line an exchange; keyed by unit, not by time.

The first line says what the file is. ``schemas/recording.schema.json`` describes all lines, ``docs/recordings.md`` how
to read them.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import field
from datetime import UTC, datetime
from typing import Any, Literal, get_args

from runner.record.cassette.text import folded, unfolded
from runner.record.whereabouts import Whereabouts
from runner.words.json_text import read_json
from runner.words.noun import noun
from runner.words.recording_error import RecordingError

FORMAT = "bridge-run recording"
VERSION = 1
"""Of the format; a reader takes no other."""
SUFFIX = ".recording.jsonl"

Kind = Literal["catalogue", "server", "load", "unload", "chat", "call", "command", "changed", "kept", "answer"]
KINDS: tuple[Kind, ...] = get_args(Kind)
_WAYS = "record the run anew: `bridge-run FILE --record`"
_SHARED = ("model", "sampling", "tools", "written_tools", "schema")
"""What requests of one conversation have in common, nearly always."""


@noun
class Header:
    """The first line. ``workflow`` is the name of the file that was run, ``digest`` what it meant then, ``inputs`` and
    ``models`` (``--model``) what it was run with, ``bridge_run`` the version that wrote this.

    ``run`` is what ``run.id`` was in templates, ``began`` the Unix seconds at which the run began; None where a
    recording does not tell. ``default_model`` and ``simulated`` are what the plan was told of the configuration.
    """

    workflow: str
    digest: str
    bridge_run: str
    inputs: Mapping[str, Any] = field(default_factory=dict)
    models: tuple[str, ...] = ()
    default_model: str | None = None
    simulated: bool = False
    run: str | None = None
    began: float | None = None


@noun
class Exchange:
    """A question to a wall and what it gave: JSON objects both. ``line`` is where it was read from, 0 = nowhere.

    ``answer`` holds the value under a name that depends on the kind, or ``error``, or ``cancelled``: nobody waited for
    the answer.
    """

    kind: Kind
    place: Whereabouts = Whereabouts()
    request: Mapping[str, Any]
    answer: Mapping[str, Any]
    line: int = 0

    @property
    def unit(self) -> str:
        """Whose it is; empty for what the run as a whole asked."""
        return self.place.unit


@noun
class Cassette:
    """A whole recording; ``file`` is where it lies, as a person named it."""

    header: Header
    exchanges: tuple[Exchange, ...]
    file: str = ""


def write_cassette(cassette: Cassette) -> bytes:
    """The bytes of the file: the same for equal recordings."""
    header = cassette.header
    first: dict[str, Any] = {
        "format": FORMAT,
        "version": VERSION,
        "workflow": header.workflow,
        "digest": header.digest,
        "bridge_run": header.bridge_run,
    }
    if header.run is not None:
        first["run"] = header.run
    if header.began is not None:
        began = datetime.fromtimestamp(header.began, UTC).isoformat(timespec="milliseconds")
        first["began"] = began.replace("+00:00", "Z")
    first["inputs"] = folded(header.inputs)
    if header.models:
        first["models"] = list(header.models)
    if header.default_model is not None:
        first["default_model"] = header.default_model
    if header.simulated:
        first["simulated"] = True
    lines = [first, *_written(cassette.exchanges)]
    return "".join(_line(line) + "\n" for line in lines).encode("utf-8", "surrogatepass")


def _line(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=False, separators=(", ", ": "))
    try:
        text.encode()
    except UnicodeEncodeError:  # half a surrogate pair: only its escape is legal
        return json.dumps(value, separators=(", ", ": "))
    return text


def _written(exchanges: Sequence[Exchange]) -> Iterator[dict[str, Any]]:
    """Of a conversation each request holds what is new in it: ``kept`` messages are those of the one before."""
    talk: dict[str, Mapping[str, Any]] = {}
    for one in exchanges:
        request = one.request
        if one.kind == "chat":
            request = _without_known(request, talk.get(one.unit))
            talk[one.unit] = one.request
        place = {"unit": one.unit, "attempt": one.place.attempt, "round": one.place.round}
        yield {
            "kind": one.kind,
            **{name: value for name, value in place.items() if value},
            "request": folded(request),
            "answer": folded(one.answer),
        }


def _without_known(request: Mapping[str, Any], before: Mapping[str, Any] | None) -> Mapping[str, Any]:
    if before is None:
        return request
    old, new = before["messages"], request["messages"]
    kept = 0
    while kept < min(len(old), len(new)) and old[kept] == new[kept]:
        kept += 1
    left = {name: value for name, value in request.items() if name not in _SHARED or value != before.get(name)}
    gone = [name for name in _SHARED if name in before and name not in request]
    return {"kept": kept, **({"without": gone} if gone else {}), **left, "messages": new[kept:]}


def _with_known(request: Mapping[str, Any], before: Mapping[str, Any]) -> Mapping[str, Any]:
    kept, gone = request["kept"], request.get("without", ())
    shared = {name: before[name] for name in _SHARED if name in before and name not in gone}
    own = {name: value for name, value in request.items() if name not in ("kept", "without")}
    return {**shared, **own, "messages": [*before["messages"][:kept], *request["messages"]]}


def read_cassette(text: str, file: str) -> Cassette:
    """The recording in a file.

    Raises:
        RecordingError: a line is not what it should be, or the file is of another version; with file and line.
    """
    lines = text.split("\n")
    if not text.strip():
        raise RecordingError(file, 1, "it is empty", hint=_WAYS)
    header = _header(_object(lines[0], file, 1), file)
    exchanges: list[Exchange] = []
    talk: dict[str, Mapping[str, Any]] = {}
    for number, line in enumerate(lines[1:], 2):
        if not line.strip():  # an editor's
            continue
        try:
            one = _exchange(_object(line, file, number), number, talk)
        except (KeyError, TypeError, AttributeError, ValueError, IndexError) as error:
            wrong = f"`{error.args[0]}` is missing" if isinstance(error, KeyError) else str(error)
            raise RecordingError(file, number, f"it is no exchange of a recording: {wrong}", hint=_WAYS) from error
        exchanges.append(one)
    return Cassette(header=header, exchanges=tuple(exchanges), file=file)


def _object(line: str, file: str, number: int) -> dict[str, Any]:
    try:
        value = read_json(line)
    except ValueError as error:
        if line.startswith(("<<<<<<<", "=======", ">>>>>>>")):
            wrong = "it holds marks of a merge conflict"
            raise RecordingError(file, number, wrong, hint=f"keep one side of each line, or {_WAYS}") from error
        raise RecordingError(file, number, f"it is not JSON: {error}", hint=_WAYS) from error
    if not isinstance(value, dict):
        raise RecordingError(file, number, "it is no JSON object", hint=_WAYS)
    return value


def _header(line: Mapping[str, Any], file: str) -> Header:
    if line.get("format") != FORMAT:
        raise RecordingError(file, 1, "it is no recording of bridge-run", hint=_WAYS)
    if line.get("version") != VERSION:
        wrote = f" (written by bridge-run {line['bridge_run']})" if "bridge_run" in line else ""
        wrong = f"it is of version {line.get('version')}{wrote}, and this bridge-run reads version {VERSION}"
        newer = isinstance(line.get("version"), int) and line["version"] > VERSION
        raise RecordingError(file, 1, wrong, hint=f"take a newer bridge-run, or {_WAYS}" if newer else _WAYS)
    try:
        return Header(
            workflow=str(line["workflow"]),
            digest=str(line["digest"]),
            bridge_run=str(line["bridge_run"]),
            inputs=dict(unfolded(line["inputs"])),
            models=tuple(line.get("models", ())),
            default_model=line.get("default_model"),
            simulated=bool(line.get("simulated", False)),
            run=None if "run" not in line else str(line["run"]),
            began=None if "began" not in line else _seconds(line["began"]),
        )
    except KeyError as error:
        raise RecordingError(file, 1, f"`{error.args[0]}` is missing", hint=_WAYS) from error
    except (TypeError, ValueError) as error:
        raise RecordingError(file, 1, f"it is no first line of a recording: {error}", hint=_WAYS) from error


def _seconds(text: str) -> float:
    """Unix seconds of an ISO time.

    Raises:
        ValueError: it is none, or does not say of which zone.
    """
    when = datetime.fromisoformat(text)
    if when.tzinfo is None:
        raise ValueError(f"`began` names no time zone: {text}")
    return when.timestamp()


def _exchange(line: Mapping[str, Any], number: int, talk: dict[str, Mapping[str, Any]]) -> Exchange:
    kind = line["kind"]
    if kind not in KINDS:
        raise ValueError(f"there is no kind `{kind}`")
    unit = str(line.get("unit", ""))
    request, answer = unfolded(line["request"]), unfolded(line["answer"])
    if not isinstance(request, dict) or not isinstance(answer, dict):
        raise TypeError("request and answer are objects")
    if kind == "chat":
        if "kept" in request:
            if unit not in talk:
                raise ValueError(f"`kept` counts messages of a request before it, and `{unit}` has none")
            request = dict(_with_known(request, talk[unit]))
        if not isinstance(request["messages"], list):
            raise TypeError("messages are a list")
        talk[unit] = request
    place = Whereabouts(unit=unit, attempt=int(line.get("attempt", 0)), round=int(line.get("round", 0)))
    return Exchange(kind=kind, place=place, request=request, answer=answer, line=number)
