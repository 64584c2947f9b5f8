"""Painted walls that answer from a recording: models, tools, commands, files, people. Nothing is started or asked."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any, TypeVar

from runner.chat.catalogue import EndpointCatalogue, Instance
from runner.chat.messages import ChatAnswer, ChatRequest, Delta, OnDelta
from runner.chat.toolbox import ServerFacts, Tool, ToolResult
from runner.execute.questions import Answer, Answers, Question
from runner.execute.tool_servers import ToolServers
from runner.execute.world import CommandResult, Kept
from runner.record.cassette.cassette import Exchange
from runner.record.cassette.values import (
    read_answer,
    read_catalogue,
    read_error,
    read_result,
    read_stream,
    read_tool,
    request_value,
)
from runner.record.events import ToolServerDied
from runner.record.whereabouts import Whereabouts
from runner.rehearse.replay.tape import Tape
from runner.words.errors import LLMValidationError, StepError, ToolServerError

Result = TypeVar("Result")
_NEVER = 10_000_000.0
"""Seconds; who waits so long was cancelled when it was recorded, and is now."""


async def _given(tape: Tape, one: Exchange, read: Callable[[Any], Result]) -> Result:
    """What ``read`` makes of the answer as this run meets it.

    Raises:
        BridgeError: it was an error when it was recorded; or the answer is misshapen.
    """
    await asyncio.sleep(0)
    if one.answer.get("cancelled"):
        if tape.jumps:
            await asyncio.sleep(_NEVER)
        raise StepError("timeout", "nobody waited for this answer when it was recorded")
    shown = tape.mask.shown(one.answer)
    try:
        if "error" not in shown:
            return read(shown)
        error = read_error(shown["error"])
    except (KeyError, TypeError, ValueError, AttributeError) as why:
        raise tape.misshapen(one, why) from why
    raise error


class ReplayBackend:
    """One server of models, as it was when it was recorded; what it has loaded follows what this run does.

    ``endpoint`` is the name under which it was recorded; ``keys`` are those of models by the ids of their instances.
    """

    def __init__(self, tape: Tape, endpoint: str, keys: dict[str, str] | None = None) -> None:
        self._tape = tape
        self._endpoint = endpoint
        self._known: EndpointCatalogue | None = None
        self._loads: dict[str, list[Exchange]] = {}
        self._keys = {} if keys is None else keys

    @property
    def endpoint(self) -> str:
        """As the protocol (``chat.backend.Backend``)."""
        return self._endpoint

    async def catalogue(self) -> EndpointCatalogue:
        """What was listed, with what this run has loaded since."""
        if self._known is None:
            one = self._tape.take("catalogue", {"endpoint": self._endpoint}, Whereabouts())
            self._known = await _given(self._tape, one, lambda given: read_catalogue(given["catalogue"]))
            for model in self._known.models:
                self._keys.update(dict.fromkeys((one.id for one in model.instances), model.key))
        return self._known

    async def chat(self, request: ChatRequest, on_delta: OnDelta | None = None) -> ChatAnswer:
        """The recorded answer, in the recorded pieces."""
        asked = request_value(request, self._keys.get(request.model, request.model), self._tape.bounds)
        one = self._tape.take("chat", asked)
        answer = await _given(self._tape, one, lambda given: read_answer(given["answer"]))
        try:
            pieces = tuple(read_stream(one.answer["answer"]))
        except (TypeError, ValueError, KeyError) as why:
            raise self._tape.misshapen(one, why) from why
        if on_delta is not None:
            for piece in pieces:
                on_delta(Delta(piece.kind, self._tape.mask.shown(piece.text)))
        return answer

    async def load(self, model: str, settings: Mapping[str, Any]) -> Instance:
        """What came of the load: recorded outcomes one after the other, and the last from then on.

        Raises:
            LLMError: it failed when it was recorded, or it was not recorded so.
        """
        asked = self._tape.mask.hidden({"endpoint": self._endpoint, "model": model, "settings": dict(settings)})
        outcomes = self._outcomes(asked, as_asked=True)
        if not outcomes and settings.get("context_length") not in self._tape.contexts:
            outcomes = self._outcomes(asked, as_asked=False)
        if not outcomes:
            try:
                self._tape.take("load", asked, Whereabouts())
            except StepError as error:  # the loads of a run belong to no step
                raise LLMValidationError(error.message, hint=error.hint) from error
        one = outcomes.pop(0) if len(outcomes) > 1 else outcomes[0]
        self._tape.use(one)
        instance = await _given(self._tape, one, lambda given: Instance(**given["instance"]))
        self._keys[instance.id] = model
        self._change(model, instance.id, instance)
        return instance

    def _outcomes(self, asked: Any, *, as_asked: bool) -> list[Exchange]:
        """What is left of the outcomes of such loads; not ``as_asked``, their context is of no matter: it was reckoned,
        from tools that may be others by now.
        """

        def known(request: Any) -> Any:
            kept = {key: value for key, value in request["settings"].items() if as_asked or key != "context_length"}
            return {**request, "settings": kept}

        wanted = known(asked)
        name = repr((as_asked, wanted))
        if name not in self._loads:
            self._loads[name] = [one for one in self._tape.all_of("load") if known(one.request) == wanted]
        return self._loads[name]

    async def unload(self, instance: str) -> None:
        """Always works."""
        self._change(self._keys.get(instance, instance), instance, None)

    def _change(self, key: str, instance: str, now: Instance | None) -> None:
        if self._known is None:
            return
        models = tuple(
            replace(
                one,
                instances=(
                    *(there for there in one.instances if there.id != instance),
                    *([] if now is None else [now]),
                ),
            )
            if one.key == key
            else one
            for one in self._known.models
        )
        self._known = replace(self._known, models=models)

    async def close(self) -> None:
        """There is nothing to close."""


class ReplayBox:
    """A tool server, as it was."""

    def __init__(self, tape: Tape, name: str) -> None:
        self._tape = tape
        self._name = name
        self._tools: tuple[Tool, ...] = ()

    @property
    def name(self) -> str:
        """As the protocol (``chat.toolbox.ToolBox``)."""
        return self._name

    @property
    def tools(self) -> tuple[Tool, ...]:
        """Those that were listed."""
        return self._tools

    async def start(self) -> ServerFacts:
        """What it said of itself.

        Raises:
            ToolServerError: it did not start when it was recorded.
            StepError: it was not recorded.
        """
        facts, self._tools = await _given(self._tape, self._tape.take("server", {"server": self._name}), _facts)
        return facts

    async def call(self, tool: str, arguments: Mapping[str, Any]) -> ToolResult:
        """The recorded result."""
        asked = {"server": self._name, "tool": tool, "arguments": dict(arguments)}
        one = self._tape.take("call", asked)
        return await _given(self._tape, one, lambda given: read_result(given["result"]))

    async def restart(self) -> None:
        """It was never gone: ``ReplayServers`` tells of its deaths."""

    async def close(self) -> None:
        """There is nothing to end."""


class ReplayServers(ToolServers):
    """Tool servers whose calls end as they did: which of them a death cut off depends on no order of today."""

    async def call(self, server: str, tool: str, arguments: Mapping[str, Any]) -> ToolResult:
        """As it went; a death is journalled where it was met first."""
        try:
            return await self._boxes[server].call(tool, arguments)
        except ToolServerError as error:
            if error.restarted is not None:
                self._journal.append(ToolServerDied(server=server, message=error.message, restarted=error.restarted))
            raise


class ReplayCommands:
    """Commands that are not started."""

    def __init__(self, tape: Tape) -> None:
        self._tape = tape

    async def run(
        self, argv: Sequence[str], *, stdin: str | None = None, cwd: str | None = None, env: Mapping[str, str]
    ) -> CommandResult:
        """How it ended when it was recorded."""
        asked = command_value(argv, stdin=stdin, cwd=cwd, env=env)
        one = self._tape.take("command", asked)
        return await _given(self._tape, one, _ended)


def command_value(argv: Sequence[str], *, stdin: str | None, cwd: str | None, env: Mapping[str, str]) -> dict[str, Any]:
    """What of a command decides its end; of its variables the names."""
    value: dict[str, Any] = {"argv": list(argv)}
    if stdin is not None:
        value["stdin"] = stdin
    if cwd is not None:
        value["cwd"] = cwd
    return {**value, "env": sorted(env)} if env else value


class ReplayFiles:
    """The files that steps work on, which nobody touches."""

    def __init__(self, tape: Tape) -> None:
        self._tape = tape

    async def fingerprint(self) -> Any:
        """Nothing to compare."""
        return None

    async def changed(self, before: Any) -> tuple[str, ...]:  # noqa: ARG002 - the protocol
        """What had changed."""
        return await _given(self._tape, self._tape.take("changed", {}), lambda given: tuple(given["paths"]))

    async def keep(self, patterns: Sequence[str], unit: str) -> Kept:  # noqa: ARG002 - the tape knows where it is
        """What was kept; the copies are those of the recorded run."""
        one = self._tape.take("kept", {"patterns": list(patterns)})
        return await _given(self._tape, one, _kept)


class ReplayAnswers:
    """Who answers questions: the command line (``given``), what was answered then, else ``others``."""

    def __init__(self, tape: Tape, given: Answers, others: Answers) -> None:
        self._tape = tape
        self._given = given
        self._others = others

    async def answer(self, question: Question) -> Answer | None:
        """As the protocol (``execute.questions.Answers``)."""
        said = await self._given.answer(replace(question, default=None))
        if said is not None or not self._tape.knows("answer"):
            return said or await self._others.answer(question)
        one = self._tape.take("answer", question_value(question))
        return await _given(self._tape, one, lambda given: Answer(**given["answer"]))


def _ended(given: Mapping[str, Any]) -> CommandResult:
    result = given["result"]
    code, out, err = result["exit_code"], result["stdout"], result["stderr"]
    if not isinstance(code, int) or not isinstance(out, str) or not isinstance(err, str):
        raise TypeError(result)
    return CommandResult(exit_code=code, stdout=out, stderr=err)


def _facts(given: Mapping[str, Any]) -> tuple[ServerFacts, tuple[Tool, ...]]:
    facts = given["facts"]
    about = ServerFacts(name=facts["name"], version=facts["version"], protocol=facts["protocol"])
    return about, tuple(read_tool(one) for one in facts["tools"])


def _kept(given: Mapping[str, Any]) -> Kept:
    return Kept(paths=tuple(given["kept"]["paths"]), empty=tuple(given["kept"]["empty"]))


def question_value(question: Question) -> dict[str, Any]:
    """What of a question decides its answer."""
    return {"question": question.text, "choices": list(question.choices)}
