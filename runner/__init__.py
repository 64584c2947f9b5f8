"""bridge-run: checked-in workflows of AI agents on models you own.

From Python: ``run_sync`` and ``run`` run a workflow file, ``start`` runs one whose events are watched, ``check`` and
``load`` look at files. ``Bridge`` hands tasks to models that work on them with MCP servers, ``ModelValidator`` tells
whether a model exists. Every error that one of them raises can be imported from here. Each name is loaded when it is
first used, for ``import runner`` itself is part of every start.
"""

from __future__ import annotations

__version__ = "0.1.0"
__all__ = [
    "Bridge", "BridgeError", "CannotServeError", "CheckReport", "CircuitOpenError", "ContextError", "Entry",
    "HistoryError", "LLMAuthenticationError", "LLMConnectionError", "LLMError", "LLMRateLimitError",
    "LLMResponseError", "LLMTimeoutError", "LLMValidationError", "LiveRun", "McpNotFoundError", "ModelMemoryError",
    "ModelNotFoundError", "ModelValidator", "OutsideError", "Run", "StepError", "TaskEnd", "ToolServerError",
    "ToolsUnreachableError", "UsageError", "Workflow", "WorkflowError", "__version__", "check", "load", "run",
    "run_sync", "start",
]  # fmt: skip

_HOMES = {
    "Bridge": "runner.app.bridge.bridge",
    "CheckReport": "runner.app.api.api",
    "Entry": "runner.record.wire",
    "LiveRun": "runner.app.api.live",
    "ModelValidator": "runner.app.validator",
    "Run": "runner.app.api.run",
    "TaskEnd": "runner.app.bridge.autonomous.autonomous",
    "Workflow": "runner.workflow.model",
    "check": "runner.app.api.api",
    "load": "runner.app.api.api",
    "run": "runner.app.api.api",
    "run_sync": "runner.app.api.api",
    "start": "runner.app.api.api",
}
"""Where the names live that are no errors."""


def __getattr__(name: str) -> object:
    """The public name, imported now.

    Raises:
        AttributeError: there is no such name.
    """
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(_HOMES.get(name, "runner.words.errors")), name)


def __dir__() -> list[str]:
    return sorted(__all__)
