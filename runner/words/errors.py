"""The one exception family.

BridgeError
├── UsageError                     the command line is wrong (2)
├── WorkflowError                  the file is at fault (3); carries diagnostics
│   └── CannotServeError           this machine cannot serve it (4); carries diagnostics
│       ├── ToolsMissingError      tool servers lack tools that a step names (4); carries diagnostics
│       ├── ToolsUnreachableError  tool servers did not start (5); carries diagnostics
│       └── WorkspaceError         there can be no workspace here (4); carries diagnostics
├── McpNotFoundError               no MCP server of that name can be used (4); carries mcp_name, available_mcps, nearest
├── OutsideError                   nothing outside answered before the run (5)
├── RecordingError                 a recording cannot be read (3); carries file, line; see words/recording_error.py
├── HistoryError                   the journal could not be written (6)
├── StepError                      a step failed, with a kind of format.md point 7
│   ├── ToolServerError            an MCP server died, or never came up
│   └── TemplateError              a template met data it cannot render
└── LLMError                       anything a model server does
    ├── LLMTimeoutError
    ├── LLMRateLimitError          carries retry_after
    ├── LLMValidationError         the request was refused
    │   ├── ContextError           the prompt is too long; carries pool, n_prompt_tokens, n_ctx
    │   └── ModelNotFoundError     carries model_name, available_models, nearest
    ├── LLMConnectionError
    │   └── CircuitOpenError       it failed too often: not asked again for a while; carries retry_after
    ├── LLMResponseError           the answer is broken, empty, or came from another model
    ├── ModelMemoryError           carries required_bytes, available_bytes where they are known
    └── LLMAuthenticationError

Every error has ``code`` (its class), ``kind`` (what ``retry.on`` and ``error.kind`` say), ``hint`` (what to do),
``retryable``, ``to_dict()`` and ``exit_code``. An ``LLMError`` gives 5, as something outside failed; one that says what
this machine cannot serve (``LLMValidationError`` and its children, ``ModelMemoryError``) gives 4. Within a run none of
them is an exit code: there the step fails, and the run gives 1.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from runner.words.diagnostics import Diagnostic, one_line
from runner.words.exits import Exit
from runner.words.failure_kind import FAILURE_KINDS as FAILURE_KINDS
from runner.words.failure_kind import RETRIED_BY_DEFAULT as RETRIED_BY_DEFAULT
from runner.words.failure_kind import FailureKind as FailureKind
from runner.words.revival import revived
from runner.words.suggest import nearest


class BridgeError(Exception):
    """Root of the family; ``str(error)`` is the message for people."""

    kind: FailureKind = "bug"
    exit_code: ClassVar[Exit] = Exit.BUG
    facts: ClassVar[tuple[str, ...]] = ()
    """The attributes that ``to_dict`` tells beside what every error has."""

    def __init__(self, message: str, *, hint: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint
        if hint:
            self.add_note(f"help: {hint}")  # for programs that use the library: it stands below the traceback

    def __reduce__(self) -> tuple[object, ...]:
        return revived, (type(self), self.args, vars(self))  # most take more than the message

    @property
    def code(self) -> str:
        """A stable name for machines: the class name."""
        return type(self).__name__

    @property
    def retryable(self) -> bool:
        """Whether repeating the same thing may help."""
        return self.kind in RETRIED_BY_DEFAULT

    def to_dict(self) -> dict[str, object]:
        """The error for a machine: ``code``, ``kind``, ``message``, ``hint``, ``retryable``, and its ``facts``."""
        facts = {name: getattr(self, name) for name in self.facts}
        return {
            "code": self.code,
            "kind": self.kind,
            "message": self.message,
            "hint": self.hint,
            "retryable": self.retryable,
            **{name: list(value) if isinstance(value, tuple) else value for name, value in facts.items()},
        }


class UsageError(BridgeError):
    """What was asked for makes no sense: an option, an argument, a path with nothing there."""

    kind: FailureKind = "request"
    exit_code = Exit.USAGE


class WorkflowError(BridgeError):
    """The workflow file is at fault; ``diagnostics`` has every finding, warnings too, in file order."""

    kind: FailureKind = "request"
    exit_code = Exit.FILE

    def __init__(self, diagnostics: Sequence[Diagnostic], *, hint: str | None = None) -> None:
        errors = [d for d in diagnostics if d.level == "error"] or list(diagnostics)
        super().__init__(errors[0].message if errors else "the file is at fault", hint=hint)
        self.diagnostics = tuple(diagnostics)
        for found in errors:
            self.add_note(one_line(found))  # below the traceback, as the hint


class CannotServeError(WorkflowError):
    """The file is right, but this machine lacks a model, a tool or a secret that it names."""

    kind: FailureKind = "model_not_found"
    exit_code = Exit.CANNOT_SERVE


class ToolsMissingError(CannotServeError):
    """Tool servers came up, and do not offer tools that a step names."""

    kind: FailureKind = "tool"


class ToolsUnreachableError(CannotServeError):
    """Tool servers that a step needs did not start or did not answer."""

    kind: FailureKind = "tool_server"
    exit_code = Exit.OUTSIDE


class WorkspaceError(CannotServeError):
    """There can be no workspace here."""

    kind: FailureKind = "request"


class McpNotFoundError(BridgeError):
    """No MCP server of that name can be used; ``nearest`` are the most similar of ``available_mcps``, which can be."""

    kind: FailureKind = "request"
    exit_code = Exit.CANNOT_SERVE
    facts = ("mcp_name", "available_mcps", "nearest")

    def __init__(self, mcp_name: str, available_mcps: Sequence[str], message: str, *, hint: str | None = None) -> None:
        self.mcp_name, self.available_mcps = mcp_name, tuple(available_mcps)
        self.nearest = nearest(mcp_name, self.available_mcps)
        super().__init__(message, hint=hint)


class OutsideError(BridgeError):
    """Something outside failed before the run could start: no server, a refused token."""

    kind: FailureKind = "connection"
    exit_code = Exit.OUTSIDE


class HistoryError(BridgeError):
    """The run folder or its journal could not be written."""

    exit_code = Exit.HISTORY


class StepError(BridgeError):
    """A step, or the task of a model, cannot go on; ``kind`` says why."""

    exit_code = Exit.STEP_FAILED

    def __init__(self, kind: FailureKind, message: str, *, hint: str | None = None) -> None:
        super().__init__(message, hint=hint)
        self.kind = kind


class ToolServerError(StepError):
    """An MCP server could not be started, died, or broke the protocol; ``stderr`` is the tail of what it wrote.
    Of a call that was cut off: whether it is there again (``revived``), by this call's doing (``restarted`` or None).
    """

    revived: bool = True
    restarted: bool | None = None

    def __init__(self, server: str, message: str, *, stderr: str = "", hint: str | None = None) -> None:
        super().__init__("tool_server", message, hint=hint)
        self.server, self.stderr = server, stderr


class TemplateError(StepError):
    """A template or expression met data that it cannot render."""

    def __init__(self, message: str, *, hint: str | None = None) -> None:
        super().__init__("request", message, hint=hint)


class LLMError(BridgeError):
    """A model server failed; its children say how, where that is known."""

    kind: FailureKind = "server"
    exit_code = Exit.OUTSIDE

    def __init__(self, message: str, *, kind: FailureKind | None = None, hint: str | None = None) -> None:
        super().__init__(message, hint=hint)
        if kind is not None:
            self.kind = kind


class LLMTimeoutError(LLMError):
    """The server did not answer in time."""

    kind: FailureKind = "timeout"


class LLMRateLimitError(LLMError):
    """The server asks to wait; ``retry_after`` in seconds if it said how long."""

    kind: FailureKind = "rate_limit"
    facts = ("retry_after",)

    def __init__(self, message: str, *, retry_after: float | None = None, hint: str | None = None) -> None:
        super().__init__(message, hint=hint)
        self.retry_after = retry_after


class LLMValidationError(LLMError):
    """The server refuses the request as it stands."""

    kind: FailureKind = "request"
    exit_code = Exit.CANNOT_SERVE


class ContextError(LLMValidationError):
    """The prompt has no room in the model's context; ``n_prompt_tokens`` and ``n_ctx`` where the server counted.

    ``pool`` says that others may be the cause: requests to one model of LM Studio share its context, and the server
    says nothing of sizes when they use it up together. The same request may then pass alone.
    """

    kind: FailureKind = "context"
    facts = ("pool", "n_prompt_tokens", "n_ctx")

    def __init__(
        self, message: str, *, hint: str | None = None, pool: bool = False, n_prompt_tokens: int | None = None,
        n_ctx: int | None = None,
    ) -> None:  # fmt: skip
        super().__init__(message, hint=hint)
        self.pool, self.n_prompt_tokens, self.n_ctx = pool, n_prompt_tokens, n_ctx


class ModelNotFoundError(LLMValidationError):
    """No reachable server has the model; ``nearest`` are the most similar of ``available_models``.

    ``message`` stands for the usual words where these would mislead.
    """

    kind: FailureKind = "model_not_found"
    facts = ("model_name", "available_models", "nearest")

    def __init__(
        self, model_name: str, available_models: Sequence[str], *, message: str | None = None, hint: str | None = None
    ) -> None:
        self.model_name = model_name
        self.available_models = tuple(available_models)
        self.nearest = nearest(model_name, self.available_models)
        super().__init__(message or f"no server has a model named `{model_name}`", hint=hint)


class LLMConnectionError(LLMError):
    """The server cannot be reached, or the connection broke."""

    kind: FailureKind = "connection"


class CircuitOpenError(LLMConnectionError):
    """The model failed so often that it is left alone; ``retry_after`` in seconds says for how long."""

    facts = ("retry_after",)

    def __init__(self, message: str, *, retry_after: float, hint: str | None = None) -> None:
        super().__init__(message, hint=hint)
        self.retry_after = retry_after


class LLMResponseError(LLMError):
    """The answer is broken, cut, empty, or came from another model than the one asked."""

    kind: FailureKind = "server"


class ModelMemoryError(LLMError):
    """The model does not fit into memory; ``required_bytes`` and ``available_bytes`` where they are known.

    ``configured``: into what the configuration allows, so a smaller context is no way out.
    """

    kind: FailureKind = "overloaded"
    exit_code = Exit.CANNOT_SERVE
    facts = ("required_bytes", "available_bytes")

    def __init__(
        self, message: str, *, kind: FailureKind | None = None, hint: str | None = None,
        required_bytes: int | None = None, available_bytes: int | None = None, configured: bool = False,
    ) -> None:  # fmt: skip
        super().__init__(message, kind=kind, hint=hint)
        self.required_bytes, self.available_bytes, self.configured = required_bytes, available_bytes, configured


class LLMAuthenticationError(LLMError):
    """The token is missing or refused."""

    kind: FailureKind = "auth"


def root_cause(error: BaseException) -> BaseException:
    """The first real error inside nested exception groups: task groups hand on whatever ended them in such."""
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return error
