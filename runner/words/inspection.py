"""What a look at a template finds without any data: what it reads, and what can never work."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

ProblemKind = Literal["syntax", "unknown_filter", "unknown_test", "forbidden"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Reference:
    """A name and the constant path read from it: ``("steps", "scan", "output", "targets", 0)``.

    ``offset`` and ``length`` are characters of the source. A part that is computed ends the path.
    """

    path: tuple[str | int, ...]
    offset: int
    length: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """Something that cannot work whatever the data; ``name`` is the unknown filter, test, tag or method."""

    kind: ProblemKind
    name: str
    message: str
    offset: int
    length: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Inspection:
    """What a template reads and what is wrong with it, each in order of the source."""

    references: tuple[Reference, ...] = ()
    problems: tuple[Problem, ...] = ()
