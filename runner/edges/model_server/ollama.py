"""What Ollama says of one model alone: ``POST /api/show``.

Its lists name models without what they can do. The answer to a show is large (it holds the template and the licence),
so it is asked of few: those that a run names, and those that are loaded. Its shape is that of Ollama's documentation:
``capabilities`` is a list of words, and the context length stands in ``model_info`` under the architecture's name.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Collection, Mapping
from dataclasses import replace
from typing import Any, Final

from runner.chat.catalogue import ModelEntry
from runner.edges.model_server.http import HttpClient
from runner.words.errors import LLMError

SHOW_SECONDS: Final = 2.0
MAX_SHOWN: Final = 16
"""More models than a run names, and few enough to be asked at once."""

_SHOW = "/api/show"
_LEVELS = ("low", "medium", "high")


async def describe(http: HttpClient, models: tuple[ModelEntry, ...], named: Collection[str]) -> tuple[ModelEntry, ...]:
    """The models, those that are ``named`` or loaded with what they can do; one that cannot be shown stays as it is."""
    wanted = {name.casefold() for name in named}
    asked = [one for one in models if one.loaded or wanted & {name.casefold() for name in one.names}][:MAX_SHOWN]
    shown = await asyncio.gather(*(_show(http, one) for one in asked))
    told = {one.key: one for one in shown}
    return tuple(told.get(one.key, one) for one in models)


async def _show(http: HttpClient, model: ModelEntry) -> ModelEntry:
    try:
        reply = await http.command(_SHOW, json.dumps({"model": model.key}).encode(), seconds=SHOW_SECONDS)
    except LLMError:
        return model
    said = reply.json
    return with_details(model, said) if reply.status == 200 and isinstance(said, Mapping) else model


def with_details(model: ModelEntry, said: Mapping[str, Any]) -> ModelEntry:
    """The model with what its show says; old versions of Ollama say no capabilities."""
    info = said.get("model_info")
    context = _context_length(info) if isinstance(info, Mapping) else None
    can = said.get("capabilities")
    if isinstance(can, list):
        # of gpt-oss alone it is known that it takes levels; the others think or do not
        thinks = ("off", "on") if model.architecture != "gptoss" else _LEVELS
        model = replace(
            model,
            type="embedding" if "embedding" in can and "completion" not in can else model.type,
            vision="vision" in can,
            tool_use="tools" in can,
            reasoning_options=thinks if "thinking" in can else (),
        )
    return model if context is None else replace(model, max_context_length=context)


def _context_length(info: Mapping[str, Any]) -> int | None:
    found = (value for key, value in info.items() if key.endswith(".context_length"))
    return next((value for value in found if isinstance(value, int) and value > 0), None)
