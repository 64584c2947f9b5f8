"""The text of a lock file becomes a ``Lock``, or findings that say what is wrong with it and where."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any, Final

from runner.chat.catalogue import Instance, ModelEntry
from runner.plan.lock.lock import VERSION, Lock, LockedEndpoint, LockedModel, LockedServer, LockedTool
from runner.plan.lock.tool import fingerprint
from runner.words.diagnostics import Diagnostic, in_file_order
from runner.words.errors import WorkflowError
from runner.words.schemas import complaints
from runner.words.spans import Path, Span, show_path
from runner.workflow.document import Document, parse_document
from runner.workflow.schema import schema_text

CODE: Final = "BR510"
_ANEW: Final = "write it anew: `bridge-run lock`"
_CONFLICT: Final = re.compile(r"^(?:<{7}|={7}|>{7}|\|{7})(?: |$)", re.MULTILINE)


def read_lock(source: str | bytes, file: str) -> Lock:
    """The lock that a text holds; ``file`` is its name in findings.

    Raises:
        WorkflowError: it holds a merge conflict, is no lock, or one of another version; each finding is BR510.
    """
    _refuse_conflict(source, file)
    try:
        document = parse_document(source, file, start=_ANEW)
    except WorkflowError as error:
        raise WorkflowError([_ours(found) for found in error.diagnostics if found.level == "error"]) from error
    _refuse_foreign(document)
    import json

    wrong = [
        _finding(document, found.path, f"`{show_path(found.path)}`: {found.message}" if found.path else found.message)
        for found in complaints(json.loads(schema_text("lock")), document.data)
    ]
    if wrong:
        raise WorkflowError(in_file_order(wrong))
    lock = _lock(document.data, file)
    edited = tuple(_edited(document, lock))
    if edited:
        raise WorkflowError(edited)
    return lock


def _refuse_conflict(source: str | bytes, file: str) -> None:
    text = source if isinstance(source, str) else source.decode("utf-8", "replace")
    found = _CONFLICT.search(text)
    if found is None:
        return
    line = text.count("\n", 0, found.start()) + 1
    width = len(text[found.start() :].partition("\n")[0].rstrip("\r"))
    message = "a merge left its marks in this lock file"
    ways = "take one side (`git checkout --ours` or `--theirs`), then write it anew: `bridge-run lock`"
    raise WorkflowError(
        [Diagnostic(code=CODE, message=message, file=file, span=Span(line, 1, line, 1 + width), help=ways)]
    )


def _refuse_foreign(document: Document) -> None:
    version = document.data.get("version")
    if isinstance(version, int) and not isinstance(version, bool) and version > VERSION:
        message = f"this lock file is of version {version}, and this bridge-run reads version {VERSION}"
        ways = "take a newer bridge-run, or write the file anew with this one: `bridge-run lock`"
        raise WorkflowError([_finding(document, ("version",), message, ways)])
    if "version" not in document.data or not {"model_servers", "mcp_servers"} & document.data.keys():
        message = "this is no lock file of bridge-run"
        ways = "name another by `--locked=FILE`, or write one: `bridge-run lock --file FILE`"
        raise WorkflowError([Diagnostic(code=CODE, message=message, file=document.file, help=ways)])


def _ours(found: Diagnostic) -> Diagnostic:
    return replace(found, code=CODE, help=_ANEW)


def _finding(document: Document, path: Path, message: str, ways: str = _ANEW) -> Diagnostic:
    span = document.span(path) if path else None
    return Diagnostic(code=CODE, message=message, file=document.file, span=span, help=ways)


def _edited(document: Document, lock: Lock) -> Iterator[Diagnostic]:
    """Tools whose definition and fingerprint do not belong together."""
    for at, server in enumerate(lock.servers):
        for number, tool in enumerate(server.tools or ()):
            if tool.definition is not None and fingerprint(tool.name, tool.definition) != tool.sha256:
                place = ("mcp_servers", at, "tools", number, "sha256")
                message = f"the definition of `{server.names[0]}.{tool.name}` is not the one of this fingerprint"
                yield _finding(document, place, message, f"somebody edited it, or a merge mixed two; {_ANEW}")


def _lock(data: Mapping[str, Any], file: str) -> Lock:
    return Lock(
        file=file,
        endpoints=tuple(map(_endpoint, data["model_servers"])),
        servers=tuple(map(_server, data["mcp_servers"])),
        default_model=data.get("default_model"),
        missing=tuple(data.get("missing_models", ())),
    )


def _endpoint(data: Mapping[str, Any]) -> LockedEndpoint:
    settings = data.get("load_settings")
    return LockedEndpoint(
        flavour=data["flavour"],
        name=data.get("name"),
        manages=data.get("manages", False),
        loads_on_demand=data.get("loads_on_demand", False),
        load_settings=None if settings is None else tuple(settings),
        models=tuple(map(_model, data["models"])),
    )


def _model(data: Mapping[str, Any]) -> LockedModel:
    abilities = data.get("capabilities", {})
    served = tuple(Instance(**one) for one in data.get("served", ()))
    plain = ("publisher", "architecture", "quantization", "format", "size_bytes", "parameters", "max_context_length")
    entry = ModelEntry(
        key=data["key"],
        type=data.get("type", "unknown"),
        tool_use=abilities.get("tool_use"),
        vision=abilities.get("vision"),
        reasoning_options=tuple(abilities.get("reasoning", ())),
        reasoning_default=abilities.get("reasoning_default"),
        variants=tuple(data.get("variants", ())),
        instances=served,
        loaded=True if served else None,
        **{name: data.get(name) for name in plain},
    )
    return LockedModel(names=tuple(data["names"]), entry=entry)


def _server(data: Mapping[str, Any]) -> LockedServer:
    tools = data.get("tools")
    return LockedServer(
        names=tuple(data["names"]),
        start=data["start"],
        said=data.get("server", {}),
        tools=None if tools is None else tuple(map(_tool, tools)),
    )


def _tool(data: Mapping[str, Any]) -> LockedTool:
    return LockedTool(name=data["name"], sha256=data["sha256"], definition=data.get("definition"))
