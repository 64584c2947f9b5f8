"""Arguments of a call: do they fit the tool, and what is to be done if not."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from runner.app.bridge.errors import ArgumentsError
from runner.chat.offer import Offer
from runner.words.complaint import Complaint
from runner.words.schemas import complaints
from runner.words.spans import show_path
from runner.words.suggest import did_you_mean


def fitting(offer: Offer, arguments: Mapping[str, Any]) -> dict[str, Any]:
    """The arguments, with the default of each that was left out.

    Raises:
        ArgumentsError: some do not fit; all of them at once.
    """
    problems = [problem for one in complaints(offer.input_schema, dict(arguments)) for problem in _problems(offer, one)]
    if problems:
        raise ArgumentsError(offer.name, problems, hint=_hint(offer))
    known = offer.input_schema.get("properties", {})
    defaults = {name: one["default"] for name, one in known.items() if isinstance(one, Mapping) and "default" in one}
    return {**defaults, **arguments}


def _problems(offer: Offer, complaint: Complaint) -> Iterator[dict[str, str]]:
    """One for each argument that a complaint is about."""
    where = show_path(complaint.path)
    if complaint.keyword == "additionalProperties":
        known = tuple(offer.input_schema.get("properties", {})) if not complaint.path else ()
        for name in complaint.names:
            near = did_you_mean(name, known)
            there = f"there is no such argument; {near}" if near else "there is no such argument"
            yield {"argument": _under(where, name), "message": there}
    elif complaint.keyword == "required":
        for name in complaint.names:
            yield {"argument": _under(where, name), "message": "it is required"}
    else:
        yield {"argument": where or "arguments", "message": complaint.message}


def _under(where: str, name: str) -> str:
    return f"{where}.{name}" if where else name


def _hint(offer: Offer) -> str:
    schema = offer.input_schema
    required = schema.get("required", ())
    names = [f"`{name}`" + (" (required)" if name in required else "") for name in schema.get("properties", {})]
    return f"the arguments are {', '.join(names)}" if names else "leave all arguments out"
