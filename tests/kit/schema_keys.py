"""Every key of the workflow schema, with a file in which it stands: what tests need to misuse each of them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from runner.words.spans import Path
from runner.workflow.schema import workflow_schema

BASE: Mapping[str, Any] = {"version": 1, "name": "w", "steps": [{"id": "s", "task": "t"}]}
"""The smallest workflow."""

_STEP_KINDS = {"task": "t", "tool": "a.b", "run": ["a"], "workflow": "./w.yaml", "approve": "sure?"}
_SERVER_KINDS = {"command": "c", "url": "http://x", "builtin": "files", "from": "f"}


@dataclass(frozen=True, slots=True)
class SchemaKey:
    """A key: the legal file around it, the path of the mapping that it belongs in, and its own schema."""

    holder: Mapping[str, Any]
    path: Path
    name: str
    schema: Mapping[str, Any]
    siblings: tuple[str, ...]

    def __str__(self) -> str:
        return "/".join(map(str, (*self.path, self.name)))


def schema_keys() -> Iterator[SchemaKey]:
    """All keys, in the schema's order; those of a shared definition once."""
    schema = workflow_schema()
    yield from _keys({**BASE}, (), schema)
    for name, holder, path in _definitions():
        yield from _keys(holder, path, schema["$defs"][name])
    properties = schema["properties"]
    yield from _keys({**BASE, "defaults": {}}, ("defaults",), properties["defaults"])
    yield from _keys({**BASE, "limits": {}}, ("limits",), properties["limits"])
    step = schema["$defs"]["step"]["properties"]
    yield from _keys(_step(repeat={"until": "a", "max": 1}), ("steps", 0, "repeat"), step["repeat"])
    yield from _keys(_step(on_error={"output": 1}), ("steps", 0, "on_error"), step["on_error"])
    load = schema["$defs"]["model"]["properties"]["load"]
    yield from _keys({**BASE, "models": {"m": {"id": "i", "load": {}}}}, ("models", "m", "load"), load)


def _definitions() -> Iterator[tuple[str, Mapping[str, Any], Path]]:
    yield "input", {**BASE, "inputs": {"i": {}}}, ("inputs", "i")
    yield "sampling", _step(sampling={}), ("steps", 0, "sampling")
    yield "model", {**BASE, "models": {"m": {"id": "i"}}}, ("models", "m")
    yield "server", {**BASE, "mcp_servers": {"s": {}}}, ("mcp_servers", "s")
    yield "retry", _step(retry={}), ("steps", 0, "retry")
    yield "step_limits", _step(limits={}), ("steps", 0, "limits")
    yield "expectation", _step(expect=[{"that": "a"}]), ("steps", 0, "expect", 0)
    yield "step", {**BASE, "steps": [{"id": "s"}]}, ("steps", 0)


def _step(**keys: Any) -> dict[str, Any]:
    return {**BASE, "steps": [{"id": "s", "task": "t", **keys}]}


def _keys(holder: Mapping[str, Any], path: Path, schema: Mapping[str, Any]) -> Iterator[SchemaKey]:
    properties: Mapping[str, Any] = schema["properties"]
    for name, rule in properties.items():
        needed = schema.get("dependentRequired", {}).get(name)
        kinds = _STEP_KINDS if path == ("steps", 0) else _SERVER_KINDS if path[:1] == ("mcp_servers",) else None
        around = holder
        if kinds is not None and name not in kinds:
            kind = needed[0] if needed else next(iter(kinds))
            around = with_key(holder, path, kind, kinds[kind])
        if name == "run" and path[-1:] == (0,) and "expect" in path:
            around = without_key(holder, path, "that")
        yield SchemaKey(around, path, name, _resolved(rule), tuple(properties))


def _resolved(rule: Any) -> Mapping[str, Any]:
    if isinstance(rule, Mapping) and "$ref" in rule:
        definition = workflow_schema()["$defs"][rule["$ref"].rpartition("/")[2]]
        return {**definition, **rule}
    return rule


def with_key(data: Any, path: Path, name: str, value: Any) -> Any:
    """A copy of the data in which the mapping at ``path`` has one more key."""
    if not path:
        return {**data, name: value}
    first, rest = path[0], path[1:]
    if isinstance(data, list):
        return [with_key(item, rest, name, value) if index == first else item for index, item in enumerate(data)]
    return {**data, first: with_key(data[first], rest, name, value)}


def without_key(data: Any, path: Path, name: str) -> Any:
    """A copy of the data in which the mapping at ``path`` lacks a key."""
    if not path:
        return {key: value for key, value in data.items() if key != name}
    first, rest = path[0], path[1:]
    if isinstance(data, list):
        return [without_key(item, rest, name) if index == first else item for index, item in enumerate(data)]
    return {**data, first: without_key(data[first], rest, name)}
