"""The names under which a step asks for a model, before anybody was asked whether it exists."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import field
from typing import Any

from runner.plan.overrides import Overrides
from runner.words.errors import TemplateError
from runner.words.noun import noun
from runner.words.spans import Path
from runner.words.templates import has_template, render_text
from runner.workflow.model import Step, TaskWork, Workflow

DEFAULT = "default"
"""The name that stands for the configured default model, else for the one loaded model."""


@noun
class Wanted:
    """One name that would do. ``name`` None means the one loaded model, or a name that could not be made.

    ``problem`` says why it could not be made: its template reads what is not there. ``path`` is where the name stands,
    ``sampling`` what the aliases on the way to it say, ``origin`` as in ``ModelChoice``.
    """

    name: str | None
    text: str
    path: Path
    origin: str
    sampling: Mapping[str, Any] = field(default_factory=dict)
    problem: str | None = None


@noun
class Names:
    """What turns the words of a file into names: the file itself, the swaps of this run, the inputs' values."""

    workflow: Workflow
    overrides: Overrides
    inputs: Mapping[str, Any]

    def wanted_by(self, step: Step, work: TaskWork) -> tuple[Wanted, ...]:
        """The names a step would take, its first wish first; never empty."""
        if work.model is None:
            return tuple(self._default(step.path, frozenset()))
        return tuple(self._expand_all(work.model, (*step.path, "model"), "step", frozenset()))

    def _default(self, place: Path, seen: frozenset[str]) -> Iterator[Wanted]:
        written = ("defaults", "model")
        seen |= {DEFAULT}
        if self.overrides.default is not None:
            origin = f"--model {self.overrides.default}"
            yield from self._expand(self.overrides.default, written if self._writes_default else place, origin, seen)
        elif self.workflow.default_model is not None and self.workflow.default_model not in seen:
            yield from self._expand_all(self.workflow.default_model, written, "defaults.model", seen)
        else:
            yield Wanted(name=None, text=DEFAULT, path=place, origin="the one loaded model")

    @property
    def _writes_default(self) -> bool:
        return self.workflow.default_model is not None

    def _expand_all(
        self, names: str | tuple[str, ...], path: Path, origin: str, seen: frozenset[str]
    ) -> Iterator[Wanted]:
        if isinstance(names, str):
            yield from self._expand(names, path, origin, seen)
            return
        for index, name in enumerate(names):
            yield from self._expand(name, (*path, index), origin, seen)

    def _expand(self, text: str, path: Path, origin: str, seen: frozenset[str]) -> Iterator[Wanted]:
        try:
            name = render_text(text, {"inputs": self.inputs}).strip() if has_template(text) else text
        except TemplateError as error:
            yield Wanted(name=None, text=text, path=path, origin=origin, problem=error.message)
            return
        if name in self.workflow.models and name not in seen:
            yield from self._alias(name, origin, seen | {name})
        elif name == DEFAULT and name not in seen:
            yield from self._default(path, seen)
        elif name == DEFAULT:
            yield Wanted(name=None, text=text, path=path, origin="the one loaded model")
        else:
            yield Wanted(name=name, text=text, path=path, origin=origin)

    def _alias(self, alias: str, origin: str, seen: frozenset[str]) -> Iterator[Wanted]:
        wish = self.workflow.models[alias]
        swap = self.overrides.aliases.get(alias)
        if swap is not None:
            inner = self._expand(swap, wish.path, f"--model {alias}={swap}", seen)
        else:
            place = f"models.{alias}" if origin == "step" else f"{origin}, models.{alias}"
            inner = self._expand_wish(alias, place, seen)
        for wanted in inner:
            yield Wanted(
                name=wanted.name,
                text=wanted.text,
                path=wanted.path,
                origin=wanted.origin,
                sampling={**wanted.sampling, **wish.sampling},
                problem=wanted.problem,
            )

    def _expand_wish(self, alias: str, origin: str, seen: frozenset[str]) -> Iterator[Wanted]:
        wish = self.workflow.models[alias]
        yield from self._expand(wish.id, wish.path, origin, seen)
        for index, name in enumerate(wish.fallback):
            yield from self._expand(name, ("models", alias, "fallback", index), origin, seen)
