"""The names under which a step asks for a model, before anybody was asked whether it exists."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import field, replace
from typing import Any

from runner.plan.overrides import Overrides
from runner.words.errors import TemplateError
from runner.words.noun import noun
from runner.words.spans import Path
from runner.words.templates import has_template, render_text
from runner.workflow.model import ModelWish, Step, TaskWork, Workflow

DEFAULT = "default"
"""The name that stands for the configured default model, else for the one loaded model."""
CONFIGURED = "the configured default_model"
"""The origin of a model that only the configuration names."""


@noun
class Wanted:
    """One name that would do. ``name`` None means the one loaded model, or a name that could not be made.

    ``problem`` says why it could not be made: its template reads what is not there. ``path`` is where the name stands,
    ``sampling``, ``load`` and ``ttl`` (seconds) what the aliases on the way to it say, ``origin`` as in
    ``ModelChoice``. ``endpoint`` is the name of the only server that will do, None = any.
    """

    name: str | None
    text: str
    path: Path
    origin: str
    sampling: Mapping[str, Any] = field(default_factory=dict)
    load: Mapping[str, Any] = field(default_factory=dict)
    ttl: float | None = None
    endpoint: str | None = None
    problem: str | None = None


@noun
class Names:
    """What turns the words of a file into names: the file itself, the swaps of this run, the inputs' values.

    ``default_model`` is the one of the configuration; aliases of the file mean nothing in it. ``matrix`` is the row
    that a step is planned for, ``late`` are inputs of a called file that a step has to answer first.
    """

    workflow: Workflow
    overrides: Overrides
    inputs: Mapping[str, Any]
    default_model: str | None = None
    matrix: Mapping[str, Any] | None = None
    late: frozenset[str] = frozenset()

    @property
    def known(self) -> dict[str, Any]:
        """What templates may read before anything runs."""
        return {"inputs": self.inputs} if self.matrix is None else {"inputs": self.inputs, "matrix": self.matrix}

    def wanted_by(self, step: Step, work: TaskWork) -> tuple[Wanted, ...]:
        """The names a step would take, its first wish first; never empty."""
        if work.model is None:
            return tuple(self._default(step.path, frozenset()))
        return tuple(self._expand_all(work.model, (*step.path, "model"), "step", frozenset()))

    def _default(self, place: Path, seen: frozenset[str]) -> Iterator[Wanted]:
        written = ("defaults", "model")
        if DEFAULT in seen:  # `default` is what the default itself names
            yield self._configured(place)
            return
        seen |= {DEFAULT}
        if self.overrides.default is not None:
            origin = f"--model {self.overrides.default}"
            yield from self._expand(self.overrides.default, written if self._writes_default else place, origin, seen)
        elif self.workflow.default_model is not None and self.workflow.default_model not in seen:
            yield from self._expand_all(self.workflow.default_model, written, "defaults.model", seen)
        else:
            yield self._configured(place)

    def _configured(self, place: Path) -> Wanted:
        if self.default_model is not None:
            return Wanted(name=self.default_model, text=self.default_model, path=place, origin=CONFIGURED)
        return Wanted(name=None, text=DEFAULT, path=place, origin="the one loaded model")

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
            name = render_text(text, self.known).strip() if has_template(text) else text
        except TemplateError as error:
            yield Wanted(name=None, text=text, path=path, origin=origin, problem=error.message)
            return
        if name in self.workflow.models and name not in seen:
            yield from self._alias(name, origin, seen | {name})
        elif name == DEFAULT:
            yield from self._default(path, seen)
        else:
            yield Wanted(name=name, text=text, path=path, origin=origin)

    def _alias(self, alias: str, origin: str, seen: frozenset[str]) -> Iterator[Wanted]:
        wish = self.workflow.models[alias]
        swap = self.overrides.aliases.get(alias)
        if swap is not None:
            swapped = self._expand(swap, wish.path, f"--model {alias}={swap}", seen)
            inner: Iterator[tuple[Wanted, bool]] = ((wanted, False) for wanted in swapped)
        else:
            place = f"models.{alias}" if origin == "step" else f"{origin}, models.{alias}"
            inner = self._expand_wish(alias, place, seen)
        for wanted, is_fallback in inner:
            yield _standing_in(wanted, wish) if is_fallback else _narrowed(wanted, wish)

    def _expand_wish(self, alias: str, origin: str, seen: frozenset[str]) -> Iterator[tuple[Wanted, bool]]:
        """What an alias comes to, and whether it is only a fallback of it."""
        wish = self.workflow.models[alias]
        for wanted in self._expand(wish.id, wish.path, origin, seen):
            yield wanted, False
        place = wish.path[:-1]  # of the mapping, or of the list whose first element is the id
        for index, name in enumerate(wish.fallback):
            at = (*place, index + 1) if wish.path[-1] == 0 else (*place, "fallback", index)
            for wanted in self._expand(name, at, origin, seen):
                yield wanted, True


def _narrowed(wanted: Wanted, wish: ModelWish) -> Wanted:
    """What the id of an alias comes to: the alias itself has the last word."""
    return replace(
        wanted,
        sampling={**wanted.sampling, **wish.sampling},
        load={**wanted.load, **wish.load},
        ttl=wanted.ttl if wish.ttl is None else wish.ttl,
        endpoint=wish.endpoint or wanted.endpoint,
    )


def _standing_in(wanted: Wanted, wish: ModelWish) -> Wanted:
    """A fallback of an alias: what the alias says holds where the fallback, as an alias of its own, says nothing.

    It is not bound to the server of the alias: it may have to stand in for just that server.
    """
    return replace(
        wanted,
        sampling={**wish.sampling, **wanted.sampling},
        load={**wish.load, **wanted.load},
        ttl=wish.ttl if wanted.ttl is None else wanted.ttl,
    )
