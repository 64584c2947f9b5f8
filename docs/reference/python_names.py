"""What the names in annotations mean: nouns of ours that a page has to tell too, and names of types."""

from __future__ import annotations

import ast
import inspect
import sys
from collections.abc import Iterator
from dataclasses import is_dataclass
from functools import cache
from types import ModuleType
from typing import Any

Place = tuple[str, str]
"""A module, and a name in it."""


def names_in(annotation: str) -> Iterator[str]:
    """Every plain name in an annotation."""
    for node in ast.walk(ast.parse(annotation, mode="eval")):
        if isinstance(node, ast.Name):
            yield node.id


def home_of(module: str, name: str) -> Place | None:
    """Where a name of ours is defined; None if it is none of ours, or nobody knows it there."""
    if name in _assigned(module):
        return module, name
    found: Any = getattr(_module(module), name, None)
    if inspect.isclass(found):
        return (found.__module__, found.__qualname__) if found.__module__.startswith("runner.") else None
    origin = _imported(module).get(name)
    return home_of(*origin) if origin is not None and origin[0].startswith("runner.") else None


def value_of(place: Place) -> Any:
    """What it is."""
    return getattr(_module(place[0]), place[1])


def is_noun(value: Any) -> bool:
    """Whether it has fields: a noun, or a tuple with names."""
    return inspect.isclass(value) and (is_dataclass(value) or hasattr(value, "_fields"))


def meaning_of(place: Place) -> str:
    """The expression that a name of a type stands for, as it is written."""
    return ast.unparse(_assigned(place[0])[place[1]])


def words_of_fields(noun: type) -> dict[str, str]:
    """The docstrings below fields, by field."""
    (described,) = (
        node
        for node in _tree(noun.__module__).body
        if isinstance(node, ast.ClassDef) and node.name == noun.__qualname__
    )
    found = {}
    for field, below in zip(described.body, described.body[1:], strict=False):
        if not (isinstance(field, ast.AnnAssign) and isinstance(field.target, ast.Name)):
            continue
        if isinstance(below, ast.Expr) and isinstance(below.value, ast.Constant) and isinstance(below.value.value, str):
            found[field.target.id] = below.value.value
    return found


def _module(name: str) -> ModuleType:
    return sys.modules[name]


@cache
def _tree(module: str) -> ast.Module:
    return ast.parse(inspect.getsource(_module(module)))


@cache
def _assigned(module: str) -> dict[str, ast.expr]:
    """The names that a module gives to values."""
    return {
        node.targets[0].id: node.value
        for node in _tree(module).body
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name)
    }


@cache
def _imported(module: str) -> dict[str, Place]:
    """The names that a module takes from others, those that only type checkers see too."""
    return {
        alias.asname or alias.name: (node.module, alias.name)
        for node in ast.walk(_tree(module))
        if isinstance(node, ast.ImportFrom) and node.module
        for alias in node.names
    }
