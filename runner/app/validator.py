"""Whether a model exists, asked from Python: one list of models, kept for a while, and asked for once at a time."""

from __future__ import annotations

import asyncio
import math
import os
import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from types import TracebackType
from typing import Final, Literal, Self

from runner.app.arguments import need_asyncio, text_or_none
from runner.app.servers import Asked, Failure
from runner.chat.backend import Backend
from runner.chat.catalogue import Catalogue, EndpointCatalogue
from runner.edges.clock import Clock as RealClock
from runner.edges.config.endpoints import endpoints_from
from runner.edges.config.file import read_configuration
from runner.execute.clock import Clock
from runner.execute.retry import Attempts
from runner.plan.lookup import all_names, look_up, similar_names, the_loaded
from runner.plan.wanted import DEFAULT
from runner.record.measures import Verification
from runner.words.errors import LLMAuthenticationError, LLMConnectionError, LLMError, ModelNotFoundError
from runner.workflow.model import Retry

MAX_WAIT: Final = 10.0
"""Seconds between two questions to servers that do not answer, at most (unless ``wait`` is longer)."""


@dataclass(frozen=True, slots=True)
class _Known:
    """What the servers answered, the monotonic second until which it holds, and the ids that were found in it."""

    asked: Asked
    until: float
    ids: dict[str, str] = field(default_factory=dict)


class ModelValidator:
    """Tells whether a model exists, and the id to send for it; names mean what they mean in a workflow file.

    ``endpoints`` are the addresses of servers, one or several; None means those that a run would ask: of the
    environment, of the configuration file, else LM Studio's own. A ``token`` of None is taken from there too. The list
    of models is kept ``ttl`` seconds; None is what the configuration says, 60 if it says nothing. A question that
    reaches no server is asked up to ``attempts`` times in all, with waits of ``wait`` seconds and more between; one
    whose token is refused is asked once.

    Calls that need the list while it is being asked for share that one question: if it fails, all of them hear so, and
    the next call asks anew. A caller that is cancelled takes none of the others along. Between questions no connection
    is kept open, so one validator may serve several event loops; what was asked in one of them is known in all.

    Raises:
        UsageError: an address, or a token of the environment, makes no sense.
        WorkflowError: the configuration file is at fault.
    """

    def __init__(
        self,
        endpoints: str | Sequence[str] | None = None,
        *,
        token: str | None = None,
        ttl: float | None = None,
        attempts: int = 3,
        wait: float = 0.5,
        clock: Clock | None = None,
        environment: Mapping[str, str] | None = None,
        config: str | None = None,
    ) -> None:
        given = (endpoints,) if isinstance(endpoints, str) else endpoints or ()
        surroundings = os.environ if environment is None else environment
        settings = read_configuration(config, surroundings)
        found = endpoints_from(given, surroundings, settings)
        self._endpoints = tuple(replace(one, token=token) for one in found) if token else found
        self._default = settings.default_model
        self._ttl = settings.catalogue_ttl if ttl is None else ttl
        self._policy = Retry(attempts=max(attempts, 1), wait=wait, max_wait=max(wait, MAX_WAIT))
        self._clock: Clock = RealClock() if clock is None else clock
        self._known: _Known | None = None
        self._question: asyncio.Task[_Known] | None = None
        self._watchers: list[Callable[[Verification], None]] = []

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def validate(self, name: str | None = None) -> str:
        """The id to send for the model of that name; None and ``default`` mean the configured, else the loaded one.

        Raises:
            ModelNotFoundError: no server has it; with every name there is, and the nearest of them.
            LLMError: no server could be asked, by class: ``LLMConnectionError``, ``LLMAuthenticationError``…
        """
        need_asyncio("ModelValidator")
        wanted = text_or_none("name", name) or DEFAULT
        if not self._watchers:
            return await self._find(wanted)
        began, cached = self._clock.monotonic(), self._fresh() is not None

        def tell(model: str, result: Literal["found", "not_found", "error"]) -> None:
            seconds = self._clock.monotonic() - began
            asked = Verification(model=model, result=result, seconds=seconds, cached=cached)
            for watcher in self._watchers:
                watcher(asked)

        try:
            found = await self._find(wanted)
        except LLMError as error:
            tell(wanted, "not_found" if isinstance(error, ModelNotFoundError) else "error")
            raise
        tell(found, "found")
        return found

    def watch(self, watcher: Callable[[Verification], None]) -> None:
        """Tell ``watcher`` of every question to ``validate`` from now on, once it is answered."""
        self._watchers.append(watcher)

    async def available_models(self) -> tuple[str, ...]:
        """Every name that ``validate`` would find: keys, variants and ids of loaded instances, each once.

        Raises:
            LLMError: as ``validate``.
        """
        return all_names((await self._list()).asked.catalogue)

    def clear_cache(self) -> None:
        """Forget what the servers answered; a question that is under way still answers those who wait for it."""
        self._known = None
        self._question = None

    async def close(self) -> None:
        """Forget everything and end a question that is under way; may be called twice, and from the same loop only."""
        question, self._question, self._known = self._question, None, None
        if question is not None and question.get_loop() is asyncio.get_running_loop():
            question.cancel()
            await asyncio.wait((question,))

    async def _find(self, wanted: str) -> str:
        known = await self._list()
        found = known.ids.get(wanted)
        if found is None:
            found = known.ids[wanted] = self._look_up(wanted, known.asked)
        return found

    def _fresh(self) -> _Known | None:
        """The kept list, as long as it holds."""
        known = self._known
        return known if known is not None and self._clock.monotonic() < known.until else None

    def _look_up(self, wanted: str, asked: Asked) -> str:
        if wanted == DEFAULT and self._default is None:
            return _the_one_loaded(asked)
        if wanted == DEFAULT:
            return _found(self._default or wanted, asked, instead=_CONFIGURED)
        return _found(wanted, asked)

    async def _list(self) -> _Known:
        known = self._fresh()
        if known is not None:
            return known
        question = self._question
        if question is None or question.get_loop() is not asyncio.get_running_loop():
            question = self._question = asyncio.create_task(self._ask(), name="ask for the models")
            question.add_done_callback(self._answered)
        try:
            return await asyncio.shield(question)
        except asyncio.CancelledError:
            if question.cancelled() and not _is_cancelled():
                raise LLMConnectionError("the validator was closed while it asked for the models") from None
            raise

    def _answered(self, question: asyncio.Task[_Known]) -> None:
        """Keep the answer, unless the cache was cleared since the question; never runs after those who wait for it."""
        current = self._question is question
        if current:
            self._question = None
        if not question.cancelled() and question.exception() is None and current:
            self._known = question.result()

    async def _ask(self) -> _Known:
        attempts = Attempts(
            policy=self._policy,
            clock=self._clock,
            deadline=lambda: math.inf,
            random=random.random,
            repeatable=lambda _: True,
            on_retry=lambda *_: None,
        )
        asked = await attempts.run(lambda _: self._ask_once())
        return _Known(asked, self._clock.monotonic() + self._ttl)

    async def _ask_once(self) -> Asked:
        """What the servers say that answer.

        Raises:
            LLMError: none of them did.
        """
        backends = self._backends()
        try:
            answers = await asyncio.gather(*map(_answer, backends))
        finally:
            for backend in backends:
                await backend.close()
        listed = tuple(answer for answer in answers if isinstance(answer, EndpointCatalogue))
        failures = tuple(answer for answer in answers if isinstance(answer, Failure))
        if not listed:
            raise _one_error(failures)
        return Asked(catalogue=Catalogue(listed), failures=failures)

    def _backends(self) -> Sequence[Backend]:
        from runner.edges.backends import make_backend

        return [make_backend(endpoint) for endpoint in self._endpoints]


