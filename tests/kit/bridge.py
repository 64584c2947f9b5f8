"""Calls of the bridge's tools in tests: a real house, the real work, arguments and results judged by their schemas."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

from runner.app.bridge.house import BridgeHouse, BridgeSettings
from runner.app.bridge.models.desk import close_models, model_desk
from runner.app.bridge.models.models import MODEL_TOOLS
from runner.edges.clock import Clock
from runner.record.wire import Entry
from runner.words.schemas import complaints
from runner.workflow.model import Retry

TOOLS = {tool.offer.name: tool for tool in MODEL_TOOLS}
HELLO = [{"role": "user", "content": "Hello"}]


class AheadClock(Clock):
    """The real one, ``ahead`` by so many seconds: setting it lets time pass that nobody waits for."""

    ahead = 0.0

    def monotonic(self) -> float:
        return super().monotonic() + self.ahead


class Bridge:
    """A house whose failed requests are repeated at once; ``told`` is the progress, ``entries`` what watchers heard."""

    def __init__(self, *endpoints: str, folder: Path | None = None, **environment: str) -> None:
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("LMSTUDIO", "LM_API"))}
        self.entries: list[Entry] = []
        self.told: list[tuple[float, float | None, str]] = []
        self.policy = Retry(wait=0.001, max_wait=0.002)
        self.clock = AheadClock()
        settings = BridgeSettings(endpoints=endpoints, **({"folder": folder} if folder else {}))
        self.house = BridgeHouse(settings, kept | environment, watchers=[self.entries.append], clock=self.clock)

    async def call(self, name: str, **arguments: Any) -> dict[str, Any]:
        tool = TOOLS[name]
        assert complaints(tool.offer.input_schema, arguments) == ()
        known = tool.offer.input_schema["properties"]
        defaults = {key: one["default"] for key, one in known.items() if "default" in one}
        model_desk(self.house).policy = self.policy
        result = dict(await tool.work(self.house, {**defaults, **arguments}, self._tell))
        assert tool.offer.output_schema is not None
        assert complaints(tool.offer.output_schema, result) == ()
        return result

    async def _tell(self, done: float, total: float | None, words: str) -> None:
        self.told.append((done, total, words))

    async def close(self) -> None:
        await close_models(self.house)
        await self.house.close()


def with_bridge(story: Callable[[Bridge], Awaitable[Any]], *endpoints: str, **environment: str) -> Any:
    """Tell a story in a house, and close it."""

    async def whole() -> Any:
        bridge = Bridge(*endpoints, **environment)
        try:
            return await story(bridge)
        finally:
            await bridge.close()

    return asyncio.run(whole())


def call(url: str, name: str, **arguments: Any) -> dict[str, Any]:
    """One call in a house of its own."""
    result: dict[str, Any] = with_bridge(lambda bridge: bridge.call(name, **arguments), url)
    return result
