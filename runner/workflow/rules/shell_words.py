"""Rules about what only a shell, or another tool, would understand: BR247."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from typing import Final

from runner.words.diagnostics import Diagnostic
from runner.words.spans import Path
from runner.workflow.rules.view import StepView, View

_OPERATORS: Final = frozenset(("&&", "||", "|", ">", ">>", "2>", "2>&1", "<<<"))
_VARIABLE: Final = re.compile(r"\$(?:[A-Za-z_][A-Za-z0-9_]*|\{[A-Za-z_][A-Za-z0-9_]*\})(?:/[^\s$]*)?")
_OWN_WORDS: Final = frozenset(("test", "[", "expr", "envsubst"))
"""Programs to which such words mean something."""
_SEPARATING: Final = frozenset(("awk", "column", "cut", "gawk", "grep", "join", "mawk", "paste", "rg", "sort", "tr"))
"""Programs with options that take a ``|``."""


def br247_words_of_others(view: View) -> Iterable[Diagnostic]:
    """A word for a shell where none is started, and braces as GitHub Actions has them."""
    for step in view.steps:
        yield from _in_command(view, step)
    for place in view.places:
        at = place.source.find("${{")
        prose = "run" not in place.path  # in which it may be a price
        if at >= 0 and not (at and prose) and not place.bare and place.role != "shell":
            message = "the `$` before the braces stays in the text"
            span = view.inner_span(place.path, at, 1)
            yield view.finding("BR247", message, span, help="write `{{ … }}` alone", level="warning")


def _in_command(view: View, step: StepView) -> Iterator[Diagnostic]:
    argv = step.data.get("run")
    if not isinstance(argv, list) or not argv or argv[0] in _OWN_WORDS or "-c" in argv:
        return
    for index, word in enumerate(argv):
        if not isinstance(word, str) or (word == "|" and _is_separator(argv, index)):
            continue
        if word in _OPERATORS or _VARIABLE.fullmatch(word):
            yield _told(view, (*step.path, "run", index), word)


def _is_separator(argv: Sequence[object], index: int) -> bool:
    """Whether a ``|`` is the value of an option, as in ``cut -d '|' -f 2``; ``ls -l '|' wc`` means a pipe."""
    before, after = str(argv[index - 1]), str(argv[index + 1]) if index + 1 < len(argv) else ""
    return before.startswith("-") and (argv[0] in _SEPARATING or after.startswith("-"))


def _told(view: View, path: Path, word: str) -> Diagnostic:
    message = f"the program gets `{word}` letter by letter: no shell reads this command"
    ways = "write it as one text, with `shell: true` beside it"
    return view.finding("BR247", message, view.value_span(path), help=ways, level="warning")
