"""Where templates may stand in a workflow file, and what each of these places may name."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Literal

from runner.words.noun import noun
from runner.words.spans import Path
from runner.words.templates import Inspection, has_template, inspect_expression, inspect_template

Role = Literal["step", "expect", "run_env", "shell", "model", "server", "server_secret", "defaults", "outputs"]

ROOTS = ("inputs", "steps", "run", "secrets", "item", "matrix", "loop", "previous", "output", "error")
"""Every name that some place knows."""

_IN_A_STEP = frozenset(("inputs", "steps", "run"))
_KNOWN: Mapping[Role, frozenset[str]] = {
    "step": _IN_A_STEP,
    "expect": _IN_A_STEP | {"output"},
    "run_env": _IN_A_STEP | {"secrets"},
    "shell": frozenset(),
    "model": frozenset(("inputs",)),
    "server": frozenset(("inputs", "run")),
    "server_secret": frozenset(("inputs", "run", "secrets")),
    "defaults": frozenset(("inputs", "run")),
    "outputs": _IN_A_STEP,
}
_EXPANDED = frozenset(("task", "system", "arguments", "stdin", "cwd", "with", "images", "approve"))
_OF_A_ROUND = frozenset(("previous", "loop"))


@noun
class Place:
    """One text that may hold templates, or a bare expression; ``step`` is the index of the step it belongs to."""

    path: Path
    source: str
    role: Role
    inspection: Inspection
    names: frozenset[str]
    step: int | None = None
    bare: bool = False


def template_places(data: Mapping[str, Any]) -> tuple[Place, ...]:
    """Every place of the file, in no particular order; texts without templates are left out."""
    return (*_models(data), *_servers(data), *_defaults(data), *_steps(data), *_texts(data, ("outputs",), "outputs"))


def _texts(
    holder: Any, path: Path, role: Role, names: frozenset[str] | None = None, step: int | None = None
) -> Iterator[Place]:
    """The templates in the value at the end of ``path``, whose last part is its key in ``holder``."""
    if path[-1] in holder:
        yield from _nested(holder[path[-1]], path, role, _KNOWN[role] if names is None else names, step)


def _nested(value: Any, path: Path, role: Role, names: frozenset[str], step: int | None) -> Iterator[Place]:
    if isinstance(value, str):
        if has_template(value):
            inspection = inspect_template(value)
            yield Place(path=path, source=value, role=role, inspection=inspection, names=names, step=step)
    elif isinstance(value, dict):
        for key, item in value.items():
            yield from _nested(item, (*path, key), role, names, step)
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield from _nested(item, (*path, index), role, names, step)


def _models(data: Mapping[str, Any]) -> Iterator[Place]:
    for alias, model in data.get("models", {}).items():
        yield from _model(model, ("models", alias), _KNOWN["model"], None)


def _model(model: Any, path: Path, names: frozenset[str], step: int | None) -> Iterator[Place]:
    """The names of models in a name, a list of them, or a mapping."""
    if not isinstance(model, dict):
        yield from _nested(model, path, "model", names, step)
        return
    for key in ("id", "fallback"):
        yield from _texts(model, (*path, key), "model", names, step)


def _servers(data: Mapping[str, Any]) -> Iterator[Place]:
    for name, server in data.get("mcp_servers", {}).items():
        path = ("mcp_servers", name)
        for key in ("args", "cwd", "root", "url"):
            yield from _texts(server, (*path, key), "server")
        for key in ("env", "headers"):
            yield from _texts(server, (*path, key), "server_secret")


def _defaults(data: Mapping[str, Any]) -> Iterator[Place]:
    defaults = data.get("defaults", {})
    yield from _model(defaults.get("model"), ("defaults", "model"), _KNOWN["model"], None)
    yield from _texts(defaults, ("defaults", "system"), "defaults")


def _steps(data: Mapping[str, Any]) -> Iterator[Place]:
    for index, step in enumerate(data.get("steps", ())):
        yield from _step(step, index)


def _step(step: Mapping[str, Any], index: int) -> Iterator[Place]:
    path: Path = ("steps", index)
    of_an_item = _names_of_an_item(step)
    whole = _IN_A_STEP | of_an_item
    names = whole | _OF_A_ROUND if "repeat" in step else whole
    for key, value in step.items():
        here = (*path, key)
        if key in _EXPANDED:
            yield from _nested(value, here, "step", names, index)
        elif key == "artifacts":  # they are kept when all rounds are over
            yield from _nested(value, here, "step", whole, index)
        elif key == "when":
            yield from _expression(value, here, "step", whole, index)
        elif key == "for_each":
            yield from _expression(value, here, "step", _IN_A_STEP, index)
        elif key == "repeat":
            yield from _expression(value["until"], (*here, "until"), "expect", names | {"output"}, index)
        elif key == "run":
            yield from _nested(value, here, "shell" if isinstance(value, str) else "step", names, index)
        elif key == "env":
            yield from _nested(value, here, "run_env", names | {"secrets"}, index)
        elif key == "model":
            yield from _model(value, here, _KNOWN["model"] | (of_an_item & {"matrix"}), index)
        elif key == "on_error" and isinstance(value, dict):
            yield from _texts(value, (*here, "output"), "step", whole | {"error"}, index)
        elif key == "expect":
            yield from _expectations(value, here, names | {"output"}, index)


def _expectations(checks: Any, path: Path, names: frozenset[str], index: int) -> Iterator[Place]:
    for number, check in enumerate(checks):
        here = (*path, number)
        yield from _expression(check.get("that"), (*here, "that"), "expect", names, index)
        for key in ("run", "message"):
            yield from _texts(check, (*here, key), "expect", names, index)


def _expression(source: Any, path: Path, role: Role, names: frozenset[str], step: int) -> Iterator[Place]:
    if isinstance(source, str):
        # Braces are a finding of their own (BR225); what stands between them is judged once they are gone.
        inspection = Inspection() if has_template(source) else inspect_expression(source)
        yield Place(path=path, source=source, role=role, inspection=inspection, names=names, step=step, bare=True)


def _names_of_an_item(step: Mapping[str, Any]) -> frozenset[str]:
    """What a fan-out adds to the names of its step."""
    if "for_each" in step:
        return frozenset((str(step.get("as", "item")), "loop"))
    return frozenset(("matrix", "loop")) if "matrix" in step else frozenset()
