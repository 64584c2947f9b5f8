"""Checks on finished work: an expression that must hold, or a command that must end with 0."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from runner.execute.spill import shorten
from runner.execute.world import World
from runner.record.events import CommandRan
from runner.words.errors import TemplateError
from runner.words.templates import render_text, truth
from runner.workflow.model import Expectation

SHOWN = 4_000
"""How many characters of a failed command's output go back to the model."""


async def missed(world: World, step: str, attempt: int, expectations: Sequence[Expectation], output: Any) -> str | None:
    """Words for the model on the first expectation that ``output`` misses, or None.

    Raises:
        StepError: a command could not be started.
        TemplateError: an expression met data that it cannot read for another reason than this answer.
    """
    for expectation in expectations:
        words = await _missed_one(world, step, attempt, expectation, output)
        if words is not None:
            return words
    return None


async def _missed_one(world: World, step: str, attempt: int, expectation: Expectation, output: Any) -> str | None:
    names = world.names(output=output)
    if expectation.that is not None:
        reason = f"this does not hold: {expectation.that}"
        try:
            if truth(expectation.that, names):
                return None
        except TemplateError as error:
            reason = f"this cannot be judged: {expectation.that} ({error.message})"
    else:
        failure = await _failed_command(world, step, attempt, expectation, names)
        if failure is None:
            return None
        reason = failure
    wanted = f"{render_text(expectation.message, names)}\n" if expectation.message else ""
    return f"{wanted}{reason}"


async def _failed_command(
    world: World, step: str, attempt: int, expectation: Expectation, names: dict[str, Any]
) -> str | None:
    argv = tuple(render_text(word, names) for word in expectation.run)
    started = world.clock.monotonic()
    result = await world.commands.run(argv, env={})
    wrote = "\n".join(part for part in (result.stdout.rstrip(), result.stderr.rstrip()) if part)
    shown, artifact = shorten(wrote, SHOWN, world.artifacts, step, "expectation.txt")
    world.journal.append(
        CommandRan(
            step=step, attempt=attempt, argv=argv, exit_code=result.exit_code, stdout=shown, stderr="",
            seconds=world.clock.monotonic() - started, expectation=True, artifact=artifact,
        )
    )  # fmt: skip
    if result.exit_code == 0:
        return None
    return f"the command `{' '.join(argv)}` ended with exit code {result.exit_code}:\n{shown}"
