"""Judging a template without data: what it reads, and what can never work. Imported late, with Jinja."""

from __future__ import annotations

import re
from dataclasses import replace

from runner.words.inspection import Inspection, Problem, Reference
from runner.words.sandbox import TemplateSyntaxError
from runner.words.template_tokens import TokenPlaces
from runner.words.template_value import typed_hole
from runner.words.template_walk import TemplateWalk
from runner.words.template_wording import word_syntax


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
        if state is not None:
            walk.holes.append(walk.values.of(tree, frozenset()))
    except TemplateSyntaxError as error:
        return _syntax(word_syntax(error.message or "it cannot be read"), tokens.extent(error.lineno), back)
    except (RecursionError, MemoryError):
        return _syntax("the template is nested too deeply", (0, len(text)), back)
    except (ValueError, OverflowError) as error:  # a number with too many digits, a lone surrogate in a string
        return _syntax(str(error), tokens.extent(tokens.reached), back)
    found = _placed(walk.references, walk.problems, back)
    if back is not None:  # carriage returns, which only an escape brings into a file: not worth moving everything
        return found
    is_value = state is not None or typed_hole(source, tree) is not None
    collected = {name: tuple(getattr(walk, name)) for name in ("comparisons", "maps", "holes")}
    return replace(found, **collected, is_value=is_value)


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
