"""The facts of a run, past tense, frozen. The journal numbers them; everything shown is folded from them.

On disk an event is one JSON line: ``{seq, at, run, type, step, item, attempt, …}`` with the fields below; ``type`` is
the class name in snake case. Fields that are None are left out.

``step`` is a step's id; a step of a called workflow has the calling step before it: ``call/draft``, and with a fan-out
``call[3]/draft``. ``item`` is the index, from 0, of the item of a fan-out that the fact is about; None for the step as
a whole.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field
from typing import Any, Literal

from runner.chat.messages import Usage
from runner.record.server_events import (
    CircuitChanged,
    ModelLoaded,
    ModelLoadFailed,
    ModelLoadStarted,
    ModelUnloaded,
    ToolServerDied,
    ToolServerStarted,
)
from runner.words.errors import FailureKind
from runner.words.noun import noun

__all__ = [
    "EVENTS", "NO_USAGE", "AnswerRefused", "ApprovalAnswered", "ApprovalAsked", "CircuitChanged", "CommandRan",
    "Event", "HistoryTrimmed", "ModelAnswered", "ModelAsked", "ModelFellBack", "ModelLoadFailed",
    "ModelLoadStarted", "ModelLoaded", "ModelUnloaded", "RequestDegraded", "RunFinished", "RunResumed",
    "RunStarted", "RunStatus", "StepFinished", "StepRepeated", "StepRetried", "StepStarted", "StepStatus",
    "StepWarned", "ToolCalled", "ToolReturned", "ToolServerDied", "ToolServerStarted",
]  # fmt: skip

NO_USAGE = Usage()
StepStatus = Literal["succeeded", "failed", "skipped", "cancelled", "recovered"]
RunStatus = Literal["succeeded", "failed", "cancelled", "paused"]


@noun
class RunStarted:
    """The run folder is open. ``steps`` are ids in file order, those of a called workflow after
    the call: ``call/draft``. ``models`` maps step ids to ``{model, endpoint}``; ``options`` are those of the command
    line that a resumed run needs, and the digest of the workflow.
    """

    workflow: str
    file: str
    inputs: Mapping[str, Any]
    steps: tuple[str, ...]
    models: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    version: str = ""
    options: Mapping[str, Any] = field(default_factory=dict)


@noun
class StepStarted:
    """A step's work begins: its needs are met and its ``when`` holds. ``items``: into how many it fans out."""

    step: str
    kind: str
    model: str | None = None
    endpoint: str | None = None
    items: int | None = None
    item: int | None = None


@noun
class StepRepeated:
    """A step with ``repeat`` begins its work again; ``number`` counts from 2 and passes again when the run is
    resumed, ``attempt`` is the first of it."""

    step: str
    number: int
    attempt: int
    item: int | None = None


@noun
class ApprovalAsked:
    """A person is to choose."""

    step: str
    question: str
    choices: tuple[str, ...]
    default: str | None = None
    item: int | None = None


@noun
class ApprovalAnswered:
    """A choice was made; ``by``: at the ``terminal``, by ``--answer`` or ``--yes``, or nobody chose and the ``default``
    holds.
    """

    step: str
    choice: str
    by: Literal["terminal", "--answer", "--yes", "default"]
    item: int | None = None


@noun
class ModelAsked:
    """A request went to a model; ``round`` counts from 1; ``messages`` are those new since the step's last request."""

    step: str
    attempt: int
    round: int
    model: str
    messages: tuple[Mapping[str, Any], ...]
    tools: tuple[str, ...] = ()
    item: int | None = None


@noun
class ModelAnswered:
    """A whole answer came. ``tool_calls`` are ``{id, name, arguments}``; ``seconds`` from asking to the end."""

    step: str
    attempt: int
    round: int
    model: str
    content: str
    finish_reason: str
    usage: Usage
    seconds: float
    reasoning: str = ""
    tool_calls: tuple[Mapping[str, str], ...] = ()
    first_token_seconds: float | None = None
    recovered: str | None = None
    looped: bool = False
    item: int | None = None


@noun
class ToolCalled:
    """A tool is about to be called. ``call`` is unique within the step; ``round`` is None in a tool step."""

    step: str
    attempt: int
    call: str
    server: str
    tool: str
    arguments: Any
    round: int | None = None
    item: int | None = None


