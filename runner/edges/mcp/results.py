"""What a server said, in our nouns: tools and results. Attributes of the SDK's objects are read, nothing called."""

from __future__ import annotations

import json
from base64 import b64decode
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from runner.chat.toolbox import Blob, Effect, Tool, ToolResult
from runner.edges.mcp.mend import OUTPUT_SCHEMA, STRUCTURED
from runner.words.units import show_bytes

if TYPE_CHECKING:
    import mcp_types


def tools_of(listed: Iterable[mcp_types.Tool]) -> tuple[Tool, ...]:
    """The tools that can be called, sorted by name; of two of one name the first counts.

    A tool that answers only as a background task (``execution.taskSupport: required`` of the 2025-11-25 protocol) is
    left out: the SDK cannot call it, every call would be refused.
    """
    found: dict[str, Tool] = {}
    for tool in listed:
        if tool.execution is None or tool.execution.task_support != "required":
            found.setdefault(tool.name, _tool_of(tool))
    return tuple(found[name] for name in sorted(found))


def _tool_of(tool: mcp_types.Tool) -> Tool:
    return Tool(
        name=tool.name,
        description=(tool.description or tool.title or "").strip(),
        input_schema=tool.input_schema,
        output_schema=(tool.meta or {}).get(OUTPUT_SCHEMA),
        effect=_effect_of(tool.annotations),
        annotations=tool.annotations.model_dump(by_alias=True, exclude_none=True) if tool.annotations else {},
    )


def _effect_of(annotations: mcp_types.ToolAnnotations | None) -> Effect:
    if annotations is not None and annotations.read_only_hint:
        return "none"
    if annotations is not None and annotations.idempotent_hint:
        return "idempotent"
    return "unsafe"


def result_of(answer: mcp_types.CallToolResult) -> ToolResult:
    """The text for a model (structured content as JSON only where there is no text), the rest beside it."""
    blobs: list[Blob] = []
    texts = [_text_of(block, blobs) for block in answer.content]
    structured = (answer.meta or {}).get(STRUCTURED)
    has_structured = STRUCTURED in (answer.meta or {})
    if not any(texts) and has_structured:
        texts = [json.dumps(structured, ensure_ascii=False, indent=2)]
    return ToolResult(
        text="\n".join(texts),
        structured=structured,
        has_structured=has_structured,
        is_error=answer.is_error,
        blobs=tuple(blobs),
    )


def failed(text: str) -> ToolResult:
    """A call that failed in a way that a model should read of."""
    return ToolResult(text=text, is_error=True)


def _text_of(block: mcp_types.ContentBlock, blobs: list[Blob]) -> str:
    """One block as text; what is not text goes to ``blobs`` and leaves a placeholder."""
    match block.type:
        case "text":
            return block.text
        case "image" | "audio":
            return _placeholder(block.mime_type, block.data, blobs)
        case "resource_link":
            about = f": {block.description}" if block.description else ""
            return f"[resource {block.name} <{block.uri}>{about}]"
        case _:
            return _resource_text(block.resource, blobs)


def _resource_text(resource: Any, blobs: list[Blob]) -> str:
    """An embedded resource: its text under its address, or a placeholder."""
    text = getattr(resource, "text", None)
    if isinstance(text, str):
        return f"[resource <{resource.uri}>]\n{text}"
    placeholder = _placeholder(resource.mime_type or "application/octet-stream", resource.blob, blobs)
    return f"{placeholder} <{resource.uri}>"


def _placeholder(mime_type: str, data: str, blobs: list[Blob]) -> str:
    try:
        raw = b64decode(data, validate=False)
    except ValueError:
        return f"[a {mime_type} that is not valid base64, left out]"
    blobs.append(Blob(mime_type=mime_type, data=raw))
    return f"[blob {len(blobs)}: {mime_type}, {show_bytes(len(raw))}]"
