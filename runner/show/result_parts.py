"""What a result says of items and called steps, each under the name of its unit (``fix[3]``, ``call/draft``)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from runner.words.noun import noun

Steps = Mapping[str, Mapping[str, Any]]


@noun
class Trouble:
    """A unit that has an error, although it may have recovered from it."""

    unit: str
    status: str
    error: Mapping[str, str]


def troubles(name: str, step: Mapping[str, Any]) -> Iterator[Trouble]:
    """The parts of a step that have an error, those that failed first, in their order.

    Of a part that failed because of its own parts only these are given.
    """
    found = list(_troubles(name, step))
    yield from (one for one in found if one.status != "recovered")
    yield from (one for one in found if one.status == "recovered")


def _troubles(name: str, step: Mapping[str, Any]) -> Iterator[Trouble]:
    for unit, part in _parts(name, step):
        below = list(_troubles(unit, part))
        if part["error"] is not None and not below:
            yield Trouble(unit=unit, status=part["status"], error=part["error"])
        yield from below


def warnings(steps: Steps) -> Iterator[tuple[str, str]]:
    """Every warning with the unit that it is about."""
    for unit, part in _all(steps):
        yield from ((unit, warning) for warning in part["warnings"])


def artifacts(steps: Steps) -> Iterator[tuple[str, str]]:
    """Every kept file once, with the unit that kept it: the innermost that names it."""
    keepers: dict[str, str] = {}
    for unit, part in _all(steps):
        keepers.update(dict.fromkeys(part.get("artifacts", ()), unit))
    yield from ((unit, path) for path, unit in keepers.items())


def _all(steps: Steps) -> Iterator[tuple[str, Mapping[str, Any]]]:
    for name, step in steps.items():
        yield from _with_parts(name, step)


def _with_parts(unit: str, step: Mapping[str, Any]) -> Iterator[tuple[str, Mapping[str, Any]]]:
    yield unit, step
    for name, part in _parts(unit, step):
        yield from _with_parts(name, part)


def _parts(unit: str, step: Mapping[str, Any]) -> Iterator[tuple[str, Mapping[str, Any]]]:
    for index, item in enumerate(step.get("items") or ()):
        yield f"{unit}[{index}]", item
    for name, called in (step.get("steps") or {}).items():
        yield f"{unit}/{name}", called
