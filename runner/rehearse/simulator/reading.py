"""A simulator script as a file: read, judged, and made into nouns."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from typing import Any

from runner.rehearse.simulator.judge import meaning_findings, shape_findings
from runner.rehearse.simulator.pattern import make_when
from runner.rehearse.simulator.script import (
    Call,
    Fault,
    LoadedAs,
    Pace,
    Reasoning,
    Script,
    ScriptedModel,
    Settings,
    Strike,
    Turn,
)
from runner.rehearse.simulator.striking import strike
from runner.words.diagnostics import Diagnostic, in_file_order
from runner.words.errors import WorkflowError
from runner.words.units import parse_duration, parse_size
from runner.workflow.document import Document, parse_document, read_document
from runner.workflow.schema import schema_text


def read_script(path: str) -> Script:
    """Read the script at ``path``.

    Raises:
        WorkflowError: it cannot be read, is no YAML, or is at fault; with every finding.
    """
    return _script(lambda: read_document(path))


def parse_script(text: str | bytes, file: str) -> Script:
    """Make a script of a text; ``file`` is its name in findings.

    Raises:
        WorkflowError: as ``read_script``.
    """
    return _script(lambda: parse_document(text, file))


def _script(read: Callable[[], Document]) -> Script:
    try:
        document = read()
    except WorkflowError as error:
        raise WorkflowError([_about_scripts(finding) for finding in error.diagnostics]) from error
    schema = json.loads(schema_text("simulator"))
    findings = list(shape_findings(document, schema)) or list(meaning_findings(document))
    if findings:
        raise WorkflowError(in_file_order(findings))
    models = {key: _model(key, given or {}) for key, given in document.data["models"].items()}
    return Script(
        file=document.file,
        settings=_settings(document.data.get("settings", {})),
        models=models,
        faults=tuple(_strikes(document.data)),
    )


def _strikes(data: Mapping[str, Any]) -> Iterator[Strike]:
    yield from (_strike(given, None) for given in data.get("faults", ()))
    for key, model in data["models"].items():
        yield from (_strike(given, key) for given in (model or {}).get("faults", ()))


def _strike(given: Any, model: str | None) -> Strike:
    """A fault strikes once, or as long as it means; with a probability every time, unless ``on`` says otherwise."""
    words = {"name": given} if isinstance(given, str) else given
    usual = replace(strike(words["name"]), model=model)
    usual = replace(usual, on=None) if "probability" in words else usual
    named: dict[str, Any] = {key: words[key] for key in ("probability", "seed") if key in words}
    if "on" in words:
        named["on"] = None if words["on"] == "every" else words["on"]
    return replace(usual, **named)


def _about_scripts(finding: Diagnostic) -> Diagnostic:
    """A finding of the reader, whose advice on how to begin is meant for workflows."""
    begins = finding.help is not None and finding.help.startswith("begin with")
    return replace(finding, help="begin with `models:`") if begins else finding


def _settings(given: Mapping[str, Any]) -> Settings:
    measured: dict[str, Any] = {"jit_ttl": parse_duration(given["jit_ttl"])} if "jit_ttl" in given else {}
    measured |= {key: parse_size(given[key]) for key in ("memory", "download_speed") if key in given}
    if "downloadable" in given:
        measured["downloadable"] = {key: parse_size(size) for key, size in given["downloadable"].items()}
    return Settings(**{**given, **measured})


def _model(key: str, given: Mapping[str, Any]) -> ScriptedModel:
    same = (
        "type", "quantization", "params", "architecture", "format", "max_context_length", "tool_use", "vision",
        "load_error", "parallel", "dimensions", "overflow", "fitted_context",
    )  # fmt: skip
    made: dict[str, Any] = {name: given[name] for name in same if name in given}
    made |= {name: parse_size(given[name]) for name in ("size", "token_size") if name in given}
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
        when=make_when(given.get("when", {})),
        has_json="json" in given,
        calls=tuple(_call(call) for call in given.get("call", ())),
        fault=_fault(given["fault"]) if "fault" in given else None,
        **same,
    )


def _call(given: Mapping[str, Any]) -> Call:
    return Call(tool=given["tool"], arguments=given.get("arguments", {}), text=given.get("arguments_text"))


def _fault(given: Any) -> Fault:
    if isinstance(given, str):
        return Fault(name=given)
    [(name, words)] = given.items()
    if name == "error":
        status = words.get("status", 500)
        return Fault(name="error", status=status, body=words.get("body", {"error": f"status {status} by the script"}))
    return Fault(name=name, text=words)
