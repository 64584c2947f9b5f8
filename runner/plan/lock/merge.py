"""One entry of a lock renewed, everything else as it was."""

from __future__ import annotations

from dataclasses import replace

from runner.plan.lock.lock import Lock, LockedEndpoint, LockedModel
from runner.words.errors import UsageError
from runner.words.suggest import did_you_mean


def renewed(before: Lock, found: Lock, name: str) -> Lock:
    """The lock ``before`` with the model or the tool servers of that name as they are in ``found``.

    Raises:
        UsageError: neither knows the name.
    """
    known = {*_names(before), *_names(found)}
    if name not in known:
        ways = did_you_mean(name, sorted(known)) or "write the whole lock anew: `bridge-run lock`"
        raise UsageError(f"no workflow uses a model or a tool server named `{name}`", hint=ways)
    servers = [one for one in before.servers if name not in one.names]
    endpoints = {(one.name, one.flavour): _without(one, name) for one in before.endpoints}
    for one in found.endpoints:
        here = endpoints.get((one.name, one.flavour), replace(one, models=()))
        fresh = tuple(model for model in one.models if _is_called(model, name))
        kept = tuple(model for model in here.models if model.entry.key not in {new.entry.key for new in fresh})
        endpoints[one.name, one.flavour] = replace(one, models=(*kept, *fresh))
    return replace(
        before,
        servers=(*servers, *(one for one in found.servers if name in one.names)),
        endpoints=tuple(one for one in endpoints.values() if one.models),
        missing=tuple(sorted(({*before.missing} - {name}) | ({*found.missing} & {name}))),
    )


def _names(lock: Lock) -> set[str]:
    models = (model for endpoint in lock.endpoints for model in endpoint.models)
    names = {name for model in models for name in (model.entry.key, *model.names)}
    return {*names, *lock.missing, *(name for server in lock.servers for name in server.names)}


def _without(endpoint: LockedEndpoint, name: str) -> LockedEndpoint:
    return replace(endpoint, models=tuple(model for model in endpoint.models if not _is_called(model, name)))


def _is_called(model: LockedModel, name: str) -> bool:
    return name == model.entry.key or name in model.names
