"""What a workflow file means: the nouns that everything downstream works on.

``workflow.load`` alone makes a ``Workflow``: holding one proves that its file was checked. Texts that may hold
templates stay as they were written; ``words.templates`` renders them when their step starts. Durations are seconds,
sizes characters or bytes as said, defaults of the file are already merged into each step.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field
from typing import Any, Literal

from runner.words.errors import FailureKind
from runner.words.noun import noun
from runner.words.spans import Path, Span
from runner.workflow.fan_out import FanOut, Repeat

Json = Any
"""A plain JSON value: None, bool, int, float, str, list, dict."""

StepKind = Literal["task", "tool", "run", "workflow", "approve"]
Effect = Literal["none", "idempotent", "unsafe"]
"""What a step's tools do to the world, where the file says so and the tools' own annotations do not count."""
Join = Literal["all_succeeded", "none_failed", "any_succeeded", "all_finished"]
Workspace = Literal["here", "copy", "worktree"]


@noun
class Input:
    """A declared input: the JSON Schema of its value, and its default if it has one."""

    name: str
    schema: Mapping[str, Any]
    required: bool
    default: Json = None


@noun
class ModelWish:
    """A model as the file asks for it: ``id`` first, then ``fallback`` in order.

    ``alias`` is its name under ``models``, None when a step names the id itself. ``path`` is where the id stands.
    """

    id: str
    path: Path
    alias: str | None = None
    fallback: tuple[str, ...] = ()
    load: Mapping[str, Any] = field(default_factory=dict)
    ttl: float | None = None
    sampling: Mapping[str, Any] = field(default_factory=dict)
    endpoint: str | None = None


@noun
class Server:
    """An MCP server: exactly one of ``command``, ``url``, ``builtin``, ``source`` (the key ``from``) is set.

    ``root``, ``url``, ``args``, ``env``, ``headers`` and ``cwd`` may hold templates over inputs, secrets and run.
    """

    name: str
    path: Path
    command: str | None = None
    args: tuple[str, ...] = ()
    env: Mapping[str, str] = field(default_factory=dict)
    cwd: str | None = None
    url: str | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    transport: Literal["http", "sse"] = "http"
    builtin: str | None = None
    root: str = "."
    write: bool = False
    source: str | None = None
    tools: tuple[str, ...] = ("*",)
    timeout: float = 120.0
    start_timeout: float = 60.0
    verbatim: bool = False
    """It comes from a client's file: braces in its texts are no templates."""
    isolate: bool = False
    """A process for each step (in a fan-out: each item) instead of one for the run."""


@noun
class Retry:
    """``attempts`` counts the first; ``wait`` and ``max_wait`` in seconds; ``on`` empty = the default kinds."""

    attempts: int = 3
    wait: float = 1.0
    max_wait: float = 30.0
    on: frozenset[FailureKind] = frozenset()


@noun
class StepLimits:
    """Bounds of one step; ``tokens`` None = no bound; ``tool_result`` in characters."""

    rounds: int = 50
    tool_calls: int = 200
    tokens: int | None = None
    tool_result: int = 20_000


@noun
class RunLimits:
    """Bounds of the whole run; ``time`` in seconds; None = no bound."""

    time: float | None = None
    tokens: int | None = None
    tool_calls: int | None = None
    parallel: int = 8
    fail_fast: bool = False


@noun
class Expectation:
    """A check on finished work: an expression (``that``) or a command (``run``, exit 0)."""

    path: Path
    that: str | None = None
    run: tuple[str, ...] = ()
    message: str | None = None


@noun
class OnError:
    """``fail``, ``continue``, or ``output`` with the value that stands in."""

    do: Literal["fail", "continue", "output"] = "fail"
    output: Json = None


@noun
class TaskWork:
    """A model works on ``task``. ``servers`` are names; ``tools`` None = every tool of these servers."""

    task: str
    system: str | None = None
    model: str | tuple[str, ...] | None = None
    servers: tuple[str, ...] = ()
    tools: tuple[str, ...] | None = None
    sampling: Mapping[str, Any] = field(default_factory=dict)
    context: Literal["trim", "fail"] = "trim"
    images: tuple[str, ...] = ()


@noun
class ToolWork:
    """One tool call without a model."""

    server: str
    tool: str
    arguments: Mapping[str, Json] = field(default_factory=dict)


