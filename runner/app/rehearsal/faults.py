"""``bridge-run FILE --faults``: the workflow once for each fault, on a simulator that has it, in a scratch copy."""

from __future__ import annotations

import asyncio
import json
import os
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

from runner.app.console import say, tell
from runner.app.files import one_file, script_file
from runner.app.interrupt import interruptible
from runner.app.rehearsal.story import Story, story_of
from runner.app.request import RunRequest
from runner.app.scratch import Original, copy_to, look_at
from runner.edges.clock import Clock
from runner.edges.command import CommandRunner
from runner.edges.config.file import read_configuration
from runner.edges.process_group import Offspring
from runner.execute.world import CommandResult
from runner.rehearse.simulator.fault import FAULTS
from runner.rehearse.simulator.reading import read_script
from runner.rehearse.simulator.script import Pace, Script, Strike
from runner.rehearse.simulator.serve import Simulator
from runner.rehearse.simulator.striking import named_faults, strike
from runner.show.faults_view import Rehearsal, Verdict, faults_json, faults_text
from runner.words.errors import StepError, UsageError
from runner.words.exits import Exit
from runner.words.noun import noun
from runner.words.units import show_seconds

LIMIT: Final = 60.0
"""Seconds that one rehearsal may take; what is not over then hangs."""
AT_ONCE: Final = 4
FIRST_BYTE: Final = "5s"
IDLE: Final = "3s"
"""How long a rehearsal waits for a silent server: long enough for the slow faults, too short for a person to mind."""
_SCRIPT_ENDING: Final = ".sim.yaml"
_ADDRESSES: Final = ("BRIDGE_RUN_ENDPOINT", "LMSTUDIO_HOST", "LMSTUDIO_PORT")


def fault_list() -> str:
    """Every fault and what it does, a line each."""
    room = max(map(len, FAULTS))
    return "\n".join(f"{kind.name:{room}}  {kind.line}" for kind in FAULTS.values())


def rehearse_faults(request: RunRequest, environment: Mapping[str, str], *, limit: float = LIMIT) -> int:
    """Rehearse the file of a request against its faults, tell the outcome, and give the exit code.

    Raises:
        UsageError: a fault is none, there is no script, or the folder is too large to be copied.
        WorkflowError: the script or the configuration is at fault.
    """
    assert request.faults is not None, "it was asked for"
    names = named_faults(request.faults)
    script = _at_once(read_script(_script_of(request)))
    default = read_configuration(request.config, environment).default_model or _only_loaded(script)
    with tempfile.TemporaryDirectory(prefix="bridge-run-faults-") as folder:
        work = _Rehearsals(request, environment, script, default_model=default, folder=Path(folder), limit=limit)
        return asyncio.run(work.run(names))


def _script_of(request: RunRequest) -> str:
    if request.simulate is not None:
        return script_file(request.simulate)
    file = one_file(request.file)
    beside = str(Path(file).with_suffix("")) + _SCRIPT_ENDING
    if not Path(beside).is_file():
        raise UsageError(
            f"`--faults` needs a simulator's script, and there is no `{beside}`",
            hint="name one: `--simulate SCRIPT`; `bridge-run schema simulator` says how to write it",
        )
    return beside


def _at_once(script: Script) -> Script:
    """The script without any pace: what takes time is to be the faults."""
    return replace(script, models={key: replace(model, pace=Pace()) for key, model in script.models.items()})


def _only_loaded(script: Script) -> str | None:
    """The model for steps that name none: the faults of loads unload it first, and it must not be forgotten."""
    loaded = [model.key for model in script.models.values() if model.loaded is not None and model.type != "embedding"]
    return loaded[0] if len(loaded) == 1 else None


@noun
class _Ran:
    """How one process ended; ``result`` None = it was ended because its time was over."""

    story: Story
    result: CommandResult | None
    seconds: float
    struck: int


