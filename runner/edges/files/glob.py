"""Globs as editors and git understand them: ``*``, ``?``, ``[…]``, ``**`` and ``{a,b}``."""

from __future__ import annotations

import re

from runner.edges.files.confine import refusal

_BRACES = re.compile(r"\{([^{}]*)\}")
_MANY = 64  # patterns that braces may unfold into
_PIECE = re.compile(r"\*\*/|\*\*|\*|\?|\[[!^]?\]?[^\]]*\]|.", re.DOTALL)


def compile_glob(glob: str) -> re.Pattern[str]:
    """A pattern for whole relative paths. Without a slash it is about the last part: ``*.py`` finds ``src/a.py``.

    Raises:
        StepError: it is no glob.
    """
    patterns = [_translate(one) for one in _unfold(glob.removeprefix("./"))]
    try:
        return re.compile("|".join(patterns))
    except re.error as error:
        raise refusal(f"`{glob}` is no glob; write for example `*.py` or `src/**/*.ts`") from error


def _unfold(glob: str) -> list[str]:
    """``*.{py,md}`` as ``*.py`` and ``*.md``."""
    done, todo = [], [glob]
    while todo:
        one = todo.pop()
        if (found := _BRACES.search(one)) is None:
            done.append(one)
        elif len(done) + len(todo) > _MANY:
            raise refusal(f"`{glob}` has too many alternatives")
        else:
            todo += [one[: found.start()] + choice + one[found.end() :] for choice in found[1].split(",")]
    return done


def _translate(glob: str) -> str:
    anywhere = "" if "/" in glob else "(?:.*/)?"
    return f"(?:{anywhere}{''.join(_piece(found[0]) for found in _PIECE.finditer(glob.lstrip('/')))})"


def _piece(piece: str) -> str:
    match piece:
        case "**/":
            return "(?:.*/)?"
        case "**":
            return ".*"
        case "*":
            return "[^/]*"
        case "?":
            return "[^/]"
    if len(piece) > 1:
        return f"[{'^' if piece[1] in '!^' else ''}{_escape_class(piece[1:-1].lstrip('!^'))}]"
    return re.escape(piece)


def _escape_class(inside: str) -> str:
    return inside.replace("\\", r"\\").replace("[", r"\[").replace("]", r"\]")
