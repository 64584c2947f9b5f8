"""Masking: the value of a secret never reaches what is stored or shown."""

from __future__ import annotations

import json
import re
from base64 import b64encode, urlsafe_b64encode
from collections.abc import Iterator, Mapping, Sequence
from typing import Any
from urllib.parse import quote, quote_plus

SHORTEST = 4
"""Values shorter than this are not masked: half of every text would be."""


_UNTOUCHED = ("", "/", "!'()*", "!'()*;,/?:@&=+$#")
"""What URL encoders leave as it is: those of Python, and of JavaScript for a part of a URL and for a whole one."""
_ESCAPE = re.compile("%[0-9A-F]{2}")
_BREAK = r"(?:\r?\n|\\r\\n|\\n)"
"""Where encoders of base64 begin a new line (``base64`` after 76 characters, PEM after 64), also JSON-escaped."""
_BREAKS = re.compile(_BREAK)


class Redactor:
    """Replaces the values of secrets, in the forms in which they travel, by ``[secret NAME]``.

    Known forms: as it is, JSON-escaped, URL-encoded, and base64 (also inside a longer encoded text such as
    ``user:secret``, whatever the length of what stands before it, and over the ends of lines). ``also`` are other texts
    to replace, as they are.
    """

    __slots__ = ("_forms", "_pattern")

    def __init__(self, secrets: Mapping[str, str], also: Mapping[str, str] | None = None) -> None:
        self._forms: dict[str, str] = {text: stands for text, stands in (also or {}).items() if text}
        broken = set[str]()
        for name, value in secrets.items():
            if len(value) >= SHORTEST:
                encoded = [form for form in _encoded(value) if len(form) >= SHORTEST]
                broken.update(encoded)
                for form in (*_forms(value), *encoded):
                    self._forms.setdefault(form, f"[secret {name}]")
        self._pattern = None
        if self._forms:
            longest_first = sorted(self._forms, key=lambda form: (-len(form), form))
            self._pattern = re.compile("|".join(_pattern(form, breaks=form in broken) for form in longest_first))

    @property
    def empty(self) -> bool:
        """True if there is nothing to mask."""
        return self._pattern is None

    def text(self, text: str) -> str:
        """The text without secrets."""
        if self._pattern is None:
            return text
        return self._pattern.sub(self._stand_in, text)

    def _stand_in(self, match: re.Match[str]) -> str:
        found = self._forms.get(match[0])
        return self._forms[_BREAKS.sub("", match[0])] if found is None else found

    def pieces(self, pieces: Sequence[str]) -> tuple[str, ...]:
        """The pieces of one text without secrets, also those that lie across a boundary: such a boundary is gone.
        Joined, they are what ``text`` makes of the whole; those that became empty are left out.
        """
        whole = "".join(pieces)
        if self._pattern is None or not (found := list(self._pattern.finditer(whole))):
            return tuple(pieces)
        cut: list[str] = []
        done, start, matches = 0, 0, iter(found)
        match, held = next(matches, None), ""
        for piece in pieces:
            start += len(piece)
            while match is not None and match.start() < start:
                held += whole[done : match.start()] + self._stand_in(match)
                done, match = match.end(), next(matches, None)
            if done <= start:
                held += whole[done:start]
                done = start
                cut.append(held)
                held = ""
        return tuple(piece for piece in cut if piece)

    def value(self, value: Any) -> Any:
        """A JSON value without secrets, in keys too; the very same object when there is nothing to mask."""
        if self._pattern is None:
            return value
        if isinstance(value, str):
            return self.text(value)
        if isinstance(value, Mapping):
            return {self.value(key): self.value(item) for key, item in value.items()}
        if isinstance(value, list | tuple):
            return [self.value(item) for item in value]
        if isinstance(value, int | float) and str(value) in self._forms:  # a number that is a secret
            return self._forms[str(value)]
        return value


def _forms(value: str) -> Iterator[str]:
    """Every spelling of a value as text that is long enough to be told from chance."""
    spellings = [value, json.dumps(value)[1:-1], json.dumps(value, ensure_ascii=False)[1:-1]]
    if _encodable(value):
        quoted = [quote_plus(value), *(quote(value, safe=safe) for safe in _UNTOUCHED)]
        spellings += [*quoted, *(_ESCAPE.sub(lambda match: match[0].lower(), text) for text in quoted)]
    yield from (spelling for spelling in spellings if len(spelling) >= SHORTEST)


def _encoded(value: str) -> Iterator[str]:
    """Every spelling in base64, on one line."""
    raw = value.encode("utf-8", "surrogatepass")
    for encode in (b64encode, urlsafe_b64encode):
        yield encode(raw).decode().rstrip("=")
        yield from (_inner(encode, raw, before) for before in (0, 1, 2))


def _pattern(form: str, *, breaks: bool) -> str:
    return f"{_BREAK}?".join(map(re.escape, form)) if breaks else re.escape(form)


def _encodable(value: str) -> bool:
    return not any("\ud800" <= character <= "\udfff" for character in value)


def _inner(encode: Any, raw: bytes, before: int) -> str:
    """The characters of base64 that depend on ``raw`` alone when ``before`` bytes (modulo 3) precede it."""
    whole = encode(b"\0" * before + raw).decode().rstrip("=")
    start = before + 1 if before else 0
    end = len(whole) - (1 if (before + len(raw)) % 3 else 0)
    return str(whole[start:end])
