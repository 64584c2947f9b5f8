"""A lock as the text of its file: YAML in one spelling and one order, so that a difference of two reads well."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any, Final

from runner.plan.lock.lock import FACTS, VERSION, Lock, LockedEndpoint, LockedModel, LockedServer, LockedTool
from runner.workflow.scalar import CONSTANTS, YES_NO

HEAD: Final = """\
# Written by `bridge-run lock`: what the model servers and tool servers said of themselves. Check it in; do not edit it.
# `bridge-run check --locked` reads it instead of asking them, `bridge-run lock --check` says what has changed since.
"""
WIDTH: Final = 118
_IN_BLOCKS: Final = frozenset(("model_servers", "models", "mcp_servers", "tools"))
"""Lists whose items have a line for each key, however short they are."""
_PLAIN: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_./@+-]*")
_HEX: Final = re.compile(r"[0-9a-f]{64}")
_ESCAPED: Final = re.compile("[\x7f-\x9f\u2028\u2029\ufeff\ufffe\uffff\ud800-\udfff]")
_ABILITIES: Final = {
    "tool_use": "tool_use", "vision": "vision", "reasoning": "reasoning_options",
    "reasoning_default": "reasoning_default",
}  # fmt: skip
"""What the file calls the abilities of a model → the fields of ``ModelEntry``."""


def lock_text(lock: Lock) -> str:
    """The whole file."""
    return HEAD + "".join(f"{line}\n" for line in _block(lock_data(lock), 0))


def lock_data(lock: Lock) -> dict[str, Any]:
    """The lock as plain data, in the order of the file."""
    data: dict[str, Any] = {"version": VERSION}
    if lock.default_model is not None:
        data["default_model"] = lock.default_model
    data["model_servers"] = [_endpoint(one) for one in lock.endpoints]
    if lock.missing:
        data["missing_models"] = sorted(lock.missing)
    servers = sorted(lock.servers, key=lambda one: (sorted(one.names), one.key))
    data["mcp_servers"] = [_server(one) for one in servers]
    return data


def model_facts(entry: Any) -> dict[str, Any]:
    """What a lock says of a model, by the names of the file; what its server does not say is left out."""
    told = {name: _listed(getattr(entry, name)) for name in FACTS}
    abilities = {name: told.pop(key) for name, key in _ABILITIES.items()}
    variants = told.pop("variants")
    served = [
        {
            "id": one.id, "context_length": one.context_length, "parallel": one.parallel,
            "shared_context": one.shared_context or None,
        }
        for one in entry.instances
    ]  # fmt: skip
    return _said(
        {
            **told,
            "capabilities": _said(abilities),
            "variants": variants,
            "served": [_said(one) for one in served],
        }
    )


def _endpoint(one: LockedEndpoint) -> dict[str, Any]:
    told = {
        "flavour": one.flavour,
        "name": one.name,
        "manages": one.manages or None,
        "loads_on_demand": one.loads_on_demand or None,
        "load_settings": None if one.load_settings is None else list(one.load_settings),
        "models": [_model(model) for model in sorted(one.models, key=lambda model: model.entry.key)],
    }
    return {key: value for key, value in told.items() if value is not None}


def _model(one: LockedModel) -> dict[str, Any]:
    return {"key": one.entry.key, "names": sorted(one.names), **model_facts(one.entry)}


def _server(one: LockedServer) -> dict[str, Any]:
    told: dict[str, Any] = {"names": sorted(one.names), "start": dict(one.start)}
    if one.tools is None:
        return {**told, "open": True}
    tools = [_tool(tool) for tool in sorted(one.tools, key=lambda tool: tool.name)]
    said = {"server": dict(one.said)} if one.said else {}
    return {**told, **said, "tools": tools}


def _tool(one: LockedTool) -> dict[str, Any]:
    kept = {} if one.definition is None else {"definition": dict(one.definition)}
    return {"name": one.name, "sha256": one.sha256, **kept}


def _said(facts: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in facts.items() if value is not None and value not in ([], {})}


def _listed(value: Any) -> Any:
    return list(value) if isinstance(value, tuple) else value


def _block(data: Mapping[str, Any], depth: int) -> Iterator[str]:
    """A mapping, each key on a line of its own."""
    for key, value in data.items():
        yield from _entry(f"{' ' * depth}{_word(key)}:", value, depth, spread=key in _IN_BLOCKS)


def _entry(start: str, value: Any, depth: int, *, spread: bool) -> Iterator[str]:
    if isinstance(value, str) and _is_literal(value):
        yield f"{start} |-"
        yield from (f"{' ' * (depth + 2)}{line}" if line else "" for line in value.split("\n"))
        return
    flow = _flow(value)
    if not isinstance(value, dict | list) or not value or (not spread and len(start) + 1 + len(flow) <= WIDTH):
        yield f"{start} {flow}"
        return
    yield start
    if isinstance(value, dict):
        yield from _block(value, depth + 2)
        return
    for item in value:
        yield from _item(item, depth + 2, spread=spread)


def _item(item: Any, depth: int, *, spread: bool) -> Iterator[str]:
    flow = _flow(item)
    if not isinstance(item, dict | list) or not item or (not spread and depth + 2 + len(flow) <= WIDTH):
        yield f"{' ' * depth}- {flow}"
        return
    lines = _block(item, depth + 2) if isinstance(item, dict) else _items(item, depth + 2)
    for number, line in enumerate(lines):
        yield f"{' ' * depth}- {line[depth + 2 :]}" if number == 0 else line


def _items(value: list[Any], depth: int) -> Iterator[str]:
    for item in value:
        yield from _item(item, depth, spread=False)


def _flow(value: Any) -> str:
    if isinstance(value, dict):
        return "{" + ", ".join(f"{_word(key)}: {_flow(item)}" for key, item in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(_flow, value)) + "]"
    return _word(value) if isinstance(value, str) else json.dumps(value, allow_nan=False)


def _word(text: str) -> str:
    """A text without quotes where that means the same, else as JSON writes it, which YAML reads alike."""
    if _PLAIN.fullmatch(text) and text not in CONSTANTS and text not in YES_NO and not _HEX.fullmatch(text):
        return text
    return _ESCAPED.sub(lambda found: f"\\u{ord(found[0]):04x}", json.dumps(text, ensure_ascii=False))


def _is_literal(text: str) -> bool:
    """Whether a text of several lines can stand as it is."""
    lines = text.split("\n")
    if len(lines) < 2 or not lines[0] or lines[0][0].isspace() or not lines[-1]:
        return False
    return all(line.isprintable() and (not line or bool(line.strip())) for line in lines)
