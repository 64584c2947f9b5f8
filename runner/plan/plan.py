"""The plan: every step tied to its model and tools, in an order that can run. Holding one proves all of them exist."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import field
from typing import Any

from runner.chat.catalogue import ModelEntry
from runner.chat.endpoint import Endpoint
from runner.plan.agenda import Forecast
from runner.words.diagnostics import Diagnostic
from runner.words.noun import noun
from runner.workflow.model import Step, Workflow


@noun
class ModelChoice:
    """The model that answers a step.

    ``wanted`` is the name as asked for, ``model`` the id to send, ``answers_as`` every id under which it may answer,
    ``origin`` where the choice came from, in words: ``step``, ``models.coder``, ``defaults.model``,
    ``--model coder=…``, ``the one loaded model``. ``sampling`` is merged: step over alias over defaults. ``load`` and
    ``ttl`` (seconds) are those of its alias. ``manages`` and ``loads_on_demand`` as in ``EndpointCatalogue``.

    ``fallbacks`` are what may stand in when it fails, best first, each tied to a model that exists; they have none
    themselves.
    """

    wanted: str
    model: str
    endpoint: str
    origin: str
    entry: ModelEntry
    answers_as: frozenset[str] = frozenset()
    sampling: Mapping[str, Any] = field(default_factory=dict)
    load: Mapping[str, Any] = field(default_factory=dict)
    ttl: float | None = None
    manages: bool = False
    loads_on_demand: bool = False
    fallbacks: tuple[ModelChoice, ...] = ()


@noun
class Needs:
    """What a step asks of its model, derived from the file.

    ``reasoning`` is the setting it wants, None = any. ``context`` is an estimate of the tokens that its first request
    needs, templates aside: prompt, tool schemas, one whole tool result, and the reserve for an answer; ``schemas``,
    ``result`` and ``reserve`` are the parts of the last three. Without room for a whole result, results are shortened
    at once.
    """

    tools: bool = False
    vision: bool = False
    schema: bool = False
    reasoning: str | None = None
    context: int = 0
    reserve: int = 0
    result: int = 0
    schemas: int = 0

    @property
    def opening(self) -> int:
        """The tokens without which the step cannot begin: its first request and the answer to it."""
        return self.context - self.result


@noun
class ToolGrant:
    """What a step may use of one server: names and globs, already cut down to what both allow-lists admit."""

    server: str
    patterns: tuple[str, ...]
    """A tool is granted if it matches one of these and one of the server's own ``tools``."""


@noun
class PlannedStep:
    """One step and what it was tied to; ``model`` is None for steps without a model, and under ``--offline``.

    ``callee`` is the plan of the workflow that it calls. ``rows`` are there where the rows of a matrix differ in model
    or callee: one for each row, in order; of such a step itself ``model`` and ``callee`` are those of the first row.
    ``items`` is the number of items of a list that the inputs decide, None where only the run will know.
    """

    step: Step
    waits_for: tuple[str, ...] = ()
    model: ModelChoice | None = None
    wanted_model: str | None = None
    grants: tuple[ToolGrant, ...] = ()
    needs: Needs | None = None
    callee: Plan | None = None
    items: int | None = None
    rows: tuple[PlannedStep, ...] = ()

    @property
    def choices(self) -> tuple[ModelChoice, ...]:
        """The model and what may stand in for it."""
        return () if self.model is None else (self.model, *self.model.fallbacks)

    def for_item(self, index: int) -> PlannedStep:
        """What the item of that index, from 0, was tied to."""
        return self.rows[index] if self.rows else self


@noun
class Plan:
    """``steps`` in an order in which they could run one by one (topological, ties in file order)."""

    workflow: Workflow
    steps: tuple[PlannedStep, ...]
    endpoints: tuple[str, ...] = ()
    servers: tuple[Endpoint, ...] = ()
    """How the servers of ``endpoints`` may be used, where the configuration says so."""
    offline: bool = False
    findings: tuple[Diagnostic, ...] = ()
    forecast: Forecast | None = None
    """What the schedule comes to; None where nothing was asked of the servers."""

    @property
    def family(self) -> Iterator[PlannedStep]:
        """Every step of this plan and of all plans below it; a step whose rows differ as its rows."""
        for planned in self.steps:
            for one in planned.rows or (planned,):
                yield one
                if one.callee is not None:
                    yield from one.callee.family
