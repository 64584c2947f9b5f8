"""Where in a run the work at hand stands, as the journal tells it.

What a step is about to do is journalled before it is done, in the very task that does it. So who hears the journal
knows for each task which unit, attempt and round it works for, and the walls of a run can ask here. A task that is
started by another one begins where that one stood.
"""

from __future__ import annotations

from contextvars import ContextVar

from runner.record.events import ModelAsked, StepRepeated, StepRetried, StepStarted, ToolCalled
from runner.record.parts import unit_of
from runner.record.wire import Entry
from runner.words.noun import noun


@noun
class Whereabouts:
    """A place in a run. ``unit`` as ``call[3]/draft``, empty before the first step. ``attempt`` and ``round`` count
    from 1, 0 = there is none.
    """

    unit: str = ""
    attempt: int = 0
    round: int = 0

    def __str__(self) -> str:
        """For messages: `` `fix[0]` (attempt 1, round 2)``."""
        counts = ", ".join(f"{name} {at}" for name, at in (("attempt", self.attempt), ("round", self.round)) if at)
        where = f"`{self.unit}`" if self.unit else "the run"
        return f"{where} ({counts})" if counts else where


_NOWHERE = Whereabouts()
_PLACE: ContextVar[Whereabouts] = ContextVar("whereabouts", default=_NOWHERE)


def whereabouts() -> Whereabouts:
    """Where the task that asks stands."""
    return _PLACE.get()


def follow(entry: Entry) -> None:
    """Listen to a journal; called in the task that appends."""
    event = entry.event
    if isinstance(event, StepStarted):
        _PLACE.set(Whereabouts(unit=unit_of(event) or "", attempt=1))
    elif isinstance(event, StepRetried):
        _PLACE.set(Whereabouts(unit=unit_of(event) or "", attempt=event.attempt + 1))
    elif isinstance(event, StepRepeated):
        _PLACE.set(Whereabouts(unit=unit_of(event) or "", attempt=event.attempt))
    elif isinstance(event, ModelAsked | ToolCalled):
        _PLACE.set(Whereabouts(unit=unit_of(event) or "", attempt=event.attempt, round=event.round or 0))
