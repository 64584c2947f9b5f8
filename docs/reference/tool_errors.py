"""Which errors each tool may give, by code, and what is known of every code."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final

import runner.app.bridge.serve.served  # every error of the bridge is known once it is imported
import runner.words.recording_error  # noqa: F401  as is the one that lives apart
from runner.words.errors import BridgeError

BUG: Final = "BUG"
"""The one code that is no class: what is no error of the family."""
EVERY: Final = ("ArgumentsError", BUG)
LONG: Final = ("TooManyTasksError",)
_SETTINGS: Final = ("UsageError", "WorkflowError")
SERVERS: Final = (
    "LLMConnectionError", "LLMAuthenticationError", "LLMTimeoutError", "LLMRateLimitError", "LLMResponseError",
    "LLMError", "OutsideError",
)  # fmt: skip
"""Of whoever asks model servers for anything: the page names them together."""
_SERVERS: Final = (*SERVERS, *_SETTINGS)
_MODEL: Final = ("ModelNotFoundError", *_SERVERS)
_LOAD: Final = ("ModelMemoryError", "ContextError", "LLMValidationError", "CircuitOpenError")
_ANSWER: Final = (*_MODEL, *_LOAD)
_TOOL_SERVERS: Final = ("CannotServeError", "ToolsMissingError", "ToolsUnreachableError", "HistoryError")
_TASK: Final = ("McpNotFoundError", *_ANSWER, *_TOOL_SERVERS, "ToolServerError", "StepError")
RUN: Final = (*_MODEL, *_TOOL_SERVERS, "WorkspaceError", "RunFailedError")
"""Of a run of a workflow file, whether it is named or a tool of its own."""

OF_TOOL: Final[Mapping[str, tuple[str, ...]]] = {
    "autonomous_with_mcp": _TASK,
    "autonomous_with_multiple_mcps": _TASK,
    "autonomous_discover_and_execute": _TASK,
    "list_available_mcps": ("WorkflowError",),
    "run_workflow": RUN,
    "check_workflow": _SETTINGS,
    "list_workflows": (),
    "start_task": ("ToolNotFoundError", "UsageError", *LONG),
    "task_status": ("TaskNotFoundError",),
    "task_result": ("TaskNotFoundError", "StepError"),
    "cancel_task": ("TaskNotFoundError",),
    "chat_completion": _ANSWER,
    "text_completion": _ANSWER,
    "create_response": _ANSWER,
    "generate_embeddings": _ANSWER,
    "health_check": _SETTINGS,
    "server_status": _SETTINGS,
    "list_models": _SERVERS,
    "list_loaded_models": _SERVERS,
    "list_downloaded_models": _SERVERS,
    "get_current_model": _SERVERS,
    "load_model": _ANSWER,
    "ensure_model_loaded": _ANSWER,
    "unload_model": (*_MODEL, "LLMValidationError"),
    "download_model": (*_SERVERS, "LLMValidationError"),
}
"""Beside those that every tool may give, and those of long work."""


def family(root: type[BridgeError] = BridgeError) -> Iterator[type[BridgeError]]:
    """The class and all below it that are ours, in the order in which they were written."""
    yield root
    for child in children(root):
        yield from family(child)


def children(error: type[BridgeError]) -> list[type[BridgeError]]:
    """Those of ours, whatever was imported first."""
    ours = [one for one in error.__subclasses__() if one.__module__.startswith("runner.")]
    return sorted(ours, key=lambda one: (not one.__module__.startswith("runner.words."), one.__module__))


def by_code() -> Mapping[str, type[BridgeError]]:
    """Every code there is but ``BUG``, with its class."""
    return {one.__name__: one for one in family()}


def named() -> set[str]:
    """Every code that a tool may give."""
    return {*EVERY, *LONG, *RUN, "ToolNotFoundError", *(code for codes in OF_TOOL.values() for code in codes)}
