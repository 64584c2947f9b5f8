"""Painted walls for a rehearsal: models, tools, commands, files and people that say what the prompter tells them."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from runner.chat.catalogue import EndpointCatalogue, Instance, ModelEntry
from runner.chat.messages import ChatAnswer, ChatRequest, Delta, Image, OnDelta
from runner.chat.toolbox import ServerFacts, Tool, ToolResult
from runner.execute.questions import Answer, Answers, Question
from runner.execute.world import CommandResult, Kept
from runner.plan.grants import is_glob
from runner.rehearse.rehearsal.prompter import Prompter
from runner.rehearse.scripted import Reply
from runner.words.errors import LLMError, LLMValidationError, StepError, ToolServerError
from runner.workflow.model import Server, TaskWork, ToolWork, Workflow

ENDPOINT = "rehearsal"
"""The address of models that are not asked."""
MODEL = "rehearsed-model"
"""The model of steps that name none."""
_CONTEXT = 10_000_000
_BEGIN = 1_767_225_600.0  # 2026-01-01: a rehearsal has no date of its own
_OF_MODELS = frozenset((
    "connection", "timeout", "rate_limit", "server", "crash", "overloaded", "context", "auth", "model_not_found",
    "wrong_model", "request", "empty",
))  # fmt: skip


class RehearsedBackend:
    """A ``Backend`` that has every model, all loaded, and asks none."""

    def __init__(self, prompter: Prompter, models: Iterable[str], endpoint: str = ENDPOINT) -> None:
        self.endpoint = endpoint
        self._prompter = prompter
        self._models = tuple(dict.fromkeys((MODEL, *models)))

    async def catalogue(self) -> EndpointCatalogue:
        """Every model that the workflow names, able to do all that one asks of models."""
        return EndpointCatalogue(
            endpoint=self.endpoint,
            flavour="lmstudio-v1",
            models=tuple(
                ModelEntry(
                    key=name, type="llm", loaded=True, tool_use=True, vision=True, max_context_length=_CONTEXT,
                    reasoning_options=("off", "on", "low", "medium", "high"),
                )
                for name in self._models
            ),
        )  # fmt: skip

    async def chat(self, request: ChatRequest, on_delta: OnDelta | None = None) -> ChatAnswer:
        """The line of the unit that asks."""
        reply = self._prompter.reply(self._prompter.at_work)
        if reply.fails is not None:
            raise _failure(reply)
        text = reply.value if isinstance(reply.value, str) and request.schema is None else _json(reply.value)
        if on_delta is not None:
            on_delta(Delta("content", text))
        return ChatAnswer(model=request.model, content=text)

    async def load(self, model: str, settings: Mapping[str, Any]) -> Instance:  # noqa: ARG002 - the protocol
        """Nothing is loaded."""
        raise LLMValidationError("a rehearsal loads no models")

    async def unload(self, instance: str) -> None:  # noqa: ARG002 - the protocol
        """Nothing is unloaded."""
        raise LLMValidationError("a rehearsal unloads no models")

    async def close(self) -> None:
        """There is nothing to close."""


def _failure(reply: Reply) -> LLMError | StepError:
    assert reply.fails is not None, "only failures come here"
    if reply.fails in _OF_MODELS:
        return LLMError(reply.message, kind=reply.fails)
    return StepError(reply.fails, reply.message)


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)


class RehearsedBox:
    """A ``ToolBox`` of a server that is not started. ``tools`` are known ones; else those that the file names."""

    def __init__(self, prompter: Prompter, server: Server, tools: Sequence[Tool]) -> None:
        self.name = server.name
        self.tools = tuple(sorted(tools, key=lambda tool: tool.name))
        self._prompter = prompter

    async def start(self) -> ServerFacts:
        """It is up at once."""
        return ServerFacts(name=self.name)

    async def call(self, tool: str, arguments: Mapping[str, Any]) -> ToolResult:  # noqa: ARG002 - the protocol
        """The line of the unit that calls."""
        reply = self._prompter.reply(self._prompter.at_work)
        if reply.fails == "tool_server":
            raise ToolServerError(self.name, reply.message)
        if reply.fails is not None and reply.fails != "tool":
            raise StepError(reply.fails, reply.message)
        if reply.fails is not None:
            return ToolResult(text=reply.message, is_error=True)
        if isinstance(reply.value, str):
            return ToolResult(text=reply.value)
        return ToolResult(text=_json(reply.value), structured=reply.value, has_structured=True)

    async def restart(self) -> None:
        """It is up again."""

    async def close(self) -> None:
        """There is nothing to end."""


def tools_named(server: str, family: Iterable[Workflow]) -> tuple[Tool, ...]:
    """A tool for every name under which the files mention one of a server; for a glob one that fits it."""
    names = dict.fromkeys(_stand_in(name) for workflow in family for name in _names(server, workflow))
    return tuple(Tool(name=name, input_schema={"type": "object"}) for name in names)


def _names(server: str, workflow: Workflow) -> Iterator[str]:
    if server in workflow.servers:
        yield from workflow.servers[server].tools
    for step in workflow.steps:
        if isinstance(step.work, ToolWork) and step.work.server == server:
            yield step.work.tool
        elif isinstance(step.work, TaskWork):
            for pattern in step.work.tools or ():
                name, _, tool = pattern.partition(".")
                if name == server:
                    yield tool or "*"


def _stand_in(name: str) -> str:
    return name.replace("*", "any").replace("?", "x") if is_glob(name) else name


class RehearsedCommands:
    """``Commands`` that start none: what a ``run`` step does is its line, and every check passes."""

    def __init__(self, prompter: Prompter) -> None:
        self._prompter = prompter

    async def run(
        self,
        argv: Sequence[str],  # noqa: ARG002 - the protocol
        *,
        stdin: str | None = None,  # noqa: ARG002 - the protocol
        cwd: str | None = None,  # noqa: ARG002 - the protocol
        env: Mapping[str, str],  # noqa: ARG002 - the protocol
    ) -> CommandResult:
        """How the command of the unit at work ended."""
        unit = self._prompter.at_work
        if not self._prompter.asks_for_work(unit):
            return CommandResult(exit_code=0, stdout="", stderr="")
        reply = self._prompter.reply(unit)
        if reply.fails == "command":
            return CommandResult(exit_code=1, stdout="", stderr=reply.message)
        if reply.fails is not None:
            raise StepError(reply.fails, reply.message)
        text = reply.value
        work: Any = self._prompter.step_of(unit)
        if not isinstance(text, str) or work.output_schema is not None or work.work.parse_json:
            text = _json(text)
        return CommandResult(exit_code=0, stdout=text + "\n", stderr="")


class RehearsedFiles:
    """``WorkFiles`` that never change; whatever is to be kept is there."""

    async def fingerprint(self) -> Any:
        """Nothing to look at."""

    async def changed(self, before: Any) -> tuple[str, ...]:  # noqa: ARG002 - the protocol
        """Nothing."""
        return ()

    async def keep(self, patterns: Sequence[str], unit: str) -> Kept:  # noqa: ARG002 - the protocol
        """The patterns as paths."""
        return Kept(paths=tuple(patterns))


class RehearsedPeople:
    """``Answers`` by the prompter; where somebody is ``beside`` it, only those that have a stub."""

    def __init__(self, prompter: Prompter, beside: Answers | None = None) -> None:
        self._prompter = prompter
        self._beside = beside

    async def answer(self, question: Question) -> Answer | None:
        """The choice of the unit that asks."""
        if self._beside is not None and self._prompter.stubs.name_for(question.unit) is None:
            return await self._beside.answer(question)
        choice = self._prompter.reply(question.unit).value
        return Answer(choice=choice if choice in question.choices else question.choices[0], by="--answer")


class RehearsedClock:
    """Time that passes only where somebody waits."""

    def __init__(self) -> None:
        self._passed = 0.0

    def now(self) -> float:
        """Unix seconds."""
        return _BEGIN + self._passed

    def monotonic(self) -> float:
        """Seconds since the rehearsal began."""
        return self._passed

    async def sleep(self, seconds: float) -> None:
        """Let others work, and be late at once."""
        self._passed += max(seconds, 0.0)
        await asyncio.sleep(0)


def rehearsed_image(path: str) -> Image:
    """A picture that nobody looks at."""
    return Image(path=path, media_type="image/png", data="", size=0, sha256="")
