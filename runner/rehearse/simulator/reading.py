"""A simulator script as a file: read, judged by its schema, and made into nouns. All problems are shown at once."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path as FilePath
from typing import Any

from runner.rehearse.simulator.pattern import When, echoed
from runner.rehearse.simulator.script import (
    Call,
    Fault,
    LoadedAs,
    Pace,
    Reasoning,
    Script,
    ScriptedModel,
    Settings,
    Turn,
)
from runner.words.diagnostics import Diagnostic, in_file_order
from runner.words.errors import WorkflowError
from runner.words.schemas import Complaint, complaints
from runner.words.spans import Path, show_path
from runner.words.suggest import did_you_mean
from runner.words.units import DURATION_HINT, SIZE_HINT, parse_duration, parse_size
from runner.workflow.document import Document, parse_document, read_document

_SCHEMAS = FilePath(__file__).parents[3] / "schemas"

_CODES = {"additionalProperties": "BR217", "required": "BR218", "type": "BR219"}
_PATTERNS = ("system", "user", "tool_result", "anywhere")


def read_script(path: str) -> Script:
    """Read the script at ``path``.

    Raises:
        WorkflowError: it cannot be read, is no YAML, or is at fault; with every finding.
    """
    return _script(read_document(path))


def parse_script(text: str | bytes, file: str) -> Script:
    """Make a script of a text; ``file`` is its name in findings.

    Raises:
        WorkflowError: as ``read_script``.
    """
    return _script(parse_document(text, file))


def _script(document: Document) -> Script:
    schema = json.loads((_SCHEMAS / "simulator.schema.json").read_text(encoding="utf-8"))
    findings = list(_shape(document, schema)) or list(_meaning(document))
    if findings:
        raise WorkflowError(in_file_order(findings))
    models = {key: _model(key, given or {}) for key, given in document.data["models"].items()}
    return Script(file=document.file, settings=_settings(document.data.get("settings", {})), models=models)


# --- judging ------------------------------------------------------------------------------------------------------


def _shape(document: Document, schema: Mapping[str, Any]) -> Iterator[Diagnostic]:
    """What the schema complains about; an unknown key is shown with the key that was meant."""
    for complaint in complaints(schema, document.data):
        if complaint.keyword == "additionalProperties":
            yield from _unknown_keys(document, schema, complaint)
        else:
            yield Diagnostic(
                code=_CODES.get(complaint.keyword, "BR220"),
                message=f"{show_path(complaint.path) or 'the script'}: {_message(complaint)}",
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


def _message(complaint: Complaint) -> str:
    if complaint.keyword == "not":
        first, second = complaint.expected["required"]
        return f"`{first}` and `{second}` exclude each other"
    return complaint.message


def _hint(complaint: Complaint) -> str | None:
    if complaint.keyword != "pattern":
        return None
    return DURATION_HINT if "ms" in str(complaint.expected) else SIZE_HINT if "GB" in str(complaint.expected) else None


def _meaning(document: Document) -> Iterator[Diagnostic]:
    """What the schema cannot see: zero durations, patterns that are none, echoes of groups that no pattern has."""
    settings = document.data.get("settings", {})
    yield from _measures(document, ("settings",), settings, ("jit_ttl",))
    for key, model in document.data["models"].items():
        path: Path = ("models", key)
        yield from _measures(document, path, model, ("load_time", "first_token", "size"))
        yield from _contexts(document, path, model)
        for index, turn in enumerate(model.get("turns", ())):
            yield from _turn_findings(document, (*path, "turns", index), turn)
        yield from _turn_findings(document, (*path, "default"), model.get("default", {}))


def _measures(document: Document, path: Path, given: Mapping[str, Any], keys: tuple[str, ...]) -> Iterator[Diagnostic]:
    for key in keys:
        try:
            (parse_size if key == "size" else parse_duration)(given.get(key, "1B" if key == "size" else "1s"))
        except ValueError as error:
            hint = SIZE_HINT if key == "size" else f"{DURATION_HINT}; leave it out for no time"
            yield _wrong(document, (*path, key), str(error), code="BR215", hint=hint)


def _contexts(document: Document, path: Path, model: Mapping[str, Any]) -> Iterator[Diagnostic]:
    loaded = model.get("loaded")
    wanted = loaded.get("context_length", 0) if isinstance(loaded, dict) else 0
    most = model.get("max_context_length", ScriptedModel(key="").max_context_length)
    if wanted > most:
        message = f"a context of {wanted} tokens is more than the model's `max_context_length`, {most}"
        yield _wrong(document, (*path, "loaded", "context_length"), message, hint="lower it, or raise the model's")


def _turn_findings(document: Document, path: Path, turn: Mapping[str, Any]) -> Iterator[Diagnostic]:
    broken = False
    for name in _PATTERNS:
        text = turn.get("when", {}).get(name)
        try:
            re.compile(text or "")
        except re.error as error:
            broken = True
            hint = "write a regular expression as Python has them"
            yield _wrong(document, (*path, "when", name), f"no regular expression: {error}", hint=hint)
    if not broken:
        yield from _echo_findings(document, path, turn)


def _echo_findings(document: Document, path: Path, turn: Mapping[str, Any]) -> Iterator[Diagnostic]:
    known = _when(turn.get("when", {})).groups()
    for key in ("say", "json", "call", "reasoning"):
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


# --- making the nouns ---------------------------------------------------------------------------------------------


def _settings(given: Mapping[str, Any]) -> Settings:
    measured = {"jit_ttl": parse_duration(given["jit_ttl"])} if "jit_ttl" in given else {}
    return Settings(**{**given, **measured})


def _model(key: str, given: Mapping[str, Any]) -> ScriptedModel:
    same = (
        "type", "quantization", "params", "architecture", "format", "max_context_length", "tool_use", "vision",
        "load_error", "parallel", "dimensions",
    )  # fmt: skip
    made: dict[str, Any] = {name: given[name] for name in same if name in given}
    if "size" in given:
        made["size"] = parse_size(given["size"])
    if "reasoning" in given:
        options = tuple(given["reasoning"]["allowed_options"])
        made["reasoning"] = Reasoning(allowed_options=options, default=given["reasoning"].get("default", options[0]))
    if given.get("loaded"):
        made["loaded"] = LoadedAs(**given["loaded"]) if isinstance(given["loaded"], dict) else LoadedAs()
    if "default" in given:
        made["default"] = _turn(given["default"])
    return ScriptedModel(
        key=key,
        publisher=given.get("publisher") or key.rpartition("/")[0] or "local",
        pace=_pace(given),
        turns=tuple(_turn(turn) for turn in given.get("turns", ())),
        **made,
    )


def _pace(given: Mapping[str, Any]) -> Pace:
    return Pace(
        load=parse_duration(given["load_time"]) if "load_time" in given else 0.0,
        first_token=parse_duration(given["first_token"]) if "first_token" in given else 0.0,
        tokens_per_second=given.get("tokens_per_second"),
    )


def _turn(given: Mapping[str, Any]) -> Turn:
    same = {name: given[name] for name in ("say", "json", "reasoning", "finish", "chunk", "times") if name in given}
    return Turn(
        when=_when(given.get("when", {})),
        has_json="json" in given,
        calls=tuple(_call(call) for call in given.get("call", ())),
        fault=_fault(given["fault"]) if "fault" in given else None,
        **same,
    )


def _when(given: Mapping[str, Any]) -> When:
    patterns = {name: re.compile(given[name]) for name in _PATTERNS if name in given}
    return When(turn=given.get("turn"), offered=given.get("offered"), schema=given.get("schema"), **patterns)


def _call(given: Mapping[str, Any]) -> Call:
    return Call(tool=given["tool"], arguments=given.get("arguments", {}), text=given.get("arguments_text"))


def _fault(given: Any) -> Fault:
    if isinstance(given, str):
        return Fault(kind=given)  # type: ignore[arg-type]  # the schema names the kinds
    [(kind, words)] = given.items()
    if kind == "error":
        status = words.get("status", 500)
        return Fault(kind="error", status=status, body=words.get("body", {"error": f"status {status} by the script"}))
    return Fault(kind=kind, text=words)
