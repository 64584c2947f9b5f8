"""What a look at a template finds without any data: what it reads, and what can never work."""

from __future__ import annotations

from typing import Any, Literal, NamedTuple

from runner.words.noun import noun

ProblemKind = Literal["syntax", "unknown_filter", "unknown_test", "forbidden"]


@noun
class Reference:
    """A name and the constant path read from it: ``("steps", "scan", "output", "targets", 0)``.

    ``offset`` and ``length`` are characters of the source. A part that is computed ends the path.
    """

    path: tuple[str | int, ...]
    offset: int
    length: int


@noun
class Problem:
    """Something that cannot work whatever the data; ``name`` is the unknown filter, test, tag or method."""

    kind: ProblemKind
    name: str
    message: str
    offset: int
    length: int


class Constant(NamedTuple):
    """A value that is written out, and where."""

    value: Any
    offset: int
    length: int


class Filtered(NamedTuple):
    """``inner | name(arguments, key=named)``."""

    inner: Expression
    name: str
    arguments: tuple[Expression, ...] = ()
    named: tuple[tuple[str, Expression], ...] = ()


class Choice(NamedTuple):
    """One of these: ``a or b``, ``a and b``, ``a if c else b``."""

    options: tuple[Expression, ...]


class ListOf(NamedTuple):
    """A list that is written out."""

    items: tuple[Expression, ...]


class MappingOf(NamedTuple):
    """A mapping that is written out, with keys that are texts."""

    items: tuple[tuple[str, Expression], ...]


class Sort(NamedTuple):
    """Something computed, of which no more is known than its sort."""

    kind: Literal["boolean", "string", "unknown"]


Operator = Literal["eq", "ne", "gt", "gteq", "lt", "lteq", "in", "notin"]


class Comparison(NamedTuple):
    """``left == right`` and its like; ``offset`` and ``length`` are those of the whole, as near as can be told."""

    left: Expression
    operator: Operator
    right: Expression
    offset: int
    length: int


Expression = Reference | Constant | Filtered | Choice | ListOf | MappingOf | Sort | Comparison
"""What a template or a bare expression works out, as far as it can be told without data."""


@noun
class Inspection:
    """What a template reads and what is wrong with it, each in order of the source.

    ``comparisons`` and ``maps`` (filters of that name) are all that stand in it. ``holes`` are what stands between
    ``{{`` and ``}}``, or the one bare expression; ``is_value`` says that the template is exactly one of them and keeps
    its type. The last two are left out of plain paths: ``templates.template_holes`` and ``template_value`` know them.
    """

    references: tuple[Reference, ...] = ()
    problems: tuple[Problem, ...] = ()
    comparisons: tuple[Comparison, ...] = ()
    maps: tuple[Filtered, ...] = ()
    holes: tuple[Expression, ...] = ()
    is_value: bool = False
