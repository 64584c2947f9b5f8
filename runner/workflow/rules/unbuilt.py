"""BR221: keys of format 1 that this version cannot carry out yet. Refused, never ignored."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, NamedTuple

from runner.words.diagnostics import Diagnostic
from runner.words.spans import Path
from runner.workflow.rules.view import View


class Unbuilt(NamedTuple):
    """A key, which of its values are not built, and what to do until they are."""

    key: str
    way_out: str
    is_unbuilt: Callable[[Any], bool] = lambda _: True


def _other_than(*built: Any) -> Callable[[Any], bool]:
    return lambda value: value not in built


_FOR_EACH = "write one step for each item"

TOP: tuple[Unbuilt, ...] = (
    Unbuilt("workspace", "leave it out: steps work in the folder itself; commit before you start", _other_than("here")),
)
SERVER: tuple[Unbuilt, ...] = (Unbuilt("isolate", "leave it out: one process serves the whole run", bool),)
STEP: tuple[Unbuilt, ...] = (
    Unbuilt("workflow", "copy the steps of that file into this one"),
    Unbuilt("approve", "end the workflow here, and start a second one after the decision"),
    Unbuilt("join", "leave it out: a step runs when all it needs has succeeded", _other_than("all_succeeded")),
    Unbuilt("for_each", _FOR_EACH),
    Unbuilt("as", _FOR_EACH),
    Unbuilt("max_parallel", "use `limits: {parallel: …}` at the top of the file"),
    Unbuilt("fail_fast", "use `limits: {fail_fast: true}` at the top of the file"),
    Unbuilt("matrix", "write one step for each row"),
    Unbuilt("repeat", "use `expect`: a miss goes back to the model, up to `repair` times"),
    Unbuilt("order", "leave it out"),
    Unbuilt("artifacts", "let the step write the files where you want them"),
    Unbuilt("reads_only", "give the step only tools that read"),
    Unbuilt("with", "copy the steps of that file into this one"),
)


def br221_not_built_yet(view: View) -> Iterable[Diagnostic]:
    """Every key of these tables that the file uses."""
    for table, holder, path in _holders(view):
        for unbuilt in table:
            if unbuilt.key in holder and unbuilt.is_unbuilt(holder[unbuilt.key]):
                yield _finding(view, (*path, unbuilt.key), _shown(unbuilt.key, holder[unbuilt.key]), unbuilt.way_out)


def _holders(view: View) -> Iterator[tuple[tuple[Unbuilt, ...], Mapping[str, Any], Path]]:
    yield TOP, view.document.data, ()
    for name, server in view.section("mcp_servers").items():
        yield SERVER, server, ("mcp_servers", name)
    for step in view.steps:
        yield STEP, step.data, step.path


def _shown(key: str, value: Any) -> str:
    if key in {"join", "workspace", "isolate"}:
        return f"`{key}: {str(value).lower()}`"
    return f"`{key}`"


def _finding(view: View, path: Path, what: str, way_out: str) -> Diagnostic:
    message = f"{what} is part of the format, but this version of bridge-run cannot carry it out yet"
    return view.finding("BR221", message, view.key_span(path), help=way_out)
