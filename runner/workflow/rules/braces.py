"""Rules about templates as such: BR209, BR210, BR216, BR225, BR228."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from runner.words.diagnostics import Diagnostic
from runner.words.spans import Path
from runner.words.templates import has_template
from runner.workflow.rules.view import View


def br209_unknown_filter(view: View) -> Iterable[Diagnostic]:
    """A filter or test that does not exist."""
    for place in view.places:
        for problem in place.inspection.problems:
            if problem.kind in {"unknown_filter", "unknown_test"}:
                message, _, hint = problem.message.partition("; ")
                span = view.inner_span(place.path, problem.offset, problem.length)
                yield view.finding("BR209", message, span, help=hint or None)


def br216_broken_template(view: View) -> Iterable[Diagnostic]:
    """A template or expression that cannot be read, or does what is not allowed."""
    for place in view.places:
        for problem in place.inspection.problems:
            if problem.kind in {"syntax", "forbidden"}:
                message, _, hint = problem.message.partition("; ")
                span = view.inner_span(place.path, problem.offset, problem.length)
                what = "expression" if place.bare else "template"
                text = f"this {what} is broken: {message}" if problem.kind == "syntax" else message
                yield view.finding("BR216", text, span, help=hint or None)


def br210_template_in_shell(view: View) -> Iterable[Diagnostic]:
    """A template in a string that a shell will read: what it brings could be a command."""
    for place in view.places:
        if place.role == "shell":
            start = min(at for at in map(place.source.find, ("{{", "{%", "{#")) if at >= 0)
            hint = 'pass the value by `env: {NAME: "{{ … }}"}` and write "$NAME" in the command'
            span = view.inner_span(place.path, start, 2)
            yield view.finding("BR210", "a shell command takes no templates", span, help=hint)


def br225_braces_in_expression(view: View) -> Iterable[Diagnostic]:
    """Braces where a bare expression is expected."""
    for place in view.places:
        if place.bare and has_template(place.source):
            inner = place.source.strip().removeprefix("{{").removesuffix("}}").strip()
            hint = f"write `{place.path[-1]}: {inner}`" if "{{" not in inner else "write the expression without braces"
            message = f"`{place.path[-1]}` is an expression already, it takes no braces"
            yield view.finding("BR225", message, view.value_span(place.path), help=hint)


_FREE_TEXT = frozenset(("description", "title", "$comment", "examples", "name"))


def br228_template_not_expanded(view: View) -> Iterable[Diagnostic]:
    """A template in a key that takes none: it would be used letter by letter."""
    known = {place.path for place in view.places}
    for path, text in _texts(view.document.data, ()):
        if path not in known and has_template(text):
            start = min(at for at in map(text.find, ("{{", "{%", "{#")) if at >= 0)
            message, hint = _takes_none(path)
            yield view.finding("BR228", message, view.inner_span(path, start, 2), help=hint)


def _takes_none(path: Path) -> tuple[str, str]:
    if path[0] == "steps" and path[2:3] == ("for_each",):
        return "a list that is written out takes no templates", "write an expression, such as `for_each: inputs.paths`"
    if path[0] == "steps" and path[2:3] == ("matrix",):
        return "`matrix` takes no templates: its rows are known before anything starts", "write the values themselves"
    hint = "write the value itself; templates may stand in prompts, arguments, commands and outputs"
    return f"`{_key(path)}` takes no templates", hint


def _key(path: Path) -> str:
    return next((str(part) for part in reversed(path) if isinstance(part, str)), "")


def _texts(value: Any, path: Path) -> Iterator[tuple[Path, str]]:
    if isinstance(value, str):
        if "{" in value:
            yield path, value
    elif isinstance(value, dict):
        for key, item in value.items():
            if not _is_free(path, key):
                yield from _texts(item, (*path, key))
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield from _texts(item, (*path, index))


def _is_free(path: Path, key: Any) -> bool:
    """What is for people, and what a JSON Schema says: braces there mean nothing."""
    if key in _FREE_TEXT:
        return True
    in_step = len(path) == 2 and path[0] == "steps"
    in_input = len(path) == 2 and path[0] == "inputs"
    return (in_step and key in {"output", "repeat"}) or (in_input and key != "default")
