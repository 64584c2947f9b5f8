"""Judging a template without data: what it reads, and what can never work. Imported late, with Jinja."""

from __future__ import annotations

import re

from runner.words.inspection import Inspection, Problem, Reference
from runner.words.sandbox import TemplateSyntaxError
from runner.words.template_tokens import TokenPlaces
from runner.words.template_walk import TemplateWalk


def check_template(source: str) -> Inspection:
    """What a template reads and what is wrong with it; never raises."""
    return _check(source, None)


def check_expression(source: str) -> Inspection:
    """Likewise for a bare expression."""
    return _check(source, "variable")


def _check(source: str, state: str | None) -> Inspection:
    text, back = _normalised(source)
    tokens = TokenPlaces()
    try:
        tree = tokens.tree(text, state)
        walk = TemplateWalk(tokens)
        walk.visit(tree, frozenset())
    except TemplateSyntaxError as error:
        return _syntax(_words(error.message or "the template is broken"), tokens.extent(error.lineno), back)
    except (RecursionError, MemoryError):
        return _syntax("the template is nested too deeply", (0, len(text)), back)
    except (ValueError, OverflowError) as error:  # a number with too many digits, a lone surrogate in a string
        return _syntax(str(error), tokens.extent(tokens.reached), back)
    return _placed(walk.references, walk.problems, back)


def _normalised(source: str) -> tuple[str, list[int] | None]:
    """The text with plain newlines, as Jinja reads it, and for each offset in it the one in the source."""
    if "\r" not in source:
        return source, None
    back = [match.start() for match in re.finditer(r"\r\n|(?s:.)", source)]
    return re.sub(r"\r\n|\r", "\n", source), [*back, len(source)]


def _placed(references: list[Reference], problems: list[Problem], back: list[int] | None) -> Inspection:
    if back is not None:
        references = [Reference(path=r.path, **_original(r.offset, r.length, back)) for r in references]
        problems = [
            Problem(kind=p.kind, name=p.name, message=p.message, **_original(p.offset, p.length, back))
            for p in problems
        ]
    return Inspection(
        references=tuple(sorted(references, key=lambda r: r.offset)),
        problems=tuple(sorted(problems, key=lambda p: p.offset)),
    )


def _original(offset: int, length: int, back: list[int]) -> dict[str, int]:
    start, end = back[min(offset, len(back) - 1)], back[min(offset + length, len(back) - 1)]
    return {"offset": start, "length": end - start}


def _syntax(message: str, extent: tuple[int, int], back: list[int] | None) -> Inspection:
    start, end = extent
    return _placed(
        [], [Problem(kind="syntax", name="", message=message, offset=start, length=max(end - start, 1))], back
    )


_PLAINER = tuple(
    (re.compile(pattern, re.DOTALL), words)
    for pattern, words in (
        (r"unexpected end of template, expected 'end of print statement'", "`}}` is missing: a `{{` is never closed"),
        (r"expected token 'end of print statement', got '(.*)'", r"`}}` or an operator is expected here, not `\1`"),
        (r"expected token 'end of statement block', got '(.*)'", r"`%}` is expected here, not `\1`"),
        (r"Jinja was looking for the following tags: ([^.]*)", r"\1 is expected"),
        (r"The innermost block that needs to be closed is '(\w+)'", r"the tag `\1` is still open"),
        (r"Missing end of comment tag", "`#}` is missing: a `{#` is never closed"),
        (r"Missing end of raw directive", "`{% endraw %}` is missing"),
        (r"unexpected char (.*) at \d+", r"unexpected character \1"),
        (r"Expected an expression, got 'end of print statement'", "there is nothing between `{{` and `}}`"),
    )
)


def _words(message: str) -> str:
    """Jinja's message (3.1) as this file's readers would put it."""
    for pattern, plainer in _PLAINER:
        message = pattern.sub(plainer, message)
    message = re.sub(r"'([^']+)'", r"`\1`", message).rstrip(". ").replace(". ", ": ", 1)
    return message[:1].lower() + message[1:]
