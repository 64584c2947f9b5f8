"""Whether a step may run, by how the steps that it waits for have ended. docs/flow.md has the whole table."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Literal

from runner.record.events import StepFinished
from runner.words.noun import noun
from runner.workflow.model import Join

Standing = Literal["succeeded", "failed", "skipped"]
"""What the end of a step counts as for those that wait for it."""


@noun
class Unmet:
    """The join can no longer hold; ``reason`` in words. ``failed_above``: a failure is the cause, not a ``when``."""

    reason: str
    failed_above: bool


def standing(end: StepFinished) -> Standing:
    """Recovered, and failed with ``on_error: continue``, count as succeeded; cancelled as failed.

    A skipped step counts as failed if something above it failed, else as skipped.
    """
    if end.status in ("succeeded", "recovered") or end.tolerated:
        return "succeeded"
    return "skipped" if end.status == "skipped" and not end.failed_above else "failed"


def unmet(join: Join, ends: Iterable[StepFinished]) -> Unmet | None:
    """Why a step whose needs have ended like this does not run; None: it runs.

    Needs that a template or a ``when`` implies count like those that are written.
    """
    return _RULES[join](tuple(ends))


def _all_succeeded(ends: tuple[StepFinished, ...]) -> Unmet | None:
    return _first(ends, lambda end: standing(end) != "succeeded")


def _none_failed(ends: tuple[StepFinished, ...]) -> Unmet | None:
    return _first(ends, lambda end: standing(end) == "failed")


def _any_succeeded(ends: tuple[StepFinished, ...]) -> Unmet | None:
    if not ends or any(standing(end) == "succeeded" for end in ends):
        return None
    if len(ends) == 1:
        return _first(ends, lambda _: True)
    names = ", ".join(f"`{end.step}`" for end in ends)
    failed = any(standing(end) == "failed" for end in ends)
    return Unmet(reason=f"it needs one of {names}, and none of them succeeded", failed_above=failed)


def _all_finished(_: tuple[StepFinished, ...]) -> Unmet | None:
    return None


_RULES: Mapping[Join, Callable[[tuple[StepFinished, ...]], Unmet | None]] = {
    "all_succeeded": _all_succeeded,
    "none_failed": _none_failed,
    "any_succeeded": _any_succeeded,
    "all_finished": _all_finished,
}
_VERBS = {"failed": "failed", "skipped": "was skipped", "cancelled": "was cancelled"}


def _first(ends: tuple[StepFinished, ...], is_in_the_way: Callable[[StepFinished], bool]) -> Unmet | None:
    for end in ends:
        if is_in_the_way(end):
            why = f" ({end.reason})" if end.reason else ""
            verb = _VERBS[end.status]
            return Unmet(reason=f"it needs `{end.step}`, which {verb}{why}", failed_above=standing(end) == "failed")
    return None