@noun
class RunWork:
    """A command: ``argv``, or with ``shell`` one string for ``/bin/sh -c``. ``parse_json``: stdout is JSON."""

    argv: tuple[str, ...] = ()
    shell: str | None = None
    stdin: str | None = None
    cwd: str | None = None
    env: Mapping[str, Json] = field(default_factory=dict)
    parse_json: bool = False


@noun
class CallWork:
    """Another workflow: ``file`` as it was written, ``callee`` what it holds, ``given`` (the key ``with``) its inputs.

    Its outputs are the step's output.
    """

    file: str
    callee: Workflow
    given: Mapping[str, Json] = field(default_factory=dict)


@noun
class ApproveWork:
    """A question to a person. ``default`` answers when nobody does; ``patience`` is how long one at a terminal is
    waited for, in seconds, None = for ever.
    """

    question: str
    choices: tuple[str, ...] = ("yes", "no")
    default: str | None = None
    patience: float | None = None


Work = TaskWork | ToolWork | RunWork | CallWork | ApproveWork


@noun
class Step:
    """A step, defaults merged in.

    ``needs`` are the ids it waits for, written and inferred together, in file order; ``written_needs`` only those
    written. ``when`` is a bare expression or None. ``output_schema`` is None where the answer is free text.
    ``timeout`` in seconds, None = no bound of its own. ``artifacts`` are paths and globs, which may hold templates.
    """

    id: str
    path: Path
    work: Work
    name: str | None = None
    needs: tuple[str, ...] = ()
    written_needs: tuple[str, ...] = ()
    when: str | None = None
    join: Join = "all_succeeded"
    output_schema: Mapping[str, Any] | None = None
    expect: tuple[Expectation, ...] = ()
    repair: int = 2
    retry: Retry = Retry()
    timeout: float | None = 1800.0
    limits: StepLimits = StepLimits()
    on_error: OnError = OnError()
    effects: Effect | None = None
    fan_out: FanOut | None = None
    repeat: Repeat | None = None
    artifacts: tuple[str, ...] = ()
    reads_only: bool = False

    @property
    def kind(self) -> StepKind:
        """Which of the step kinds it is."""
        return _KINDS[type(self.work)]

    @property
    def cleans_up(self) -> bool:
        """Whether it runs whatever happened before, also when the run is stopped."""
        return self.join == "all_finished"


_KINDS: Mapping[type, StepKind] = {
    TaskWork: "task",
    ToolWork: "tool",
    RunWork: "run",
    CallWork: "workflow",
    ApproveWork: "approve",
}


@noun
class Allow:
    """A comment that silences findings with these ``codes`` on the lines from ``first`` to ``last``.

    ``span`` is where the comment stands.
    """

    codes: tuple[str, ...]
    span: Span
    first: int
    last: int


@noun
class Workflow:
    """A checked workflow file. ``file`` is the path as the user gave it, ``folder`` where it lies."""

    name: str
    file: str
    folder: str
    description: str = ""
    inputs: Mapping[str, Input] = field(default_factory=dict)
    secrets: tuple[str, ...] = ()
    models: Mapping[str, ModelWish] = field(default_factory=dict)
    default_model: str | tuple[str, ...] | None = None
    default_sampling: Mapping[str, Any] = field(default_factory=dict)
    servers: Mapping[str, Server] = field(default_factory=dict)
    limits: RunLimits = RunLimits()
    workspace: Workspace = "here"
    steps: tuple[Step, ...] = ()
    outputs: Mapping[str, Json] | None = None
    output_schemas: Mapping[str, Any] = field(default_factory=dict)
    """The JSON Schema of each output that a caller may read; ``{}`` where nothing is known."""
    spans: Mapping[Path, Span] = field(default_factory=dict)
    """Where the values that later stages complain about stand: models, servers, tool patterns, secrets."""
    allows: tuple[Allow, ...] = ()

    @property
    def family(self) -> tuple[Workflow, ...]:
        """This file and every file that it calls, directly or not, each once for each place that calls it."""
        callees = (step.work.callee for step in self.steps if isinstance(step.work, CallWork))
        return (self, *(member for callee in callees for member in callee.family))

    def step(self, step_id: str) -> Step:
        """The step of that id.

        Raises:
            KeyError: there is none.
        """
        for step in self.steps:
            if step.id == step_id:
                return step
        raise KeyError(step_id)
