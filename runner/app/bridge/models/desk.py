"""The models of the bridge: asked in one place, so that calls at once share loads, slots and circuits."""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager, nullcontext
from typing import TypeVar
from weakref import WeakKeyDictionary

from runner.app.bridge.house import BridgeHouse
from runner.app.bridge.models.find import (
    Kind,
    Wish,
    check_kind,
    choice_of,
    demand_of,
    no_room,
    not_by_us,
    the_one_that_embeds,
)
from runner.app.bridge.models.journal import heard
from runner.app.servers import Asked, Failure, no_server
from runner.chat.catalogue import Catalogue, EndpointCatalogue
from runner.edges.backends import make_backend
from runner.edges.config.endpoints import endpoints_from
from runner.edges.config.file import read_configuration
from runner.edges.model_server.lmstudio import HttpBackend
from runner.edges.neighbour import Neighbours
from runner.edges.process_group import Offspring
from runner.execute.demand import Demand
from runner.execute.lease import Lease
from runner.execute.retry import Attempts
from runner.execute.standing import StandingModels
from runner.plan.lookup import Found, all_names, look_up, similar_names
from runner.plan.wanted import DEFAULT
from runner.record.events import ModelLoaded
from runner.record.wire import Entry
from runner.words.errors import (
    BridgeError,
    LLMAuthenticationError,
    LLMError,
    LLMTimeoutError,
    LLMValidationError,
    ModelNotFoundError,
    UsageError,
)
from runner.words.units import show_seconds
from runner.workflow.model import Retry

Result = TypeVar("Result")