async def _answer(backend: Backend) -> EndpointCatalogue | Failure:
    try:
        return await backend.catalogue()
    except LLMError as error:
        return Failure(endpoint=backend.endpoint, error=error)


def _is_cancelled() -> bool:
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0


def _one_error(failures: Sequence[Failure]) -> LLMError:
    """The error that stands for all of them: one that may pass before those that will not."""
    first = next((failure.error for failure in failures if failure.error.retryable), failures[0].error)
    if len(failures) == 1 or isinstance(first, LLMAuthenticationError):
        return first
    tried = "\n".join(f"  {failure}" for failure in failures)
    return LLMConnectionError(f"no model server can be asked; tried:\n{tried}", kind=first.kind, hint=first.hint)


_CONFIGURED = "it is the configured `default_model`: name another model, or correct the configuration"


def _found(name: str, asked: Asked, *, instead: str | None = None) -> str:
    found = look_up(name, asked.catalogue)
    if found is not None:
        return found.model
    near = similar_names(name, asked.catalogue)
    offer = " ".join(filter(None, (f"did you mean `{near[0]}`?" if near else None, instead))) or None
    raise ModelNotFoundError(name, all_names(asked.catalogue), hint=_hint(offer, asked))


def _the_one_loaded(asked: Asked) -> str:
    loaded = the_loaded(asked.catalogue)
    if len(loaded) == 1:
        return loaded[0].model
    names = ", ".join(f"`{found.entry.key}`" for found in loaded)
    said = f"{len(loaded)} are loaded: {names}" if loaded else "none is loaded"
    ways = "name one, or configure a `default_model`" + ("" if loaded else ", or load one")
    message = f"no model is named and no default is configured, and {said}"
    raise ModelNotFoundError(DEFAULT, all_names(asked.catalogue), message=message, hint=_hint(ways, asked))


def _hint(first: str | None, asked: Asked) -> str | None:
    """What to do, and which servers could not be asked: the model may be there."""
    silent = [f"{failure.endpoint} could not be asked: {failure.error.message}" for failure in asked.failures]
    return "; ".join(filter(None, (first, *silent))) or None
