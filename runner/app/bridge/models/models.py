"""The tools about models: look, ask, load, download."""

from __future__ import annotations

from typing import Final

from runner.app.bridge.models.chat import CHAT_COMPLETION
from runner.app.bridge.models.download import DOWNLOAD_MODEL
from runner.app.bridge.models.embed import GENERATE_EMBEDDINGS
from runner.app.bridge.models.look import LOOK_TOOLS
from runner.app.bridge.models.memory import MEMORY_TOOLS
from runner.app.bridge.models.plain import PLAIN_TOOLS
from runner.app.bridge.tool import Tool

MODEL_TOOLS: Final[tuple[Tool, ...]] = (
    *LOOK_TOOLS,
    CHAT_COMPLETION,
    *PLAIN_TOOLS,
    GENERATE_EMBEDDINGS,
    *MEMORY_TOOLS,
    DOWNLOAD_MODEL,
)
"""In the order in which hosts are told of them."""
