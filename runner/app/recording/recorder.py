"""Walls that let everything through and write it down: what is asked, what is answered, for which unit."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

from runner.chat.backend import Backend
from runner.chat.catalogue import EndpointCatalogue, Instance
from runner.chat.messages import ChatAnswer, ChatRequest, Delta, OnDelta
from runner.chat.toolbox import ServerFacts, Tool, ToolBox, ToolResult
from runner.execute.place import Recorder as Journal
from runner.execute.questions import Answer, Answers, Question
from runner.execute.tool_servers import ToolServers
from runner.execute.world import CommandResult, Commands, Kept, WorkFiles
from runner.record.cassette.cassette import Exchange, Kind
from runner.record.cassette.mask import Mask
from runner.record.cassette.values import (
    answer_value,
    error_value,
    facts_value,
    plain,
    request_value,
    result_value,
)
from runner.record.whereabouts import Whereabouts, whereabouts
from runner.rehearse.replay.replay import command_value, question_value
from runner.words.errors import BridgeError

Result = TypeVar("Result")


@dataclass(slots=True, eq=False)
class _Slot:
    """An exchange under way; its place among the others is that of its question."""

    kind: Kind
    place: Whereabouts
    request: Mapping[str, Any]
    answer: Mapping[str, Any] = field(default_factory=lambda: {"cancelled": True})


class Recorder:
    """Collects exchanges; secrets and what belongs to this machine are taken out at once.

    ``bounds`` as in ``cassette.values.request_value``.
    """

    def __init__(self, mask: Mask, bounds: Collection[int] = ()) -> None:
        self.mask = mask
        self.bounds = bounds
        self._slots: list[_Slot] = []

    @property
    def exchanges(self) -> tuple[Exchange, ...]:
        """All so far, in the order of their questions."""
        return tuple(
            Exchange(kind=slot.kind, place=slot.place, request=slot.request, answer=slot.answer) for slot in self._slots
        )

    def begin(self, kind: Kind, request: Mapping[str, Any], place: Whereabouts | None = None) -> _Slot:
        """A question is about to be put."""
        slot = _Slot(kind, place or whereabouts(), self.mask.hidden(request))
        self._slots.append(slot)
        return slot

    async def ask(
        self,
        kind: Kind,
        request: Mapping[str, Any],
        question: Callable[[], Awaitable[Result]],
        value: Callable[[Result], Mapping[str, Any]],
        place: Whereabouts | None = None,
    ) -> Result:
        """Put the question and write down what comes; an error too."""
        slot = self.begin(kind, request, place)
        try:
            result = await question()
        except BridgeError as error:
            slot.answer = self.mask.hidden({"error": error_value(error)})
            raise
        slot.answer = self.mask.hidden(value(result))
        return result


class RecordedBackend:
    """``label`` is what the recording calls this server: its address is of this machine.

    ``keys`` are those of models by the ids of their instances, as far as they are known.
    """

    def __init__(self, backend: Backend, label: str, recorder: Recorder) -> None:
        self._backend = backend
        self._label = label
        self._recorder = recorder
        self._listed = False
        self.keys: dict[str, str] = {}

    @property
    def endpoint(self) -> str:
        """As the protocol (``chat.backend.Backend``)."""
        return self._backend.endpoint

    async def catalogue(self) -> EndpointCatalogue:
        """What it has; the first list is recorded, what comes later follows from the loads."""
        if self._listed:
            return self._learn(await self._backend.catalogue())
        self._listed = True
        asked = {"endpoint": self._label}
        return self._learn(
            await self._recorder.ask("catalogue", asked, self._backend.catalogue, self._list, Whereabouts())
        )

    def _list(self, catalogue: EndpointCatalogue) -> Mapping[str, Any]:
        return {"catalogue": {**plain(catalogue), "endpoint": self._label}}

    def _learn(self, catalogue: EndpointCatalogue) -> EndpointCatalogue:
        for model in catalogue.models:
            self.keys.update(dict.fromkeys((one.id for one in model.instances), model.key))
        return catalogue

    async def chat(self, request: ChatRequest, on_delta: OnDelta | None = None) -> ChatAnswer:
        """The answer; recorded with its pieces, and without the id of the instance that gave it."""
        recorder, stream = self._recorder, list[Delta]()
        key = self.keys.get(request.model, request.model)
        slot = recorder.begin("chat", request_value(request, key, recorder.bounds))

        def heard(delta: Delta) -> None:
            stream.append(delta)
            if on_delta is not None:
                on_delta(delta)

        try:
            answer = await self._backend.chat(request, heard)
        except BridgeError as error:
            slot.answer = recorder.mask.hidden({"error": self._placeless(error_value(error))})
            raise
        value = answer_value(answer, stream, self.keys.get(answer.model, answer.model), recorder.mask.pieces)
        slot.answer = recorder.mask.hidden({"answer": value})
        return answer

    def _placeless(self, error: Mapping[str, Any]) -> dict[str, Any]:
        """The error without the address, which may be another one each time."""
        address = self._backend.endpoint
        return {name: v.replace(address, self._label) if isinstance(v, str) else v for name, v in error.items()}

    async def load(self, model: str, settings: Mapping[str, Any]) -> Instance:
        """As the server."""
        asked = {"endpoint": self._label, "model": model, "settings": dict(settings)}
        instance = await self._recorder.ask(
            "load",
            asked,
            lambda: self._backend.load(model, settings),
            lambda it: {"instance": plain(it)},
            Whereabouts(),
        )
        self.keys[instance.id] = model
        return instance

    async def unload(self, instance: str) -> None:
        """As the server."""
        asked = {"endpoint": self._label, "model": self.keys.get(instance, instance)}
        await self._recorder.ask("unload", asked, lambda: self._backend.unload(instance), lambda _: {}, Whereabouts())

    async def close(self) -> None:
        """As the server."""
        await self._backend.close()


class RecordedBox:
    """A tool server that is written down."""

    def __init__(self, box: ToolBox, recorder: Recorder) -> None:
        self._box = box
        self._recorder = recorder

    @property
    def name(self) -> str:
        """As the protocol (``chat.toolbox.ToolBox``)."""
        return self._box.name

    @property
    def tools(self) -> tuple[Tool, ...]:
        """As the server."""
        return self._box.tools

    async def start(self) -> ServerFacts:
        """As the server."""
        return await self._recorder.ask("server", {"server": self.name}, self._box.start, self._facts)

    async def start_unseen(self) -> None:
        """Start it, and leave in the recording what is there."""
        await self._box.start()

    def _facts(self, facts: ServerFacts) -> Mapping[str, Any]:
        return {"facts": facts_value(facts, self._box.tools)}

    async def call(self, tool: str, arguments: Mapping[str, Any]) -> ToolResult:
        """As the server; ``RecordedServers`` writes it down."""
        return await self._box.call(tool, arguments)

    async def restart(self) -> None:
        """As the server."""
        await self._box.restart()

    async def close(self) -> None:
        """As the server."""
        await self._box.close()


class RecordedServers(ToolServers):
    """The tool servers of a run, with their calls written down as the steps meet them: a death under several calls is
    one for each of them, and what is dead for good is not called any more.
    """

    def __init__(self, boxes: Mapping[str, ToolBox], journal: Journal, recorder: Recorder) -> None:
        super().__init__(boxes, journal)
        self._recorder = recorder

    async def call(self, server: str, tool: str, arguments: Mapping[str, Any]) -> ToolResult:
        """As ever."""
        asked = {"server": server, "tool": tool, "arguments": dict(arguments)}
        clean, call = self._recorder.mask.text, super().call
        return await self._recorder.ask(
            "call", asked, lambda: call(server, tool, arguments), lambda it: {"result": result_value(it, clean)}
        )


class RecordedCommands:
    """Commands that are written down."""

    def __init__(self, commands: Commands, recorder: Recorder) -> None:
        self._commands = commands
        self._recorder = recorder

    async def run(
        self, argv: Sequence[str], *, stdin: str | None = None, cwd: str | None = None, env: Mapping[str, str]
    ) -> CommandResult:
        """As the command."""
        asked = command_value(argv, stdin=stdin, cwd=cwd, env=env)
        return await self._recorder.ask(
            "command",
            asked,
            lambda: self._commands.run(argv, stdin=stdin, cwd=cwd, env=env),
            lambda it: {"result": {"exit_code": it.exit_code, "stdout": it.stdout, "stderr": it.stderr}},
        )


class RecordedFiles:
    """What became of the files, written down."""

    def __init__(self, files: WorkFiles, recorder: Recorder) -> None:
        self._files = files
        self._recorder = recorder

    async def fingerprint(self) -> Any:
        """As the files."""
        return await self._files.fingerprint()

    async def changed(self, before: Any) -> tuple[str, ...]:
        """As the files."""
        return await self._recorder.ask(
            "changed", {}, lambda: self._files.changed(before), lambda paths: {"paths": list(paths)}
        )

    async def keep(self, patterns: Sequence[str], unit: str) -> Kept:
        """As the files."""
        return await self._recorder.ask(
            "kept",
            {"patterns": list(patterns)},
            lambda: self._files.keep(patterns, unit),
            lambda kept: {"kept": {"paths": list(kept.paths), "empty": list(kept.empty)}},
        )


class RecordedAnswers:
    """What people answered, written down; that nobody did is not."""

    def __init__(self, answers: Answers, recorder: Recorder) -> None:
        self._answers = answers
        self._recorder = recorder

    async def answer(self, question: Question) -> Answer | None:
        """As those who answer."""
        place, said = whereabouts(), await self._answers.answer(question)
        if said is not None:
            slot = self._recorder.begin("answer", question_value(question), place)
            slot.answer = self._recorder.mask.hidden({"answer": {"choice": said.choice, "by": said.by}})
        return said