class ModelDesk:
    """The servers of a house, open. ``policy`` is how failed requests are repeated.

    Raises:
        UsageError: an address makes no sense.
        WorkflowError: the configuration is at fault.
    """

    def __init__(self, house: BridgeHouse) -> None:
        settings, environment = house.settings, house.environment
        self.loop = asyncio.get_running_loop()
        self.config = read_configuration(settings.config, environment)
        self.endpoints = endpoints_from(settings.endpoints, environment, self.config)
        self.clock = house.clock
        self.policy = Retry()
        self.journal = heard(house.watchers, self.clock.now)
        self.journal.listen(self._count)
        self.loads: Counter[tuple[str, str]] = Counter()
        """How often each instance was loaded here, by ``(endpoint, instance)``."""
        self._offspring = Offspring()
        self.backends = {one.url: make_backend(one, offspring=self._offspring) for one in self.endpoints}
        self.models = StandingModels(
            self.endpoints, self.backends, self.journal, self.clock, neighbours=Neighbours(environment)
        )
        self._validator = house.validator
        self._over = asyncio.Event()
        self._ready = asyncio.Event()
        self._owner: asyncio.Task[None] | None = None
        self._known: tuple[float, Asked] | None = None
        self._asking = asyncio.Lock()

    async def ask(self, *, fresh: bool = True) -> Asked:
        """What the servers have now, or, if not ``fresh``, had a moment ago.

        Raises:
            LLMError: the only server cannot be asked, or refuses the token.
            OutsideError: none of several can be asked.
        """
        async with self._asking:
            if not fresh and self._known is not None and self.clock.monotonic() < self._known[0]:
                return self._known[1]
            asked = await self._ask()
            self._known = (self.clock.monotonic() + self.config.catalogue_ttl, asked)
            return asked

    async def ask_each(self) -> Asked:
        """As ``ask``, but all may have failed."""
        names = {endpoint.url: endpoint.name for endpoint in self.endpoints}

        async def one(url: str) -> EndpointCatalogue | Failure:
            try:
                return await self.backends[url].catalogue()
            except LLMError as error:
                return Failure(endpoint=url, error=error, name=names[url])

        answers = await asyncio.gather(*map(one, self.backends))
        return Asked(
            catalogue=Catalogue(tuple(answer for answer in answers if isinstance(answer, EndpointCatalogue))),
            failures=tuple(answer for answer in answers if isinstance(answer, Failure)),
            endpoints=self.endpoints,
        )

    def forget(self) -> None:
        """What the servers have has changed: the next call asks anew."""
        self._known = None
        self._validator.clear_cache()

    async def find(self, name: str | None, kind: Kind | None = None) -> Found:
        """The model of that name; None, "" and ``default`` are the default one, or the only one that embeds.

        Raises:
            ModelNotFoundError: no server has it, asked anew; with all names there are.
            LLMValidationError: it is a model for something else than ``kind``.
            LLMError: no server could be asked.
        """
        wanted = None if name is None or name.strip().casefold() in ("", DEFAULT) else name.strip()
        if wanted is None and kind == "embedding":
            return the_one_that_embeds(await self.ask(fresh=False))
        try:
            model = await self._validator.validate(wanted)
        except ModelNotFoundError:  # it may have come since the list was kept
            self.forget()
            default = await self.default() if wanted is None else None
            model = default.model if default else await self._validator.validate(wanted)
        found = look_up(model, (await self.ask(fresh=False)).catalogue)
        if found is None:
            found = look_up(model, (await self.ask()).catalogue)
        if found is None:
            raise await self.missing(model)
        check_kind(found, kind, (await self.ask(fresh=False)).catalogue)
        return found

    async def default(self) -> Found | None:
        """Which of the loaded models answers where none is named or configured; None if that cannot be told."""
        asked, loaded = await self.ask(), self.models.residents()
        if self.config.default_model is not None:
            return None
        return not_by_us(asked, {(url, resident.address) for url, resident in loaded if resident.ours})

    async def missing(self, name: str) -> ModelNotFoundError:
        """The error for a model that nobody has."""
        catalogue = (await self.ask(fresh=False)).catalogue
        near = similar_names(name, catalogue)
        return ModelNotFoundError(name, all_names(catalogue), hint=f"did you mean `{near[0]}`?" if near else None)

    def server(self, name: str) -> str:
        """The address of the server of that name or address.

        Raises:
            UsageError: there is none.
        """
        plain = name.rstrip("/").removesuffix("/v1")
        for endpoint in self.endpoints:
            if plain in (endpoint.name, endpoint.url):
                return endpoint.url
        known = ", ".join(endpoint.shown for endpoint in self.endpoints)
        raise UsageError(f"there is no server `{name}` here", hint=f"the servers are {known}")

    def http(self, endpoint: str) -> HttpBackend:
        """The server at that address, for what only servers over HTTP can.

        Raises:
            LLMValidationError: it is one of our own.
        """
        backend = self.backends[endpoint]
        if not isinstance(backend, HttpBackend):
            raise LLMValidationError(
                f"{endpoint} is a server of our own, which only chats", hint="use `chat_completion`, or another server"
            )
        return backend

    @asynccontextmanager
    async def hold(self, found: Found, wish: Wish) -> AsyncIterator[Lease]:
        """Hold the model: loaded by now, once for all who ask, and not unloaded before this ends.

        Raises:
            ContextError: it has no room for what the call needs.
            LLMError: it cannot be loaded.
        """
        choice = choice_of(found, wish)
        most = found.entry.max_context_length
        if most is not None and wish.context > most:
            raise no_room(found, wish.context, most)
        await self.open()
        demand = demand_of(choice, wish)
        if self._lacks(demand):
            self.models.outgrown(found.endpoint, demand.name)
        async with self.models.lease_for(choice, demand, _at_once) as lease:
            context = lease.context_length
            if context is not None and wish.context > context:
                raise no_room(found, wish.context, context)
            yield lease

    async def tried(self, who: str, seconds: float, work: Callable[[], Awaitable[Result]]) -> Result:
        """What ``work`` gives, repeated as long as that may help, within ``seconds``. ``who`` is named in messages.

        Raises:
            LLMTimeoutError: the time is over.
            BridgeError: the last failure, or the first that is not worth repeating.
        """
        end = self.clock.monotonic() + seconds
        last: list[BridgeError] = []
        attempts = Attempts(
            policy=self.policy,
            clock=self.clock,
            deadline=lambda: end,
            random=random.random,
            repeatable=lambda _: True,
            on_retry=lambda _number, error, _wait: last.append(error),
        )
        try:
            async with asyncio.timeout(seconds):
                return await attempts.run(lambda _: work())
        except TimeoutError as error:
            before = f"; before, {last[-1].message}" if last else ""
            raise LLMTimeoutError(
                f"{who} did not answer within {show_seconds(seconds)}{before}", hint="give it more time with `timeout`"
            ) from error

    async def close(self) -> None:
        """Unload what was loaded for calls, and close the connections; may be called twice."""
        owner, self._owner = self._owner, None
        if owner is not None:
            self._over.set()
            await asyncio.wait((owner,))
        for backend in self.backends.values():
            await backend.close()

    def _lacks(self, demand: Demand) -> bool:
        """Whether what is loaded is known not to be good enough."""
        return any(
            url == demand.endpoint
            and resident.demand.name == demand.name
            and resident.instance is not None
            and not demand.pinned
            and demand.manages
            and demand.lacks(resident.instance) is not None
            for url, resident in self.models.residents()
        )

    def _count(self, entry: Entry) -> None:
        if isinstance(entry.event, ModelLoaded) and not entry.event.reused:
            self.loads[entry.event.endpoint, entry.event.instance] += 1

    async def _ask(self) -> Asked:
        asked = await self.ask_each()
        if asked.catalogue.endpoints:
            return asked
        first = asked.failures[0].error
        refused = all(isinstance(failure.error, LLMAuthenticationError) for failure in asked.failures)
        raise first if refused or len(asked.failures) == 1 else no_server(asked.failures)

    async def open(self) -> None:
        """Loads run in a task of their own: a call that is cancelled does not end a load that others wait for."""
        if self._owner is None:
            self._owner = asyncio.create_task(self._own(), name="the models of the bridge")
        await self._ready.wait()

    async def _own(self) -> None:
        async with self.models.open():
            self._ready.set()
            await self._over.wait()


_DESKS: WeakKeyDictionary[BridgeHouse, ModelDesk] = WeakKeyDictionary()


def model_desk(house: BridgeHouse) -> ModelDesk:
    """The one of that house, made with the first call.

    Raises:
        UsageError: an address makes no sense.
        WorkflowError: the configuration is at fault.
    """
    desk = _DESKS.get(house)
    if desk is None or desk.loop is not asyncio.get_running_loop():  # what is open belongs to a loop
        desk = _DESKS[house] = ModelDesk(house)
        house.closers.append(lambda: close_models(house))
    return desk


async def close_models(house: BridgeHouse) -> None:
    """Close the one of that house, if there is one."""
    desk = _DESKS.pop(house, None)
    if desk is not None and desk.loop is asyncio.get_running_loop():
        await desk.close()


def _at_once() -> AbstractAsyncContextManager[object]:
    """A call waits for its model as it waits for everything else."""
    return nullcontext()
