"""A unified diff of two texts, fast where they differ in one place only."""

from __future__ import annotations

import re
from itertools import takewhile

CONTEXT = 3
MIDDLE_LIMIT = 4_000  # lines; difflib is quadratic, so beyond that only the counts are told
_HUNK = re.compile(r"@@ -(\d+)(,\d+)? \+(\d+)(,\d+)? @@")


def unified_diff(old: str, new: str, name: str) -> str:
    """``diff -u`` of ``a/name`` and ``b/name``, without the final newline; empty if nothing differs."""
    before, after = old.splitlines(keepends=True), new.splitlines(keepends=True)
    same = _common(before, after)
    start = max(0, same - CONTEXT)
    tail = max(0, _common(before[same:][::-1], after[same:][::-1]) - CONTEXT)
    before, after = before[start : len(before) - tail], after[start : len(after) - tail]
    if len(before) + len(after) > MIDDLE_LIMIT:
        return f"[{name}: {len(before)} lines replaced by {len(after)}; too many to show]"
    return "\n".join(_lines(before, after, name, start))


def _common(one: list[str], other: list[str]) -> int:
    return sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], zip(one, other, strict=False)))


def _lines(before: list[str], after: list[str], name: str, offset: int) -> list[str]:
    import difflib

    lines = []
    for line in difflib.unified_diff(before, after, f"a/{name}", f"b/{name}", n=CONTEXT):
        if line.startswith("@@"):
            line = _HUNK.sub(lambda at: _shifted(at, offset), line)
        lines.append(line.rstrip("\r\n"))
        if not line.endswith("\n"):
            lines.append("\\ No newline at end of file")
    return lines


def _shifted(at: re.Match[str], offset: int) -> str:
    return f"@@ -{int(at[1]) + offset}{at[2] or ''} +{int(at[3]) + offset}{at[4] or ''} @@"
