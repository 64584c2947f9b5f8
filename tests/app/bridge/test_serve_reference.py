"""The page about the tools says what the tools are."""

from __future__ import annotations

import asyncio
from pathlib import Path

from runner.app.bridge.serve import all_tools
from runner.app.bridge.serve_reference import WRITE, page

ROOT = Path(__file__).resolve().parents[3]


def test_the_page_is_written_from_the_tools() -> None:
    written = (ROOT / "docs/tools.md").read_text("utf-8")
    assert asyncio.run(page()) == written, f'write it anew: python -c "{WRITE}" > docs/tools.md'


def test_every_tool_of_the_issue_is_there() -> None:
    names = {tool.offer.name for tool in all_tools()}
    assert names == {
        "autonomous_with_mcp", "autonomous_with_multiple_mcps", "autonomous_discover_and_execute",
        "list_available_mcps", "run_workflow", "check_workflow", "list_workflows",
        "health_check", "list_models", "get_current_model", "chat_completion", "text_completion", "create_response",
        "generate_embeddings", "load_model", "unload_model", "ensure_model_loaded", "list_loaded_models",
        "list_downloaded_models", "download_model", "server_status",
    }  # fmt: skip
