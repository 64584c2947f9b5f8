"""What a host sends, before the SDK looks at it: whole, within bounds, and text that every reader of JSON takes.

Half an emoji (``\\ud83d``, which hosts in JavaScript send when a model or a tool cut a text there) is legal JSON and no
text, so the SDK refuses the whole message. It becomes U+FFFD.
"""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any, Final, Literal

_SURROGATE: Final = re.compile(rb"\\u[dD][89a-fA-F]")


async def read_body(
    receive: Callable[[], Awaitable[MutableMapping[str, Any]]], *, most: int, seconds: float
) -> bytes | Literal["large", "slow", "gone"]:
    """The body of a request (ASGI), of ``most`` bytes, within so many seconds; or why there is none."""
    body = bytearray()
    try:
        async with asyncio.timeout(seconds):
            while True:
                message = await receive()
                if message["type"] == "http.disconnect":
                    return "gone"
                body += message.get("body", b"")
                if len(body) > most:
                    return "large"
                if not message.get("more_body", False):
                    return _mended(bytes(body))
    except TimeoutError:
        return "slow"


def without_halves(text: bytes) -> Any:
    """What JSON says, without halves of characters; None if it is no JSON."""
    try:
        said = json.dumps(json.loads(text), ensure_ascii=False)
    except (ValueError, RecursionError):
        return None
    return json.loads(said.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace"))


def _mended(body: bytes) -> bytes:
    said = without_halves(body) if _SURROGATE.search(body) else None
    return body if said is None else json.dumps(said).encode()
