"""What has changed between a lock and what the servers say now, item by item."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Literal

from runner.plan.lock.lock import Lock, LockedEndpoint, LockedServer, LockedTool
from runner.plan.lock.text import model_facts
from runner.plan.lock.words import Change, changes_between
from runner.words.noun import noun

Kind = Literal["model server", "model", "tool server", "tool"]
How = Literal["new", "gone", "changed"]


@noun
class Drift:
    """One item that is not as it was; ``changes`` say what of it, where it was there before and is now."""

    kind: Kind
    name: str
    how: How
    changes: tuple[Change, ...] = ()


def drift_between(locked: Lock, found: Lock) -> tuple[Drift, ...]:
    """Everything that differs: models, then tool servers with their tools, in the order of their names."""
    return (*_defaults(locked, found), *_endpoints(locked, found), *_models(locked, found), *_servers(locked, found))


def tool_changes(locked: LockedTool, found: LockedTool) -> tuple[Change, ...]:
    """What of a tool's definition differs; nothing if it has the same fingerprint."""
    if locked.sha256 == found.sha256:
        return ()
    if locked.definition is None or found.definition is None:  # too large to be kept
        return (Change(path="sha256", before=locked.sha256, after=found.sha256),)
    return tuple(changes_between(locked.definition, found.definition))


def _defaults(locked: Lock, found: Lock) -> Iterator[Drift]:
    before, after = locked.default_model, found.default_model
    if before != after:
        change = Change(path="default_model", before=before, after=after)
        yield Drift(kind="model", name="default", how=_how(before, after), changes=(change,))


def _endpoints(locked: Lock, found: Lock) -> Iterator[Drift]:
    """What is known of servers that both know; a server that comes or goes is told by its models."""
    before, after = ({_title(one): one for one in lock.endpoints} for lock in (locked, found))
    for name in before.keys() & after.keys():
        changes = tuple(changes_between(_server_facts(before[name]), _server_facts(after[name])))
        if changes:
            yield Drift(kind="model server", name=name, how="changed", changes=changes)


def _title(endpoint: LockedEndpoint) -> str:
    return endpoint.name or "the model server"


def _server_facts(one: LockedEndpoint) -> dict[str, Any]:
    settings = None if one.load_settings is None else list(one.load_settings)
    facts = {"flavour": one.flavour, "manages": one.manages, "loads_on_demand": one.loads_on_demand}
    return facts if settings is None else {**facts, "load_settings": settings}


def _models(locked: Lock, found: Lock) -> Iterator[Drift]:
    before, after = _entries(locked), _entries(found)
    for key in sorted({*before, *after}):
        endpoint, model = key
        name = f"{model} ({endpoint})" if endpoint else model
        changes = tuple(changes_between(before.get(key), after.get(key))) if key in before and key in after else ()
        if changes or key not in before or key not in after:
            yield Drift(kind="model", name=name, how=_how(before.get(key), after.get(key)), changes=changes)


def _entries(lock: Lock) -> dict[tuple[str, str], dict[str, Any]]:
    return {
        (endpoint.name or "", model.entry.key): model_facts(model.entry)
        for endpoint in lock.endpoints
        for model in endpoint.models
    }


def _servers(locked: Lock, found: Lock) -> Iterator[Drift]:
    before, after = _by_start(locked), _by_start(found)
    for key in sorted({*before, *after}, key=lambda key: (_names(before.get(key) or after.get(key)), key)):
        old, new = before.get(key), after.get(key)
        name = _names(new or old)
        if old is None or new is None or (old.tools is None) is not (new.tools is None):
            yield Drift(kind="tool server", name=name, how=_how(_known(old), _known(new)))
            continue
        changes = (*changes_between(dict(old.start), dict(new.start), "start"), *changes_between(old.said, new.said))
        if changes:
            yield Drift(kind="tool server", name=name, how="changed", changes=changes)
        yield from _tools(name, old.tools or (), new.tools or ())


def _known(server: LockedServer | None) -> object:
    return None if server is None else server.tools


def _by_start(lock: Lock) -> dict[tuple[str, int], LockedServer]:
    """Servers by their key; the number tells those apart that are started alike and are not the same."""
    found: dict[tuple[str, int], LockedServer] = {}
    for server in lock.servers:
        number = sum(1 for key, _ in found if key == server.key)
        found[server.key, number] = server
    return found


def _names(server: LockedServer | None) -> str:
    return ", ".join(server.names) if server is not None else ""


def _tools(server: str, locked: Sequence[LockedTool], found: Sequence[LockedTool]) -> Iterator[Drift]:
    before: Mapping[str, LockedTool] = {tool.name: tool for tool in locked}
    after: Mapping[str, LockedTool] = {tool.name: tool for tool in found}
    for name in sorted({*before, *after}):
        old, new = before.get(name), after.get(name)
        changes = tool_changes(old, new) if old is not None and new is not None else ()
        if changes or old is None or new is None:
            yield Drift(kind="tool", name=f"{server}.{name}", how=_how(old, new), changes=changes)


def _how(before: object, after: object) -> How:
    if before is None:
        return "new"
    return "gone" if after is None else "changed"
