"""Servers' small mistakes, mended before the SDK judges their messages: one bad tool must not cost all others.

The SDK (mcp 2.3) refuses a whole ``tools/list`` when one tool has no ``inputSchema``, a whole result when one block
has a type that it does not know, and a finished call when its structured content misses the tool's ``outputSchema``.
All of that is data for a model, not a reason to lose a server. So what we read is rebuilt here from the parts that are
right; schema and structured content travel past the SDK's judgement in ``_meta``, where ``mcp_results`` finds them.
"""

from __future__ import annotations

import json
from typing import Any

OUTPUT_SCHEMA = "bridge-run/outputSchema"
STRUCTURED = "bridge-run/structuredContent"
_HINTS = ("readOnlyHint", "destructiveHint", "idempotentHint", "openWorldHint")


def mend_result(result: dict[str, Any]) -> None:
    """Mend the ``result`` of a JSON-RPC response in place; what is no tool list and no tool result stays as it is."""
    tools, content = result.get("tools"), result.get("content")
    if isinstance(tools, list):
        result["tools"] = [mended for tool in tools if (mended := _tool(tool)) is not None]
        if not isinstance(result.get("nextCursor"), str):
            result.pop("nextCursor", None)
    elif isinstance(content, list) or "structuredContent" in result:
        result["content"] = [_block(block) for block in content] if isinstance(content, list) else []
        result["isError"] = result.get("isError") is True
        _set_aside(result, "structuredContent", STRUCTURED)


def _set_aside(owner: dict[str, Any], key: str, meta_key: str) -> None:
    """Move a value into ``_meta``, where nobody judges it."""
    if key in owner:
        meta = owner.get("_meta")
        owner["_meta"] = {**(meta if isinstance(meta, dict) else {}), meta_key: owner.pop(key)}


def _tool(tool: object) -> dict[str, Any] | None:
    """The tool from its known parts; None if it has no name to call it by."""
    if not isinstance(tool, dict) or not isinstance(tool.get("name"), str):
        return None
    mended: dict[str, Any] = {"name": tool["name"], "inputSchema": _object_schema(tool.get("inputSchema"))}
    mended |= {key: tool[key] for key in ("title", "description") if isinstance(tool.get(key), str)}
    annotations, execution = tool.get("annotations"), tool.get("execution")
    if isinstance(annotations, dict):
        mended["annotations"] = {key: annotations[key] for key in _HINTS if isinstance(annotations.get(key), bool)}
    if isinstance(execution, dict) and execution.get("taskSupport") in ("forbidden", "optional", "required"):
        mended["execution"] = {"taskSupport": execution["taskSupport"]}
    if isinstance(tool.get("outputSchema"), dict):
        mended["_meta"] = {OUTPUT_SCHEMA: tool["outputSchema"]}
    return mended


def _object_schema(schema: object) -> dict[str, Any]:
    """A schema whose root says ``type: object``, as the protocol demands of every input schema."""
    if not isinstance(schema, dict):
        return {"type": "object", "properties": {}}
    return schema if schema.get("type") == "object" else {**schema, "type": "object"}


def _block(block: object) -> dict[str, Any]:
    """The content block from its known parts; what is none becomes its JSON as text, so that nothing said is lost."""
    known = _known_block(block) if isinstance(block, dict) else None
    return known or {"type": "text", "text": json.dumps(block, ensure_ascii=False)}


def _known_block(block: dict[str, Any]) -> dict[str, Any] | None:
    match block.get("type"):
        case "text":
            return _strings(block, ("type", "text"))
        case "image" | "audio":
            return _strings(block, ("type", "data", "mimeType"))
        case "resource_link":
            return _strings(block, ("type", "uri", "name"), ("title", "description", "mimeType"))
        case "resource":
            resource = block.get("resource")
            text = _strings(resource, ("uri", "text"), ("mimeType",))
            known = text or _strings(resource, ("uri", "blob"), ("mimeType",))
            return {"type": "resource", "resource": known} if known else None
    return None


def _strings(owner: object, needed: tuple[str, ...], optional: tuple[str, ...] = ()) -> dict[str, Any] | None:
    """Those keys of ``owner`` that hold strings; None if a needed one does not."""
    if not isinstance(owner, dict) or not all(isinstance(owner.get(key), str) for key in needed):
        return None
    return {key: owner[key] for key in (*needed, *optional) if isinstance(owner.get(key), str)}
