"""How long a model is waited for: learned from what it did before in this run."""

from __future__ import annotations

from collections import deque

from runner.words.noun import noun

SAMPLES = 20
"""Answers to see before anything is concluded from them."""
REMEMBERED = 200
TIMES = 20.0
"""A model is given this many times what 95 of 100 answers took; it is a limit for hangs, not for slow days."""
LEAST_FIRST = 120.0
LEAST_IDLE = 30.0
"""Seconds below which no limit is ever set: another program may be asking the same server."""


@noun
class Limits:
    """In seconds: until the first byte, and between two pieces; None = nothing learned yet."""

    first: float | None = None
    idle: float | None = None


class Patience:
    """The times of one model on one server. Not bounded by anything until ``SAMPLES`` answers have come.

    The first byte waits for the whole prompt to be read, so its limit grows with the prompt.
    """

    __slots__ = ("_factor", "_firsts", "_gaps", "_prompts")

    def __init__(self) -> None:
        self._firsts: deque[float] = deque(maxlen=REMEMBERED)
        self._prompts: deque[float] = deque(maxlen=REMEMBERED)
        self._gaps: deque[float] = deque(maxlen=REMEMBERED)
        self._factor = TIMES

    def limits(self, prompt_tokens: int) -> Limits:
        """The limits for a request with a prompt of so many tokens."""
        if len(self._firsts) < SAMPLES:
            return Limits()
        longer = max(1.0, prompt_tokens / max(_p95(self._prompts), 1.0))
        return Limits(
            first=max(LEAST_FIRST, self._factor * _p95(self._firsts) * longer),
            idle=max(LEAST_IDLE, self._factor * _p95(self._gaps)),
        )

    def answered(self, *, first: float, gap: float, prompt_tokens: int) -> None:
        """An answer came: ``first`` seconds to its first piece, ``gap`` the longest silence after that."""
        self._firsts.append(first)
        self._gaps.append(gap)
        self._prompts.append(prompt_tokens)

    def timed_out(self) -> None:
        """A limit struck, perhaps wrongly: the next are twice as long."""
        self._factor *= 2


def _p95(values: deque[float]) -> float:
    ordered = sorted(values)
    return ordered[int(0.95 * (len(ordered) - 1))]
