"""The head of a GGUF file: what a model file says of itself, read without trusting it.

Layout: "GGUF" in the documentation of ggml (``docs/gguf.md``), versions 2 and 3: magic, version, number of tensors,
number of keys, then the keys with their values, all little-endian. The weights behind them are never touched.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping
from pathlib import Path
from typing import BinaryIO, Final

from runner.words.errors import LLMResponseError
from runner.words.noun import noun

Value = int | float | bool | str | tuple[int | float | bool, ...]

MAX_HEAD: Final = 512 * 1024 * 1024
"""Bytes of a head at most; the largest vocabularies take some ten megabytes."""
_MAX_KEYS: Final = 4096
_MAX_NAME: Final = 64 * 1024
_MAX_TEXT: Final = 4 * 1024 * 1024
_MAX_NUMBERS: Final = 4096
"""Entries of a list of numbers that is kept: one a layer. Longer ones belong to the vocabulary."""
_PIECE: Final = 1024 * 1024

_STRING, _ARRAY = 8, 9
_CODES: Final = {0: "B", 1: "b", 2: "H", 3: "h", 4: "I", 5: "i", 6: "f", 7: "?", 10: "Q", 11: "q", 12: "d"}
_NUMBERS: Final = {kind: struct.Struct("<" + code) for kind, code in _CODES.items()}
_LENGTH: Final = struct.Struct("<Q")

_QUANTIZATIONS: Final = {
    0: "F32", 1: "F16", 2: "Q4_0", 3: "Q4_1", 7: "Q8_0", 8: "Q5_0", 9: "Q5_1", 10: "Q2_K", 11: "Q3_K_S", 12: "Q3_K_M",
    13: "Q3_K_L", 14: "Q4_K_S", 15: "Q4_K_M", 16: "Q5_K_S", 17: "Q5_K_M", 18: "Q6_K", 19: "IQ2_XXS", 20: "IQ2_XS",
    21: "Q2_K_S", 22: "IQ3_XS", 23: "IQ3_XXS", 24: "IQ1_S", 25: "IQ4_NL", 26: "IQ3_S", 27: "IQ3_M", 28: "IQ2_S",
    29: "IQ2_M", 30: "IQ4_XS", 31: "IQ1_M", 32: "BF16", 36: "TQ1_0", 37: "TQ2_0", 38: "MXFP4", 39: "NVFP4",
}  # fmt: skip
"""``llama_ftype`` of llama.cpp's ``llama.h``."""


@noun
class ModelHead:
    """What a model file says of itself; None where it does not.

    ``kind`` is ``model``, ``adapter``, ``mmproj``…; ``context_length`` in tokens, as trained; ``cache_bytes`` is the
    memory that a token of context takes, in half precision, None if the architecture keeps less than that for some
    layers (sliding windows, compressed or recurrent states).
    """

    architecture: str
    kind: str = "model"
    name: str | None = None
    size_label: str | None = None
    quantization: str | None = None
    context_length: int | None = None
    chat_template: str = ""
    pooling: int | None = None
    cache_bytes: int | None = None


def read_head(path: Path) -> ModelHead:
    """What the file at ``path`` says of itself.

    Raises:
        LLMResponseError: it cannot be read, is no GGUF file, or breaks the format (kind ``request``).
    """
    try:
        with path.open("rb", buffering=0) as file:
            values = _Reader(file).values()
    except OSError as error:
        raise broken(path, f"cannot be read: {error.strerror or error}") from error
    except _BrokenError as error:
        raise broken(path, str(error)) from error
    head = _head(values)
    if not head.architecture:
        raise broken(path, "does not say of which architecture its model is")
    return head


def broken(path: Path, why: str) -> LLMResponseError:
    """The error for a model file that is none, or not whole."""
    return LLMResponseError(f"the model file {path} {why}", kind="request", hint="get the file again, as GGUF")


class _BrokenError(Exception):
    """The file breaks the format; the text goes on from "the model file …"."""


