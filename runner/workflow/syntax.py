"""Our words for what a YAML parser complains about. Its own differ between the C and the Python parser."""

from __future__ import annotations

import re
from typing import NamedTuple


class Wording(NamedTuple):
    """What to say. ``at_opening``: the place to show is where the construct began, not where the parser gave up."""

    message: str
    help: str | None = None
    at_opening: bool = False


_QUOTE = "put the text in quotes, or write it as a block after `|`"
_FLOW = "write `{}` at its end and a `,` between its parts; quote it if it is meant as text"
UNQUOTED_TEMPLATE = Wording("a value that begins with `{{` must be quoted", 'write it as "{{ … }}"')
_TAB = Wording("a tab where YAML wants spaces", "indent with spaces only")

# Fragments of `problem` of libyaml (scanner.c, parser.c, 0.2.5) and of PyYAML's scanner.py and parser.py, 6.0.
_WORDINGS: tuple[tuple[re.Pattern[str], Wording], ...] = tuple(
    (re.compile(pattern), wording)
    for pattern, wording in (
        (
            r"quoted scalar.*(end of stream|document indicator)",
            Wording("this quote is never closed", "write the same quote where the text ends", at_opening=True),
        ),
        (r"tab character", _TAB),
        (r"mapping values are not allowed", Wording("a `:` where no key may stand", _QUOTE)),
        (r"sequence entries are not allowed", Wording("a list item where none may stand", "begin it on its own line")),
        (r"mapping keys are not allowed", Wording("a key where none may stand", "begin it on its own line")),
        (r"(could not find expected|while scanning a simple key)", Wording("a `:` is missing after this key", _QUOTE)),
        (r"unknown escape", Wording("an unknown escape in double quotes", r"write `\\` for a backslash")),
        (r"(hexdecimal|hexadecimal|escape code|URI)", Wording("a broken escape", "write four hexadecimal digits")),
        (
            r"flow sequence.*(expected|found)",
            Wording("this `[` is never closed, or a `,` is missing", _FLOW.format("]"), at_opening=True),
        ),
        (
            r"flow mapping.*(expected|found)",
            Wording("this `{` is never closed, or a `,` is missing", _FLOW.format("}"), at_opening=True),
        ),
        (
            r"block (collection|sequence)",
            Wording("this line stands in a list but is no item of it", "check its indent"),
        ),
        (r"block mapping", Wording("this line fits no mapping around it", "check the indent of this line and above")),
        (r"block scalar", Wording("a broken head of a block text", "write `|` or `>` alone at the end of the line")),
        (r"(anchor|alias)", Wording("a name is missing after `&` or `*`", _QUOTE)),
        (r"incompatible YAML", Wording("a version of YAML that nobody knows", "delete the `%YAML` line")),
        (r"(directive|document start)", Wording("a broken `%` line or text behind the end", "delete the line")),
        (r"\btag\b", Wording("a broken tag", "delete the tag, or put the text in quotes")),
        (r"node content", Wording("a value is missing here", None)),
    )
)


def word_problem(problem: str, context: str, text: str, index: int) -> Wording:
    """What to say about a complaint of the parser at ``index`` of the text.

    The line itself often tells more than the parser: a tab, an unquoted ``{{``.
    """
    by_line = _word_line(problem, text, index)
    if by_line is not None:
        return by_line
    said = f"{context} {problem}"
    known = (wording for pattern, wording in _WORDINGS if pattern.search(said))
    return next(known, Wording("this is not legal YAML", _QUOTE))


def _word_line(problem: str, text: str, index: int) -> Wording | None:
    line_start = text.rfind("\n", 0, index) + 1
    line_end = text.find("\n", index)
    line = text[line_start : line_end if line_end >= 0 else len(text)]
    indent = line[: len(line) - len(line.lstrip())]
    if "\t" in indent or text[index : index + 1] == "\t":
        return _TAB
    if re.search(r"(^|[:,\[-])\s*\{\{", line):
        return UNQUOTED_TEMPLATE
    if line.lstrip().startswith(": "):
        return Wording("a key is missing before this `:`", "write a name before the `:`")
    return _word_character(problem, text, index)


def _word_character(problem: str, text: str, index: int) -> Wording | None:
    """What the one character says at which the parser gave up."""
    character = text[index : index + 1]
    if "node content" in problem and character in {"]", "}", ","}:
        return Wording(f"a `{character}` where a value should stand", _QUOTE)
    if "node content" in problem and not text[index + 1 :].strip():
        return Wording("the file ends before this is complete")
    if "cannot start any token" in problem:  # @ ` % and the like
        return Wording(f"an unquoted text cannot begin with `{character}`", _QUOTE)
    return None
