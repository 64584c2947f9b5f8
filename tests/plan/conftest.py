"""Workflows, steps and catalogues in a line."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from runner.chat.catalogue import Catalogue, EndpointCatalogue, ModelEntry
from runner.words.spans import Path, Span
from runner.workflow.model import Step, TaskWork, Workflow

type_of_step = Callable[..., Step]


def _step(step_id: str, *needs: str, index: int = 0, **work: object) -> Step:
    return Step(id=step_id, path=("steps", index), needs=needs, work=TaskWork(task="Go.", **work))  # type: ignore[arg-type]


@pytest.fixture
def step() -> type_of_step:
    """``step("b", "a", model="coder")``: a task that waits for ``a``."""
    return _step


@pytest.fixture
def workflow() -> Callable[..., Workflow]:
    """``workflow(*steps, **fields)``: every step's id stands on the line 10 + its index."""

    def make(*steps: Step, spans: dict[Path, Span] | None = None, **fields: object) -> Workflow:
        placed = {(*one.path, "id"): Span(10 + index, 5, 10 + index, 9) for index, one in enumerate(steps)}
        every = {**placed, **(spans or {})}
        return Workflow(name="w", file="w.yaml", folder=".", steps=steps, spans=every, **fields)  # type: ignore[arg-type]

    return make


@pytest.fixture
def catalogue() -> Callable[..., Catalogue]:
    """``catalogue([entry, …], [entry, …])``: one list a server, ``http://one`` and ``http://two``."""

    def make(*servers: list[ModelEntry]) -> Catalogue:
        names = ("http://one", "http://two", "http://three")
        return Catalogue(
            tuple(
                EndpointCatalogue(endpoint=name, flavour="lmstudio-v1", models=tuple(models))
                for name, models in zip(names, servers, strict=False)
            )
        )

    return make
