"""Which conversations a turn is for, and what of them it may echo: ``when`` and ``{{ match.NAME }}``."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from runner.words.noun import noun

ECHO = re.compile(r"\{\{\s*match(?:\.([A-Za-z_]\w*)|\[(\d{1,3})\])\s*\}\}")
"""``{{ match.path }}`` or ``{{ match[1] }}``; all else in braces is plain text."""


TEXTS = ("system", "user", "tool_result", "anywhere")
"""The parts of a conversation that patterns are searched in, in the order in which their groups are counted."""


@noun
class When:
    """All that is set must hold; the texts are searched, not matched whole. An empty one fits every conversation."""

    turn: int | None = None
    system: re.Pattern[str] | None = None
    user: re.Pattern[str] | None = None
    tool_result: re.Pattern[str] | None = None
    anywhere: re.Pattern[str] | None = None
    offered: str | None = None
    schema: bool | None = None

    def patterns(self) -> Iterator[tuple[str, re.Pattern[str]]]:
        """The patterns that are set, in the order in which their groups are counted."""
        for name in TEXTS:
            pattern = getattr(self, name)
            if pattern is not None:
                yield name, pattern

    def groups(self) -> frozenset[str]:
        """What a turn with this condition may echo: ``path``, ``1``, ``2``…"""
        names = [name for _, pattern in self.patterns() for name in pattern.groupindex]
        count = sum(pattern.groups for _, pattern in self.patterns())
        return frozenset((*names, *map(str, range(1, count + 1))))


def make_when(given: Mapping[str, Any]) -> When:
    """The condition that a script states.

    Raises:
        re.error: a pattern is no regular expression.
    """
    patterns = {name: re.compile(given[name]) for name in TEXTS if name in given}
    return When(turn=given.get("turn"), offered=given.get("offered"), schema=given.get("schema"), **patterns)


def echoed(value: Any) -> Iterator[str]:
    """The names of all groups that a text, or the texts of a nested value, echo."""
    if isinstance(value, str):
        yield from (named or number for named, number in ECHO.findall(value))
    elif isinstance(value, Mapping):
        for key, inner in value.items():
            yield from echoed(key)
            yield from echoed(inner)
    elif isinstance(value, list | tuple):
        for inner in value:
            yield from echoed(inner)


def echo(value: Any, groups: Mapping[str, str]) -> Any:
    """The value with the groups of a match put in; whatever was matched is never expanded itself."""
    if isinstance(value, str):
        return ECHO.sub(lambda found: groups.get(found[1] or found[2], ""), value) if "{{" in value else value
    if isinstance(value, Mapping):
        return {echo(key, groups): echo(inner, groups) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [echo(inner, groups) for inner in value]
    return value
