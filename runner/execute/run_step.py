"""The step kind ``run``: a command, its exit code, and what it wrote."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from runner.chat.messages import Usage
from runner.execute.expectation import missed
from runner.execute.spill import shorten
from runner.execute.worker import Outcome
from runner.execute.world import CommandResult, World
from runner.record.events import CommandRan
from runner.words.errors import BridgeError, StepError
from runner.words.json_text import read_json
from runner.words.schemas import complaints
from runner.words.spans import show_path
from runner.words.templates import render_text
from runner.workflow.model import RunWork, Step

_JSON = "let the command write one JSON value to stdout and all else to stderr, or leave `output` out"
_JOURNALLED = 20_000
_TAIL = 2_000
"""Characters of stderr that stand in the message of a failed command."""


class RunWorker:
    """One run step at work."""

    usage = Usage()
    model = None

    def __init__(self, world: World, step: Step) -> None:
        assert isinstance(step.work, RunWork)
        self._world = world
        self._step = step
        self._work = work = step.work
        names = world.names(secrets=world.secrets)
        self._argv = ("/bin/sh", "-c", work.shell) if work.shell is not None else self._words(work.argv)
        self._stdin = None if work.stdin is None else render_text(work.stdin, world.names())
        self._cwd = None if work.cwd is None else render_text(work.cwd, world.names())
        self._env = {key: render_text(value, names) for key, value in work.env.items()}
        self._started = False
        self.extras: Mapping[str, Any] = {}

    def _words(self, argv: tuple[str, ...]) -> tuple[str, ...]:
        names = self._world.names()
        return tuple(render_text(word, names) for word in argv)

    async def attempt(self, number: int) -> Outcome:
        """Run the command and check what it wrote."""
        started = self._world.clock.monotonic()
        result = await self._run()
        self._journal(number, result, self._world.clock.monotonic() - started)
        self.extras = {"exit_code": result.exit_code, "stderr": result.stderr}
        if result.exit_code != 0:
            wrote = _tail(result.stderr.strip() or result.stdout.strip())
            said = f":\n{wrote}" if wrote else " and wrote nothing"
            raise StepError("command", f"`{self._shown()}` ended with exit code {result.exit_code}{said}")
        output = self._output(result)
        words = await missed(self._world, self._step.id, number, self._step.expect, output)
        if words is not None:
            raise StepError("expectation", words, hint="correct the command, or what is expected of it")
        return Outcome(output=output, extras=self.extras)

    async def _run(self) -> CommandResult:
        try:
            result = await self._world.commands.run(self._argv, stdin=self._stdin, cwd=self._cwd, env=self._env)
        except StepError as error:
            self._started = self._started or error.kind != "command"  # of that kind: it could not be started
            raise
        self._started = True
        return result

    def repeatable(self, error: BridgeError) -> bool:
        """A command is repeated only for the kinds that ``retry.on`` names: then its author knows what it does.

        One that the file calls unsafe is not, once it was started.
        """
        return error.kind in self._step.retry.on and not (self._started and self._step.effects == "unsafe")

    def fall_back(self, error: BridgeError) -> bool:  # noqa: ARG002 - the protocol of workers
        """There is nothing else that could do it."""
        return False

    def _shown(self) -> str:
        return self._work.shell if self._work.shell is not None else " ".join(self._argv)

    def _journal(self, number: int, result: CommandResult, seconds: float) -> None:
        artifacts, step = self._world.artifacts, self._step.id
        stdout, artifact = shorten(result.stdout, _JOURNALLED, artifacts, step, f"stdout-{number}.txt")
        stderr, more = shorten(result.stderr, _JOURNALLED, artifacts, step, f"stderr-{number}.txt")
        self._world.journal.append(
            CommandRan(
                step=step, attempt=number, argv=self._argv, exit_code=result.exit_code, stdout=stdout, stderr=stderr,
                seconds=seconds, artifact=artifact or more,
            )
        )  # fmt: skip

    def _output(self, result: CommandResult) -> Any:
        """Stdout without its last newline, or the JSON value in it where the step asks for one."""
        text = result.stdout.removesuffix("\n").removesuffix("\r")
        schema = self._step.output_schema
        if not self._work.parse_json and schema is None:
            return text
        try:
            value = read_json(text)
        except ValueError as error:
            wrong = f"stdout of `{self._shown()}` is not JSON: {error}"
            raise StepError("invalid_output", wrong, hint=_JSON) from error
        found = complaints(schema, value) if schema is not None else ()
        if found:
            lines = "; ".join(f"{show_path(c.path) or 'the value'}: {c.message}" for c in found)
            wrong = f"stdout of `{self._shown()}` does not fit its schema: {lines}"
            raise StepError("invalid_output", wrong, hint="correct the command, or its `output` schema")
        return value


def _tail(text: str) -> str:
    """The last ``_TAIL`` characters, from the beginning of a line where one is near."""
    if len(text) <= _TAIL:
        return text
    cut = text[-_TAIL:]
    return "…\n" + cut[cut.find("\n", 0, 200) + 1 :]
