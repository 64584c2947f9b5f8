"""What a fault makes of one request. Pure: the stage only plays the result."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Literal

from runner.rehearse.simulator.answer import Answer
from runner.rehearse.simulator.refusal import Refusal
from runner.rehearse.simulator.say import Reel, error_event
from runner.rehearse.simulator.script import Fault, Overflow
from runner.words.noun import noun

Breaks = Literal["never", "start", "half", "line", "finish", "counts"]
"""Where an answer stops: before its first delta, after half of them, within a line, before or after its finish."""

Ending = Literal["end", "stall", "cut"]
"""How the connection goes on after the last byte: a proper end, silence for ever, or a break."""


@noun
class Effect:
    """The ways in which a request can go wrong; they may be combined. Seconds count from the model's own pace.

    ``refuse`` gets the key of the model. ``silence``: before the first byte. ``drag``: before each delta. ``breaks``
    and ``then`` say where an answer stops and how; ``message`` is the error event that stands there, and what an
    unstreamed request is refused with. ``unloads``: the instance goes with it. ``crashes``: that is told to the next
    request, too. ``duplicates``: a second copy of the model answers. ``spoils``: what ``rewrite`` leaves is of no use.
    """

    refuse: Callable[[str], Refusal] | None = None
    silence: float = 0.0
    drag: float = 0.0
    breaks: Breaks = "never"
    then: Ending = "end"
    message: str | None = None
    unloads: bool = False
    crashes: bool = False
    duplicates: bool = False
    overflow: Overflow | None = None
    rewrite: Callable[[Answer], Answer] | None = None
    spoils: bool = False

    @property
    def loses(self) -> bool:
        """Whether the answer does not arrive as it was meant, so that it has to be asked for again."""
        broken = self.breaks not in ("never", "counts") or self.silence == math.inf
        return self.spoils or broken or self.refuse is not None


NONE = Effect()


@noun
class Strip:
    """What is really sent: the deltas at the model's pace, then ``tail`` at once, then the ending."""

    deltas: tuple[tuple[int, bytes], ...]
    tail: bytes
    ending: Ending = "end"


def struck(reel: Reel, effect: Effect) -> Strip:
    """The stream as the effect leaves it; what strikes in the middle lets half of the deltas pass."""
    if effect.breaks == "never":
        return Strip(deltas=reel.deltas, tail=reel.ending)
    count = {"start": 0, "half": len(reel.deltas) // 2, "line": len(reel.deltas) // 2}.get(effect.breaks)
    deltas = reel.deltas if count is None else reel.deltas[:count]
    tail = b"" if effect.message is None else error_event(effect.message)
    if effect.breaks == "counts":
        tail = reel.finish + reel.counts
    if effect.breaks == "line":
        following = reel.deltas[len(deltas)][1] if reel.deltas else reel.ending
        tail = following[: len(following) // 2]
    return Strip(deltas=deltas, tail=tail, ending=effect.then)


def worded(fault: Fault) -> Effect | None:
    """The effect of a fault that a script writes with words of its own; None for one of the table."""
    if fault.name == "error":
        return Effect(refuse=lambda _: Refusal(fault.status, fault.body))
    if fault.name == "error_event":
        return Effect(breaks="half", message=fault.text)
    if fault.name == "wrong_model":
        return Effect(rewrite=lambda answer: answer.by(fault.text))
    return None
