"""A model as the file asks for it: an id, a list of them, or a mapping."""

from __future__ import annotations

from typing import Any

from runner.words.spans import Path, show_path
from runner.workflow.model import ModelWish
from runner.workflow.reading import Reading


def read_wish(reading: Reading, value: Any, path: Path, alias: str | None) -> ModelWish:
    """The wish at ``path``; its own ``path`` leads to the id."""
    if isinstance(value, str):
        return ModelWish(id=value, path=path, alias=alias)
    if isinstance(value, list):
        return ModelWish(id=value[0], path=(*path, 0), alias=alias, fallback=tuple(value[1:]))
    return ModelWish(
        id=value["id"],
        path=(*path, "id"),
        alias=alias,
        fallback=tuple(value.get("fallback", ())),
        load=value.get("load", {}),
        ttl=reading.seconds(value, "ttl", path),
        sampling=value.get("sampling", {}),
        endpoint=value.get("endpoint"),
    )


def name_model(reading: Reading, value: Any, path: Path) -> str | tuple[str, ...] | None:
    """A model at a step or in ``defaults`` as the name under which it is known.

    One written out as a mapping becomes a wish without an alias, named after its place: no alias of a file can have
    dots or brackets in it.
    """
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, list):
        return tuple(value)
    name = show_path(path)
    reading.wishes[name] = read_wish(reading, value, path, None)
    return name
