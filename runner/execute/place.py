"""Where in a run something happens: a step of the file, an item of it, a step of a called workflow."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Protocol

from runner.record.events import Event


class Recorder(Protocol):
    """Writes facts down."""

    def append(self, event: Event) -> Any:
        """Write the fact.

        Raises:
            HistoryError: it cannot be written.
        """

    async def sync(self) -> None:
        """Make what was written survive a crash of the machine."""


class PlacedRecorder:
    """Writes down facts of a step that knows only its own id: with what stands ``before`` it, and the item."""

    def __init__(self, recorder: Recorder, before: str, item: int | None) -> None:
        self._recorder = recorder
        self._before = before
        self._item = item

    def append(self, event: Event) -> Any:
        """Write the fact with its place."""
        placed: Any = event
        if hasattr(placed, "step"):
            placed = replace(placed, step=self._before + placed.step, item=self._item)
        return self._recorder.append(placed)

    async def sync(self) -> None:
        """As the recorder below."""
        await self._recorder.sync()


def unit_key(step: str, item: int | None) -> str:
    """``fix``, ``fix[3]``: how a step, or an item of it, is named wherever one name is wanted."""
    return step if item is None else f"{step}[{item}]"
