"""JSON values as lines that a person reads and a diff shows well: YAML as one would write it by hand."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

_PLAIN = re.compile(r"[A-Za-z_(/.`«„“…ÄÖÜäöüß][^\n\r\t#]*")
_NO_TEXTS = frozenset({"null", "true", "false", "~", "yes", "no", "on", "off"})


def replaced(value: Any, known: Mapping[str, str]) -> Any:
    """The value with every text of ``known`` in its texts replaced by what stands for it, the longest first.

    Folders and addresses only where they end: in the folder `/app` a text may speak of `/apple` and of `x.org/app`.
    """
    if not known:
        return value
    if isinstance(value, str):
        for text in sorted(known, key=lambda text: (-len(text), text)):
            if text.strip("/") and text in value:
                value = known[text].join(re.split(_where(text), value))
        return value
    if isinstance(value, Mapping):
        return {replaced(key, known): replaced(part, known) for key, part in value.items()}
    return [replaced(part, known) for part in value] if isinstance(value, list | tuple) else value


def _where(text: str) -> str:
    before = r"(?<![\w.~-])" if text.startswith("/") else ""
    behind = r"(?![\w-]|\.\w)" if "/" in text else ""
    return f"{before}{re.escape(text)}{behind}"


def inline(value: Any) -> str:
    """The value on one line: a text as it is where it cannot be mistaken, else JSON."""
    if isinstance(value, str) and _is_plain(value):
        return value
    return json.dumps(value, ensure_ascii=False)


def block(name: str, value: Any) -> list[str]:
    """``name: value``; what takes several lines stands below the name, two cells further in."""
    if isinstance(value, str) and "\n" in value.rstrip("\n") and _is_lines(value):
        sign = "|" if value.endswith("\n") else "|-"
        return [f"{name}: {sign}", *_indented(value.removesuffix("\n").split("\n"))]
    if isinstance(value, Mapping) and value:
        return [f"{name}:", *_indented(line for key, part in value.items() for line in block(inline(key), part))]
    if isinstance(value, list | tuple) and value:
        return [f"{name}:", *_indented(line for part in value for line in _item(part))]
    return [f"{name}: {inline(value)}"]


def _item(value: Any) -> Iterator[str]:
    """One entry of a list: its first line after the dash, the others below that."""
    if isinstance(value, Mapping) and value:
        lines = [line for key, part in value.items() for line in block(inline(key), part)]
        yield f"- {lines[0]}"
        yield from _indented(lines[1:])
    else:
        first, *rest = block("-", value)
        yield first.replace("-:", "-", 1)
        yield from rest


def _indented(lines: Any) -> list[str]:
    return [f"  {line}" if line else "" for line in lines]


def _is_plain(text: str) -> bool:
    if text.casefold() in _NO_TEXTS or text != text.strip() or text.endswith(":") or ": " in text:
        return False
    return _PLAIN.fullmatch(text) is not None and text.isprintable()


def _is_lines(text: str) -> bool:
    """Whether nothing but line breaks and tabs keeps the text from being printed as it is."""
    rest = text.replace("\n", "").replace("\t", "")
    return (rest.isprintable() or not rest) and not text.startswith((" ", "\n"))