@noun
class ToolReturned:
    """What the tool answered, as the model sees it; ``artifact`` names the file with the whole text if it was cut."""

    step: str
    attempt: int
    call: str
    server: str
    tool: str
    text: str
    is_error: bool
    seconds: float
    characters: int
    artifact: str | None = None
    item: int | None = None


@noun
class CommandRan:
    """A command of a ``run`` step or of an expectation ended."""

    step: str
    attempt: int
    argv: tuple[str, ...]
    exit_code: int
    stdout: str
    stderr: str
    seconds: float
    expectation: bool = False
    artifact: str | None = None
    item: int | None = None


@noun
class AnswerRefused:
    """An answer missed its schema or an expectation; ``left`` more tries."""

    step: str
    attempt: int
    kind: FailureKind
    message: str
    left: int
    item: int | None = None


@noun
class StepWarned:
    """Something a person should know, although the step goes on."""

    step: str
    message: str
    item: int | None = None


@noun
class HistoryTrimmed:
    """The conversation came near the model's context: ``results`` old tool results were shortened by ``characters``.

    ``tokens`` is what the request would have taken before, partly estimated.
    """

    step: str
    attempt: int
    round: int
    results: int
    characters: int
    tokens: int
    context_length: int | None = None
    item: int | None = None


@noun
class RequestDegraded:
    """The server refused a form of request; the next is simpler. ``form`` says in words how."""

    step: str
    attempt: int
    round: int
    form: str
    message: str
    item: int | None = None


@noun
class ModelFellBack:
    """The model failed for good and the next of its fallbacks goes on; ``attempt`` is the last that failed."""

    step: str
    attempt: int
    model: str
    endpoint: str
    to_model: str
    to_endpoint: str
    kind: FailureKind
    message: str
    item: int | None = None


@noun
class StepRetried:
    """An attempt failed and another will follow after ``wait`` seconds; ``attempt`` is the one that failed."""

    step: str
    attempt: int
    kind: FailureKind
    message: str
    wait: float
    item: int | None = None


@noun
class StepFinished:
    """A step is over. ``error`` is ``{kind, message}``.

    ``reason`` says why it was skipped or cancelled, or why its failure is tolerated; ``failed_above``: it was skipped
    because of a failure, not of a ``when``. ``extras`` holds what else templates may read: ``exit_code`` and ``stderr``
    of a run step, ``artifacts``.
    """

    step: str
    status: StepStatus
    output: Any = None
    error: Mapping[str, str] | None = None
    reason: str | None = None
    tolerated: bool = False
    attempts: int = 0
    usage: Usage = NO_USAGE
    seconds: float = 0.0
    model: str | None = None
    extras: Mapping[str, Any] = field(default_factory=dict)
    failed_above: bool = False
    item: int | None = None


@noun
class RunResumed:
    """A run that had paused, failed or was ended goes on; what is finished stays."""

    version: str = ""


@noun
class RunFinished:
    """The run is over; nothing follows, unless it is resumed.

    ``paused``: it waits for answers, and all that does not depend on them is done.
    """

    status: RunStatus
    exit_code: int
    outputs: Mapping[str, Any]
    seconds: float
    error: Mapping[str, str] | None = None


Event = (
    RunStarted | ToolServerStarted | ToolServerDied | ModelLoadStarted | ModelLoaded | ModelLoadFailed | ModelUnloaded
    | CircuitChanged | StepStarted | StepRepeated | ApprovalAsked | ApprovalAnswered | ModelAsked | ModelAnswered
    | ToolCalled | ToolReturned | CommandRan | AnswerRefused | StepWarned | HistoryTrimmed | RequestDegraded
    | ModelFellBack | StepRetried | StepFinished | RunResumed | RunFinished
)  # fmt: skip
EVENTS: tuple[type, ...] = (
    RunStarted, ToolServerStarted, ToolServerDied, ModelLoadStarted, ModelLoaded, ModelLoadFailed, ModelUnloaded,
    CircuitChanged, StepStarted, StepRepeated, ApprovalAsked, ApprovalAnswered, ModelAsked, ModelAnswered, ToolCalled,
    ToolReturned, CommandRan, AnswerRefused, StepWarned, HistoryTrimmed, RequestDegraded, ModelFellBack, StepRetried,
    StepFinished, RunResumed, RunFinished,
)  # fmt: skip
