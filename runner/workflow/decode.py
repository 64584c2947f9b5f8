"""A document of the right shape becomes a ``Workflow``: no dictionaries of the file live past here."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from runner.words.diagnostics import Diagnostic, in_file_order
from runner.words.noun import noun
from runner.words.spans import Path
from runner.workflow.allow import read_allows
from runner.workflow.decode_step import Defaults, Needs, decode_step, read_limits, read_retry
from runner.workflow.document import Document
from runner.workflow.model import Input, Retry, RunLimits, Server, Step, StepLimits, Workflow
from runner.workflow.places import Places
from runner.workflow.reading import Reading, SchemaReader, given
from runner.workflow.wish import name_model, read_wish


@noun
class Decoded:
    """A workflow whose meaning nobody has judged yet, and what was wrong with single values."""

    workflow: Workflow
    findings: tuple[Diagnostic, ...]


def decode(
    document: Document,
    read_schema: SchemaReader,
    *,
    needs: Needs | None = None,
    callees: Mapping[int, Workflow] | None = None,
) -> Decoded:
    """Decode a document without shape findings.

    ``needs`` are those inferred: a step that is not among them has those written. ``defaults`` are merged into the
    steps; ``folder`` is left to the caller. A model that is written out as a mapping at a step or in ``defaults`` is
    named after its place (``steps[0].model``). ``callees`` are the workflows that the steps call, by index.
    """
    reading = Reading(document, read_schema)
    data = document.data
    models = {alias: read_wish(reading, value, ("models", alias), alias) for alias, value in _map(data, "models")}
    defaults = data.get("defaults", {})
    steps = _steps(reading, data, needs or {}, callees or {})
    allows, doubtful = read_allows(document)
    default_model = name_model(reading, defaults.get("model"), ("defaults", "model"))
    workflow = Workflow(
        name=data["name"],
        file=document.file,
        folder="",
        description=data.get("description", ""),
        inputs={name: _input(name, value) for name, value in _map(data, "inputs")},
        secrets=tuple(data.get("secrets", ())),
        models=models | reading.wishes,
        default_model=default_model,
        default_sampling=defaults.get("sampling", {}),
        servers={name: _server(reading, name, value) for name, value in _map(data, "mcp_servers")},
        limits=_run_limits(reading, data.get("limits", {})),
        workspace=data.get("workspace", "here"),
        steps=steps,
        outputs=data.get("outputs"),
        spans=Places(document),
        allows=allows,
    )
    return Decoded(workflow=workflow, findings=in_file_order((*reading.findings, *doubtful)))


def _map(data: Mapping[str, Any], key: str) -> list[tuple[str, Any]]:
    return list(data.get(key, {}).items())


def _steps(
    reading: Reading, data: Mapping[str, Any], needs: Needs, callees: Mapping[int, Workflow]
) -> tuple[Step, ...]:
    written = data.get("defaults", {})
    defaults = Defaults(
        written=written,
        timeout=reading.seconds(written, "timeout", ("defaults",)),
        retry=Retry(**read_retry(reading, written.get("retry", {}), ("defaults", "retry"))),
        limits=StepLimits(**read_limits(reading, written.get("limits", {}), ("defaults", "limits"))),
        needs=needs,
        callees=callees,
    )
    return tuple(decode_step(reading, value, index, defaults) for index, value in enumerate(data["steps"]))


def _input(name: str, value: Mapping[str, Any]) -> Input:
    schema = {key: part for key, part in value.items() if key != "default"}
    return Input(name=name, schema=schema, required="default" not in value, default=value.get("default"))


def _server(reading: Reading, name: str, value: Mapping[str, Any]) -> Server:
    path: Path = ("mcp_servers", name)
    return Server(
        name=name,
        path=path,
        command=value.get("command"),
        args=reading.words(value, "args", path),
        env=reading.texts(value, "env", path),
        cwd=value.get("cwd"),
        url=value.get("url"),
        headers=reading.texts(value, "headers", path),
        transport=value.get("transport", "http"),
        builtin=value.get("builtin"),
        root=value.get("root", "."),
        write=value.get("write", False),
        source=value.get("from"),
        tools=tuple(value.get("tools", ("*",))),
        isolate=value.get("isolate", False),
        **given(
            timeout=reading.seconds(value, "timeout", path),
            start_timeout=reading.seconds(value, "start_timeout", path),
        ),
    )


def _run_limits(reading: Reading, value: Mapping[str, Any]) -> RunLimits:
    rest = {key: part for key, part in value.items() if key != "time"}
    return RunLimits(time=reading.seconds(value, "time", ("limits",)), **rest)
