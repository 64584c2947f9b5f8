"""A server of models over nothing that loads and unloads, and watches what is done to it."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from runner.chat.catalogue import EndpointCatalogue, Instance, ModelEntry
from runner.chat.messages import ChatAnswer, ChatRequest, Delta, OnDelta
from runner.words.errors import LLMResponseError, ModelMemoryError, ModelNotFoundError

GIB = 1024**3


@dataclass
class PaintedModel:
    """A downloaded model: ``size`` and what a token of context takes in bytes, ``load`` in seconds."""

    size: int = 4 * GIB
    token_size: int = 0
    load: float = 10.0
    context: int = 32768
    format: str = "gguf"
    load_errors: list[Exception] = field(default_factory=list)


@dataclass
class PaintedServer:
    """A ``Backend`` that manages models, or loads them on demand.

    ``say(request)`` answers; it may be a coroutine, so that an answer takes its time. ``log`` has ``(seconds, what,
    instance)`` in order. ``harm`` is what a real server would have suffered: a model unloaded in the middle of an
    answer, two copies of one model, more than ``memory``.
    """

    models: Mapping[str, PaintedModel]
    say: Callable[[ChatRequest], Any] = lambda request: "done"
    endpoint: str = "http://painted"
    manages: bool = True
    loads_on_demand: bool = False
    memory: int | None = None
    parallel: int | None = 4
    shared: bool = True
    there: dict[str, tuple[str, Instance]] = field(default_factory=dict)
    asked: list[ChatRequest] = field(default_factory=list)
    log: list[tuple[float, str, str]] = field(default_factory=list)
    harm: list[str] = field(default_factory=list)
    busy: Counter[str] = field(default_factory=Counter)
    most_busy: Counter[str] = field(default_factory=Counter)
    listed: int = 0

    def put(self, key: str, *, id: str | None = None, context: int = 8192, **config: Any) -> None:
        """As if a person had loaded it."""
        name = id or self._free(key)
        self.there[name] = (
            key,
            Instance(
                id=name, context_length=context, parallel=self.parallel, shared_context=self.shared, config=config
            ),
        )

    def take(self, name: str) -> None:
        """As if a person had unloaded it."""
        del self.there[name]

    def did(self, *what: str) -> list[str]:
        """``load a``, ``unload a`` … in order."""
        return [f"{verb} {name}" for _, verb, name in self.log if verb in what]

    async def catalogue(self) -> EndpointCatalogue:
        self.listed += 1
        return EndpointCatalogue(
            endpoint=self.endpoint,
            flavour="lmstudio-v1" if self.manages else "lmstudio-v0",
            models=tuple(self._entry(key, model) for key, model in self.models.items()),
            manages=self.manages,
            loads_on_demand=self.loads_on_demand,
        )

    async def load(self, model: str, settings: Mapping[str, Any]) -> Instance:
        painted = self.models[model]
        self._note("load", model)
        await asyncio.sleep(painted.load)
        if painted.load_errors:
            self._note("refuse", model)
            raise painted.load_errors.pop(0)
        context = settings.get("context_length", 4096)
        self._check_memory(model, context)
        if any(key == model for key, _ in self.there.values()):
            self._note("duplicate", model)
        name = self._free(model)
        given = {key: value for key, value in settings.items() if key != "context_length"}
        self.put(model, id=name, context=context, **given)
        self._note("loaded", name)
        return self.there[name][1]

    async def unload(self, instance: str) -> None:
        self._note("unload", instance)
        if self.busy[instance]:
            self.harm.append(f"{instance} was unloaded while it worked")
        self.there.pop(instance, None)

    async def chat(self, request: ChatRequest, on_delta: OnDelta | None = None) -> ChatAnswer:
        self.asked.append(request)
        name = await self._reached(request.model)
        self._note("ask", name)
        self.busy[name] += 1
        self.most_busy[name] = max(self.most_busy[name], self.busy[name])
        try:
            said = self.say(request)
            if asyncio.iscoroutine(said):
                said = await said
        finally:
            self.busy[name] -= 1
        answer = ChatAnswer(model=name, content=said) if isinstance(said, str) else said
        if on_delta is not None:
            on_delta(Delta("content", answer.content))
        self._note("answered", name)
        return answer

    async def close(self) -> None:
        """There is nothing to close."""

    async def _reached(self, name: str) -> str:
        """The instance that answers to a name; on demand it is loaded, and pushes out what was loaded so."""
        for instance, (key, _) in self.there.items():
            if name in (instance, key):
                return instance
        if not self.loads_on_demand:
            raise LLMResponseError(f"`{name}` on {self.endpoint} is not loaded: No models loaded.")
        if name not in self.models:
            raise ModelNotFoundError(name, tuple(self.models))
        self._note("load", name)
        await asyncio.sleep(self.models[name].load)
        if any(key == name for key, _ in self.there.values()):
            self.harm.append(f"two copies of {name}")
        for other in list(self.there):
            if self.busy[other]:
                self.harm.append(f"{other} was pushed out while it worked")
            del self.there[other]
        self.put(name, context=4096)
        self._note("loaded", name)
        return name

    def _entry(self, key: str, model: PaintedModel) -> ModelEntry:
        instances = tuple(instance for of, instance in self.there.values() if of == key)
        told = instances if self.manages else ()
        return ModelEntry(
            key=key,
            type="llm",
            size_bytes=model.size,
            format=model.format,
            max_context_length=model.context,
            tool_use=True,
            instances=told,
            loaded=bool(instances),
        )

    def _check_memory(self, key: str, context: int) -> None:
        if self.memory is None:
            return
        taken = sum(self._taken(of, instance.context_length or 0) for of, instance in self.there.values())
        needed = self._taken(key, context)
        if taken + needed > self.memory:
            self._note("refuse", key)
            raise ModelMemoryError(
                f"`{key}` on {self.endpoint} does not fit into memory: it needs {needed / GIB:g} GB",
                required_bytes=needed,
                available_bytes=self.memory - taken,
            )

    def _taken(self, key: str, context: int) -> int:
        return self.models[key].size + self.models[key].token_size * context

    def _free(self, key: str) -> str:
        number = 1
        while (name := key if number == 1 else f"{key}:{number}") in self.there:
            number += 1
        return name

    def _note(self, what: str, name: str) -> None:
        self.log.append((asyncio.get_running_loop().time(), what, name))
