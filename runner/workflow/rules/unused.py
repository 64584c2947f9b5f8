"""Warnings about what is declared and never used: BR230, BR231."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from runner.words.diagnostics import Diagnostic
from runner.words.spans import Path
from runner.words.templates import has_template
from runner.workflow.rules.kinds import known_values
from runner.workflow.rules.places import Place
from runner.workflow.rules.typing import types_of
from runner.workflow.rules.view import View


def br230_unused_input(view: View) -> Iterable[Diagnostic]:
    """An input that no template reads."""
    declared = view.section("inputs")
    read = _read(view, "inputs")
    if read is None or not read <= set(declared):
        return  # a misspelt name is reported; the one that was meant is not unused
    for name in declared:
        if name not in read:
            span = view.key_span(("inputs", name))
            hint = f"write `{{{{ inputs.{name} }}}}` where it is meant, or take it out"
            yield view.finding("BR230", f"nothing uses the input `{name}`", span, help=hint, level="warning")


def br231_unused_declaration(view: View) -> Iterable[Diagnostic]:
    """A model, server or secret that no step uses."""
    for what, name, path in _unused(view):
        span = view.key_span(path) if path[0] != "secrets" else view.value_span(path)
        yield view.finding("BR231", f"nothing uses the {what} `{name}`", span, help="take it out", level="warning")


def _unused(view: View) -> Iterator[tuple[str, str, Path]]:
    models, servers, defined = set(_models_used(view)), set(_servers_used(view)), view.section("mcp_servers")
    for alias in view.section("models"):
        if alias not in models:
            yield "model", alias, ("models", alias)
    for name in defined if servers <= set(defined) else ():
        if name not in servers:
            yield "MCP server", name, ("mcp_servers", name)
    read = _read(view, "secrets")
    if read is None or not read <= set(view.secrets):
        return
    for index, name in enumerate(view.secrets):
        if name not in read:
            yield "secret", name, ("secrets", index)


def _read(view: View, root: str) -> set[str] | None:
    """The names read below ``root``; None if all of them might be: a template is broken, or takes the whole mapping."""
    if any(_is_broken(place) for place in view.places):
        return None
    paths = [use.path for use in view.uses if use.path[0] == root]
    return None if any(len(path) == 1 for path in paths) else {str(path[1]) for path in paths}


def _is_broken(place: Place) -> bool:
    in_braces = place.bare and has_template(place.source)
    return in_braces or any(problem.kind == "syntax" for problem in place.inspection.problems)


def _models_used(view: View) -> Iterator[str]:
    yield from _names(view.section("defaults").get("model"))
    for step in view.steps:
        yield from _names(step.data.get("model"))
    for model in view.section("models").values():
        yield from _names(model)
    for place in view.places:
        if place.role == "model":
            values = known_values(types_of(view).of_place(place))
            yield from view.section("models") if values is None else map(str, values)


def _names(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, list):
        yield from (item for item in value if isinstance(item, str))
    elif isinstance(value, dict):
        yield from _names([value.get("id"), *value.get("fallback", ())])


def _servers_used(view: View) -> Iterator[str]:
    yield from _names(view.section("defaults").get("mcp_servers"))
    for step in view.steps:
        yield from _names(step.data.get("mcp_servers"))
        if isinstance(step.data.get("tool"), str):
            yield step.data["tool"].partition(".")[0]
