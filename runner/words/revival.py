"""How an error comes back out of a pickle, which is how it leaves another process: a pool of them, a queue of jobs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeVar

Revived = TypeVar("Revived", bound=BaseException)


def revived(kind: type[Revived], args: tuple[object, ...], state: Mapping[str, object]) -> Revived:
    """The error as it was, without another call of its ``__init__``: that takes other things than ``args`` are."""
    error = kind.__new__(kind, *args)
    vars(error).update(state)
    return error
