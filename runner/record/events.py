"""The facts of a run, past tense, frozen. The journal numbers them; everything shown is folded from them.

On disk an event is one JSON line: ``{seq, at, run, type, step, attempt, …}`` with the fields below; ``type`` is the
class name in snake case. Fields that are None are left out.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field
from typing import Any, Literal

from runner.chat.messages import Usage
from runner.words.errors import FailureKind
from runner.words.noun import noun

NO_USAGE = Usage()
StepStatus = Literal["succeeded", "failed", "skipped", "cancelled", "recovered"]
RunStatus = Literal["succeeded", "failed", "cancelled"]


@noun
class RunStarted:
    """The run folder is open. ``models`` maps step ids to ``{model, endpoint}``."""

    workflow: str
    file: str
    inputs: Mapping[str, Any]
    steps: tuple[str, ...]
    models: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    version: str = ""


@noun
class ToolServerStarted:
    """A tool server answered and listed its tools."""

    server: str
    tools: int
    seconds: float
    version: str = ""
    protocol: str = ""


@noun
class ToolServerDied:
    """A tool server ended in a call; ``restarted`` says whether it was started again."""

    server: str
    message: str
    restarted: bool


@noun
class ModelLoadStarted:
    """The runner began to load a model; ``settings`` are what it asks for, ``size_bytes`` what the server says."""

    endpoint: str
    model: str
    settings: Mapping[str, Any] = field(default_factory=dict)
    size_bytes: int | None = None


@noun
class ModelLoaded:
    """A model is in memory. ``reused``: a person had loaded it, and it is good enough; ``seconds`` the load took."""

    endpoint: str
    model: str
    instance: str
    seconds: float = 0.0
    context_length: int | None = None
    parallel: int | None = None
    reused: bool = False
    note: str | None = None


@noun
class ModelLoadFailed:
    """A model could not be loaded; ``then`` says in words what is done about it."""

    endpoint: str
    model: str
    kind: FailureKind
    message: str
    then: str | None = None


@noun
class ModelUnloaded:
    """The runner unloaded what it had loaded; ``reason`` in words."""

    endpoint: str
    model: str
    instance: str
    reason: str


@noun
class CircuitChanged:
    """A model that failed too often: left alone (``open``), tried once (``half_open``), trusted again (``closed``)."""

    endpoint: str
    model: str
    state: Literal["open", "half_open", "closed"]
    failures: int = 0


@noun
class StepStarted:
    """A step's work begins: its needs are met and its ``when`` holds."""

    step: str
    kind: str
    model: str | None = None
    endpoint: str | None = None


@noun
class ModelAsked:
    """A request went to a model; ``round`` counts from 1; ``messages`` are those new since the step's last request."""

    step: str
    attempt: int
    round: int
    model: str
    messages: tuple[Mapping[str, Any], ...]
    tools: tuple[str, ...] = ()


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


@noun
class AnswerRefused:
    """An answer missed its schema or an expectation; ``left`` more tries."""

    step: str
    attempt: int
    kind: FailureKind
    message: str
    left: int


@noun
class StepWarned:
    """Something a person should know, although the step goes on."""

    step: str
    message: str


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


@noun
class RequestDegraded:
    """The server refused a form of request; the next is simpler. ``form`` says in words how."""

    step: str
    attempt: int
    round: int
    form: str
    message: str


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


@noun
class StepRetried:
    """An attempt failed and another will follow after ``wait`` seconds; ``attempt`` is the one that failed."""

    step: str
    attempt: int
    kind: FailureKind
    message: str
    wait: float


@noun
class StepFinished:
    """A step is over. ``error`` is ``{kind, message}``.

    ``reason`` says why it was skipped or cancelled, or why its failure is tolerated.

    ``extras`` holds what else templates may read: ``exit_code`` and ``stderr`` of a run step.
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


@noun
class RunFinished:
    """The run is over; nothing follows."""

    status: RunStatus
    exit_code: int
    outputs: Mapping[str, Any]
    seconds: float
    error: Mapping[str, str] | None = None


Event = (
    RunStarted | ToolServerStarted | ToolServerDied | ModelLoadStarted | ModelLoaded | ModelLoadFailed | ModelUnloaded
    | CircuitChanged | StepStarted | ModelAsked | ModelAnswered | ToolCalled | ToolReturned | CommandRan | AnswerRefused
    | StepWarned | HistoryTrimmed | RequestDegraded | ModelFellBack | StepRetried | StepFinished | RunFinished
)  # fmt: skip
EVENTS: tuple[type, ...] = (
    RunStarted, ToolServerStarted, ToolServerDied, ModelLoadStarted, ModelLoaded, ModelLoadFailed, ModelUnloaded,
    CircuitChanged, StepStarted, ModelAsked, ModelAnswered, ToolCalled, ToolReturned, CommandRan, AnswerRefused,
    StepWarned, HistoryTrimmed, RequestDegraded, ModelFellBack, StepRetried, StepFinished, RunFinished,
)  # fmt: skip
