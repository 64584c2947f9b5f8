"""A noun of the house: a frozen, slotted, keyword-only dataclass that costs a tenth of the time to import.

``dataclasses`` writes and compiles six methods for every class, half a millisecond each time (Python 3.11 and 3.12):
with a hundred nouns that was a fifth of a short run. Here the methods are written once, below, for all nouns. What
comes out is a dataclass all the same: ``fields`` and ``replace`` know it; it prints, compares, hashes and is pickled as
one.
"""

from __future__ import annotations

from collections.abc import Callable, Set
from dataclasses import MISSING, FrozenInstanceError, dataclass, field, fields
from typing import Any, NoReturn, TypeVar, dataclass_transform

Noun = TypeVar("Noun")


@dataclass_transform(frozen_default=True, kw_only_default=True, field_specifiers=(field,))
def noun(described: type[Noun]) -> type[Noun]:
    """What ``@dataclass(frozen=True, slots=True, kw_only=True)`` makes of a class, without the compiling."""
    made: Any = dataclass(init=False, repr=False, eq=False, slots=True, kw_only=True)(described)
    made.__init__ = _initialiser(made)
    made.__repr__ = _repr
    made.__eq__ = _eq
    made.__hash__ = _hash
    made.__setattr__ = _setattr
    made.__delattr__ = _delattr
    made.__getstate__ = _values
    made.__setstate__ = _setstate
    return made  # type: ignore[no-any-return]  # the class that was given, with slots


def _initialiser(made: Any) -> Callable[..., None]:
    """``__init__`` of a noun; its slots are filled by their own descriptors, which know nothing of being frozen."""
    slots = {one.name: getattr(made, one.name).__set__ for one in fields(made)}
    defaults = {one.name: one.default for one in fields(made) if one.default is not MISSING}
    factories = {one.name: one.default_factory for one in fields(made) if one.default_factory is not MISSING}

    def __init__(self: Any, /, **given: Any) -> None:  # noqa: N807 - it becomes one
        values = {**defaults, **given}
        for name, make in factories.items():
            if name not in given:
                values[name] = make()
        if values.keys() != slots.keys():
            raise TypeError(_misfit(type(self), slots.keys(), values.keys()))
        for name, put in slots.items():
            put(self, values[name])

    return __init__


def _misfit(kind: type, wanted: Set[str], given: Set[str]) -> str:
    unknown = min(given - wanted, default=None)
    if unknown is not None:
        return f"{kind.__qualname__} has no field `{unknown}`"
    return f"{kind.__qualname__} was given no `{min(wanted - given)}`"


def _values(self: Any) -> tuple[Any, ...]:
    return tuple([getattr(self, name) for name in self.__dataclass_fields__])


def _setstate(self: Any, values: tuple[Any, ...]) -> None:
    """Out of a pickle or a copy, which make an empty one and would set its slots in the way that is forbidden."""
    for name, value in zip(self.__dataclass_fields__, values, strict=True):
        object.__setattr__(self, name, value)


def _repr(self: Any) -> str:
    shown = ", ".join(f"{name}={getattr(self, name)!r}" for name in self.__dataclass_fields__)
    return f"{type(self).__qualname__}({shown})"


def _eq(self: Any, other: object) -> Any:
    return _values(self) == _values(other) if type(other) is type(self) else NotImplemented


def _hash(self: Any) -> int:
    return hash(_values(self))


def _setattr(_: Any, name: str, __: object) -> NoReturn:
    raise FrozenInstanceError(f"cannot assign to field {name!r}")


def _delattr(_: Any, name: str) -> NoReturn:
    raise FrozenInstanceError(f"cannot delete field {name!r}")
