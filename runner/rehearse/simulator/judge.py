"""What is wrong with a simulator script: its shape by the schema, then what no schema can see. All findings at once."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from runner.rehearse.simulator.fault import FAULTS, fault_named, of_answers
from runner.rehearse.simulator.pattern import TEXTS, echoed, make_when
from runner.rehearse.simulator.script import ScriptedModel
from runner.words.complaint import quoted
from runner.words.diagnostics import Diagnostic
from runner.words.schemas import Complaint, complaints
from runner.words.spans import Path, show_path
from runner.words.suggest import did_you_mean
from runner.words.units import DURATION_HINT, SIZE_HINT, parse_duration, parse_size
from runner.workflow.document import Document

_CODES = {"additionalProperties": "BR217", "required": "BR218", "type": "BR219"}
_MEASURES = {
    "ms": ("a duration", DURATION_HINT),
    "GB": ("a size", SIZE_HINT),
    "\\.": ("a version", "write three numbers: 0.4.25"),
}
_SIZES = ("size", "token_size", "memory", "download_speed")
_SAYS = ("say", "json", "call", "reasoning")


def shape_findings(document: Document, schema: Mapping[str, Any]) -> Iterator[Diagnostic]:
    """What the schema complains about; an unknown key is shown with the key that was meant."""
    for complaint in complaints(schema, document.data):
        if complaint.keyword == "additionalProperties":
            yield from _unknown_keys(document, schema, complaint)
        else:
            yield Diagnostic(
                code=_CODES.get(complaint.keyword, "BR220"),
                message=f"{show_path(complaint.path) or 'the script'}: {_message(document, complaint)}",
                file=document.file,
                span=document.span(complaint.path),
                help=_hint(complaint),
            )


def _unknown_keys(document: Document, schema: Mapping[str, Any], complaint: Complaint) -> Iterator[Diagnostic]:
    known = sorted(_known_keys(schema, complaint.schema_path))
    for name in complaint.names:
        yield Diagnostic(
            code="BR217",
            message=f"{show_path(complaint.path) or 'the script'}: unknown key `{name}`",
            file=document.file,
            span=document.key_span((*complaint.path, name)),
            help=did_you_mean(name, known) or f"known here: {', '.join(known)}",
        )


def _known_keys(schema: Any, path: Path) -> Iterator[str]:
    """The keys of the mapping whose ``additionalProperties`` stands at ``path`` of the schema."""
    node = schema
    for part in path[:-1]:
        node = node[part]
        if isinstance(node, dict) and "$ref" in node:
            node = schema["$defs"][node["$ref"].rpartition("/")[2]]
    yield from node.get("properties", {})


def _message(document: Document, complaint: Complaint) -> str:
    if complaint.keyword == "not":
        first, second = complaint.expected["required"]
        return f"`{first}` and `{second}` exclude each other"
    if complaint.keyword == "pattern":
        return f"{quoted(_value(document, complaint.path))} is not {_MEASURES[_measure(complaint)][0]}"
    return complaint.message


def _hint(complaint: Complaint) -> str | None:
    return _MEASURES[_measure(complaint)][1] if complaint.keyword == "pattern" else None


def _measure(complaint: Complaint) -> str:
    """What a pattern of the schema stands for, by a unit that only it has."""
    return next(unit for unit in _MEASURES if unit in str(complaint.expected))


def _value(document: Document, path: Path) -> Any:
    value: Any = document.data
    for part in path:
        value = value[part]
    return value


def meaning_findings(document: Document) -> Iterator[Diagnostic]:
    """What the schema cannot see: zero durations, patterns that are none, echoes of groups that no pattern has."""
    settings = document.data.get("settings", {})
    yield from _measures(document, ("settings",), settings, ("jit_ttl", "memory", "download_speed"))
    coming = settings.get("downloadable", {})
    yield from _measures(document, ("settings", "downloadable"), coming, tuple(coming), size=True)
    yield from _strike_findings(document, ("faults",), document.data.get("faults", ()))
    for key, model in document.data["models"].items():
        path: Path = ("models", key)
        yield from _measures(document, path, model, ("load_time", "first_token", "size", "token_size"))
        yield from _contexts(document, path, model)
        yield from _strike_findings(document, (*path, "faults"), model.get("faults", ()))
        for index, turn in enumerate(model.get("turns", ())):
            yield from _turn_findings(document, (*path, "turns", index), turn)
        yield from _turn_findings(document, (*path, "default"), model.get("default", {}))


def _measures(
    document: Document, path: Path, given: Mapping[str, Any], keys: tuple[str, ...], *, size: bool = False
) -> Iterator[Diagnostic]:
    for key in keys:
        is_size = size or key in _SIZES
        try:
            (parse_size if is_size else parse_duration)(given.get(key, "1B" if is_size else "1s"))
        except ValueError as error:
            hint = SIZE_HINT if is_size else f"{DURATION_HINT}; leave it out for no time"
            yield _wrong(document, (*path, key), str(error), code="BR215", hint=hint)


def _strike_findings(document: Document, path: Path, strikes: Iterable[Any]) -> Iterator[Diagnostic]:
    for index, given in enumerate(strikes):
        place = (*path, index) if isinstance(given, str) else (*path, index, "name")
        name = given if isinstance(given, str) else given["name"]
        if name not in FAULTS:
            yield _unknown_fault(document, place, name, FAULTS)
        elif len(path) > 1 and FAULTS[name].needs == "server":
            message = f"`{name}` strikes the whole server, not one model"
            yield _wrong(document, place, message, hint="write it under the `faults` of the script")


def _fault_finding(document: Document, path: Path, name: Any) -> Iterator[Diagnostic]:
    """What is wrong with the fault of a turn that is a name."""
    if not isinstance(name, str):
        return
    kind = fault_named(name)
    if kind is None:
        yield _unknown_fault(document, path, name, (n for n, kind in FAULTS.items() if of_answers(kind)))
    elif not of_answers(kind):
        message = f"`{name}` strikes a load or the whole server, not one answer"
        yield _wrong(document, path, message, hint="write it under the `faults` of the script")


def _unknown_fault(document: Document, path: Path, name: str, known: Iterable[str]) -> Diagnostic:
    hint = did_you_mean(name, known) or "`bridge-run simulate --faults list` prints them all"
    return _wrong(document, path, f"there is no fault `{name}`", hint=hint)


def _contexts(document: Document, path: Path, model: Mapping[str, Any]) -> Iterator[Diagnostic]:
    loaded = model.get("loaded")
    wanted = loaded.get("context_length", 0) if isinstance(loaded, dict) else 0
    most = model.get("max_context_length", ScriptedModel(key="").max_context_length)
    if wanted > most:
        message = f"a context of {wanted} tokens is more than the model's `max_context_length`, {most}"
        yield _wrong(document, (*path, "loaded", "context_length"), message, hint="lower it, or raise the model's")


def _turn_findings(document: Document, path: Path, turn: Mapping[str, Any]) -> Iterator[Diagnostic]:
    broken = False
    for name in TEXTS:
        text = turn.get("when", {}).get(name)
        try:
            re.compile(text or "")
        except re.error as error:
            broken = True
            hint = "write a regular expression as Python has them"
            yield _wrong(document, (*path, "when", name), f"no regular expression: {error}", hint=hint)
    if turn and not any(key in turn for key in (*_SAYS, "fault")):
        yield _wrong(
            document, path, "says nothing", hint='add `say`, `json`, `call` or `fault`; `say: ""` says nothing too'
        )
    yield from _fault_finding(document, (*path, "fault"), turn.get("fault"))
    if not broken:
        yield from _echo_findings(document, path, turn)


def _echo_findings(document: Document, path: Path, turn: Mapping[str, Any]) -> Iterator[Diagnostic]:
    known = make_when(turn.get("when", {})).groups()
    for key in _SAYS:
        for name in dict.fromkeys(echoed(turn.get(key))):
            if name not in known:
                shown = ", ".join(sorted(known)) or "none"
                hint = f"groups of this turn's `when`: {shown}"
                yield _wrong(document, (*path, key), f"`match` has no group `{name}`", code="BR207", hint=hint)


def _wrong(document: Document, path: Path, message: str, *, hint: str, code: str = "BR220") -> Diagnostic:
    return Diagnostic(
        code=code,
        message=f"{show_path(path)}: {message}",
        file=document.file,
        span=document.span(path),
        help=hint,
    )
