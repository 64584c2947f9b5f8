"""Embeddings on the wire. The numbers mean nothing, but the same text always has the same ones."""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import blake2b
from typing import Any


def embeddings(model: str, texts: Sequence[str], dimensions: int, context: int) -> dict[str, Any]:
    """The body of ``/v1/embeddings``; the usage is always zero, as in captures.

    Of a text beyond ``context``, in tokens, only the beginning counts, without a word (as reported).
    """
    data = [
        {"object": "embedding", "embedding": vector(text[: context * 4], dimensions), "index": index}
        for index, text in enumerate(texts)
    ]
    return {"object": "list", "data": data, "model": model, "usage": {"prompt_tokens": 0, "total_tokens": 0}}


def vector(text: str, dimensions: int) -> list[float]:
    """A direction of length 1 that depends on the text alone."""
    numbers: list[float] = []
    while len(numbers) < dimensions:
        digest = blake2b(f"{len(numbers)}/{text}".encode("utf-8", "replace")).digest()
        numbers += [byte / 127.5 - 1 for byte in digest]
    numbers = numbers[:dimensions]
    length = sum(number * number for number in numbers) ** 0.5 or 1.0
    return [round(number / length, 6) for number in numbers]
