"""Rules about values of a kind that can never be right where they are wanted: BR242."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from runner.words.diagnostics import Diagnostic
from runner.words.inspection import Expression, Reference
from runner.words.spans import Span
from runner.words.templates import has_template, template_holes, template_value
from runner.workflow.rules.expression_type import shown
from runner.workflow.rules.kinds import kind_words, kinds, part
from runner.workflow.rules.places import Place
from runner.workflow.rules.shapes import json_wanted
from runner.workflow.rules.typing import types_of
from runner.workflow.rules.view import View

_MANY = frozenset(("array", "object", "null"))
_OF_A_SERVER = frozenset(("root", "cwd", "url", "args"))
_OF_A_STEP = frozenset(("cwd", "images"))


def br242_wrong_kind(view: View) -> Iterable[Diagnostic]:
    """No list where ``for_each`` wants one; a list or mapping where one word is wanted."""
    for place in view.places:
        if place.bare and place.path[-1] == "for_each" and not has_template(place.source):
            yield from _no_list(view, place)
        elif _wants_a_word(place):
            yield from _no_word(view, place)


def _no_list(view: View, place: Place) -> Iterable[Diagnostic]:
    expression = template_value(place.source, bare=True)
    found = types_of(view).of_place(place)
    if expression is not None and "array" not in kinds(found):
        message = f"`for_each` needs a list, and {shown(expression) or 'this'} is {kind_words(found)}"
        yield view.finding("BR242", message, view.value_span(place.path), help=_list_hint(view, place, expression))


def _list_hint(view: View, place: Place, expression: Expression) -> str | None:
    if not isinstance(expression, Reference):
        return None
    found = types_of(view).of(place, expression)
    named = [name for name in found.get("properties", ()) if kinds(part(found, (name,))) == {"array"}]
    if named:
        return f"go through a list in it: `{place.source.strip()}.{named[0]}`"
    if kinds(found) <= {"object", "null"}:
        return f"a list of its keys with their values is `{place.source.strip()} | items`"
    if expression.path[0] == "inputs" and len(expression.path) == 2:
        return "declare the input as a list: `{type: array}`"
    step = view.by_id.get(str(expression.path[1])) if expression.path[0] == "steps" else None
    if step is None or expression.path[2:] != ("output",) or json_wanted(step) is None:
        return None
    return f"give step `{step.id}` an `output` schema with a list in it, so that it answers with one"


def _wants_a_word(place: Place) -> bool:
    if place.role == "model":
        return True
    key = place.path[2] if len(place.path) > 2 else None
    return key in (_OF_A_SERVER if place.path[0] == "mcp_servers" else _OF_A_STEP if place.role == "step" else ())


def _no_word(view: View, place: Place) -> Iterator[Diagnostic]:
    for hole in template_holes(place.source):
        found = types_of(view).of(place, hole)
        if kinds(found) <= _MANY and kinds(found) != {"null"}:
            message = f"one word is wanted here, and {shown(hole) or 'this'} is {kind_words(found)}"
            is_list = "array" in kinds(found)
            hint = f"take one of its {'items' if is_list else 'parts'}"
            if is_list and "images" in place.path:
                hint += ", or give the step `for_each`"
            elif "args" in place.path:
                hint += ", or write `| tojson` if JSON is meant"
            yield view.finding("BR242", message, _span(view, place, hole), help=hint)


def _span(view: View, place: Place, hole: Expression) -> Span:
    if isinstance(hole, Reference):
        return view.inner_span(place.path, hole.offset, hole.length)
    return view.value_span(place.path)
