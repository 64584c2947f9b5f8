"""What programs give us, judged where it comes in: a wrong type is a ``UsageError`` with the name of the argument."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Iterable, Mapping
from typing import Any

from runner.words.complaint import describe
from runner.words.errors import UsageError


def path(name: str, value: object) -> str:
    """Of a file or a folder."""
    text = os.fspath(value) if isinstance(value, str | os.PathLike) else None
    if not isinstance(text, str):
        raise _misfit(name, value, "a path")
    return text


def path_or_none(name: str, value: object) -> str | None:
    """The same, if there is one."""
    return None if value is None else path(name, value)


def paths(name: str, value: object) -> tuple[str, ...]:
    """One or several."""
    if isinstance(value, str | os.PathLike):
        return (path(name, value),)
    return tuple(path(name, one) for one in _each(name, value, "a path or a list of paths"))


def text(name: str, value: object) -> str:
    """A text."""
    if not isinstance(value, str):
        raise _misfit(name, value, "a text")
    return value


def text_or_none(name: str, value: object) -> str | None:
    """The same, if there is one."""
    return None if value is None else text(name, value)


def texts(name: str, value: object) -> tuple[str, ...]:
    """One or several; a single text is one, not a list of its letters."""
    if value is None or isinstance(value, str):
        return () if value is None else (value,)
    return tuple(text(name, one) for one in _each(name, value, "a text or a list of texts"))


def mapping(name: str, value: object) -> dict[str, Any]:
    """Values by name; none if there is nothing."""
    if value is None:
        return {}
    if not isinstance(value, Mapping):
        raise _misfit(name, value, "a mapping of names to values")
    for key in value:
        if not isinstance(key, str):
            raise UsageError(f"`{name}` has {_described(key)} among its names; they must be texts")
    return dict(value)


def texts_by_name(name: str, value: object) -> dict[str, str]:
    """The same, of texts."""
    return {key: text(f"{name}[{key!r}]", one) for key, one in mapping(name, value).items()}


def environment_or_ours(value: object) -> dict[str, str]:
    """That which stands for the environment of the process, or that itself."""
    return dict(os.environ) if value is None else texts_by_name("environment", value)


def number(name: str, value: object) -> float:
    """A number."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise _misfit(name, value, "a number")
    return value


def whole_or_none(name: str, value: object) -> int | None:
    """A whole number, if there is one."""
    if value is not None and (isinstance(value, bool) or not isinstance(value, int)):
        raise _misfit(name, value, "a whole number")
    return value


def need_asyncio(name: str) -> None:
    """Raises: UsageError: no event loop of asyncio runs; of trio, say, nothing of ours would ever go on."""
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        hint = "elsewhere call `runner.run_sync(…)` in a thread of its own"
        raise UsageError(f"`{name}` needs a running event loop of asyncio", hint=hint) from None


def refuse_in_loop(name: str, instead: str) -> None:
    """Raises: UsageError: an event loop runs here, which would stand still meanwhile."""
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        other = _other_library()
        if other is None:
            return
        message = f"`{name}` was called inside of a running event loop of {other}"
        raise UsageError(message, hint="call it in a thread of its own") from None
    raise UsageError(f"`{name}` was called inside of a running event loop", hint=f"write `{instead}` there")


def _other_library() -> str | None:
    sniffio = sys.modules.get("sniffio")  # whoever has a loop that is not asyncio's tells it there
    return None if sniffio is None else sniffio.thread_local.name


def _each(name: str, value: object, wanted: str) -> Iterable[object]:
    if not isinstance(value, Iterable) or isinstance(value, bytes | Mapping):
        raise _misfit(name, value, wanted)
    return value


def _misfit(name: str, value: object, wanted: str) -> UsageError:
    return UsageError(f"`{name}` is {_described(value)}; it must be {wanted}")


def _described(value: object) -> str:
    known = value is None or isinstance(value, bool | int | float | str | list | tuple | Mapping)
    return describe(value) if known else f"of the type `{type(value).__name__}`"
