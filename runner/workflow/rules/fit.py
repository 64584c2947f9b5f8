"""Whether a value that is known by its schema can ever fit another schema."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from runner.words.noun import noun
from runner.words.schemas import complaints
from runner.words.spans import Path
from runner.workflow.rules.kinds import branch_values, kind_words
from runner.workflow.rules.schema_path import branches, inner_schema, kinds_of_branch

_MOST_VALUES = 64
_DEEPEST = 16


@noun
class Misfit:
    """Where a value does not fit (``[0]`` stands for the items of a list), and why in words."""

    path: Path
    message: str


def misfit(given: Any, wanted: Any, depth: int = 0) -> Misfit | None:
    """Why no value that fits ``given`` fits ``wanted``; None if one may. A list is judged as if it had items."""
    first: Misfit | None = None
    for one in branches(given):
        found = _misfit_of_branch(one, wanted, depth)
        if found is None:
            return None
        first = first or found
    return first


def _misfit_of_branch(one: Mapping[str, Any], wanted: Any, depth: int) -> Misfit | None:
    values = branch_values(one)
    if values is not None and "boolean" not in kinds_of_branch(one):
        return _misfit_of_values(values, wanted)
    fitting = [way for way in branches(wanted) if _overlap(one, way)]
    if not fitting:
        return Misfit(path=(), message=f"expected {kind_words(wanted)}, got {kind_words(one)}")
    if depth > _DEEPEST or kinds_of_branch(one) not in ({"object"}, {"array"}):
        return None
    found = [_misfit_inside(one, way, depth) for way in fitting]
    return None if None in found else found[0]


def _misfit_of_values(values: tuple[Any, ...], wanted: Any) -> Misfit | None:
    first: Misfit | None = None
    for value in values[:_MOST_VALUES]:
        found = complaints(wanted, value)
        if not found:
            return None
        first = first or Misfit(path=found[0].path, message=found[0].message)
    return first if len(values) <= _MOST_VALUES else None


def _overlap(one: Mapping[str, Any], way: Mapping[str, Any]) -> bool:
    """Whether the kinds meet; a number may be a whole one."""
    mine, yours = kinds_of_branch(one), kinds_of_branch(way)
    return bool(_widened(mine) & _widened(yours))


def _widened(kinds: frozenset[str]) -> frozenset[str]:
    return kinds | {"number"} if "integer" in kinds else kinds


def _misfit_inside(one: Mapping[str, Any], way: Mapping[str, Any], depth: int) -> Misfit | None:
    if kinds_of_branch(one) == {"array"}:
        return _misfit_of_items(one, way, depth)
    for name in way.get("required") or ():
        if inner_schema(one, name) is None:
            return Misfit(path=(), message=f"the key `{name}` is missing")
    for name in one.get("required") or ():
        wanted = inner_schema(way, name)
        if wanted is None:
            return Misfit(path=(), message=f"unknown key `{name}`")
        found = _below(name, misfit((one.get("properties") or {}).get(name, {}), wanted, depth + 1))
        if found is not None:
            return found
    return None


def _misfit_of_items(one: Mapping[str, Any], way: Mapping[str, Any], depth: int) -> Misfit | None:
    for index, item in enumerate(one.get("prefixItems", ())):
        wanted = inner_schema(way, index)
        if wanted is None:
            return Misfit(path=(), message=f"too many items: {len(one['prefixItems'])}")
        found = _below(index, misfit(item, wanted, depth + 1))
        if found is not None:
            return found
    if not isinstance(one.get("items"), dict) or not isinstance(way.get("items"), dict) or "prefixItems" in way:
        return None
    return _below(0, misfit(one["items"], way["items"], depth + 1))


def _below(key: str | int, found: Misfit | None) -> Misfit | None:
    return None if found is None else Misfit(path=(key, *found.path), message=found.message)
