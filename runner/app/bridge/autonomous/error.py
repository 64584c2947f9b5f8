"""The error of a task that failed, from what its run says of it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, cast

from runner.app.bridge.autonomous.task import MODEL_STEP, AutonomousTask
from runner.edges.run_folder import JOURNAL
from runner.words.errors import (
    BridgeError,
    ContextError,
    FailureKind,
    LLMAuthenticationError,
    LLMConnectionError,
    LLMError,
    LLMRateLimitError,
    LLMResponseError,
    LLMTimeoutError,
    LLMValidationError,
    ModelMemoryError,
    ModelNotFoundError,
    StepError,
    ToolServerError,
)

_CLASSES: Mapping[str, Callable[..., BridgeError]] = {
    "connection": LLMConnectionError,
    "timeout": LLMTimeoutError,
    "rate_limit": LLMRateLimitError,
    "server": LLMResponseError,
    "auth": LLMAuthenticationError,
    "context": ContextError,
    "request": LLMValidationError,
    "overloaded": ModelMemoryError,
}
_OF_THE_MODEL = {"crash": LLMError, "empty": LLMResponseError, "wrong_model": LLMResponseError}


def error_of(outcome: Mapping[str, Any], folder: str, task: AutonomousTask) -> BridgeError:
    """The error of the family that fits a run (the object of ``result.json``) that did not succeed.

    Its hint names the journal, which says what led to it.
    """
    step: Mapping[str, Any] = outcome["steps"][MODEL_STEP]
    error: Mapping[str, str] = step["error"] or outcome["error"] or _ENDED
    kind, message = cast(FailureKind, error["kind"]), error["message"]
    hint = f"what happened is in {folder}/{JOURNAL}"
    if kind == "timeout" and outcome["seconds"] >= task.timeout:  # its own time, not that of a server
        return StepError(kind, message, hint=f"give it more than {task.timeout:g} seconds (`timeout`); {hint}")
    if kind == "context":
        tools = "offer it fewer tools (`tools`), " if task.servers else ""
        hint = f"{tools}give it less to read, or load it with more context before; {hint}"
    if kind == "invalid_output":  # its words are meant for the model that answered
        message = f"no answer of `{step['model']}` was accepted; of the last it was said: {message}"
        out = ", or leave `output_schema` out" if task.output_schema is not None else ""
        hint = f"ask for less, or name another model{out}; {hint}"
    if kind == "model_not_found":
        return ModelNotFoundError(step["model"] or "", (), message=message, hint=hint)
    if kind == "tool_server":
        return ToolServerError(", ".join(server.name for server in task.servers), message, hint=hint)
    if kind in _OF_THE_MODEL:
        return _OF_THE_MODEL[kind](message, kind=kind, hint=hint)
    if kind in _CLASSES:
        return _CLASSES[kind](message, hint=hint)
    return StepError(kind, message, hint=hint)


_ENDED = {"kind": "cancelled", "message": "the run was ended before the task was done"}
