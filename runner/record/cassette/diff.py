"""What differs between two requests, word by word, and not more than a person reads."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
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
_LONG = 40
"""Characters of one word that are shown, around what differs in it: of a hash, or of base64."""
_CLOSE = "\u0e00-\u0e7f\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff"
"""Scripts that put no spaces between words: each character of them is one."""
_WORDS = re.compile(rf"\s+|[{_CLOSE}]|[^\W{_CLOSE}]+|[^\w\s]")
_SPACES = str.maketrans({" ": "␣", "\n": "⏎", "\r": "␍", "\t": "⇥"})
"""A change of nothing but spaces would not be seen."""


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
        was, now = _by_name(old), _by_name(new)
        yield from _items(old, new, path) if was is None or now is None else _named(was, now, path)
    else:
        yield f"{path or 'the value'}: {_changed(_text(old), _text(new))}"


def _items(old: Sequence[Any], new: Sequence[Any], path: str) -> Iterator[str]:
    """One by one; what is the same at the end stays out of it, so that one more in the middle is one difference."""
    tail = 0
    while tail < min(len(old), len(new)) and old[-1 - tail] == new[-1 - tail]:
        tail += 1
    was, now = old[: len(old) - tail], new[: len(new) - tail]
    for index in range(max(len(was), len(now))):
        one = was[index] if index < len(was) else _ABSENT
        yield from _differences(one, now[index] if index < len(now) else _ABSENT, f"{path}[{index}]")


def _by_name(values: Sequence[Any]) -> dict[str, Any] | None:
    """Things that have names, such as tools, by their names; None if they are no such things."""
    named = {one["name"]: one for one in values if isinstance(one, Mapping) and isinstance(one.get("name"), str)}
    return named if len(named) == len(values) else None


def _named(old: Mapping[str, Any], new: Mapping[str, Any], path: str) -> Iterator[str]:
    gone, more = [name for name in old if name not in new], [name for name in new if name not in old]
    if gone or more:
        yield f"{path or 'the value'}: {_change(' '.join(gone), ' '.join(more))}"
    both = [name for name in old if name in new]
    for name in both:
        yield from _differences(old[name], new[name], f"{path}[{name}]")
    if [old[name] for name in both] == [new[name] for name in both] and not gone and not more:
        yield f"{path or 'the value'}: the same, in another order"


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
            shown.append(_change(*_cut(was[a:b], now[c:d])))
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


def _change(old: str, new: str) -> str:
    return (f"[-{old}-]" if old else "") + (f"{{+{new}+}}" if new else "")


def _cut(old: list[str], new: list[str]) -> tuple[str, str]:
    """A change as it is shown: not more than a person reads."""
    was, now = "".join(old), "".join(new)
    if not was.strip() and not now.strip():
        return _ends(was.translate(_SPACES)), _ends(now.translate(_SPACES))
    if len(old) == len(new) == 1:
        return _middle(was, now), _middle(now, was)
    return _some(old), _some(new)


def _some(words: list[str]) -> str:
    shown = words if len(words) <= 2 * LONGEST else [*words[:LONGEST], "…", *words[-LONGEST:]]
    return "".join(map(_ends, shown))


def _ends(word: str) -> str:
    return word if len(word) <= _LONG else f"{word[: _LONG // 2]}…{word[-_LONG // 2 :]}"


def _middle(word: str, other: str) -> str:
    """Of a long word what differs from another one, and a little around it."""
    if len(word) <= _LONG:
        return word
    most = min(len(word), len(other))
    head = next((at for at in range(most) if word[at] != other[at]), most)
    tail = next((at for at in range(most - head) if word[-1 - at] != other[-1 - at]), most - head)
    start, end = max(head - AROUND, 0), min(len(word) - tail + AROUND, len(word))
    return ("…" if start else "") + _ends(word[start:end]) + ("…" if end < len(word) else "")
