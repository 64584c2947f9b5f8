"""What templates work out, told without data: values, comparisons, and where they stand."""

from __future__ import annotations

import pytest

from runner.words.inspection import (
    Choice,
    Comparison,
    Constant,
    Expression,
    Filtered,
    ListOf,
    MappingOf,
    Reference,
    Sort,
)
from runner.words.templates import inspect_expression, inspect_template, template_holes, template_value


def shown(one: Expression | None) -> str:
    """An expression in one line."""
    if isinstance(one, Reference):
        return ".".join(map(str, one.path))
    if isinstance(one, Constant):
        return repr(one.value)
    if isinstance(one, Filtered):
        given = [*map(shown, one.arguments), *(f"{key}={shown(value)}" for key, value in one.named)]
        return f"{shown(one.inner)}|{one.name}({', '.join(given)})"
    if isinstance(one, Choice):
        return f"({' or '.join(map(shown, one.options))})"
    if isinstance(one, ListOf):
        return f"[{', '.join(map(shown, one.items))}]"
    if isinstance(one, MappingOf):
        return f"{{{', '.join(f'{key}: {shown(value)}' for key, value in one.items)}}}"
    if isinstance(one, Comparison):
        return f"{shown(one.left)} {one.operator} {shown(one.right)}"
    return one.kind if isinstance(one, Sort) else "a text"


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("a.b", "a.b"),
        ("a['b'][0]", "a.b.0"),
        ("a | length", "a|length()"),
        ("a | default('x', true) | map(attribute='y')", "a|default('x', True)|map(attribute='y')"),
        ("a[b].c", "unknown"),
        ("f(a)", "unknown"),
        ("range(3)", "unknown"),
        ("a[1:2]", "unknown"),
        ("a and b or 3", "((a or b) or 3)"),
        ("not a", "boolean"),
        ("a is defined", "boolean"),
        ("a ~ b", "string"),
        ("a + b", "unknown"),
        ("a if b else 'x'", "(a or 'x')"),
        ("a if b", "(a or unknown)"),
        ("[a, 'x', (1, 2)]", "[a, 'x', [1, 2]]"),
        ("{'k': a, 'l': none}", "{k: a, l: None}"),
        ("{k: a}", "unknown"),
        ("{3: a}", "unknown"),
        ("a == 'x'", "a eq 'x'"),
        ("a not in ['x']", "a notin ['x']"),
        ("1 < a < 3", "boolean"),
        ("a | f(*b)", "unknown"),
    ],
)
def test_a_bare_expression(source: str, expected: str) -> None:
    assert shown(template_value(source, bare=True)) == expected
    assert shown(template_value(f"{{{{ {source} }}}}")) == expected


@pytest.mark.parametrize(
    ("source", "holes", "value"),
    [
        ("nothing", [], "a text"),
        ("{{ a }}", ["a"], "a"),
        ("{{ a }}\n", ["a"], "a text"),
        ("x {{ a }} {{ b | list }}", ["a", "b|list()"], "a text"),
        ("{{ a ~ 1 }}{{ b }}", ["string", "b"], "a text"),
        ("{% for i in a %}{{ i }}{{ c == i }}{% endfor %}", ["unknown", "c eq unknown"], "a text"),
        ("{% if a %}{{ b }}{% endif %}", ["b"], "a text"),
        ("{% filter upper %}{{ b }}{% endfilter %}", ["b"], "a text"),
        ("{% raw %}{{ b }}{% endraw %}", [], "a text"),
        ("{{ 'x' 'y' }}", ["'xy'"], "'xy'"),
        ("{{ a", [], "a text"),
        ("{{ a + }}", [], "a text"),
        ("{{ a\r + 1 }}", [], "a text"),
    ],
)
def test_a_template(source: str, holes: list[str], value: str) -> None:
    assert [shown(one) for one in template_holes(source)] == holes
    assert shown(template_value(source)) == value


def test_a_broken_expression_has_no_value() -> None:
    assert template_value("a ==", bare=True) is None


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("steps.a.output == 'yes'", [("steps.a.output eq 'yes'", "steps.a.output == 'yes'")]),
        ("not (a['b'] != c.d[0])", [("a.b ne c.d.0", "a['b'] != c.d[0]")]),
        ("1 < a.b <= 3", [("1 lt a.b", "1 < a.b"), ("a.b lteq 3", "a.b <= 3")]),
        ("(a == b) == c", [("a eq b eq c", "a == b) == c"), ("a eq b", "a == b")]),
    ],
)
def test_comparisons_and_where_they_stand(source: str, expected: list[tuple[str, str]]) -> None:
    found = inspect_expression(source).comparisons
    assert [(shown(one), source[one.offset : one.offset + one.length]) for one in found] == expected


def test_comparisons_of_a_template_stand_in_its_tags_too() -> None:
    source = "{% if a.b == 'é' %}x{% elif c in ['y'] %}{{ 'z' if d > 1 }}{% endif %}"
    found = inspect_template(source).comparisons
    cut = [source[one.offset : one.offset + one.length] for one in found]
    assert cut == ["a.b == 'é'", "c in ['y'", "d > 1"]


def test_a_constant_knows_its_place() -> None:
    source = "a == 'yes'"
    (found,) = inspect_expression(source).comparisons
    assert isinstance(found.right, Constant)
    assert source[found.right.offset : found.right.offset + found.right.length] == "'yes'"


def test_maps_are_found_wherever_they_stand() -> None:
    source = (
        "{% if a | map(attribute='x') | list %}{{ f(b | map('upper')) }}{% endif %}{% filter map %}c{% endfilter %}"
    )
    assert [shown(one) for one in inspect_template(source).maps] == ["a|map(attribute='x')", "b|map('upper')"]
