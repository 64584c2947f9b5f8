"""The plan: every step tied to its model and tools, in an order that can run. Holding one proves all of them exist."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from runner.chat.catalogue import ModelEntry
from runner.words.diagnostics import Diagnostic
from runner.workflow.model import Step, Workflow


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelChoice:
    """The model that answers a step.

    ``wanted`` is the name as asked for, ``model`` the id to send, ``answers_as`` every id under which it may answer,
    ``origin`` where the choice came from, in words: ``step``, ``models.coder``, ``defaults.model``,
    ``--model coder=…``, ``the one loaded model``. ``sampling`` is merged: step over alias over defaults.
    """

    wanted: str
    model: str
    endpoint: str
    origin: str
    entry: ModelEntry
    answers_as: frozenset[str] = frozenset()
    sampling: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class ToolGrant:
    """What a step may use of one server: names and globs, already cut down to what both allow-lists admit."""

    server: str
    patterns: tuple[str, ...]
    """A tool is granted if it matches one of these and one of the server's own ``tools``."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PlannedStep:
    """One step and what it was tied to; ``model`` is None for steps without a model, and under ``--offline``."""

    step: Step
    waits_for: tuple[str, ...] = ()
    model: ModelChoice | None = None
    wanted_model: str | None = None
    grants: tuple[ToolGrant, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """``steps`` in an order in which they could run one by one (topological, ties in file order)."""

    workflow: Workflow
    steps: tuple[PlannedStep, ...]
    endpoints: tuple[str, ...] = ()
    offline: bool = False
    findings: tuple[Diagnostic, ...] = ()

    def planned(self, step_id: str) -> PlannedStep:
        """The planned step of that id.

        Raises:
            KeyError: there is none.
        """
        for planned in self.steps:
            if planned.step.id == step_id:
                return planned
        raise KeyError(step_id)
