"""What the tools that only look tell: which servers answer, what they have, what is loaded. No model is asked."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from runner.app.bridge.house import BridgeHouse
from runner.app.bridge.models.desk import ModelDesk, model_desk
from runner.app.servers import Asked, Failure
from runner.chat.catalogue import Catalogue, EndpointCatalogue, ModelEntry
from runner.chat.offer import Progress
from runner.plan.lookup import look_up, the_loaded
from runner.show.models_view import instance_json, instance_text
from runner.words.errors import LLMError
from runner.words.units import show_bytes


async def list_models(house: BridgeHouse, arguments: Mapping[str, Any], progress: Progress) -> Mapping[str, Any]:  # noqa: ARG001
    """All models of all servers: ``{text, models, count, failures}``.

    Raises:
        LLMError: no server could be asked, by class; OutsideError: of several.
    """
    return await _listed(house, arguments, lambda _server, _entry: True)


async def list_downloaded_models(
    house: BridgeHouse,
    arguments: Mapping[str, Any],
    progress: Progress,  # noqa: ARG001
) -> Mapping[str, Any]:
    """Those that lie on the disk of a server that can load and unload them, with their sizes.

    Raises:
        LLMError: as ``list_models``.
    """
    return await _listed(house, arguments, lambda server, _: server.flavour in ("lmstudio-v1", "lmstudio-v0", "ollama"))


async def list_loaded_models(
    house: BridgeHouse,
    arguments: Mapping[str, Any],
    progress: Progress,  # noqa: ARG001
) -> Mapping[str, Any]:
    """Those that are in memory, with the context each has.

    Raises:
        LLMError: as ``list_models``.
    """
    return await _listed(house, arguments, lambda _, entry: entry.in_memory)


async def get_current_model(
    house: BridgeHouse,
    arguments: Mapping[str, Any],  # noqa: ARG001  there are none
    progress: Progress,  # noqa: ARG001
) -> Mapping[str, Any]:
    """The default model: ``{text, model, origin, endpoint, loaded, others, hint}``, ``model`` null if there is none.

    Raises:
        LLMError: no server could be asked, by class; OutsideError: of several.
    """
    desk = model_desk(house)
    asked = await desk.ask()
    configured = desk.config.default_model
    loaded = the_loaded(asked.catalogue)
    others = [found.entry.key for found in loaded]
    if configured is not None:
        found = look_up(configured, asked.catalogue)
        hint = (
            None
            if found
            else f"no server has it: `list_models` tells what there is, `download_model` gets `{configured}`"
        )
        origin: str | None = "configured"
    else:
        found = loaded[0] if len(loaded) == 1 else await desk.default()
        why = f"{len(loaded)} models are loaded" if loaded else "no model is loaded"
        hint = None if found else f"{why}: name one as `model`, or configure a `default_model`"
        alone = "the one loaded model" if len(loaded) == 1 else "the one model that was loaded before"
        origin = alone if found else None
    model = found.model if found else configured
    return {
        "text": _current(model, origin, hint, there=found is not None),
        "model": model,
        "origin": origin,
        "endpoint": found.endpoint if found else None,
        "loaded": bool(found and found.entry.in_memory),
        "others": [name for name in others if found is None or name != found.entry.key],
        "hint": hint,
    }


def _current(model: str | None, origin: str | None, hint: str | None, *, there: bool) -> str:
    if there:
        return f"{model} ({origin})"
    return f"there is no default model; {hint}" if model is None else f"the default model is {model} ({origin}); {hint}"


async def health_check(
    house: BridgeHouse,
    arguments: Mapping[str, Any],  # noqa: ARG001  there are none
    progress: Progress,  # noqa: ARG001
) -> Mapping[str, Any]:
    """Whether each server answers: ``{text, healthy, servers, default_model}``. One that does not is no error."""
    servers, _ = await _looked_at(model_desk(house))
    rows = [
        {name: row[name] for name in ("endpoint", "name", "healthy", "kind", "models", "loaded", "seconds", "error")}
        for row in servers
    ]
    healthy = any(row["healthy"] for row in rows)
    return {
        "text": "\n".join(map(_health_line, rows)),
        "healthy": healthy,
        "servers": rows,
        "default_model": model_desk(house).config.default_model,
    }


async def server_status(
    house: BridgeHouse,
    arguments: Mapping[str, Any],
    progress: Progress,  # noqa: ARG001
) -> Mapping[str, Any]:
    """All that is known of the servers: ``{text, servers}``; with what calls have loaded there, and open circuits.

    Raises:
        UsageError: there is no such server.
    """
    desk = model_desk(house)
    only = None if arguments.get("endpoint") is None else desk.server(arguments["endpoint"])
    servers, asked = await _looked_at(desk)
    by_address = {one.endpoint: one for one in asked.catalogue.endpoints}
    rows = [
        {**row, **_management(desk, row["endpoint"], by_address.get(row["endpoint"]))}
        for row in servers
        if only in (None, row["endpoint"])
    ]
    return {"text": "\n".join(map(_health_line, rows)), "servers": rows}


async def _listed(house: BridgeHouse, arguments: Mapping[str, Any], wanted: Any) -> dict[str, Any]:
    desk = model_desk(house)
    only = None if arguments.get("endpoint") is None else desk.server(arguments["endpoint"])
    asked = await desk.ask()
    silent = [one for one in asked.failures if only in (None, one.endpoint)]
    if only is not None and silent:
        raise silent[0].error
    shown = [
        (server, entry)
        for server, entry in asked.catalogue
        if only in (None, server.endpoint) and wanted(server, entry)
    ]
    return {
        "text": "\n".join(
            (
                *([_model_line(server, entry) for server, entry in shown] or ["there are none"]),
                *(f"{one.endpoint} could not be asked: {one.error.message}" for one in silent),
            )
        ),
        "models": [model_row(server, entry) for server, entry in shown],
        "count": len(shown),
        "failures": [_failure(one) for one in silent],
    }


def model_row(server: EndpointCatalogue, entry: ModelEntry) -> dict[str, Any]:
    """One model of a list."""
    return {
        "id": entry.key,
        "endpoint": server.endpoint,
        "type": entry.type,
        "loaded": None if entry.loaded is None and not entry.instances else entry.in_memory,
        "instances": [instance_json(instance) for instance in entry.instances],
        "publisher": entry.publisher,
        "architecture": entry.architecture,
        "quantization": entry.quantization,
        "format": entry.format,
        "parameters": entry.parameters,
        "size_bytes": entry.size_bytes,
        "max_context_length": entry.max_context_length,
        "vision": entry.vision,
        "tool_use": entry.tool_use,
        "reasoning": {"options": list(entry.reasoning_options), "default": entry.reasoning_default},
        "variants": list(entry.variants),
    }


def _model_line(server: EndpointCatalogue, entry: ModelEntry) -> str:
    size = (show_bytes(entry.size_bytes),) if entry.size_bytes else ()
    there = "; ".join(f"loaded as {one.id} ({instance_text(one)})" for one in entry.instances)
    state = there or ("loaded" if entry.in_memory else "not loaded" if entry.loaded is False else "")
    return "  ".join(filter(None, (entry.key, entry.type, *size, state, server.endpoint)))


async def _looked_at(desk: ModelDesk) -> tuple[list[dict[str, Any]], Asked]:
    """A row for each server, in their order, each with how long it took to answer."""
    names = {endpoint.url: endpoint.name for endpoint in desk.endpoints}
    found: list[EndpointCatalogue] = []
    failures: list[Failure] = []

    async def one(url: str) -> dict[str, Any]:
        began = desk.clock.monotonic()
        head = {"endpoint": url, "name": names[url]}
        try:
            catalogue = await desk.backends[url].catalogue()
        except LLMError as error:
            failures.append(Failure(endpoint=url, error=error, name=names[url]))
            rest: dict[str, Any] = {"healthy": False, "kind": None, "models": 0, "loaded": [], "error": error.to_dict()}
        else:
            found.append(catalogue)
            there = [entry.key for entry in catalogue.models if entry.in_memory]
            rest = {
                "healthy": True, "kind": catalogue.flavour, "models": len(catalogue.models), "loaded": there,
                "error": None,
            }  # fmt: skip
        return {**head, **rest, "seconds": round(desk.clock.monotonic() - began, 4)}

    rows = await asyncio.gather(*map(one, desk.backends))
    return list(rows), Asked(catalogue=Catalogue(tuple(found)), failures=tuple(failures), endpoints=desk.endpoints)


def _management(desk: ModelDesk, url: str, catalogue: EndpointCatalogue | None) -> dict[str, Any]:
    circuits = [
        {"model": model, "state": state}
        for (endpoint, model), state in desk.models.circuits().items()
        if endpoint == url
    ]
    return {
        "can_load": catalogue is not None and catalogue.manages,
        "loads_on_demand": catalogue is not None and catalogue.loads_on_demand,
        "notes": list(catalogue.notes) if catalogue is not None else [],
        "loaded_by_bridge": list(_ours(desk, url)),
        "circuits": circuits,
    }


def _ours(desk: ModelDesk, url: str) -> Iterator[dict[str, Any]]:
    for endpoint, resident in desk.models.residents():
        if endpoint == url and resident.ours:
            yield {
                "model": resident.demand.name,
                "instance": resident.address,
                "in_use": resident.users,
                "ttl": resident.demand.ttl,
            }


def _health_line(row: Mapping[str, Any]) -> str:
    if not row["healthy"]:
        return f"{row['endpoint']}: {row['error']['message']}"
    loaded: Sequence[str] = row["loaded"]
    return f"{row['endpoint']}: {row['kind']}, {row['models']} models, loaded: {', '.join(loaded) or 'none'}"


def _failure(failure: Failure) -> dict[str, Any]:
    return {"endpoint": failure.endpoint, **failure.error.to_dict()}
