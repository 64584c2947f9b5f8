"""A line of the results: what was measured beside its floor, and whether that keeps its mark."""

from __future__ import annotations

from dataclasses import dataclass

from measure import Medians


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """One line of the results: ours beside the floor's, ``holds`` against the mark (None: there is no mark)."""

    what: str
    floor: str
    ours: str
    compared: str
    mark: str = "–"
    holds: bool | None = None


def missing(what: str, why: str) -> Figure:
    """A line for what this machine cannot measure."""
    return Figure(what=what, floor="–", ours="–", compared=f"not measured: {why}")


def ms(seconds: float) -> str:
    """Milliseconds, with digits as far as they mean something; microseconds below a tenth."""
    if abs(seconds) < 0.0001:
        return f"{seconds * 1e6:.1f} µs"
    digits = 2 if abs(seconds) < 0.01 else 1 if abs(seconds) < 0.1 else 0
    return f"{seconds * 1000:.{digits}f} ms"


def whole(what: str, floor: Medians, ours: Medians, most: float | None = None) -> Figure:
    """Whole processes by wall time; processor time beside it, which a busy machine changes less."""
    ratio = ours.seconds / floor.seconds
    return Figure(
        what=what, floor=ms(floor.seconds), ours=ms(ours.seconds),
        compared=f"{ratio:.2f}x (processor {ours.processor / floor.processor:.2f}x)",
        mark=f"at most {most:g}x" if most else "–", holds=ratio <= most if most else None,
    )  # fmt: skip


def memory(what: str, floor: Medians, ours: Medians, most: float) -> Figure:
    """Peak memory, in megabytes."""
    return Figure(
        what=what, floor=f"{floor.megabytes:.0f} MB", ours=f"{ours.megabytes:.0f} MB",
        compared=f"{ours.megabytes / floor.megabytes:.2f}x", mark=f"at most {most:g} MB",
        holds=ours.megabytes <= most,
    )  # fmt: skip


def above(what: str, floor: float, ours: float, most: float | None = None, note: str = "") -> Figure:
    """Seconds of one unit of work: the ratio, and what ours adds, which is judged if there is a mark."""
    return Figure(
        what=what, floor=ms(floor), ours=ms(ours),
        compared=f"{ours / floor:.2f}x, {ms(ours - floor)} above{note}",
        mark=f"at most {most * 1000:g} ms above" if most else "–", holds=ours - floor <= most if most else None,
    )  # fmt: skip


def absolute(what: str, floor: Medians, ours: Medians, most: float | None) -> Figure:
    """Whole processes, judged by the clock."""
    return Figure(
        what=what, floor=ms(floor.seconds), ours=ms(ours.seconds),
        compared=f"{ours.seconds / floor.seconds:.2f}x (processor {ms(ours.processor)})",
        mark=f"at most {most:g} s" if most else "–", holds=ours.seconds <= most if most else None,
    )  # fmt: skip
