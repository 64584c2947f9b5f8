"""A request to a route beside the chat: it shares the loads, slots and circuits of all calls."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Final, TypeVar

from runner.app.bridge.models.desk import ModelDesk
from runner.app.bridge.models.find import Kind, Wish
from runner.edges.model_server.lmstudio import HttpBackend
from runner.edges.model_server.plain import PlainRequest
from runner.execute.context_guard import LEAST_RESERVE
from runner.execute.lease import Lease
from runner.execute.resident import Resident
from runner.plan.lookup import Found

Result = TypeVar("Result")
LETTERS: Final = 4
"""Characters of a token, for estimates: with more the estimate would be too low, and nothing would be warned of."""


class Asking:
    """One request to a route beside the chat, however often it is put. ``need`` is its tokens, the answer's too."""

    found: Found
    seconds: float

    def __init__(self, desk: ModelDesk, arguments: Mapping[str, Any], kind: Kind, need: int) -> None:
        self._desk = desk
        self._arguments = arguments
        self._kind: Kind = kind
        self._need = need

    @property
    def backend(self) -> HttpBackend:
        """The server of the model.

        Raises:
            LLMValidationError: it is one of our own, which has no such routes.
        """
        return self._desk.http(self.found.endpoint)

    async def ask(self, put: Callable[[Lease, Resident], Awaitable[Result]]) -> Result:
        """What ``put`` gives of the loaded model.

        Raises:
            LLMError: it failed, by class.
        """
        desk, arguments = self._desk, self._arguments
        began = desk.clock.monotonic()
        found = self.found = await desk.find(arguments.get("model"), self._kind)
        desk.http(found.endpoint)
        wish = Wish(context=self._need, ttl=arguments["ttl"])

        async def once() -> Result:
            async with desk.hold(found, wish) as lease:
                return await lease.do(lambda resident: put(lease, resident), tokens=self._need)

        result = await desk.tried(f"`{found.model}` on {found.endpoint}", float(arguments["timeout"]), once)
        self.seconds = round(desk.clock.monotonic() - began, 3)
        return result

    def room(self, lease: Lease, tokens: int) -> int | None:
        """The most tokens of an answer, where the server would else forget the beginning to write on."""
        context = lease.context_length
        return max(context - tokens, LEAST_RESERVE) if lease.shares_context and context is not None else None

    def request(self, resident: Resident, body: Mapping[str, Any]) -> PlainRequest:
        """The request to the very instance. Only a load on demand cares for ``ttl``."""
        loads = self.found.server.loads_on_demand and resident.instance is None
        ttl = self._arguments["ttl"] if loads else None
        return PlainRequest(
            model=resident.address,
            body={**body, **known(ttl=None if ttl is None else max(1, round(ttl)))},
            seconds=float(self._arguments["timeout"]),
            answers_as=frozenset(self.found.entry.names) | resident.names,
        )


def known(**fields: Any) -> dict[str, Any]:
    """Those that are not None."""
    return {name: value for name, value in fields.items() if value is not None}


def tokens_of(text: str) -> int:
    """About how many tokens a text has."""
    return -(-len(text) // LETTERS)
