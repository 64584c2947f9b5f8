"""How a model of a run stands: loading, in memory, or gone; folded from its entries."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any, Literal

from runner.record.events import ModelLoaded, ModelLoadFailed, ModelLoadStarted, ModelUnloaded
from runner.words.noun import noun

ModelKey = tuple[str, str]
"""Address of the server and id of the model."""


@noun
class ModelState:
    """One model on one server. ``loads`` counts loads that succeeded, ``failed`` those that did not.

    ``seconds`` are those of all loads together, ``last_seconds`` those of the latest, None before the first.
    ``instance`` is the id of the loaded copy, None while there is none. ``context_length`` in tokens.
    """

    endpoint: str
    model: str
    status: Literal["absent", "loading", "loaded"] = "absent"
    instance: str | None = None
    context_length: int | None = None
    parallel: int | None = None
    size_bytes: int | None = None
    loads: int = 0
    failed: int = 0
    reused: bool = False
    seconds: float = 0.0
    last_seconds: float | None = None


def after(models: Mapping[ModelKey, ModelState], event: object) -> ModelState | None:
    """The model of the event as it stands then; None for events that leave all models as they are."""
    change = _CHANGES.get(type(event))
    if change is None:
        return None
    told: Any = event
    before = models.get((told.endpoint, told.model))
    return change(before or ModelState(endpoint=told.endpoint, model=told.model), told)


def expected_seconds(models: Mapping[ModelKey, ModelState], model: ModelState) -> float | None:
    """How long a load of the model may take: as long as its last, else by its size as fast as others on its server."""
    if model.last_seconds is not None:
        return model.last_seconds
    if model.size_bytes is None:
        return None
    known = [one for one in models.values() if one.endpoint == model.endpoint and one.size_bytes and one.last_seconds]
    size = sum(one.size_bytes or 0 for one in known)
    return model.size_bytes / size * sum(one.last_seconds or 0.0 for one in known) if size else None


def _load_started(model: ModelState, event: ModelLoadStarted) -> ModelState:
    return replace(model, status="loading", instance=None, size_bytes=event.size_bytes or model.size_bytes)


def _loaded(model: ModelState, event: ModelLoaded) -> ModelState:
    model = replace(
        model,
        status="loaded",
        instance=event.instance,
        context_length=event.context_length,
        parallel=event.parallel,
        reused=model.reused or event.reused,
    )
    if event.reused:
        return model
    return replace(
        model, loads=model.loads + 1, seconds=model.seconds + event.seconds, last_seconds=event.seconds or None
    )


def _load_failed(model: ModelState, _: ModelLoadFailed) -> ModelState:
    return replace(model, status="absent", instance=None, failed=model.failed + 1)


def _unloaded(model: ModelState, event: ModelUnloaded) -> ModelState:
    """Of two copies the other may still be there."""
    return replace(model, status="absent", instance=None) if model.instance in (event.instance, None) else model


_CHANGES: Mapping[type, Callable[[ModelState, Any], ModelState]] = {
    ModelLoadStarted: _load_started,
    ModelLoaded: _loaded,
    ModelLoadFailed: _load_failed,
    ModelUnloaded: _unloaded,
}
