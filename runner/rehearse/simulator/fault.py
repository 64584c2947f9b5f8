"""What a fault makes of a streamed answer. Pure: the stage only plays the result."""

from __future__ import annotations

from typing import Literal

from runner.rehearse.simulator.say import Reel, error_event
from runner.rehearse.simulator.script import Fault
from runner.words.noun import noun

Ending = Literal["end", "stall", "cut"]
"""How the connection goes on after the last byte: a proper end, silence for ever, or a break."""


@noun
class Strip:
    """What is really sent: the deltas at the model's pace, then ``tail`` at once, then the ending."""

    deltas: tuple[tuple[int, bytes], ...]
    tail: bytes
    ending: Ending = "end"


def struck(reel: Reel, fault: Fault | None) -> Strip:
    """The stream as the fault leaves it; those that strike in the middle let half of the deltas pass."""
    kind = fault.kind if fault is not None else None
    half = len(reel.deltas) // 2
    if fault is not None and kind == "error_event":
        return Strip(deltas=reel.deltas[:half], tail=error_event(fault.text))
    if kind == "stall":
        return Strip(deltas=reel.deltas[:half], tail=b"", ending="stall")
    if kind == "cut":
        following = reel.deltas[half][1] if reel.deltas else reel.ending
        return Strip(deltas=reel.deltas[:half], tail=following[: len(following) // 2], ending="cut")
    return Strip(deltas=reel.deltas, tail=b"" if kind == "no_finish" else reel.ending)