class _Rehearsals:
    """All rehearsals of one command, a few at once."""

    def __init__(
        self,
        request: RunRequest,
        environment: Mapping[str, str],
        script: Script,
        *,
        default_model: str | None,
        folder: Path,
        limit: float,
    ) -> None:
        self._request = request
        self._script = script
        self._default_model = default_model
        self._folder = folder
        self._limit = limit
        self._clock = Clock()
        self._offspring = Offspring()
        own = {name: value for name, value in environment.items() if name not in _ADDRESSES}
        self._commands = CommandRunner(own, self._offspring)
        self._slots = asyncio.Semaphore(min(AT_ONCE, os.cpu_count() or 1))

    async def run(self, names: Sequence[str]) -> int:
        """The exit code."""
        work = asyncio.ensure_future(self._all(names))
        with interruptible(work, self._offspring):
            try:
                return await work
            except asyncio.CancelledError:
                tell("interrupted")
                return Exit.INTERRUPTED
            finally:
                self._offspring.kill_all_now()

    async def _all(self, names: Sequence[str]) -> int:
        original = await look_at(Path.cwd(), self._commands)
        usual = await self._process("none", (), original)
        if usual.result is None or usual.result.exit_code != Exit.OK:
            return self._refuse(usual)
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(self._one(name, original, usual.story)) for name in names]
        return self._report([task.result() for task in tasks])

    def _refuse(self, usual: _Ran) -> int:
        """Without any fault the workflow fails: there is nothing to rehearse."""
        if usual.result is not None:
            tell(usual.result.stderr)
        over = "takes too long" if usual.result is None else "fails"
        tell(f"error: the workflow {over} on the simulator even without a fault\n  = help: get that right first")
        return Exit.STEP_FAILED if usual.result is None else usual.result.exit_code

    def _report(self, rehearsals: Sequence[Rehearsal]) -> int:
        good = all(one.verdict in ("survived", "not met") for one in rehearsals)
        code = Exit.OK if good else Exit.STEP_FAILED
        if self._request.format == "json":
            say(json.dumps(faults_json(rehearsals, self._request.file, code), ensure_ascii=False, indent=2))
        else:
            say(faults_text(rehearsals))
        return code

    async def _one(self, name: str, original: Original, usual: Story) -> Rehearsal:
        async with self._slots:
            ran = await self._process(name, (strike(name),), original)
        rehearsal = _judged(name, ran, usual)
        if not self._request.quiet:
            tell(f"{show_seconds(rehearsal.seconds):>7}  {name}: {rehearsal.verdict}")
        return rehearsal

    async def _process(self, name: str, strikes: tuple[Strike, ...], original: Original) -> _Ran:
        """Run the workflow as a process of its own, in its own copy and with its own server."""
        place = self._folder / name
        request = self._request
        also = [file for file in (request.file, request.inputs_file) if file is not None]
        folder = await copy_to(original, place / "copy", self._commands, also=also)
        script = replace(self._script, faults=(*strikes, *self._script.faults))
        began = self._clock.monotonic()
        async with Simulator(script) as simulator:
            (place / "bridge.toml").write_text(_configuration(simulator.url, self._default_model), encoding="utf-8")
            result = await self._bounded(tuple(self._command(place)), folder)
            struck = simulator.struck().get(name, 0)
        seconds = self._clock.monotonic() - began
        story = story_of(place / "runs", str(place))
        return _Ran(story=story, result=result, seconds=seconds, struck=struck)

    async def _bounded(self, command: tuple[str, ...], folder: Path) -> CommandResult | None:
        try:
            async with asyncio.timeout(self._limit):
                return await self._commands.run(command, cwd=str(folder), env={"NO_COLOR": "1"})
        except TimeoutError:
            return None
        except StepError as error:
            return CommandResult(exit_code=Exit.BUG, stdout="", stderr=error.message)

    def _command(self, place: Path) -> Iterator[str]:
        """The command line of one rehearsal; ``-P`` keeps the project's own modules from standing in for ours."""
        request = self._request
        yield from (sys.executable, "-P", "-m", "runner.cli.main", "run", request.file, "--quiet", "--output", "json")
        yield from ("--endpoint", "rehearsal", "--config", str(place / "bridge.toml"), "--run-dir", str(place / "runs"))
        for given in request.inputs:
            yield from ("--input", given)
        for model in request.models:
            yield from ("--model", model)
        if request.inputs_file is not None:
            yield from ("--inputs", request.inputs_file)


def _configuration(url: str, default_model: str | None) -> str:
    """A ``bridge.toml`` with the one server and little patience."""
    default = "" if default_model is None else f"default_model = {json.dumps(default_model)}\n"
    limits = f'first_byte_timeout = "{FIRST_BYTE}"\nidle_timeout = "{IDLE}"\n'
    return f"{default}[endpoints.rehearsal]\nurl = {json.dumps(url)}\n{limits}"


def _judged(name: str, ran: _Ran, usual: Story) -> Rehearsal:
    """What became of it. An end without an error, but with other outputs, is a wrong answer that nobody noticed."""
    verdict: Verdict
    if ran.result is None:
        verdict = "hung"
    elif ran.result.exit_code != Exit.OK:
        verdict = "failed"
    elif ran.story.outputs != usual.outputs:
        verdict = "changed"
    else:
        verdict = "survived" if ran.struck else "not met"
    error = _error_of(ran) if verdict == "failed" else {}
    return Rehearsal(
        fault=name,
        verdict=verdict,
        seconds=ran.seconds,
        struck=ran.struck,
        attempts=ran.story.attempts,
        happened=tuple(words for words in ran.story.happened if words not in usual.happened),
        kind=error.get("kind"),
        message=error.get("message"),
        exit_code=None if ran.result is None else ran.result.exit_code,
    )


def _error_of(ran: _Ran) -> Mapping[str, Any]:
    """Why it failed: by its journal, or by what it wrote before it had one."""
    if ran.story.error is not None:
        return ran.story.error
    lines = ran.result.stderr.strip().splitlines() if ran.result is not None else []
    said = next((line for line in lines if line.startswith("error")), lines[-1] if lines else "")
    kind = "bug" if ran.result is not None and ran.result.exit_code == Exit.BUG else "before the run"
    return {"kind": kind, "message": said.removeprefix("error: ")}
