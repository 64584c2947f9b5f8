"""A finding: what is wrong, where, and what to do. Its picture is drawn in ``show.problems``."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal

from runner.words.noun import noun
from runner.words.spans import Span

Level = Literal["error", "warning"]


@noun
class Note:
    """A second place that explains the first: ``first defined here``."""

    message: str
    span: Span | None = None


@noun
class Edit:
    """``text`` instead of what stands at ``span``; a span whose end is its start only inserts."""

    span: Span
    text: str


@noun
class Fix:
    """What a program can do about a finding: all of the ``edits``, in file order, none over another.

    ``title`` says it in a few words. ``unsafe``: it may take away what somebody still wanted.
    """

    title: str
    edits: tuple[Edit, ...]
    unsafe: bool = False


@noun
class Diagnostic:
    """One finding about one file.

    ``code`` is stable and explained by ``bridge-run explain CODE``; ``file`` is the path as the user gave it;
    ``help`` is one sentence that says what to do (without the word "help"); ``fix`` is there if that is certain.
    """

    code: str
    message: str
    file: str
    span: Span | None = None
    level: Level = "error"
    help: str | None = None
    notes: tuple[Note, ...] = ()
    fix: Fix | None = None


def place_of(found: Diagnostic) -> str:
    """``flow.yaml:5:4``, or the file alone where the finding is about the whole of it."""
    return f"{found.file}:{found.span.line}:{found.span.column}" if found.span else found.file


def one_line(found: Diagnostic) -> str:
    """A finding for where there is no room to show the file: ``flow.yaml:5:4: BR217: unknown key `tsk`; did you …``."""
    place = place_of(found)
    parts = (*((place,) if place else ()), found.code, found.message)
    return ": ".join(parts) + (f"; {found.help}" if found.help else "")


def in_file_order(diagnostics: Iterable[Diagnostic]) -> tuple[Diagnostic, ...]:
    """Sorted by file, place and code, without repetitions."""
    unique = dict.fromkeys(diagnostics)
    return tuple(sorted(unique, key=lambda d: (d.file, d.span or Span(0, 0, 0, 0), d.code, d.message)))


def has_errors(diagnostics: Iterable[Diagnostic]) -> bool:
    """True if any finding is more than a warning."""
    return any(d.level == "error" for d in diagnostics)
