"""Results too large or too strange for a conversation: the whole goes to an artifact, a readable part stays."""

from __future__ import annotations

from runner.chat.toolbox import ToolResult
from runner.execute.world import Artifacts


def shorten(text: str, limit: int, artifacts: Artifacts, step: str, name: str) -> tuple[str, str | None]:
    """``text`` cut to ``limit`` characters, two thirds head and one third tail, and where the whole of it is kept.

    Raises:
        HistoryError: the artifact cannot be written.
    """
    if len(text) <= limit:
        return text, None
    place = artifacts.artifact(step, name, text)
    head, tail = limit * 2 // 3, limit // 3
    note = f"\n[… {len(text) - head - tail} of {len(text)} characters cut here; the whole result: {place} …]\n"
    return text[:head] + note + (text[-tail:] if tail else ""), place


def keep_blobs(result: ToolResult, artifacts: Artifacts, step: str, name: str) -> str:
    """The result's text with each blob's placeholder followed by where the blob is kept.

    Raises:
        HistoryError: an artifact cannot be written.
    """
    if not result.blobs:
        return result.text
    import mimetypes  # reads the system's tables when it is first asked

    text = result.text
    for number, blob in enumerate(result.blobs, 1):
        suffix = mimetypes.guess_extension(blob.mime_type) or ".bin"
        place = artifacts.artifact(step, f"{name}-{number}{suffix}", blob.data)
        start = text.find(f"[blob {number}: ")
        end = text.find("]", start)
        if start >= 0 and end > start:
            text = f"{text[:end]}, kept as {place}{text[end:]}"
    return text