class _Reader:
    """Reads forward through the head of a file, a piece at a time."""

    __slots__ = ("_at", "_buffer", "_file", "_taken")

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._buffer = b""
        self._at = 0
        self._taken = 0

    def values(self) -> dict[str, Value]:
        """All keys whose values are kept: texts, numbers, short lists of numbers."""
        self._check_version()
        self._take(8)  # the number of tensors
        count = self._count()
        if count > _MAX_KEYS:
            raise _BrokenError(f"claims to have {count} keys")
        found: dict[str, Value] = {}
        for _ in range(count):
            name = self._text(_MAX_NAME)
            value = self._value(self._kind())
            if value is not None:
                found[name] = value
        return found

    def _check_version(self) -> None:
        if self._take(4) != b"GGUF":
            raise _BrokenError("is no GGUF file")
        version = int.from_bytes(self._take(4), "little")
        if version in (2, 3):
            return
        if version & 0xFFFF == 0:  # the bytes stand the other way round
            raise _BrokenError("is written for big-endian machines")
        raise _BrokenError(f"is GGUF of version {version}; 2 and 3 are understood")

    def _value(self, kind: int) -> Value | None:
        if kind == _STRING:
            return self._text(_MAX_TEXT)
        if kind == _ARRAY:
            return self._list(self._kind(), self._count())
        number = _NUMBERS.get(kind)
        if number is None:
            raise _BrokenError(f"has a value of the unknown type {kind}")
        (value,) = number.unpack(self._take(number.size))
        return value  # type: ignore[no-any-return]  # a number, by the table

    def _list(self, kind: int, count: int) -> Value | None:
        """Numbers, if they are few; nothing else is kept, and a list of lists is not used by any model."""
        if kind == _STRING:
            self._skip_texts(count)
            return None
        number = _NUMBERS.get(kind)
        if number is None:
            raise _BrokenError(f"has a list of values of the type {kind}")
        if count > _MAX_NUMBERS:
            self._skip(count * number.size)
            return None
        return tuple(value for (value,) in number.iter_unpack(self._take(count * number.size)))

    def _skip_texts(self, count: int) -> None:
        """The vocabulary, hundreds of thousands of texts: the one loop of this module that must be quick."""
        read_length, size = _LENGTH.unpack_from, _LENGTH.size
        while count:
            self._fill(size)
            buffer, at, last = self._buffer, self._at, len(self._buffer) - size
            while count and at <= last:
                at += size + read_length(buffer, at)[0]
                count -= 1
            self._at = min(at, len(buffer))
            self._skip(at - self._at)

    def _kind(self) -> int:
        return int.from_bytes(self._take(4), "little")

    def _count(self) -> int:
        return int.from_bytes(self._take(8), "little")

    def _text(self, most: int) -> str:
        size = self._count()
        if size > most:
            raise _BrokenError(f"has a text of {size} bytes where at most {most} make sense")
        return self._take(size).decode("utf-8", "replace")

    def _take(self, size: int) -> bytes:
        self._fill(size)
        taken = self._buffer[self._at : self._at + size]
        self._at += size
        return taken

    def _skip(self, size: int) -> None:
        """Leave out bytes, without reading those that are not in memory yet."""
        inside = min(size, len(self._buffer) - self._at)
        self._at += inside
        if size > inside:
            self._count_bytes(size - inside)
            self._file.seek(size - inside, 1)

    def _fill(self, size: int) -> None:
        """Have at least ``size`` bytes in the buffer."""
        missing = size - (len(self._buffer) - self._at)
        if missing <= 0:
            return
        self._buffer, self._at = self._buffer[self._at :], 0
        while len(self._buffer) < size:
            piece = self._file.read(max(size - len(self._buffer), _PIECE))
            if not piece:
                raise _BrokenError("ends in the middle of its head")
            self._count_bytes(len(piece))
            self._buffer += piece

    def _count_bytes(self, size: int) -> None:
        self._taken += size
        if self._taken > MAX_HEAD:
            raise _BrokenError(f"has a head of more than {MAX_HEAD // 1024**2} MB")


def _head(values: Mapping[str, Value]) -> ModelHead:
    architecture = _text(values.get("general.architecture")) or ""
    kind = _whole(values.get("general.file_type"))
    return ModelHead(
        architecture=architecture,
        kind=_text(values.get("general.type")) or "model",
        name=_text(values.get("general.name")),
        size_label=_text(values.get("general.size_label")),
        quantization=None if kind is None else _QUANTIZATIONS.get(kind),
        context_length=_whole(values.get(f"{architecture}.context_length")),
        chat_template=_text(values.get("tokenizer.chat_template")) or "",
        pooling=_whole(values.get(f"{architecture}.pooling_type")),
        cache_bytes=_cache_bytes(values, architecture),
    )


def _cache_bytes(values: Mapping[str, Value], architecture: str) -> int | None:
    """Keys and values of all layers for one token, two bytes a number."""
    said = {name.removeprefix(f"{architecture}."): value for name, value in values.items()}
    if any(name.startswith(("ssm.", "wkv.")) for name in said) or {
        "attention.sliding_window", "attention.kv_lora_rank", "full_attention_interval", "shortconv.l_cache",
    } & said.keys():  # fmt: skip
        return None
    layers, width = _whole(said.get("block_count")), _whole(said.get("embedding_length"))
    heads = said.get("attention.head_count")
    if not layers or not width or not isinstance(heads, int) or heads < 1:
        return None
    shared = said.get("attention.head_count_kv", heads)
    per_token = sum(int(one) for one in shared) if isinstance(shared, tuple) else layers * (_whole(shared) or heads)
    key = _whole(said.get("attention.key_length")) or width // heads
    value = _whole(said.get("attention.value_length")) or width // heads
    return 2 * per_token * (key + value)


def _text(value: Value | None) -> str | None:
    return value.strip() or None if isinstance(value, str) else None


def _whole(value: Value | None) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) and value >= 0 else None
