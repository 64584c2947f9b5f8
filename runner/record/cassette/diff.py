"""What differs between two requests, word by word, and not more than a person reads."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from difflib import SequenceMatcher
from typing import Any

SHOWN = 6
"""Places that are shown; of more it is said how many there are."""
AROUND = 6
"""Words before and after a change."""
LONGEST = 30
"""Words of one change; what lies in the middle of a longer one is left out."""
_COMPARED = 1500
"""Words of a text that are compared, from its first change on."""
_WORDS = re.compile(r"\s+|\w+|[^\w\s]")


def differences(recorded: Any, now: Any) -> tuple[str, ...]:
    """Lines like ``messages[0].content: Look through [-src-]{+lib+} and name``; empty for equal values."""
    found = list(_differences(recorded, now, ""))
    more = len(found) - SHOWN
    return (*found[:SHOWN], f"and {more} more") if more > 0 else tuple(found)


def _differences(old: Any, new: Any, path: str) -> Iterator[str]:
    if old == new:
        return
    if isinstance(old, Mapping) and isinstance(new, Mapping):
        for key in dict.fromkeys((*old, *new)):
            yield from _differences(old.get(key, _ABSENT), new.get(key, _ABSENT), f"{path}.{key}" if path else str(key))
    elif isinstance(old, list | tuple) and isinstance(new, list | tuple):
        for index in range(max(len(old), len(new))):
            one = old[index] if index < len(old) else _ABSENT
            yield from _differences(one, new[index] if index < len(new) else _ABSENT, f"{path}[{index}]")
    else:
        yield f"{path or 'the value'}: {_changed(_text(old), _text(new))}"


class _Absent:
    """Nothing stands here."""


_ABSENT = _Absent()


def _text(value: Any) -> str:
    if isinstance(value, _Absent):
        return ""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _changed(old: str, new: str) -> str:
    was, now = _WORDS.findall(old), _WORDS.findall(new)
    same = 0
    while same < min(len(was), len(now)) and was[same] == now[same]:
        same += 1
    start = max(same - 2 * AROUND, 0)
    was, now = was[start : start + _COMPARED], now[start : start + _COMPARED]
    steps = SequenceMatcher(None, was, now, autojunk=False).get_opcodes()
    shown = ["…"] if start else []
    for number, (how, a, b, c, d) in enumerate(steps):
        if how != "equal":
            shown.append((f"[-{_cut(was[a:b])}-]" if b > a else "") + (f"{{+{_cut(now[c:d])}+}}" if d > c else ""))
        else:
            shown.append(_context(was[a:b], first=number == 0, last=number == len(steps) - 1))
    return re.sub(r"\s+", " ", "".join(shown)).strip()


def _context(words: list[str], *, first: bool, last: bool) -> str:
    """Words that are the same, as far as they stand near a change."""
    most = 2 * AROUND
    head = [] if first else words[:most]
    tail = [] if last else words[-most:]
    if len(head) + len(tail) >= len(words):
        return "".join(words)
    return "".join(head) + "…" + "".join(tail)


def _cut(words: list[str]) -> str:
    if len(words) <= 2 * LONGEST:
        return "".join(words)
    return "".join(words[:LONGEST]) + "…" + "".join(words[-LONGEST:])
