"""What differs between two values, key by key and word by word, for people."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from difflib import SequenceMatcher
from typing import Any, Final

from runner.words.json_text import write_json
from runner.words.noun import noun

AROUND: Final = 4
"""Words that are shown on each side of what changed."""
LONGEST: Final = 200
"""Characters of a value that are shown."""
MOST_WORDS: Final = 4_000
"""Longer texts are not compared word by word: it would take seconds."""
_WORD: Final = re.compile(r"[^ \t\r\n]+")
_UNSEEN: Final = frozenset("\u034f\u115f\u1160\u17b4\u17b5\u2800\u3164\uffa0")
"""Letters and marks that are blank; of all other kinds ``isprintable`` knows."""
_VARIANTS: Final = re.compile("[\ufe00-\ufe0f\U000e0100-\U000e01ef]")


@noun
class Change:
    """One value that differs. ``path`` leads to it, keys and indices with dots; what is not there is None."""

    path: str
    before: Any = None
    after: Any = None


def changes_between(before: Any, after: Any, path: str = "") -> Iterator[Change]:
    """Every value that differs, the smallest that can be named, in the order of the keys."""
    if isinstance(before, Mapping) and isinstance(after, Mapping):
        for key in dict.fromkeys((*before, *after)):
            inner = f"{path}.{key}" if path else str(key)
            yield from changes_between(before.get(key), after.get(key), inner)
    elif isinstance(before, list) and isinstance(after, list) and len(before) == len(after) and _is_deep(before):
        for index, (old, new) in enumerate(zip(before, after, strict=True)):
            yield from changes_between(old, new, f"{path}.{index}")
    elif before != after or type(before) is not type(after):
        yield Change(path=path, before=before, after=after)


def words_of(change: Change) -> str:
    """A change in one line: ``quantization: Q4_K_M → Q8_0``; of texts the words: ``[-gone-] {+new+}``.

    What a terminal does not show, and a model reads, is shown by its code.
    """
    return visible(_words_of(change))


def visible(text: str) -> str:
    """The text with a code (``\\u200b``) for every character that takes no place, or the place of another."""
    return "".join(one if one.isascii() and one.isprintable() else _coded(one) for one in text)


def _coded(sign: str) -> str:
    if sign.isprintable() and sign not in _UNSEEN and not _VARIANTS.match(sign):
        return sign
    number = ord(sign)
    return f"\\u{number:04x}" if number < 0x10000 else f"\\U{number:08x}"


def _words_of(change: Change) -> str:
    before, after = change.before, change.after
    if before is None:
        return f"{change.path}: new, {_shown(after)}"
    if after is None:
        return f"{change.path}: gone, was {_shown(before)}"
    if isinstance(before, str) and isinstance(after, str) and (_is_prose(before) or _is_prose(after)):
        return f"{change.path}: {word_difference(before, after)}"
    return f"{change.path}: {_shown(before)} → {_shown(after)}"


def word_difference(before: str, after: str) -> str:
    """The words that differ, each change with a few words around it."""
    old, new = _WORD.findall(before), _WORD.findall(after)
    if old == new:
        return "other spaces or line breaks"
    if len(old) + len(new) > MOST_WORDS:
        return f"{_shown(before)} → {_shown(after)}"
    matcher = SequenceMatcher(None, old, new, autojunk=False)
    parts = ["…" if skipped is None else " ".join(skipped) for skipped in _parts(matcher, old, new)]
    return " ".join(part for part in parts if part)


def _parts(matcher: SequenceMatcher[str], old: Sequence[str], new: Sequence[str]) -> Iterator[Sequence[str] | None]:
    """Runs of words; None stands for some that are left out."""
    blocks = matcher.get_opcodes()
    for number, (kind, start, end, other, last) in enumerate(blocks):
        if kind != "equal":
            yield _marked("[-", old[start:end], "-]")
            yield _marked("{+", new[other:last], "+}")
            continue
        before = old[start : start + AROUND] if number else []
        after = old[max(start + len(before), end - AROUND) : end] if number < len(blocks) - 1 else []
        yield before
        if len(before) + len(after) < end - start:
            yield None
        yield after


def _marked(opening: str, words: Sequence[str], closing: str) -> Sequence[str]:
    text = " ".join(words)
    return [f"{opening}{_cut(text)}{closing}"] if words else []


def _shown(value: Any) -> str:
    return _cut(value) if isinstance(value, str) and value and not _is_prose(value) else _cut(write_json(value))


def _cut(text: str) -> str:
    return text if len(text) <= LONGEST else f"{text[: LONGEST - 1]}…"


def _is_prose(text: str) -> bool:
    return len(text.split()) > 1


def _is_deep(items: list[Any]) -> bool:
    return any(isinstance(item, Mapping | list) for item in items)
