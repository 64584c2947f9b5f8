"""Pictures from local files, for models that see.

What a file is, its first bytes say, never its name. The formats are those that LM Studio and llama.cpp decode; their
signatures and headers are those of the PNG specification (sections 5.2 and 11.2.2), ITU T.81 (annex B), GIF89a
(sections 17 and 18) and Google's description of the WebP container.
"""

from __future__ import annotations

import base64
import hashlib
import os
import re
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Final

from runner.chat.messages import Image
from runner.words.errors import StepError
from runner.words.units import show_bytes

MAX_BYTES: Final = 20 * 1024 * 1024
MAX_PIXELS: Final = 50_000_000
"""What a server has to unpack, four bytes each; a small file can hold a picture that fills its memory."""

_SCHEME = re.compile(r"[a-z][a-z0-9+.-]+:", re.IGNORECASE)
_HINT: Final = "give the path of a png, jpeg, webp or gif file on this machine"

Size = tuple[int, int]


def read_image(path: str, folder: Path) -> Image:
    """The picture at ``path``, relative to ``folder`` unless it is absolute.

    Raises:
        StepError: kind ``request``: it is an address, no regular file, too large, or no picture of a known format.
    """
    if _SCHEME.match(path) and not _is_drive(path):
        raise _refusal(path if len(path) <= 60 else path[:60] + "…", "is an address, and only local files are sent")
    data = _read(path, folder)
    media_type, measure = _format(path, data)
    size = measure(data)
    if size is not None and size[0] * size[1] > MAX_PIXELS:
        raise _refusal(path, f"has {size[0]} x {size[1]} pixels; at most 50 million can be sent", "make it smaller")
    return Image(
        path=path,
        media_type=media_type,
        data=base64.b64encode(data).decode("ascii"),
        size=len(data),
        sha256=hashlib.sha256(data).hexdigest(),
    )


def _read(path: str, folder: Path) -> bytes:
    """All bytes of a regular file; opened without waiting, so that a pipe in its place cannot hold us."""
    try:
        handle = os.open(folder / path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0))
    except FileNotFoundError as error:
        raise _refusal(
            path, "is not there", "a relative path starts in the folder where bridge-run was started"
        ) from error
    except (OSError, ValueError) as error:  # a null character in a path is a ValueError
        why = error.strerror if isinstance(error, OSError) else None
        raise _refusal(path, f"cannot be read: {why or error}") from error
    try:
        _check_regular(path, os.fstat(handle))
        with os.fdopen(handle, "rb", closefd=False) as file:
            return file.read(MAX_BYTES)
    finally:
        os.close(handle)


def _check_regular(path: str, found: os.stat_result) -> None:
    """Nothing, if it is a file of a size that can be sent."""
    if stat.S_ISDIR(found.st_mode):
        raise _refusal(path, "is a folder")
    if not stat.S_ISREG(found.st_mode):
        raise _refusal(path, "is no regular file")
    if found.st_size > MAX_BYTES:
        most = show_bytes(MAX_BYTES)
        raise _refusal(path, f"has {show_bytes(found.st_size)}; at most {most} can be sent", "make it smaller")


def _format(path: str, data: bytes) -> tuple[str, Callable[[bytes], Size | None]]:
    """The media type, and what reads the width and height from the header."""
    if data.startswith(b"\x89PNG\r\n\x1a\n"):
        return "image/png", _png_size
    if data.startswith(b"\xff\xd8\xff"):
        return "image/jpeg", _jpeg_size
    if data.startswith((b"GIF87a", b"GIF89a")):
        return "image/gif", _gif_size
    if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        return "image/webp", _webp_size
    raise _refusal(path, "is empty" if not data else "is no picture that a model can be sent")


def _png_size(data: bytes) -> Size | None:
    if data[12:16] != b"IHDR" or len(data) < 24:
        return None
    return int.from_bytes(data[16:20], "big"), int.from_bytes(data[20:24], "big")


def _gif_size(data: bytes) -> Size | None:
    if len(data) < 10:
        return None
    return int.from_bytes(data[6:8], "little"), int.from_bytes(data[8:10], "little")


def _webp_size(data: bytes) -> Size | None:
    """Three kinds: lossy with a start code of its own, lossless with 14 bits each, extended with 24 bits each."""
    kind = data[12:16]
    if len(data) < 30:
        return None
    if kind == b"VP8X":
        return 1 + int.from_bytes(data[24:27], "little"), 1 + int.from_bytes(data[27:30], "little")
    if kind == b"VP8L" and data[20] == 0x2F:
        bits = int.from_bytes(data[21:25], "little")
        return 1 + (bits & 0x3FFF), 1 + (bits >> 14 & 0x3FFF)
    if kind == b"VP8 " and data[23:26] == b"\x9d\x01\x2a":
        return int.from_bytes(data[26:28], "little") & 0x3FFF, int.from_bytes(data[28:30], "little") & 0x3FFF
    return None


def _jpeg_size(data: bytes) -> Size | None:
    """The first frame header: a marker C0 to CF that is no table (C4), no extension (C8), no arithmetic (CC)."""
    at = 2
    while at + 9 <= len(data) and data[at] == 0xFF:
        marker = data[at + 1]
        if marker == 0xFF:  # fill
            at += 1
        elif marker == 0x01 or 0xD0 <= marker <= 0xD7:  # these stand alone
            at += 2
        elif 0xC0 <= marker <= 0xCF and marker not in (0xC4, 0xC8, 0xCC):
            return int.from_bytes(data[at + 7 : at + 9], "big"), int.from_bytes(data[at + 5 : at + 7], "big")
        else:
            at += 2 + int.from_bytes(data[at + 2 : at + 4], "big")
    return None


def _is_drive(path: str) -> bool:
    """Whether it begins as a Windows path does: ``C:\\...``. A scheme of one letter does not exist."""
    return re.match(r"[A-Za-z]:[\\/]", path) is not None


def _refusal(path: str, what: str, hint: str = _HINT) -> StepError:
    return StepError("request", f"the image `{path}` {what}", hint=hint)
