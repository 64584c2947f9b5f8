"""Tools as we offer them to others: what a host is told, what it gets, and who stands behind the desk."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, Protocol

from runner.words.noun import noun

Progress = Callable[[float, float | None, str], Awaitable[None]]
"""Tells whoever waits how far it is: so much is done (only ever more), of so much (None = not known), and in words."""


@noun
class Offer:
    """A tool of ours. ``input_schema`` is a JSON Schema of ``type: object``, ``output_schema`` that of the structured
    content of a success.

    ``read_only``: it changes nothing anywhere; ``destructive``: what it changes may be lost; ``idempotent``: twice is
    as once; ``open_world``: it reaches further than this machine.
    """

    name: str
    title: str
    description: str
    input_schema: Mapping[str, Any]
    output_schema: Mapping[str, Any] | None = None
    read_only: bool = False
    destructive: bool = False
    idempotent: bool = False
    open_world: bool = False


@noun
class Answered:
    """What a call gave. ``structured`` is an object; ``text`` is for hosts that read no objects, None = its JSON."""

    structured: Mapping[str, Any]
    text: str | None = None
    is_error: bool = False


class Desk(Protocol):
    """Who offers tools and answers calls; any number of calls at once. Cancelling a call ends all that it started."""

    async def offers(self) -> Sequence[Offer]:
        """All there are now, in the same order each time."""

    async def call(self, name: str, arguments: Mapping[str, Any], progress: Progress) -> Answered:
        """Answer a call. What goes wrong is an ``Answered`` with ``is_error``; nothing but cancellation is raised."""
