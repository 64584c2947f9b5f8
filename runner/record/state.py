"""How a run stands: folded from its entries, nothing else. Displays, results and reports are read off it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from runner.record.model_state import ModelState
from runner.record.parts import Parts, item_of, parent_of
from runner.record.run_state import RunState
from runner.record.step_state import StepState, unix_seconds
from runner.record.wire import Entry
from runner.words.exits import Exit

__all__ = ["RunState", "fold", "result"]
_NOT_OF_EVERY_ITEM = ("fallbacks", "items", "steps", "repeats", "artifacts")


def fold(entries: Iterable[Entry]) -> RunState:
    """The state after all the entries."""
    state = RunState()
    for entry in entries:
        state.apply(entry)
    return state


def result(state: RunState) -> dict[str, Any]:
    """What ``result.json`` holds (``schemas/result.schema.json``).

    A run whose last line is missing was ended from outside: it counts as cancelled, as do its unfinished steps. Those
    of a run that paused wait.
    """
    over = state.status not in ("waiting", "running")
    steps = _Steps(state)
    return {
        "run": state.run,
        "workflow": state.workflow,
        "file": state.file,
        "status": state.status if over else "cancelled",
        "exit_code": int(Exit.INTERRUPTED) if state.exit_code is None else state.exit_code,
        "outputs": dict(state.outputs),
        "steps": {step.id: steps.step(step) for step in state.steps.values()},
        "questions": [_question(step) for step in steps.questions],
        "models": [_model_result(model) for model in state.models.values()],
        "seconds": round(state.so_far, 3),
        "error": None if state.error is None else dict(state.error),
        "warnings": list(state.warnings),
    }


class _Steps:
    """The steps of a result, with all that is below them."""

    def __init__(self, state: RunState) -> None:
        self._state = state
        self._paused = state.status == "paused"
        self.questions = state.questions if self._paused else ()
        self._asked_below: dict[str, list[str]] = {}
        for step in self.questions:
            above = parent_of(step.id)
            while above is not None:
                self._asked_below.setdefault(above, []).append(step.id)
                above = parent_of(above)

    def step(self, step: StepState) -> dict[str, Any]:
        """A step with everything that is known of it, and where the run stopped before it was over, how it stands."""
        stopped = "waiting" if self._paused else "cancelled"
        items = self._items(step)
        return {
            "status": step.status if step.finished else stopped,
            "output": step.output,
            "error": None if step.error is None else dict(step.error),
            "reason": step.reason if step.finished else self._unfinished(step),
            "model": _one_model(step, items),
            "fallbacks": [dict(fallback) for fallback in step.fallbacks],
            "attempts": step.attempts if step.finished else step.attempt,
            "items": items,
            "usage": {
                "prompt_tokens": step.usage.prompt_tokens,
                "completion_tokens": step.usage.completion_tokens,
                "reasoning_tokens": step.usage.reasoning_tokens,
                "cached_tokens": step.usage.cached_tokens,
            },
            "seconds": round(self._seconds(step), 3),
            "warnings": [*step.warnings, *_trimmed_warning(step)],
            "steps": self._called(step),
            "repeats": step.repeats,
            "artifacts": list(step.artifacts),
        }

    def _item(self, step: StepState) -> dict[str, Any]:
        """An item: of thousands each says only what there is to say."""
        return {name: value for name, value in self.step(step).items() if value or name not in _NOT_OF_EVERY_ITEM}

    def _items(self, step: StepState) -> list[dict[str, Any]] | None:
        if step.items is None:
            return None
        heard = {item_of(unit): unit for unit in self._state.families.get(step.id, Parts()).units}
        count = max((step.items, *(index + 1 for index in heard if index is not None)))
        return [self._item(self._state.unit(f"{step.id}[{index}]")) for index in range(count)]

    def _called(self, step: StepState) -> dict[str, dict[str, Any]] | None:
        """The steps that it calls; of a call in a fan-out they stand with the items."""
        if step.kind != "workflow" or step.items is not None:
            return None
        units = self._state.called_by(step.id)
        return {unit.rpartition("/")[2]: self.step(self._state.unit(unit)) for unit in units}

    def _seconds(self, step: StepState) -> float:
        if step.status != "running" or step.started_at is None or self._paused:
            return step.seconds
        return max(0.0, unix_seconds(self._state.last_at) - step.started_at)

    def _unfinished(self, step: StepState) -> str:
        if not self._paused:
            return "the run ended before it" + (" was done" if step.status == "running" else " could start")
        if step.question is not None:
            return "it waits for an answer"
        if below := self._asked_below.get(step.id):
            wait = f"and {len(below) - 1:,} more wait" if len(below) > 1 else "waits"
            return f"`{below[0]}` {wait} for an answer"
        if len(self.questions) == 1:
            return f"it needs `{self.questions[0].id}`, which waits for an answer"
        return "it needs an answer that nobody has given yet"


def _question(step: StepState) -> dict[str, Any]:
    asked = step.question
    assert asked is not None
    return {"id": step.id, "question": asked.question, "choices": list(asked.choices), "default": asked.default}


def _trimmed_warning(step: StepState) -> Iterator[str]:
    if step.trimmed_results:
        results = f"{step.trimmed_results:,} old tool result" + "s" * (step.trimmed_results != 1)
        yield f"{results} shortened by {step.trimmed_characters:,} characters to fit the model's context"


def _one_model(step: StepState, items: list[dict[str, Any]] | None) -> str | None:
    """The model of a step; None for a fan-out through several: its items say which."""
    several = {item["model"] for item in items or () if item["model"]}
    return None if len(several) > 1 else step.model


def _model_result(model: ModelState) -> dict[str, Any]:
    return {
        "model": model.model,
        "endpoint": model.endpoint,
        "loads": model.loads,
        "failed": model.failed,
        "reused": model.reused,
        "seconds": round(model.seconds, 3),
        "context_length": model.context_length,
    }
