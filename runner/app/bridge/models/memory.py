"""``load_model``, ``ensure_model_loaded`` and ``unload_model``: into the memory of a server, and out of it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any, Final

from runner.app.bridge.house import BridgeHouse
from runner.app.bridge.models.desk import ModelDesk, model_desk
from runner.app.bridge.models.find import Wish
from runner.app.bridge.models.schema import (
    COUNT,
    ENDPOINT,
    FLAG,
    INSTANCE,
    MODEL,
    NAME,
    SECONDS,
    TEXT,
    TTL,
    WARNINGS,
    given,
    told,
)
from runner.app.bridge.tool import Tool
from runner.app.models.memory import Copy, lacks
from runner.app.servers import Asked
from runner.chat.catalogue import Catalogue, Instance
from runner.chat.offer import Offer, Progress
from runner.edges.model_server.management import LOAD_SECONDS, check_manages
from runner.plan.lookup import Found, all_names, look_up
from runner.record.events import ModelUnloaded
from runner.show.models_view import instance_json, instance_text
from runner.words.errors import LLMError, LLMValidationError, ModelNotFoundError

_SETTINGS: Final = ("context_length", "eval_batch_size", "flash_attention", "num_experts", "offload_kv_cache_to_gpu")


async def load_model(
    house: BridgeHouse,
    arguments: Mapping[str, Any],
    progress: Progress,
) -> Mapping[str, Any]:
    """The model, in memory with at least these settings: ``{text, model, instance, loaded, …}``.

    ``loaded`` says whether it was loaded for this call: a copy that is good enough is left as it is.

    Raises:
        ModelNotFoundError: no server has it.
        ModelMemoryError: it does not fit.
        LLMValidationError: its server cannot be told to load.
        LLMError: it could not be loaded, by class.
    """
    desk = model_desk(house)
    settings = {name: arguments[name] for name in _SETTINGS if arguments.get(name) is not None}
    began = desk.clock.monotonic()
    found = await _fresh(desk, arguments)
    check_manages(found.server, f"load `{found.model}`")
    wish = Wish(settings=settings, ttl=arguments["ttl"])
    before = desk.loads.copy()
    await progress(0, 1, f"loading {found.model} on {found.endpoint}")
    async with desk.hold(found, wish) as lease:
        resident = lease.resident
        instance = resident.instance
        assert instance is not None, "what is managed has an instance"
        keep = bool(arguments["keep_loaded"]) and resident.ours
        if keep:
            desk.models.hand_over(found.endpoint, instance.id)
        else:
            desk.models.keep_for(found.endpoint, instance.id, arguments["ttl"])
        ours = resident.ours
    desk.forget()
    key, shortfall = (found.endpoint, instance.id), lacks(instance, settings)
    return {
        **_told(found, instance, loaded=desk.loads[key] > before[key]),
        "unloads": ("when the bridge ends" if arguments["ttl"] is None else "when idle") if ours else "never",
        "seconds": round(desk.clock.monotonic() - began, 3),
        "warnings": [
            *([f"the server loaded it otherwise than asked: {shortfall}"] if shortfall else []),
            *_beyond(found, settings.get("context_length")),
        ],
    }


def _beyond(found: Found, wanted: int | None) -> Iterator[str]:
    """Servers load what they are told; what a model makes of so many tokens is another matter."""
    most = found.entry.max_context_length
    if most is not None and wanted is not None and wanted > most:
        yield f"`{found.entry.key}` is made for {most:,} tokens at most, and {wanted:,} were asked for"


def _told(found: Found, instance: Instance, *, loaded: bool) -> dict[str, Any]:
    words = "is loaded" if loaded else "was loaded already"
    return {
        "text": f"{found.entry.key} {words} as {instance.id}: {instance_text(instance)}",
        "model": found.entry.key,
        "instance": instance_json(instance),
        "endpoint": found.endpoint,
        "loaded": loaded,
    }


async def unload_model(
    house: BridgeHouse,
    arguments: Mapping[str, Any],
    progress: Progress,  # noqa: ARG001
) -> Mapping[str, Any]:
    """Out of memory: the copy of that id, or all copies of that model: ``{text, unloaded, count}``.

    Raises:
        ModelNotFoundError: there is no such model.
        LLMValidationError: calls are using it, or its server cannot be told to.
        LLMError: it could not be unloaded, by class.
    """
    desk = model_desk(house)
    copies = await _copies(desk, arguments["model"].strip(), _server(desk, arguments))
    if not arguments["force"]:
        _check_idle(desk, copies)
    for copy in copies:
        await desk.backends[copy.endpoint].unload(copy.instance.id)
        desk.models.is_gone(copy.endpoint, copy.instance.id)
        desk.journal.append(
            ModelUnloaded(
                endpoint=copy.endpoint, model=copy.key, instance=copy.instance.id, reason="`unload_model` was called"
            )
        )
    desk.forget()
    names = ", ".join(copy.instance.id for copy in copies)
    return {
        "text": f"{names} unloaded" if copies else f"{arguments['model']} is not loaded; nothing to do",
        "unloaded": [{"model": copy.key, "instance": copy.instance.id, "endpoint": copy.endpoint} for copy in copies],
        "count": len(copies),
    }


def _server(desk: ModelDesk, arguments: Mapping[str, Any]) -> str | None:
    return None if arguments.get("endpoint") is None else desk.server(arguments["endpoint"])


async def _fresh(desk: ModelDesk, arguments: Mapping[str, Any]) -> Found:
    """The model as its server has it now: on one that can be told to load, before one that cannot."""
    only = _server(desk, arguments)
    asked = await desk.ask()
    wanted = await desk.find(arguments.get("model"))
    some = [one for one in asked.catalogue.endpoints if only in (None, one.endpoint)]
    managing = Catalogue(tuple(one for one in some if one.manages))
    found = look_up(wanted.model, managing) or look_up(wanted.model, Catalogue(tuple(some)))
    if found is None:
        raise await desk.missing(wanted.model) if only is None else _not_there(wanted, only, asked)
    spare = found.model != found.entry.key and any(one.id == found.model for one in found.entry.instances)
    return replace(found, model=found.entry.key) if spare and found.model not in found.entry.variants else found


def _not_there(wanted: Found, only: str, asked: Asked) -> LLMError:
    """Why that server cannot be told to load a model which another one has."""
    for failure in asked.failures:
        if failure.endpoint == only:
            return failure.error
    there = all_names(Catalogue(tuple(one for one in asked.catalogue.endpoints if one.endpoint == only)))
    message = f"{only} has no model named `{wanted.model}`"
    hint = f"{wanted.endpoint} has it: leave `endpoint` out, or name that one"
    return ModelNotFoundError(wanted.model, there, message=message, hint=hint)


async def _copies(desk: ModelDesk, name: str, only: str | None) -> list[Copy]:
    """The copies that a name means: the one of that id, unless it is a key too; else all of the model."""
    asked = await desk.ask()
    some = [one for one in asked.catalogue.endpoints if only in (None, one.endpoint)]
    every = [
        Copy(endpoint=one.endpoint, key=entry.key, instance=instance)
        for one in some
        for entry in one.models
        for instance in entry.instances
    ]
    by_id = [copy for copy in every if copy.instance.id == name]
    if by_id and by_id[0].key != name:
        return by_id
    keys = {(one.endpoint, found.entry.key) for one in some if (found := look_up(name, Catalogue((one,)))) is not None}
    if not keys:
        raise await desk.missing(name)
    return [copy for copy in every if (copy.endpoint, copy.key) in keys]


def _check_idle(desk: ModelDesk, copies: list[Copy]) -> None:
    """Raises: LLMValidationError: calls are using one of them."""
    there = {(copy.endpoint, copy.instance.id) for copy in copies}
    for endpoint, resident in desk.models.residents():
        if resident.users and (endpoint, resident.address) in there:
            calls = f"{resident.users} call{'s' * (resident.users != 1)}"
            raise LLMValidationError(
                f"`{resident.address}` on {endpoint} is used by {calls}, which would fail",
                hint="wait until they are done, or unload it all the same with `force`",
            )


_LOADED: Final = told(
    {
        "text": TEXT,
        "model": TEXT,
        "instance": INSTANCE,
        "endpoint": TEXT,
        "loaded": {**FLAG, "description": "Whether it was loaded for this call; false: it was there, and good enough."},
        "unloads": {
            "enum": ["when idle", "when the bridge ends", "never"],
            "description": "What the bridge does with it; it unloads only what it has loaded.",
        },
        "seconds": SECONDS,
        "warnings": WARNINGS,
    }
)
_CONTEXT: Final = {
    "type": ["integer", "null"],
    "minimum": 1,
    "default": None,
    "description": "Tokens that it must have at least. Left out: 8,192, or what the model has if that is less.",
}
_KEEP: Final = {
    **FLAG,
    "default": False,
    "description": "Leave it loaded when it is idle, and when the bridge ends.",
}

_LOAD: Final = {
    "eval_batch_size": {
        "type": "integer",
        "minimum": 1,
        "description": "Tokens of a prompt that are read at once. Left out: the server's own.",
    },
    "flash_attention": {**FLAG, "description": "Attention that takes less memory, and is often faster."},
    "num_experts": {
        "type": "integer",
        "minimum": 1,
        "description": "Experts that work on each token, for models made of experts.",
    },
    "offload_kv_cache_to_gpu": {**FLAG, "description": "Keep the cache of the context in the memory of the GPU."},
}

MEMORY_TOOLS: Final = (
    Tool(
        offer=Offer(
            name="load_model",
            title="Load a model",
            description=(
                "Have a model in memory with at least these settings. A copy that is good enough is left as it is; "
                f"one that is not is replaced, or gets a second beside it. Waits until it is there, at most "
                f"{LOAD_SECONDS / 60:g} minutes."
            ),
            input_schema=given(
                {
                    "model": MODEL,
                    "context_length": _CONTEXT,
                    **_LOAD,
                    "ttl": TTL,
                    "keep_loaded": _KEEP,
                    "endpoint": ENDPOINT,
                }
            ),
            output_schema=_LOADED,
            idempotent=True,
        ),
        work=load_model,
        long=True,
    ),
    Tool(
        offer=Offer(
            name="ensure_model_loaded",
            title="Have a model ready",
            description="Load a model unless it is loaded already, so that the next call of it need not wait.",
            input_schema=given(
                {"model": MODEL, "context_length": _CONTEXT, "ttl": TTL, "keep_loaded": _KEEP, "endpoint": ENDPOINT}
            ),
            output_schema=_LOADED,
            idempotent=True,
        ),
        work=load_model,
        long=True,
    ),
    Tool(
        offer=Offer(
            name="unload_model",
            title="Unload a model",
            description="Free the memory of a model, or of the one copy of it whose id is given.",
            input_schema=given(
                {
                    "model": {**NAME, "description": "Id of the model, or of one loaded copy (`key:2`)."},
                    "force": {**FLAG, "default": False, "description": "Even while calls use it: they fail then."},
                    "endpoint": ENDPOINT,
                },
                required=["model"],
            ),
            output_schema=told(
                {
                    "text": TEXT,
                    "unloaded": {"type": "array", "items": told({"model": TEXT, "instance": TEXT, "endpoint": TEXT})},
                    "count": COUNT,
                }
            ),
            destructive=True,
            idempotent=True,
        ),
        work=unload_model,
    ),
)
