"""Servers' mistakes, before and after; and what of a result reaches a model."""

from __future__ import annotations

import pytest
from mcp_types import CallToolResult

from runner.chat.toolbox import Blob
from runner.edges.mcp.mend import mend_result
from runner.edges.mcp.results import result_of


def mended(result: dict) -> dict:
    mend_result(result)
    return result


def read(result: dict):
    return result_of(CallToolResult.model_validate(mended(result), by_name=False))


def test_a_tool_is_rebuilt_from_what_is_right_in_it():
    assert mended(
        {
            "tools": [
                {
                    "name": "a",
                    "title": 3,
                    "description": "d",
                    "inputSchema": {"properties": {"x": {}}},
                    "outputSchema": {"type": "object"},
                    "annotations": {"readOnlyHint": True, "idempotentHint": "yes", "title": 1},
                    "execution": {"taskSupport": "sometimes"},
                    "icons": 7,
                },
                "no tool",
                {"name": None},
            ],
            "nextCursor": None,
        }
    ) == {
        "tools": [
            {
                "name": "a",
                "inputSchema": {"properties": {"x": {}}, "type": "object"},
                "description": "d",
                "annotations": {"readOnlyHint": True},
                "_meta": {"bridge-run/outputSchema": {"type": "object"}},
            }
        ]
    }


def test_what_is_neither_tools_nor_content_stays_as_it_is():
    result = {"protocolVersion": "2025-11-25", "capabilities": {}, "serverInfo": {"name": "x"}}
    assert mended(dict(result)) == result


@pytest.mark.parametrize(
    ("block", "text"),
    [
        ({"type": "text", "text": "hi", "annotations": {"audience": "everyone"}}, "hi"),
        ({"type": "text"}, '{"type": "text"}'),
        ("bare", '"bare"'),
        ({"type": "resource_link", "uri": "a://b", "name": "n", "size": "big"}, "[resource n <a://b>]"),
        (
            {"type": "resource_link", "uri": "a://b", "name": "n", "description": "what it is"},
            "[resource n <a://b>: what it is]",
        ),
        ({"type": "resource", "resource": {"uri": "a://b", "text": "inside"}}, "[resource <a://b>]\ninside"),
        ({"type": "resource", "resource": {"uri": "a://b"}}, '{"type": "resource", "resource": {"uri": "a://b"}}'),
        (
            {"type": "resource", "resource": {"uri": "a://b", "blob": "AAEC"}},
            "[blob 1: application/octet-stream, 3 B] <a://b>",
        ),
        ({"type": "image", "data": "AAEC", "mimeType": "image/png"}, "[blob 1: image/png, 3 B]"),
        ({"type": "audio", "data": "AAE", "mimeType": "audio/wav"}, "[a audio/wav that is not valid base64, left out]"),
    ],
)
def test_every_kind_of_content_as_text(block, text):
    assert read({"content": [block]}).text == text


def test_blobs_are_numbered_in_order():
    image = {"type": "image", "data": "AAEC", "mimeType": "image/png"}
    result = read({"content": [image, {"type": "text", "text": "and"}, {**image, "mimeType": "image/gif"}]})
    assert result.text == "[blob 1: image/png, 3 B]\nand\n[blob 2: image/gif, 3 B]"
    assert result.blobs == (
        Blob(mime_type="image/png", data=b"\0\1\2"),
        Blob(mime_type="image/gif", data=b"\0\1\2"),
    )


@pytest.mark.parametrize("structured", [0, False, [], None, {"a": 1}])
def test_structured_content_stands_in_only_where_there_is_no_text(structured):
    alone = read({"structuredContent": structured})
    assert (alone.structured, alone.has_structured) == (structured, True)
    assert alone.text != ""
    beside = read({"content": [{"type": "text", "text": "hi"}], "structuredContent": structured, "isError": True})
    assert (beside.text, beside.structured, beside.is_error) == ("hi", structured, True)


def test_without_structured_content_there_is_none():
    assert read({"content": []}).has_structured is False
