"""The page about all tools, written from what hosts are told: it cannot say otherwise."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

from runner.app.bridge.desk import BridgeDesk
from runner.app.bridge.house import BridgeHouse, BridgeSettings
from runner.app.bridge.serve import all_tools
from runner.chat.offer import Offer
from runner.words.complaint import name_types

WRITE: Final = "from runner.app.bridge.serve_reference import page; import asyncio; print(asyncio.run(page()), end='')"
"""What Python is to run to write the page anew."""
_HEAD: Final = """# The tools of `bridge-run serve`

Written from the tools themselves, and held to them by a test; [serve](serve.md) says how to use them. Each workflow
file of the folder is a tool too: its inputs, and `model`, `models`, `answers`, `wait` as `run_workflow` has them.
"""


async def page() -> str:
    """The whole page, as Markdown."""
    house = BridgeHouse(BridgeSettings(folder=Path.cwd()), {})
    offers = await BridgeDesk(house, all_tools()).offers()
    return "\n".join([_HEAD, *(line for offer in offers for line in _tool(offer))])


def _tool(offer: Offer) -> Iterator[str]:
    yield f"## {offer.name}\n"
    yield f"{offer.description}\n"
    said = {
        "reads only": offer.read_only,
        "may destroy": offer.destructive,
        "twice is as once": offer.idempotent,
        "reaches further than this machine": offer.open_world,
    }
    marks = ", ".join(words for words, holds in said.items() if holds)
    if marks:
        yield f"Told to hosts: {marks}.\n"
    properties = offer.input_schema.get("properties", {})
    if properties:
        required = offer.input_schema.get("required", ())
        yield "| argument | is | default | |\n| --- | --- | --- | --- |"
        for name, schema in properties.items():
            default = "required" if name in required else _default(schema)
            yield f"| `{name}` | {_is(schema)} | {default} | {_cell(schema.get('description', ''))} |"
        yield ""
    keys = _keys(offer.output_schema or {})
    if keys:
        yield f"Gives {', '.join(f'`{key}`' for key in keys)}.\n"


def _is(schema: Mapping[str, Any]) -> str:
    if "enum" in schema:
        return ", ".join(f"`{one}`" for one in schema["enum"])
    return name_types(schema["type"]) if "type" in schema else "anything"


def _default(schema: Mapping[str, Any]) -> str:
    return f"`{json.dumps(schema['default'])}`" if schema.get("default") is not None else ""


def _keys(schema: Mapping[str, Any]) -> tuple[str, ...]:
    """Of a success; long work may answer otherwise, which `serve.md` tells."""
    first: Mapping[str, Any] = schema["anyOf"][0] if "anyOf" in schema else schema
    return tuple(first.get("properties", ()))


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")
