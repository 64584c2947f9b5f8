"""What a server's complaint says, whatever its shape: the text for people, and the numbers that stand in it."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any, Final

Body = bytes | str | Mapping[str, Any]

_SHOWN: Final = 400
"""Characters of a server's text that a message repeats."""

_CONTEXT_SIZES: Final = (
    r"request \((?P<prompt>\d+) tokens\) exceeds .{0,40}\((?P<ctx>\d+) tokens\)",
    r"input has (?P<prompt>\d+) tokens.{0,80}supports (?P<ctx>\d+) tokens",
    r"n_keep[: (]+(?P<prompt>\d+)\)? *>= *n_ctx[: (]+(?P<ctx>\d+)",
    r"keep the first (?P<prompt>\d+) tokens.{0,120}context length of only (?P<ctx>\d+)",
    r"maximum context length is (?P<ctx>\d+) tokens.{0,80}?(?P<prompt>\d+) (?:input )?tokens",
    r"requested tokens \((?P<prompt>\d+)\) exceeds? context window of (?P<ctx>\d+)",
    r"maximum context length is (?P<ctx>\d+) tokens",
    r"prompt \(length (?P<prompt>\d+)\).{0,60}maximum model length of (?P<ctx>\d+)",
)
"""Compiled with the first complaint: most runs hear none."""
_SIZE: Final = r"(\d+(?:\.\d+)?) *([kmgt]?i?b)\b"
_REQUIRED: Final = rf"(?:requires|required:?|needs)[^.\d]{{0,60}}{_SIZE}"
_AVAILABLE: Final = rf"available[^.\d]{{0,20}}{_SIZE}"
_UNITS: Final = {"k": 1024, "m": 1024**2, "g": 1024**3, "t": 1024**4}
_ENGINE_JSON = re.compile(r"\{.*\}", re.DOTALL)
_TITLE = re.compile(r"<title[^>]*>(.*?)</title>", re.IGNORECASE | re.DOTALL)
_SAID_STATUS: Final[Mapping[object, int]] = {
    "invalid_request_error": 400, "invalid_request": 400, "badrequesterror": 400, "permission_denied": 403,
    "unavailable_error": 503, "server_error": 500, "internal_error": 500, "api_error": 500,
}  # fmt: skip
"""Types of complaints that say what a status would."""


def error_text(body: Body) -> str:
    """What a complaint says, in one line fit for a message, whatever its shape."""
    return texts(body)[0]


def said_status(body: Body, status: int) -> int:
    """The status that the complaint itself speaks of, where HTTP's own says nothing or something else.

    An error in a stream comes under 200; LM Studio wraps the engine's error of 500 into a 400 of its own.
    """
    raw = body.decode("utf-8", "replace") if isinstance(body, bytes) else body
    data = _parsed(raw) if isinstance(raw, str) else raw
    said = data.get("error") if isinstance(data, Mapping) else None
    if isinstance(said, str):
        match = _ENGINE_JSON.search(said)
        inner = _parsed(match[0]) if match else None
        return _coded(inner.get("error", inner), status) if isinstance(inner, Mapping) else status
    return _coded(said or data, status) if status == 200 else status


def context_sizes(lowered: str) -> tuple[int | None, int | None]:
    """The tokens of the prompt and of the context that a text says, in lower case; None where it does not."""
    match = next(filter(None, (re.search(pattern, lowered) for pattern in _CONTEXT_SIZES)), None)
    found = match.groupdict() if match is not None else {}
    return (int(found["prompt"]) if "prompt" in found else None, int(found["ctx"]) if "ctx" in found else None)


def memory_sizes(lowered: str) -> tuple[int | None, int | None]:
    """The bytes that are required and those that are available, as a text says them, in lower case.

    What LM Studio calls a GB may be either; here it is 1,024 MB.
    """
    return _bytes(_REQUIRED, lowered), _bytes(_AVAILABLE, lowered)


def texts(body: Body) -> tuple[str, str]:
    """The complaint for people, in one line, and all of it in lower case, for the rules."""
    raw = body.decode("utf-8", "replace") if isinstance(body, bytes) else body
    data = _parsed(raw) if isinstance(raw, str) else raw
    if data is None:
        text = _page(str(raw))
        return text, str(raw).casefold()
    lowered = json.dumps(data, ensure_ascii=False, default=str).casefold()
    return _short(_engine(_message(data) or lowered)), lowered


def _parsed(text: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None


def _message(data: Any, depth: int = 0) -> str:
    """The text of a complaint: ``error`` as text or object, ``message``, or the ``detail`` of FastAPI."""
    if isinstance(data, str):
        return data
    if isinstance(data, list):
        return "; ".join(filter(None, (_message(item, depth + 1) for item in data[:3])))
    if not isinstance(data, Mapping) or depth > 4:
        return ""
    for key in ("error", "message", "msg", "detail"):
        text = _message(data.get(key), depth + 1)
        if text:
            return text
    return ""


def _engine(text: str) -> str:
    """The engine's own message where LM Studio wraps its JSON into a sentence."""
    match = _ENGINE_JSON.search(text)
    inner = _parsed(match[0]) if match else None
    return _message(inner) or text


def _page(text: str) -> str:
    """A body that is no JSON: the title of a web page, else its beginning."""
    if "<html" not in text[:2000].lower():
        return _short(text)
    title = _TITLE.search(text)
    return f"a web page titled “{_short(title[1])}”" if title else "a web page"


def _short(text: str) -> str:
    """One line without control characters, which could play tricks on a terminal."""
    line = " ".join("".join(c if c.isprintable() else " " for c in text).split())
    return line if len(line) <= _SHOWN else line[: _SHOWN - 1] + "…"


def _coded(complaint: object, status: int) -> int:
    if not isinstance(complaint, Mapping):
        return status
    code = complaint.get("code")
    if isinstance(code, int) and 400 <= code < 600:
        return code
    kind = complaint.get("type")
    return _SAID_STATUS.get(kind.casefold(), status) if isinstance(kind, str) else status


def _bytes(pattern: str, lowered: str) -> int | None:
    match = re.search(pattern, lowered)
    return round(float(match[1]) * _UNITS.get(match[2][0], 1)) if match is not None else None
