"""What the tests of the displays share: a run that has a bit of everything, and a small plan."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime

import pytest

from runner.chat.catalogue import Instance, ModelEntry
from runner.chat.endpoint import Endpoint
from runner.chat.messages import Usage
from runner.plan.plan import ModelChoice, Needs, Plan, PlannedStep, ToolGrant
from runner.record.events import (
    AnswerRefused,
    CommandRan,
    Event,
    ModelAnswered,
    ModelAsked,
    RunFinished,
    RunStarted,
    StepFinished,
    StepRetried,
    StepStarted,
    StepWarned,
    ToolCalled,
    ToolReturned,
    ToolServerDied,
    ToolServerStarted,
)
from runner.record.wire import Entry
from runner.workflow.model import RunWork, Server, Step, TaskWork, Workflow

THINKER, CODER, SERVER = "mistralai/magistral-small-2509", "qwen/qwen3-coder-30b", "http://127.0.0.1:1234"
SMALL = "qwen/qwen3-4b"


def asked(step: str, round_: int, attempt: int = 1) -> ModelAsked:
    return ModelAsked(step=step, attempt=attempt, round=round_, model=THINKER, messages=())


def answered(step: str, round_: int) -> ModelAnswered:
    return ModelAnswered(
        step=step,
        attempt=1,
        round=round_,
        model=THINKER,
        content="",
        finish_reason="stop",
        usage=Usage(900, 60),
        seconds=2.0,
    )


def returned(call: str, tool: str, text: str, **rest) -> ToolReturned:
    values = {"is_error": False, "characters": len(text), **rest}
    return ToolReturned(
        step="survey", attempt=1, call=call, server="files", tool=tool, text=text, seconds=0.1, **values
    )


def called(call: str, tool: str, arguments: object) -> ToolCalled:
    return ToolCalled(step="survey", attempt=1, call=call, server="files", tool=tool, arguments=arguments, round=1)


STORY: tuple[Event, ...] = (
    RunStarted(workflow="refactor", file="refactor.yaml", inputs={}, steps=("survey", "lint", "fix", "note", "log")),
    ToolServerStarted(server="files", tools=5, seconds=0.0),
    StepStarted(step="survey", kind="task", model=THINKER),
    StepStarted(step="lint", kind="run"),
    asked("survey", 1),
    answered("survey", 1),
    called("c1", "list", {}),
    called("c2", "read", {"path": "src/\x1b]0;owned\x07a.py", "why": "long " * 30}),
    returned("c1", "list", "x" * 2_300, artifact="artifacts/survey/list.txt"),
    returned("c2", "read", "no such file\nat all", is_error=True),
    ToolServerDied(server="files", message="it exited with 1", restarted=True),
    CommandRan(step="lint", attempt=1, argv=("ruff", "check"), exit_code=0, stdout="", stderr="", seconds=2.1),
    StepFinished(step="lint", status="succeeded", attempts=1, seconds=2.1, output=""),
    StepWarned(step="survey", message="asked files.read for the same thing 3 times"),
    asked("survey", 2),
    AnswerRefused(step="survey", attempt=1, kind="invalid_output", message="`targets` is missing", left=1),
    asked("survey", 3),
    StepFinished(
        step="survey", status="succeeded", attempts=1, seconds=9.1, usage=Usage(2_800, 120), output="2", model=THINKER
    ),
    StepStarted(step="fix", kind="task", model=CODER),
    StepRetried(step="fix", attempt=1, kind="connection", message="the server hung up", wait=1.0),
    StepFinished(
        step="fix",
        status="failed",
        attempts=3,
        seconds=65.0,
        error={"kind": "connection", "message": "the server hung up\nafter \x1b[31m0 bytes"},
        model=CODER,
    ),
    StepFinished(step="note", status="skipped", reason="`fix` failed"),
    StepFinished(
        step="log",
        status="recovered",
        attempts=1,
        seconds=0.2,
        output="none",
        error={"kind": "tool", "message": "no log", "hint": "make one"},
    ),
    RunFinished(status="failed", exit_code=1, outputs={"note": None}, seconds=75.0),
)


def numbered(events: Sequence[Event]) -> list[Entry]:
    """Entries half a second apart."""
    moments = (datetime.fromtimestamp(1_795_388_701 + number / 2, UTC) for number in range(len(events)))
    return [
        Entry(seq=seq, at=moment.isoformat(timespec="milliseconds"), run="20261122-230501-refactor-3f2a", event=event)
        for seq, (moment, event) in enumerate(zip(moments, events, strict=True), 1)
    ]


@pytest.fixture
def story() -> list[Entry]:
    """A run with a bit of everything that can happen."""
    return numbered(STORY)


@pytest.fixture
def entries():
    """Events as entries half a second apart."""
    return numbered


@pytest.fixture
def plan() -> Plan:
    """Four steps, two models (one stands in for another), three kinds of tool servers of which one goes unused."""
    servers = (
        Server(name="files", path=(), builtin="files", root="{{ inputs.path }}", write=True),
        Server(name="git", path=(), command="mcp-server-git", args=("--repository", "."), env={"TOKEN": "t0p"}),
        Server(name="docs", path=(), url="https://example.org/mcp", headers={"Authorization": "t0p"}),
        Server(name="spare", path=(), builtin="files"),
        Server(name="memory", path=(), source=".mcp.json"),
    )
    workflow = Workflow(
        name="refactor", file="workflows/refactor.yaml", folder="workflows", servers={s.name: s for s in servers}
    )
    thinker = ModelEntry(
        key=THINKER,
        quantization="4bit",
        instances=(Instance(id=THINKER, context_length=32_768),),
        max_context_length=131_072,
        vision=True,
        tool_use=True,
        reasoning_options=("off", "on"),
        reasoning_default="on",
    )
    coder = ModelEntry(
        key=CODER, loaded=False, size_bytes=18_600_000_000, quantization="Q4_K_M", max_context_length=262_144
    )
    small = ModelEntry(key=SMALL, loaded=False, size_bytes=2_500_000_000, tool_use=False, max_context_length=32_768)
    think = ModelChoice(
        wanted=THINKER, model=THINKER, endpoint=SERVER, origin="models.thinker", entry=thinker, manages=True
    )
    spare = ModelChoice(
        wanted=SMALL, model=SMALL, endpoint=SERVER, origin="models.coder", entry=small, manages=True, ttl=600
    )
    code = ModelChoice(
        wanted="qwen/qwen4",
        model=CODER,
        endpoint=SERVER,
        origin="models.coder",
        entry=coder,
        sampling={"seed": 7},
        load={"context_length": 32_768, "flash_attention": True},
        ttl=600,
        manages=True,
        fallbacks=(spare,),
    )
    return Plan(
        workflow=workflow,
        endpoints=(SERVER,),
        servers=(Endpoint(url=SERVER, name="desk", token="t0p", max_loaded=1, memory=32_000_000_000),),
        steps=(
            planned(
                "survey",
                model=think,
                needs=Needs(tools=True, schema=True, context=9_100, reserve=1_024, result=5_715),
                grants=(grant("files", "list", "read", "search"), grant("docs", "*")),
            ),
            planned(
                "fix",
                model=code,
                needs=Needs(tools=True, context=12_000, reserve=4_096, result=5_715),
                waits_for=("survey",),
                grants=(grant("files", "*"),),
            ),
            PlannedStep(step=Step(id="verify", path=(), work=RunWork(argv=("pytest",))), waits_for=("fix",)),
            planned(
                "note",
                model=think,
                needs=Needs(tools=True, reasoning="off", context=8_300, reserve=1_024, result=5_715),
                waits_for=("fix", "verify"),
                grants=(grant("git", "git_diff*", "git_status", "git_log"), grant("memory", "*")),
            ),
        ),
    )


def planned(step_id: str, **rest) -> PlannedStep:
    return PlannedStep(step=Step(id=step_id, path=(), work=TaskWork(task="x")), **rest)


def grant(server: str, *patterns: str) -> ToolGrant:
    return ToolGrant(server=server, patterns=patterns)
