"""An LM Studio 0.4 on real sockets, in a thread of its own, whose answers are written byte by byte by the test.

It lists one model, loads and unloads it, and keeps what it was asked. What it answers to a question is a script of
``kit.raw_server``, made by the test for each question anew.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from kit.raw_server import DONE, Heard, Script, delta, raw_server, reply, stream, unexpected, usage

MODEL = "qwen3"
CONTEXT = 8192


def said(text: str, *, model: str = MODEL) -> Script:
    """A good answer."""
    whole = (delta(model, role="assistant", content=text), delta(model, finish="stop"), usage(100, 5), DONE)
    return stream(*whole)


def called(name: str, arguments: str, *, number: str = "519801730") -> Script:
    """A good tool call."""
    call = {"index": 0, "id": number, "type": "function", "function": {"name": name, "arguments": arguments}}
    return stream(delta(role="assistant", tool_calls=[call]), delta(finish="tool_calls"), usage(100, 5), DONE)


@dataclass
class BadDay:
    """What happened. ``asked`` are the bodies of all questions, ``loads`` those of all loads.

    ``contexts`` are those of the instances that are loaded, by their ids; ``refuse_load`` gives the answer to a load
    with that context instead of the load, None to let it happen.
    """

    answer: Callable[[BadDay, dict[str, Any]], Script]
    contexts: dict[str, int] = field(default_factory=lambda: {MODEL: CONTEXT})
    models: tuple[str, ...] = (MODEL,)
    refuse_load: Callable[[int], Script | None] = lambda _: None
    asked: list[dict[str, Any]] = field(default_factory=list)
    loads: list[dict[str, Any]] = field(default_factory=list)
    unloads: list[str] = field(default_factory=list)
    url: str = ""
    leave: Callable[[], object] = lambda: None
    """Closes every connection; from then on nothing listens at the address."""

    def crash(self) -> None:
        """Lose what is loaded."""
        self.contexts.clear()

    def hear(self, heard: Heard) -> Script:
        """What is said to a request."""
        if heard.path == "/lmstudio-greeting":
            return reply({"lmstudio": True})
        if heard.path == "/api/v1/models":
            return reply({"models": [self._entry(model) for model in self.models]})
        if heard.path == "/api/v1/models/load":
            return self._load(heard.json)
        if heard.path == "/api/v1/models/unload":
            self.unloads.append(heard.json["instance_id"])
            self.contexts.pop(heard.json["instance_id"], None)
            return reply({"instance_id": heard.json["instance_id"]})
        if heard.path == "/v1/chat/completions":
            self.asked.append(heard.json)
            return self.answer(self, heard.json)
        return unexpected(heard)

    def _load(self, wish: dict[str, Any]) -> Script:
        self.loads.append(wish)
        refused = self.refuse_load(wish["context_length"])
        if refused is not None:
            return refused
        self.contexts[wish["model"]] = wish["context_length"]
        return reply({"type": "llm", "instance_id": wish["model"], "load_time_seconds": 0.1, "status": "loaded"})

    def _entry(self, model: str) -> dict[str, Any]:
        config = {"parallel": 4, "flash_attention": True, "offload_kv_cache_to_gpu": True}
        loaded = [
            {"id": instance, "config": {"context_length": context, **config}}
            for instance, context in self.contexts.items()
            if instance.partition(":")[0] == model
        ]
        can = {"vision": False, "trained_for_tool_use": True}
        return {
            "type": "llm", "key": model, "publisher": "q", "display_name": model, "architecture": "qwen3",
            "quantization": {"name": "Q4_K_M", "bits_per_weight": 4}, "size_bytes": 5_000_000_000, "format": "gguf",
            "params_string": "8B", "max_context_length": 131072, "capabilities": can, "loaded_instances": loaded,
        }  # fmt: skip


@contextmanager
def bad_day(answer: Callable[[BadDay, dict[str, Any]], Script], **parts: Any) -> Iterator[BadDay]:
    """The server at work; ``answer`` gets it and the body of each question."""
    day = BadDay(answer, **parts)
    loop = asyncio.new_event_loop()
    ready, over = threading.Event(), asyncio.Event()

    async def serve() -> None:
        async with raw_server(day.hear) as server:
            day.url, day.leave = server.url, over.set
            ready.set()
            await over.wait()

    thread = threading.Thread(target=lambda: loop.run_until_complete(serve()), daemon=True)
    thread.start()
    try:
        assert ready.wait(10)
        yield day
    finally:
        if thread.is_alive():
            loop.call_soon_threadsafe(over.set)
        thread.join(10)
        loop.close()


def every(script: Script) -> Callable[[BadDay, dict[str, Any]], Script]:
    """The same to every question."""
    return lambda day, body: script


def once(script: Script, then: Script) -> Callable[[BadDay, dict[str, Any]], Script]:
    """One answer to the first question, another to the rest."""
    return lambda day, body: script if len(day.asked) == 1 else then
