"""Durations and sizes as the workflow file writes them."""

from __future__ import annotations

import re

_SECONDS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0}
_BYTES = {"B": 1, "KB": 1024, "MB": 1024**2, "GB": 1024**3}
DURATION_HINT = "write a whole number and a unit: 500ms, 30s, 10m, 2h"
SIZE_HINT = "write a whole number and a unit: 32KB, 1MB"


def parse_duration(text: str) -> float:
    """``"30s"`` as seconds.

    Raises:
        ValueError: not a whole number followed by ms, s, m or h, or zero.
    """
    match = re.fullmatch(r"([0-9]{1,9})(ms|s|m|h)", text)
    if match is None or int(match[1]) == 0:
        raise ValueError(f"`{text}` is not a duration")
    return int(match[1]) * _SECONDS[match[2]]


def parse_size(text: str) -> int:
    """``"32KB"`` as bytes (1 KB = 1,024 bytes).

    Raises:
        ValueError: not a whole number followed by B, KB, MB or GB, or zero.
    """
    match = re.fullmatch(r"([0-9]{1,12})(B|KB|MB|GB)", text)
    if match is None or int(match[1]) == 0:
        raise ValueError(f"`{text}` is not a size")
    return int(match[1]) * _BYTES[match[2]]


def show_seconds(seconds: float) -> str:
    """Seconds for people: ``0.4s``, ``12s``, ``3m05s``, ``2h10m``."""
    if seconds < 9.95:  # what is more would be shown as 10.0s
        return f"{seconds:.1f}s"
    whole = round(seconds)
    if whole < 60:
        return f"{whole}s"
    minutes, rest = divmod(whole, 60)
    if minutes < 60:
        return f"{minutes}m{rest:02d}s"
    hours, minutes = divmod(minutes, 60)
    return f"{hours}h{minutes:02d}m"


def show_bytes(count: int) -> str:
    """Bytes for people: ``512 B``, ``3.4 KB``, ``19.0 GB``."""
    if count < 1024:
        return f"{count} B"
    size = count / 1024
    for unit in ("KB", "MB"):
        if size < 1023.95:  # what is more would be shown as 1024.0
            return f"{size:.1f} {unit}"
        size /= 1024
    return f"{size:.1f} GB"
