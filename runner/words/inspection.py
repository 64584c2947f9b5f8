"""What a look at a template finds without any data: what it reads, and what can never work."""

from __future__ import annotations

from typing import Literal

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


@noun
class Inspection:
    """What a template reads and what is wrong with it, each in order of the source."""

    references: tuple[Reference, ...] = ()
    problems: tuple[Problem, ...] = ()
