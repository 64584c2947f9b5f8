"""What is told of fan-outs: of a few items everything, of thousands how far they are, and what goes wrong with them."""

from __future__ import annotations

from dataclasses import dataclass

from runner.record.events import Event, StepFinished, StepStarted
from runner.record.parts import Tally, parent_of, unit_of
from runner.record.state import RunState
from runner.show.cell import fit, fit_tail, one_line
from runner.show.sentence import Sentence, sentence

FEW = 10
"""Fan-outs of at most so many items are told item by item."""
LONGEST_NAME = 24
_LONGEST_PATH = 28
"""Cells of a name with items or calls in it, whose end says more than its beginning."""
_TOLD = 20
"""Of a crowd so many failures and warnings are told; the rest is counted."""
_STAGES = 10
"""So often a crowd says how far it is."""


@dataclass(slots=True)
class _Crowd:
    """A fan-out of many items: the last stage that was told, how many troubles were told, how many were not."""

    stage: int
    told: int = 0
    untold: int = 0


class Crowds:
    """Puts facts into words, and those of many items into few. Ask about an event when ``state`` has it already.

    Everything below a large fan-out is part of its crowd: its items, the steps that they call, and their items.
    ``progress`` says whether crowds tell how far they are.
    """

    def __init__(self, state: RunState, *, progress: bool) -> None:
        self._state = state
        self._progress = progress
        self._crowds: dict[str, _Crowd] = {}

    def said(self, event: Event) -> tuple[Sentence, ...]:
        """What there is to say about the event: nothing, a sentence, rarely two."""
        unit = unit_of(event)
        above = None if unit is None else self._above(unit)
        if above is not None:
            return self._said_of_crowd(above, event)
        if unit is not None and isinstance(event, StepStarted):
            if event.item is not None:
                return ()
            if event.items is not None and event.items > FEW:
                self._crowds[unit] = _Crowd(stage=self._stage(unit))
        said = sentence(event)
        whole = () if said is None else (said,)
        ended = self._crowds.pop(unit, None) if unit is not None and isinstance(event, StepFinished) else None
        if ended is None or not ended.untold or unit is None:
            return whole
        text = f"{ended.untold:,} more failures and warnings of its items stand in the record"
        return (Sentence(who=unit, text=text, mood="warning"), *whole)

    def _above(self, unit: str) -> str | None:
        """The outermost crowd that the unit is in."""
        found, parent = None, parent_of(unit) if self._crowds else None
        while parent is not None:
            found = parent if parent in self._crowds else found
            parent = parent_of(parent)
        return found

    def _said_of_crowd(self, name: str, event: Event) -> tuple[Sentence, ...]:
        crowd, lines = self._crowds[name], []
        said = sentence(event)
        trouble = said is not None and said.mood in ("warning", "bad")
        if isinstance(event, StepFinished) and event.status == "cancelled":
            trouble = False  # all that were not done are, when a run is stopped
        if said is not None and trouble:
            if crowd.told < _TOLD:
                crowd.told += 1
                lines.append(said)
            else:
                crowd.untold += 1
        stage = self._stage(name) if self._progress and isinstance(event, StepFinished) else crowd.stage
        if stage > crowd.stage:
            crowd.stage = stage
            tally = self._state.tally(name)
            assert tally is not None
            lines.append(Sentence(who=name, text=_progress(tally)))
        return tuple(lines)

    def _stage(self, name: str) -> int:
        tally = self._state.tally(name)
        return tally.done * _STAGES // max(tally.total, 1) if tally is not None else 0


def _progress(tally: Tally) -> str:
    return f"{tally.done:,} of {tally.total:,} items done" + also(failed=tally.failed, skipped=tally.skipped)


def also(**counts: int) -> str:
    """``, 3 failed, 1 skipped``: those of the counts that there are."""
    return "".join(f", {count:,} {name.replace('_', ' ')}" for name, count in counts.items() if count)


def short_name(who: str) -> str:
    """The name of a unit as far as a column has room for it."""
    return fit_tail(who, _LONGEST_PATH) if "[" in who or "/" in who else fit(one_line(who), LONGEST_NAME)
