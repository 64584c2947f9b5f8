"""Templates of the workflow file: rendering them, and judging them before anything runs.

The language is Jinja's in a sandbox (``words.sandbox``); this module never imports it at its top, and not at all for
texts without braces and for plain paths such as ``{{ inputs.path }}``. What a model or a tool said arrives as data and
is never expanded.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import Any

from runner.words.errors import TemplateError
from runner.words.inspection import Expression, Filtered, Inspection, Problem, Reference
from runner.words.json_text import as_text, write_json
from runner.words.plain_template import Hole, MissingError, look_up, split_expression, split_template

__all__ = [
    "Inspection", "Json", "Names", "Problem", "Reference", "evaluate", "has_template", "inspect_expression",
    "inspect_template", "render", "render_text", "template_holes", "template_value", "truth",
]  # fmt: skip

Json = Any
"""A plain JSON value: None, bool, int, float, str, list, dict."""
Names = Mapping[str, Json]
"""What a template may name: ``{"inputs": {…}, "steps": {…}, …}``."""

_PLAIN_LIMIT = 1024 * 1024


_NOTHING = Inspection()


def has_template(text: str) -> bool:
    """True if the text holds a template, be it a broken one."""
    return "{" in text and ("{{" in text or "{%" in text or "{#" in text)


def render(value: Json, names: Names) -> Json:
    """The value with every template in it rendered, in nested lists and mappings too (keys stay as they are).

    A text that is exactly one ``{{ expression }}`` becomes the expression's value with its type.

    Raises:
        TemplateError: a template met data that it cannot render.
    """
    if isinstance(value, str):
        return _render(value, names) if has_template(value) else value
    if isinstance(value, Mapping):
        return {key: render(item, names) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [render(item, names) for item in value]
    return value


def render_text(value: Json, names: Names) -> str:
    """A value with its templates rendered, as text: null is nothing, booleans ``true``/``false``, structures JSON.

    Raises:
        TemplateError: as ``render``; also if the text is longer than 1 MB.
    """
    text = as_text(render(value, names))
    if len(text) > _PLAIN_LIMIT and not (isinstance(value, str) and text is value):
        raise TemplateError(
            "the template gives more than 1 MB of text", hint="pass a part of it, or the path of a file"
        )
    return text


def evaluate(expression: str, names: Names) -> Json:
    """The value of a bare expression, such as that of ``when``.

    Raises:
        TemplateError: as ``render``.
    """
    hole = split_expression(expression)
    if hole is not None:
        try:
            return _value(hole, names)
        except (MissingError, ValueError):
            pass  # the sandbox says what is missing, or is no JSON
    from runner.words.template_run import run_expression

    return run_expression(expression, names)


def truth(expression: str, names: Names) -> bool:
    """Whether the expression holds; null, zero and what is empty do not.

    Raises:
        TemplateError: as ``render``.
    """
    return bool(evaluate(expression, names))


def _render(source: str, names: Names) -> Json:
    parts = split_template(source)
    if parts is not None:
        try:
            return _fill(parts, names)
        except (MissingError, ValueError):
            pass  # the sandbox says what is missing, or is no JSON
    from runner.words.template_run import run_template

    return run_template(source, names)


def _fill(parts: tuple[str | Hole, ...], names: Names) -> Json:
    if len(parts) == 1 and isinstance(parts[0], Hole):
        return _value(parts[0], names)
    text = "".join(part if isinstance(part, str) else as_text(_value(part, names)) for part in parts)
    if len(text) > _PLAIN_LIMIT:
        raise MissingError
    return text


def _value(hole: Hole, names: Names) -> Json:
    if hole.filters not in {(), ("tojson",)}:
        raise MissingError
    value = look_up(hole.path, names)
    if hole.filters:
        return write_json(value)
    if isinstance(value, str) and len(value) > _PLAIN_LIMIT:
        raise MissingError
    return value


@lru_cache(maxsize=8192)
def inspect_template(source: str) -> Inspection:
    """What a template reads, and its problems; never raises, whatever the text."""
    if not has_template(source):
        return _NOTHING
    parts = split_template(source)
    if parts is not None:
        return Inspection(references=tuple(_reference(part) for part in parts if isinstance(part, Hole)))
    from runner.words.template_check import check_template

    return check_template(source)


@lru_cache(maxsize=8192)
def inspect_expression(source: str) -> Inspection:
    """Likewise for a bare expression."""
    hole = split_expression(source)
    if hole is not None:
        return Inspection(references=(_reference(hole),))
    from runner.words.template_check import check_expression

    return check_expression(source)


def _reference(hole: Hole) -> Reference:
    return Reference(path=hole.path, offset=hole.offset, length=hole.length)


def template_holes(source: str, *, bare: bool = False) -> tuple[Expression, ...]:
    """What stands in each ``{{ }}`` of a template, in order, or the one ``bare`` expression; those that a template's
    own names (of a ``{% for %}``) go into are of an unknown sort, and a broken template has none.
    """
    if bare:
        hole = split_expression(source)
        return inspect_expression(source).holes if hole is None else (_expression(hole),)
    parts = split_template(source)
    if parts is not None:
        return tuple(_expression(part) for part in parts if isinstance(part, Hole))
    return inspect_template(source).holes


def template_value(source: str, *, bare: bool = False) -> Expression | None:
    """The expression whose value the template has, types and all; None if the template makes a text."""
    parts = None if bare else split_template(source)
    is_value = len(parts) == 1 if parts is not None else bare or inspect_template(source).is_value
    holes = template_holes(source, bare=bare) if is_value else ()
    return holes[0] if holes else None


def _expression(hole: Hole) -> Expression:
    found: Expression = _reference(hole)
    for name in hole.filters:
        found = Filtered(found, name)
    return found
